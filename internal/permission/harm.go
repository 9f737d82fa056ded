package permission

import (
	"slices"
	"strings"
)

// assess notes what a command may destroy or open. It looks at the name
// without its path, since the question here is not whether to trust it.
func (p *part) assess(base string, ws []word) {
	args, name := ws[1:], ws[0].text
	if h, ok := alwaysHarms(base); ok {
		p.harms(h, name)
		return
	}
	switch base {
	case "rm":
		p.assessMany(args, "rR", "--recursive", "it deletes whole directories", "it deletes files that are not known beforehand", name)
	case "chmod", "chown", "chgrp", "chattr", "setfacl":
		p.assessMany(args, "R", "--recursive", "it changes the permissions of whole directories",
			"it changes the permissions of files that are not known beforehand", name)
	case "find", "fd", "fdfind":
		p.assessFind(args)
	case "git":
		p.assessGit(args)
	case "rsync":
		p.harmsWith(args, "it deletes files", "--del", "--remove-source")
	case "docker", "podman":
		p.harmsWith(args, "it deletes containers or their data", "prune")
		p.harmsWith(args, "it opens the machine to a container", "--privileged")
		if has(args, "volume") {
			p.harmsWith(args, "it deletes containers or their data", "rm", "remove")
		}
	case "kubectl", "oc":
		p.harmsWith(args, "it deletes what runs in a cluster", "delete", "drain")
	case "terraform", "tofu", "pulumi":
		p.harmsWith(args, "it changes what runs in the cloud", "destroy", "apply", "up")
	case "aws", "gcloud", "az", "gsutil":
		p.harmsWith(args, "it deletes what is in the cloud", "rm", "rb", "delete", "terminate", "remove", "purge")
	case "gh":
		p.harmsWith(args, "it deletes or merges on GitHub", "delete", "merge")
	case "npm", "yarn", "pnpm", "cargo", "gem", "poetry", "twine":
		p.harmsWith(args, "it publishes a package", "publish", "unpublish", "upload", "yank")
	}
}

// alwaysHarms lists programs that do harm however they are called.
func alwaysHarms(base string) (string, bool) {
	switch base {
	case "shred", "dd", "truncate", "wipefs", "fdisk", "sfdisk", "parted", "mkswap", "blkdiscard", "srm", "wipe":
		return "it overwrites data", true
	case "shutdown", "reboot", "halt", "poweroff", "init", "telinit":
		return "it stops the machine", true
	case "kill", "killall", "pkill":
		return "it ends processes", true
	case "crontab", "systemctl", "launchctl", "service", "loginctl", "schtasks", "reg":
		return "it changes what the machine runs by itself", true
	case "dropdb", "dropuser":
		return "it deletes a database", true
	}
	if strings.HasPrefix(base, "mkfs") {
		return "it overwrites data", true
	}
	return "", false
}

func (p *part) assessMany(args []word, short, long, tree, unknown, name string) {
	switch {
	case hasFlag(args, short, long):
		p.harms(tree, name)
	case !allLiteral(args):
		p.harms(unknown, name)
	}
}

func (p *part) assessFind(args []word) {
	if has(args, "-delete") {
		p.harms("it deletes every file that it finds", "-delete")
	}
	p.harmsWith(args, "it writes to a file", "-fprint", "-fls")
}

// harmsWith records a harm when a word starts with one of the given texts.
func (p *part) harmsWith(args []word, what string, prefixes ...string) {
	for _, w := range args {
		for _, pre := range prefixes {
			if w.lit && strings.HasPrefix(w.text, pre) {
				p.harms(what, w.text)
			}
		}
	}
}

// gitHarm is what a sub-command of git may destroy, and with which words.
type gitHarm struct {
	what  string
	short string   // short options of which one is enough
	words []string // words of which one is enough
	bare  bool     // the sub-command alone is enough
}

func gitHarms(sub string) (gitHarm, bool) {
	const (
		loses   = "it throws away work that is in no commit"
		wayBack = "it throws away the way back"
	)
	switch sub {
	case "reset":
		return gitHarm{what: loses, words: []string{"--hard", "--merge", "--keep"}}, true
	case "clean":
		return gitHarm{what: "it deletes files that git does not know", bare: true}, true
	case "checkout":
		return gitHarm{what: loses, short: "fB", words: []string{"--force", ".", "--", ":/", "--pathspec-from-file"}}, true
	case "restore":
		return gitHarm{what: loses, bare: true}, true
	case "switch":
		return gitHarm{what: loses, short: "fC", words: []string{"--force", "--discard-changes", "--force-create"}}, true
	case "push":
		return gitHarm{
			what: "it overwrites or deletes branches on the server", short: "fd",
			words: []string{"--force", "--force-with-lease", "--force-if-includes", "--mirror", "--delete", "--prune"},
		}, true
	case "branch":
		return gitHarm{what: "it deletes or replaces a branch", short: "DMCfd", words: []string{"--delete", "--force"}}, true
	case "tag":
		return gitHarm{what: "it deletes or replaces a tag", short: "df", words: []string{"--delete", "--force"}}, true
	case "stash":
		return gitHarm{what: "it throws away stashed work", words: []string{"drop", "clear"}}, true
	case "reflog":
		return gitHarm{what: wayBack, words: []string{"expire", "delete"}}, true
	case "rm":
		return gitHarm{what: loses, short: "f", words: []string{"--force"}}, true
	case "worktree":
		return gitHarm{what: loses, words: []string{"remove", "prune"}}, true
	case "gc":
		return gitHarm{what: wayBack, words: []string{"--prune"}}, true
	case "prune":
		return gitHarm{what: wayBack, bare: true}, true
	case "update-ref", "filter-branch", "filter-repo", "replace":
		return gitHarm{what: "it rewrites history", bare: true}, true
	case "config":
		return gitHarm{what: "it changes git's configuration", bare: true}, true
	case "remote":
		return gitHarm{what: "it changes git's configuration", words: []string{"add", "set-url", "rm", "remove", "rename"}}, true
	case "rebase":
		return gitHarm{what: "it runs commands for each commit", short: "x", words: []string{"--exec"}}, true
	case "bisect":
		return gitHarm{what: "it runs commands for each commit", words: []string{"run"}}, true
	case "submodule":
		return gitHarm{what: "it runs commands in each submodule, or removes one", words: []string{"foreach", "deinit"}}, true
	case "difftool", "mergetool":
		return gitHarm{what: "it starts other programs", bare: true}, true
	}
	return gitHarm{}, false
}

// assessGit looks behind the options that stand before the sub-command.
func (p *part) assessGit(args []word) {
	for len(args) > 0 {
		if !args[0].lit {
			p.harms("its sub-command is not literal text", "git")
			return
		}
		t := args[0].text
		if !strings.HasPrefix(t, "-") {
			break
		}
		n := 1
		switch {
		case t == "-c", strings.HasPrefix(t, "--config-env"), strings.HasPrefix(t, "--exec-path="):
			p.harms("it changes git's configuration for one command", t)
			if t == "-c" || t == "--config-env" {
				n = 2
			}
		case t == "-C", t == "--git-dir", t == "--work-tree", t == "--namespace":
			n = 2
		}
		args = args[min(n, len(args)):]
	}
	if len(args) == 0 {
		return
	}
	// Rules that deny find the sub-command also behind such options.
	p.forms = append(p.forms, form{words: append(literal("git"), args...)})
	if h, ok := gitHarms(args[0].text); ok {
		p.assessSubcommand(h, args[0].text, args[1:])
	}
}

func (p *part) assessSubcommand(h gitHarm, sub string, rest []word) {
	switch {
	case sub == "clean" && hasFlag(rest, "n", "--dry-run") && !hasFlag(rest, "f", "--force") && allLiteral(rest),
		sub == "restore" && hasFlag(rest, "S", "--staged") && !hasFlag(rest, "W", "--worktree") && allLiteral(rest):
		return
	case h.bare:
		p.harms(h.what, sub)
		return
	}
	for _, w := range rest {
		switch {
		case !w.lit:
			p.harms("its arguments are not literal text, and some of them would be destructive", sub)
		case slices.Contains(h.words, w.text), h.longFlag(w.text), hasFlag([]word{w}, h.short),
			sub == "push" && (strings.HasPrefix(w.text, "+") || strings.HasPrefix(w.text, ":")):
			p.harms(h.what, sub, w.text)
		}
	}
}

// longFlag reports whether text is one of the long options, with a value or
// shortened: git takes "--forc" for "--force".
func (h gitHarm) longFlag(text string) bool {
	if len(text) < 4 || !strings.HasPrefix(text, "--") {
		return false
	}
	name, _, _ := strings.Cut(text, "=")
	return slices.ContainsFunc(h.words, func(w string) bool { return strings.HasPrefix(w, name) })
}

// hasFlag reports whether one of the short options (letters) is among the
// words, also within a cluster, or one of the long ones, also shortened.
func hasFlag(ws []word, short string, long ...string) bool {
	for _, w := range ws {
		if !w.lit || len(w.text) < 2 || w.text[0] != '-' {
			continue
		}
		if w.text[1] != '-' {
			if short != "" && strings.ContainsAny(w.text[1:], short) {
				return true
			}
			continue
		}
		if slices.ContainsFunc(long, func(l string) bool { return len(w.text) > 3 && strings.HasPrefix(l, w.text) }) {
			return true
		}
	}
	return false
}

func has(ws []word, text string) bool {
	return slices.ContainsFunc(ws, func(w word) bool { return w.lit && w.text == text })
}
