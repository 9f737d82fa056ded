package permission

import (
	"path/filepath"
	"slices"
	"strings"
)

// proveGit decides whether a git command only reads. Options that name a
// program, a file to write, or a place outside of the repository are in no
// table; nor is anything that talks to a server. What the repository's own
// configuration would run is switched off by whoever starts the command.
func (r *shellReader) proveGit(p *part, args []string, cwd string) {
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		switch args[0] {
		case "--no-pager", "-P", "--no-optional-locks", "--literal-pathspecs":
			args = args[1:]
			continue
		case "--version":
			return
		case "-C":
			if len(args) < 2 {
				break
			}
			dir, ok := r.resolve(cwd, args[1])
			if !ok {
				break
			}
			p.reads = append(p.reads, target{path: dir})
			cwd, args = dir, args[2:]
			continue
		}
		p.not("the option " + args[0] + " of git is not known to be safe")
		return
	}
	if len(args) == 0 {
		p.not("it is not known what git does without a command")
		return
	}
	sub, rest := args[0], args[1:]
	s, ok := gitSpec(sub, rest)
	if !ok {
		p.not("git " + sub + " is not known to only read")
		return
	}
	if sub == "stash" || sub == "worktree" || sub == "remote" && len(rest) > 0 && rest[0] == "get-url" {
		rest = rest[1:]
	}
	if verifies(rest) {
		p.not("the format verifies signatures, which runs a program")
		return
	}
	r.proveSpec(p, &s, rest, cwd)
	if shows(sub) {
		r.readsPath(p, ".", cwd, true)
	}
}

// shows reports whether a sub-command prints what is in files; a closed file
// below the directory then makes it more than a read.
func shows(sub string) bool {
	switch sub {
	case "log", "show", "diff", "blame", "grep", "cat-file", "stash", "annotate":
		return true
	}
	return false
}

// verifies finds a format that makes git start gpg.
func verifies(args []string) bool {
	for _, a := range args {
		if strings.Contains(a, "%G") || strings.Contains(a, "%(signature") || strings.HasPrefix(a, "--sort") && strings.Contains(a, "signature") {
			return true
		}
	}
	return false
}

// gitPaths notes the files among words that may be revisions, files, or
// REVISION:FILE. Every word is looked at as all of them.
func (r *shellReader) gitPaths(p *part, args []string, cwd string) {
	for _, a := range args {
		if strings.HasPrefix(a, ":") {
			p.not("the path " + a + " starts at the top of the repository")
			return
		}
		r.readsPath(p, a, cwd, false)
		rev, file, ok := strings.Cut(a, ":")
		if !ok {
			continue
		}
		if filepath.IsAbs(file) || strings.HasPrefix(file, "~") || strings.Contains(rev, "..") && strings.Contains(rev, "/") {
			p.not("it is not known where " + a + " is")
			return
		}
		if file != "" {
			r.readsPath(p, file, cwd, false)
		}
	}
}

// listing refuses words that would create or delete what otherwise is listed.
func listing(o options) bool {
	return len(o.args) == 0 || o.has("list", "contains", "no-contains", "merged", "no-merged", "points-at")
}

// noRevisionPath refuses REVISION:FILE among the words of git grep.
func noRevisionPath(o options) bool {
	for i, a := range o.args {
		if (i > 0 || o.has("e")) && strings.Contains(a, ":") {
			return false
		}
	}
	return true
}

// gitSpec is the table of git's sub-commands that only read.
func gitSpec(sub string, rest []string) (spec, bool) {
	first := ""
	if len(rest) > 0 {
		first = rest[0]
	}
	switch sub {
	case "status":
		return spec{
			flags: "sbvz", attached: "u", args: argPaths,
			long: []string{
				"short", "branch", "porcelain?", "long", "verbose", "untracked-files?", "ignored?", "ignore-submodules?",
				"show-stash", "ahead-behind", "no-ahead-behind", "renames", "no-renames", "column?", "no-column", "null",
			},
		}, true
	case "log", "whatchanged", "rev-list":
		return spec{flags: "puszbwaRciEFPq", valued: "nSG", attached: "UMCB", number: true, args: argGit, long: slices.Concat(gitDiffLong(), gitLogLong())}, true
	case "show":
		return spec{flags: "puszbwaRcq", valued: "nSG", attached: "UMCB", number: true, args: argGit, long: slices.Concat(gitDiffLong(), gitLogLong())}, true
	case "diff":
		return spec{flags: "puszbwaRcq", valued: "SG", attached: "UMCB", args: argGit, long: gitDiffLong()}, true
	case "stash":
		if first == "list" || first == "show" {
			return spec{flags: "pu", number: true, args: argGit, long: slices.Concat(gitDiffLong(), gitLogLong())}, true
		}
	case "worktree":
		if first == "list" {
			return spec{flags: "vz", long: []string{"porcelain", "verbose"}}, true
		}
	case "branch":
		return spec{
			flags: "arvqi", args: argText, check: listing,
			long: []string{
				"all", "remotes", "verbose", "list", "show-current", "contains", "no-contains", "merged", "no-merged",
				"format=", "sort=", "points-at=", "color?", "no-color", "column?", "no-column", "ignore-case", "abbrev?", "no-abbrev",
			},
		}, true
	case "tag":
		return spec{
			flags: "li", attached: "n", args: argText, check: func(o options) bool { return o.has("l") || listing(o) },
			long: []string{"list", "sort=", "contains", "no-contains", "merged", "no-merged", "points-at=", "format=", "column?", "no-column"},
		}, true
	case "remote":
		if first == "get-url" {
			return spec{args: argText, long: []string{"all", "push"}}, true
		}
		return spec{flags: "v", long: []string{"verbose"}}, true
	case "rev-parse":
		return spec{
			flags: "q", args: argGit,
			long: []string{
				"show-toplevel", "short?", "abbrev-ref?", "verify", "quiet", "is-inside-work-tree", "is-inside-git-dir", "is-bare-repository",
				"git-dir", "git-common-dir", "absolute-git-dir", "show-prefix", "show-cdup", "symbolic-full-name", "symbolic", "all",
				"branches?", "tags?", "remotes?", "is-shallow-repository", "show-object-format?",
			},
		}, true
	}
	return gitSpecFiles(sub)
}

// gitSpecFiles holds the sub-commands about files and objects.
func gitSpecFiles(sub string) (spec, bool) {
	switch sub {
	case "ls-files":
		return spec{
			flags: "cdmoistuvzk", valued: "x", args: argPaths,
			long: []string{
				"cached", "deleted", "modified", "others", "ignored", "stage", "unmerged", "killed", "exclude=", "exclude-standard",
				"full-name", "error-unmatch", "abbrev?", "eol", "deduplicate", "directory", "no-empty-directory",
			},
		}, true
	case "blame", "annotate":
		return spec{
			flags: "elstwpfbcn", valued: "L", attached: "MC", args: argGit,
			long: []string{"porcelain", "line-porcelain", "date=", "show-email", "show-name", "show-number", "root", "abbrev="},
		}, true
	case "describe":
		return spec{
			args: argGit,
			long: []string{"long", "tags", "all", "always", "dirty?", "abbrev=", "match=", "exclude=", "exact-match", "first-parent", "contains", "candidates="},
		}, true
	case "shortlog":
		return spec{flags: "nsec", args: argGit, number: true, long: slices.Concat([]string{"numbered", "summary", "email", "group="}, gitLogLong())}, true
	case "grep":
		return spec{
			flags: "inwvlLchHoEFGPpWqz", valued: "eABCm", number: true, args: argPattern, check: noRevisionPath,
			long: []string{
				"ignore-case", "line-number", "word-regexp", "invert-match", "name-only", "files-with-matches", "files-without-match", "count",
				"cached", "untracked", "max-depth=", "extended-regexp", "basic-regexp", "fixed-strings", "perl-regexp", "show-function",
				"function-context", "quiet", "only-matching", "max-count=", "color?", "no-color", "heading", "break", "threads=", "and", "or", "not", "all-match", "column",
			},
		}, true
	case "ls-tree":
		return spec{flags: "rtdlz", args: argGit, long: []string{"name-only", "name-status", "full-name", "long", "abbrev?", "object-only"}}, true
	case "cat-file":
		return spec{flags: "tpse", args: argGit}, true
	case "merge-base":
		return spec{flags: "a", args: argGit, long: []string{"all", "octopus", "is-ancestor", "fork-point", "independent"}}, true
	case "count-objects":
		return spec{flags: "vH"}, true
	case "check-ignore":
		return spec{flags: "qvn", args: argPaths, long: []string{"quiet", "verbose", "non-matching", "no-index"}}, true
	}
	return spec{}, false
}

// gitDiffLong are the long options about differences that write nothing and
// start nothing; --output, --ext-diff, --textconv and --no-index are missing.
func gitDiffLong() []string {
	return []string{
		"stat?", "numstat", "shortstat", "dirstat?", "summary", "compact-summary", "name-only", "name-status", "patch", "no-patch", "raw",
		"unified=", "color?", "no-color", "word-diff?", "color-words?", "ignore-all-space", "ignore-space-change", "ignore-space-at-eol",
		"ignore-blank-lines", "ignore-cr-at-eol", "cached", "staged", "merge-base", "minimal", "patience", "histogram", "diff-algorithm=",
		"diff-filter=", "find-renames?", "find-copies?", "find-copies-harder", "no-renames", "full-index", "binary", "abbrev?", "relative?",
		"no-relative", "exit-code", "quiet", "check", "text", "function-context", "inter-hunk-context=", "submodule?", "ignore-submodules?",
		"no-prefix", "src-prefix=", "dst-prefix=", "no-ext-diff", "no-textconv", "pickaxe-all", "pickaxe-regex", "irreversible-delete",
		"cc", "combined-all-paths", "patch-with-stat", "no-indent-heuristic", "indent-heuristic", "color-moved?", "ws-error-highlight=",
	}
}

// gitLogLong are the long options about commits. Formats that verify
// signatures and --show-signature start a program and are refused.
func gitLogLong() []string {
	return []string{
		"oneline", "graph", "all", "decorate?", "no-decorate", "decorate-refs=", "format=", "pretty?", "abbrev-commit", "no-abbrev-commit",
		"since=", "after=", "until=", "before=", "author=", "committer=", "grep=", "max-count=", "skip=", "merges", "no-merges",
		"min-parents=", "max-parents=", "first-parent", "reverse", "follow", "date=", "date-order", "topo-order", "author-date-order",
		"left-right", "left-only", "right-only", "cherry-pick", "cherry-mark", "cherry", "branches?", "tags?", "remotes?", "all-match",
		"invert-grep", "regexp-ignore-case", "extended-regexp", "fixed-strings", "perl-regexp", "no-walk?", "full-history",
		"simplify-merges", "simplify-by-decoration", "ancestry-path?", "boundary", "parents", "children", "walk-reflogs", "relative-date",
		"no-notes", "source", "count", "encoding=", "expand-tabs?", "no-expand-tabs", "clear-decorations", "dense", "sparse", "not",
	}
}
