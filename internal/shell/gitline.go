package shell

import (
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// maxGitDirs bounds the directories in which a line may run git.
const maxGitDirs = 64

// gitReads are the commands of git that only read as long as nothing that is
// configured runs.
var gitReads = []string{
	"annotate", "blame", "branch", "cat-file", "check-attr", "check-ignore", "cherry", "config", "count-objects",
	"describe", "diff", "diff-files", "diff-index", "diff-tree", "for-each-ref", "grep", "log", "ls-files", "ls-tree",
	"merge-base", "name-rev", "range-diff", "reflog", "remote", "rev-list", "rev-parse", "shortlog", "show",
	"show-branch", "show-ref", "stash", "status", "symbolic-ref", "tag", "var", "version", "whatchanged", "worktree",
}

// gitWrappers run the command that their arguments name.
var gitWrappers = []string{
	"builtin", "chrt", "command", "env", "exec", "find", "ionice", "nice", "nohup", "setsid", "stdbuf", "timeout", "xargs",
}

// textRunners run text that the parser of the line does not see.
var textRunners = []string{"eval", "source", ".", "alias", "trap", "bash", "sh", "dash", "zsh", "ksh", "su", "sudo", "doas", "parallel"}

// gitLine finds out in which directories a line runs git.
type gitLine struct {
	home  string
	dirs  []string // every directory the line may be in at some point
	used  bool
	err   error // why it cannot be known whether the line runs git
	doubt error // why it cannot be known what git does, if the line runs it
}

// gitDirs returns the directories in which line may start git, and whether it
// does. The error says what of the line keeps this from being known.
func gitDirs(dir, line, home string) (dirs []string, used bool, err error) {
	file, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(line), "")
	if err != nil {
		return nil, false, fmt.Errorf("the line cannot be parsed: %w", err)
	}
	l := gitLine{home: home, dirs: []string{dir}}
	if strings.Contains(line, "GIT_") {
		l.doubts("the line has to do with variables of git")
	}
	// Twice: a loop may change the directory behind the git command it repeats.
	for range 2 {
		syntax.Walk(file, func(n syntax.Node) bool {
			l.visit(n)
			return l.err == nil
		})
	}
	switch {
	case l.err != nil:
		return nil, true, l.err
	case l.used && l.doubt != nil:
		return nil, true, l.doubt
	}
	return l.dirs, l.used, nil
}

// doubts notes the first thing that keeps the use of git from being judged.
func (l *gitLine) doubts(format string, args ...any) {
	if l.doubt == nil {
		l.doubt = fmt.Errorf(format, args...)
	}
}

// visit looks for what runs git and for what changes variables: those that
// switch programs off must reach git as they are.
func (l *gitLine) visit(n syntax.Node) {
	switch n := n.(type) {
	case *syntax.FuncDecl:
		l.doubts("the line declares a function")
	case *syntax.DeclClause:
		l.doubts("the line uses %s", n.Variant.Value)
	case *syntax.Assign:
		if n.Name != nil {
			l.sets(n.Name.Value)
		}
	case *syntax.WordIter:
		l.sets(n.Name.Value)
	case *syntax.BinaryArithm:
		switch n.Op {
		case syntax.Assgn, syntax.AddAssgn, syntax.SubAssgn, syntax.MulAssgn, syntax.QuoAssgn, syntax.RemAssgn,
			syntax.AndAssgn, syntax.OrAssgn, syntax.XorAssgn, syntax.ShlAssgn, syntax.ShrAssgn:
			l.doubts("the line assigns in arithmetic")
		}
	case *syntax.UnaryArithm:
		if n.Op == syntax.Inc || n.Op == syntax.Dec {
			l.doubts("the line assigns in arithmetic")
		}
	case *syntax.CallExpr:
		l.call(n.Args)
	}
}

// sets notes a variable that changes what git takes from where. Those that begin
// with GIT_ were noted before.
func (l *gitLine) sets(name string) {
	if slices.Contains([]string{"HOME", "XDG_CONFIG_HOME", "PATH", "IFS"}, name) {
		l.doubts("the line sets %s", name)
	}
}

// call judges one simple command.
func (l *gitLine) call(words []*syntax.Word) {
	if len(words) == 0 {
		return
	}
	args := make([]string, len(words))
	plain := make([]bool, len(words))
	for i, w := range words {
		args[i], plain[i] = literal(w)
	}
	name := path.Base(args[0])
	switch {
	case !plain[0]:
		l.err = errors.New("the line computes the name of a command")
	case name == "git":
		l.git(args[1:], plain[1:])
	case name == "cd" || name == "pushd" || name == "popd":
		l.cd(args[1:], plain[1:])
	case slices.Contains(textRunners, name):
		l.err = fmt.Errorf("the line runs text with %s", name)
	case slices.Contains(gitWrappers, name):
		l.wrapped(name, args[1:], plain[1:])
	case slices.Contains([]string{"unset", "read", "mapfile", "readarray", "getopts"}, name),
		name == "printf" && len(args) > 1 && (!plain[1] || strings.HasPrefix(args[1], "-v")):
		for i, arg := range args[1:] {
			l.sets(arg)
			if !plain[i+1] {
				l.doubts("the line computes the name of a variable")
			}
		}
	case slices.Contains([]string{"hash", "enable", "shopt"}, name):
		l.doubts("the line uses %s", name)
	}
}

// wrapped looks for git behind a command that runs others.
func (l *gitLine) wrapped(wrapper string, args []string, plain []bool) {
	for i, arg := range args {
		name, _, assigned := strings.Cut(arg, "=")
		option := strings.HasPrefix(arg, "-")
		switch {
		case !plain[i]:
			l.doubts("the line computes what %s runs", wrapper)
		case assigned:
			l.sets(name)
		case option && slices.Contains([]string{"env", "exec"}, wrapper), arg == "-execdir", arg == "-okdir":
			l.doubts("the line uses %s %s", wrapper, arg)
			if strings.HasPrefix(arg, "-S") || strings.HasPrefix(arg, "--split") {
				l.err = fmt.Errorf("the line runs text with %s", wrapper)
			}
		case path.Base(arg) == "git":
			l.git(args[i+1:], plain[i+1:])
			return
		case slices.Contains(textRunners, path.Base(arg)) && arg != ".":
			l.err = fmt.Errorf("the line runs text with %s", arg)
		}
	}
}

// cd notes where the line goes. Nothing says in which order and how often, so
// every place is seen from every other.
func (l *gitLine) cd(args []string, plain []bool) {
	var to []string
	for i, arg := range args {
		if !plain[i] || strings.HasPrefix(arg, "-") && arg != "--" {
			l.doubts("the line changes to a directory that cannot be told")
			return
		}
		if arg != "--" {
			to = append(to, arg)
		}
	}
	switch len(to) {
	case 0:
		l.goes(l.home)
	case 1:
		l.goes(to[0])
	default:
		l.doubts("the line changes to a directory that cannot be told")
	}
}

func (l *gitLine) goes(to string) {
	for _, dir := range slices.Clone(l.dirs) {
		dir = joinPath(dir, filepath.FromSlash(to))
		if slices.Contains(l.dirs, dir) {
			continue
		}
		if len(l.dirs) == maxGitDirs {
			l.doubts("the line changes its directory too often")
			return
		}
		l.dirs = append(l.dirs, dir)
	}
}

// git judges the arguments of one git command.
func (l *gitLine) git(args []string, plain []bool) {
	l.used = true
	to := ""
	for i := 0; i < len(args); i++ {
		arg := args[i]
		switch {
		case !plain[i]:
			l.doubts("the line computes the command of git")
			return
		case arg == "--version", arg == "-v":
			return
		case slices.Contains([]string{"--no-pager", "-P", "--no-optional-locks", "--no-replace-objects", "--literal-pathspecs"}, arg):
			continue
		case arg == "-C":
			if i++; i == len(args) || !plain[i] {
				l.doubts("git -C names a directory that cannot be told")
				return
			}
			to = joinPath(to, filepath.FromSlash(args[i]))
			continue
		case strings.HasPrefix(arg, "-"):
			l.doubts("git is used with %s", arg)
		case !slices.Contains(gitReads, arg):
			l.doubts("git %s is not one of the commands known to read", arg)
		case slices.Contains(args[i+1:], "--help"):
			l.doubts("git shows manual pages with other programs")
		}
		if to != "" {
			l.goes(to)
		}
		return
	}
}

// literal is the text of a word that is the same whatever the shell knows, and
// whether the word is one.
func literal(w *syntax.Word) (string, bool) {
	var b strings.Builder
	for _, part := range w.Parts {
		switch part := part.(type) {
		case *syntax.Lit:
			if strings.ContainsAny(part.Value, `\*?[{`) && part.Value != "[" || strings.HasPrefix(part.Value, "~") {
				return b.String(), false
			}
			b.WriteString(part.Value)
		case *syntax.SglQuoted:
			if part.Dollar {
				return b.String(), false
			}
			b.WriteString(part.Value)
		case *syntax.DblQuoted:
			if !quoted(&b, part) {
				return b.String(), false
			}
		default:
			return b.String(), false
		}
	}
	return b.String(), true
}

func quoted(b *strings.Builder, q *syntax.DblQuoted) bool {
	for _, part := range q.Parts {
		lit, ok := part.(*syntax.Lit)
		if !ok || strings.Contains(lit.Value, `\`) {
			return false
		}
		b.WriteString(lit.Value)
	}
	return !q.Dollar
}
