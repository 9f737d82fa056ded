//go:build linux || darwin

package shell_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mixagent/mix/internal/shell"
)

// hostile is a repository whose configuration runs a program wherever git lets
// it. The program notes in a directory which of its names was run.
type hostile struct {
	dir, home, notes string
	t                *testing.T
}

func newHostile(t *testing.T) *hostile {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		if os.Getenv("MIX_TEST_REQUIRE") != "" {
			t.Fatal(err)
		}
		t.Skip("needs git: ", err)
	}
	base, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	h := &hostile{dir: filepath.Join(base, "repo"), home: filepath.Join(base, "home"), notes: filepath.Join(base, "notes"), t: t}
	for _, dir := range []string{h.home, h.notes} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	pattern, err := repositories()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(base, os.DirFS(pattern)); err != nil {
		t.Fatal(err)
	}
	// The objects of another repository are named by their full path.
	h.write("repo/.git/objects/info/alternates", filepath.Join(base, "alt", "objects")+"\n")
	return h
}

// repositories makes, once, the directory that hostile repositories are copies
// of: it takes git two dozen processes.
var repositories = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp(os.Getenv(marksBelow), "repositories-") // removed with the marks
	if err != nil {
		return "", err
	}
	const script = `git init -q repo && cd repo && git config user.name u && git config user.email u@example.com
printf 'one\ntwo\n' >a.txt; printf 'three\n' >b.bin; printf 'ident\n' >c.txt
printf '*.txt diff=words filter=words merge=words\n*.bin diff=bin filter=proc\n' >.gitattributes
git add . && git commit -q -m first
git checkout -q -b other && echo theirs >a.txt && git commit -qam theirs && git checkout -q - && echo ours >a.txt && git commit -qam ours
git merge -q -s ours -m merged other
echo more >>c.txt && git commit -qam second
# A signature that somebody would have to look at, and objects of another repository.
signed=$(git cat-file commit HEAD | sed '/^committer/a gpgsig -----BEGIN PGP SIGNATURE-----\n \n x\n -----END PGP SIGNATURE-----' | git hash-object -t commit -w --stdin) && git reset -q $signed && git tag -a -m tag v1
git clone -q --bare . ../alt`
	cmd := exec.Command("/bin/sh", "-ec", script)
	cmd.Dir = dir
	cmd.Env = hostileEnv(dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("make the repositories: %w\n%s", err, out)
	}
	return dir, nil
})

// env is the environment of commands before GitSafe.
func (h *hostile) env() []string { return hostileEnv(h.home) }

func hostileEnv(home string) []string {
	env := slices.DeleteFunc(shell.Environ(os.Environ(), nil), func(kv string) bool { return strings.HasPrefix(kv, "GIT_CONFIG") })
	return append(env, "HOME="+home, "XDG_CONFIG_HOME=", "GIT_CONFIG_NOSYSTEM=1")
}

func (h *hostile) must(dir, line string) {
	h.t.Helper()
	res, err := shell.Run(h.t.Context(), shell.Command{Line: line, Dir: dir, Env: h.env(), Timeout: time.Minute})
	if err != nil || res.ExitCode != 0 {
		h.t.Fatalf("%s: %v\n%s", line, err, res.Output)
	}
}

func (h *hostile) write(name, text string) {
	h.t.Helper()
	if err := os.WriteFile(filepath.Join(filepath.Dir(h.dir), name), []byte(text), 0o600); err != nil {
		h.t.Fatal(err)
	}
}

// program is a command line that leaves a note and then does what is asked of
// textconv and filters, as far as needed to look harmless.
func (h *hostile) program(name string) string {
	path := filepath.Join(h.notes, "..", "evil-"+name)
	text := "#!/bin/sh\necho ran >>" + filepath.Join(h.notes, name) + "\n[ -n \"$1\" ] && [ -f \"$1\" ] && cat \"$1\" || cat\n"
	if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
		h.t.Fatal(err)
	}
	return path
}

// arm sets everything that may run a program, in file.
func (h *hostile) arm(file string) {
	h.t.Helper()
	var b strings.Builder
	for _, key := range []string{
		"core.fsmonitor", "core.pager", "core.editor", "core.sshCommand", "core.askPass", "core.alternateRefsCommand",
		"diff.external", "gpg.program", "gpg.ssh.program", "pager.log", "pager.diff", "interactive.diffFilter",
		"diff.words.command", "diff.words.textconv", "diff.bin.textconv", "merge.words.driver", "filter.words.clean", "filter.words.smudge",
		"filter.proc.process", "filter.proc.clean", "alias.status", "alias.log", "alias.diff", "credential.helper",
		"hook.evil.command", "tar.tar.command",
	} {
		parts := strings.Split(key, ".")
		value := h.program(key)
		switch parts[0] {
		case "alias":
			value = "!" + value
		case "pager":
			value += " "
		}
		section := fmt.Sprintf("[%s]", parts[0])
		if len(parts) == 3 {
			section = fmt.Sprintf("[%s %q]", parts[0], parts[1])
		}
		fmt.Fprintf(&b, "%s\n\t%s = %q\n", section, parts[len(parts)-1], value)
	}
	b.WriteString("[filter \"words\"]\n\trequired\n[hook \"evil\"]\n\tevent = post-index-change\n[log]\n\tshowSignature = true\n[status]\n\tsubmoduleSummary = true\n[diff]\n\tsubmodule = diff\n[commit]\n\tgpgSign = true\n[submodule]\n\trecurse = true\n")
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		h.t.Fatal(err)
	}
	if _, err := f.WriteString(b.String()); err != nil {
		h.t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		h.t.Fatal(err)
	}
}

func (h *hostile) armHooks(gitDir string) {
	h.t.Helper()
	for _, name := range []string{"post-index-change", "reference-transaction", "post-checkout", "pre-commit", "fsmonitor-watchman"} {
		if err := os.MkdirAll(filepath.Join(gitDir, "hooks"), 0o700); err != nil {
			h.t.Fatal(err)
		}
		if err := os.Rename(h.program("hook-"+name), filepath.Join(gitDir, "hooks", name)); err != nil {
			h.t.Fatal(err)
		}
	}
}

// change makes git look into the files again.
func (h *hostile) change() {
	h.write("repo/a.txt", "one\n2\n")
	h.write("repo/b.bin", "tree\n")
}

func (h *hostile) ran() []string {
	h.t.Helper()
	entries, err := os.ReadDir(h.notes)
	if err != nil {
		h.t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
		if err := os.Remove(filepath.Join(h.notes, e.Name())); err != nil {
			h.t.Fatal(err)
		}
	}
	return names
}

// safe runs line with what GitSafe adds, which must be possible.
func (h *hostile) safe(line string) shell.Result {
	h.t.Helper()
	env := h.env()
	more, err := shell.GitSafe(h.dir, line, env)
	if err != nil {
		h.t.Fatalf("%s: %v", line, err)
	}
	res, err := shell.Run(h.t.Context(), shell.Command{Line: line, Dir: h.dir, Env: append(env, more...), Timeout: time.Minute})
	if err != nil {
		h.t.Fatal(err)
	}
	return res
}

// reads are git commands that look into files, with something of what they print.
var reads = map[string]string{
	"git status":                               "modified:   a.txt",
	"git status --porcelain -uall":             " M a.txt",
	"git status -v -v":                         "+2",
	"git diff":                                 "+2",
	"git diff --ext-diff --textconv":           "+2",
	"git diff --stat":                          "a.txt",
	"git diff HEAD":                            "-ours",
	"git diff --cached HEAD~1":                 "+more",
	"git diff-files -p --ext-diff":             "+2",
	"git diff-index -p --textconv HEAD":        "+2",
	"git log -p":                               "+more",
	"git log -p --ext-diff --textconv":         "+more",
	"git log --show-signature":                 "second",
	"git log --format=%G?%s":                   "second",
	"git log --oneline --stat":                 "second",
	"git log -G more -p":                       "+more",
	"git show":                                 "+more",
	"git show --ext-diff --textconv":           "+more",
	"git show v1":                              "tag",
	"git show --show-signature HEAD":           "second",
	"git blame a.txt":                          "2",
	"git blame --textconv c.txt":               "more",
	"git grep --textconv more":                 "c.txt:more",
	"git grep more HEAD":                       "c.txt:more",
	"git cat-file --textconv HEAD:c.txt":       "more",
	"git cat-file --filters HEAD:c.txt":        "more",
	"git ls-files -m":                          "a.txt",
	"git ls-files --eol":                       "a.txt",
	"git describe --dirty":                     "v1",
	"git describe --broken":                    "v1",
	"git branch -a -v":                         "second",
	"git tag -n":                               "v1",
	"git stash list":                           "",
	"git log -p --remerge-diff":                "second",
	"git reflog":                               "second",
	"git rev-list --all --alternate-refs":      "",
	"git remote -v":                            "",
	"git shortlog HEAD -s":                     "u",
	"git range-diff HEAD~1..HEAD HEAD~1..HEAD": "second",
	"git rev-parse HEAD":                       "",
	"git --no-pager log | cat":                 "second",
	"find a.txt -exec git blame {} \\;":        "2",
	"echo a.txt | xargs git diff --":           "+2",
}

func TestNothingOfTheRepositoryRuns(t *testing.T) {
	t.Parallel()
	h := newHostile(t)
	h.arm(filepath.Join(h.dir, ".git", "config"))
	h.armHooks(filepath.Join(h.dir, ".git"))
	for line, want := range reads {
		h.change()
		res := h.safe(line)
		if ran := h.ran(); len(ran) > 0 {
			t.Errorf("%s ran %v", line, ran)
		}
		if res.ExitCode != 0 || !strings.Contains(res.Output, want) {
			t.Errorf("%s ended with %d, without %q:\n%s", line, res.ExitCode, want, res.Output)
		}
	}
	// The same lines without protection: the repository is as bad as it looks.
	ran := map[string]bool{}
	for line := range reads {
		h.change()
		if _, err := shell.Run(t.Context(), shell.Command{Line: line, Dir: h.dir, Env: h.env(), Timeout: time.Minute}); err != nil {
			t.Fatal(err)
		}
		for _, name := range h.ran() {
			ran[name] = true
		}
	}
	for _, name := range []string{
		"core.fsmonitor", "diff.external", "diff.words.command", "diff.words.textconv", "diff.bin.textconv",
		"filter.words.clean", "filter.words.smudge", "filter.proc.process", "hook-post-index-change", "core.alternateRefsCommand",
		"merge.words.driver", "gpg.program",
	} {
		if !ran[name] {
			t.Errorf("%s did not run without protection, so this test shows nothing about it", name)
		}
	}
}
