//go:build linux || darwin

package shell_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/mixagent/mix/internal/shell"
)

// TestDriversAreFoundWhereverTheyAre hides the same configuration in each place
// that git takes one from.
func TestDriversAreFoundWhereverTheyAre(t *testing.T) {
	t.Parallel()
	for name, place := range map[string]func(h *hostile) (dir string){
		"user": func(h *hostile) string {
			h.arm(filepath.Join(h.home, ".gitconfig"))
			return h.dir
		},
		"user, XDG": func(h *hostile) string {
			h.must(h.home, "mkdir -p .config/git")
			h.arm(filepath.Join(h.home, ".config", "git", "config"))
			return h.dir
		},
		"include": func(h *hostile) string {
			h.arm(filepath.Join(h.dir, "..", "included"))
			h.must(h.dir, "git config include.path ../../included")
			return h.dir
		},
		"conditional include": func(h *hostile) string {
			h.arm(filepath.Join(h.home, "included"))
			h.must(h.dir, "git config includeIf.onbranch:**.path '~/included'")
			return h.dir
		},
		"include of an include": func(h *hostile) string {
			h.arm(filepath.Join(h.dir, ".git", "second"))
			h.must(h.dir, "git config -f .git/first include.path second && git config include.path first")
			return h.dir
		},
		"worktree configuration": func(h *hostile) string {
			h.must(h.dir, "git config extensions.worktreeConfig true")
			h.arm(filepath.Join(h.dir, ".git", "config.worktree"))
			return h.dir
		},
		"other worktree": func(h *hostile) string {
			h.must(h.dir, "git worktree add -q ../tree")
			h.arm(filepath.Join(h.dir, ".git", "config"))
			return filepath.Join(h.dir, "..", "tree")
		},
		"driver without a name": func(h *hostile) string {
			h.must(h.dir, "printf '*.txt filter= diff=\n' >.git/info/attributes; printf '[filter \"\"]\n\tclean = %s\n[diff.]\n\tcommand = %s\n' '"+h.program("filter.none")+"' '"+h.program("diff.none")+"' >>.git/config")
			return h.dir
		},
		"folder below": func(h *hostile) string {
			h.must(h.dir, "mkdir -p x/y && ln -s x/y link")
			h.arm(filepath.Join(h.dir, ".git", "config"))
			return filepath.Join(h.dir, "link")
		},
		"submodule": func(h *hostile) string {
			h.must(h.dir, "mv ../repo ../inner && mkdir ../repo && cd ../repo && git init -q . && git -c protocol.file.allow=always submodule --quiet add ../inner deep/sub && git -c user.name=u -c user.email=u commit -qm super")
			h.arm(filepath.Join(h.dir, ".git", "modules", "deep", "sub", "config"))
			h.must(h.dir, "echo changed >deep/sub/a.txt; echo changed >deep/sub/b.bin")
			return h.dir
		},
		"repository in a repository": func(h *hostile) string {
			h.must(h.dir, "mv ../repo ../inner && mkdir ../repo && cd ../repo && git init -q . && mv ../inner sub && git add sub 2>/dev/null && git -c user.name=u -c user.email=u commit -qm super")
			h.arm(filepath.Join(h.dir, "sub", ".git", "config"))
			h.must(h.dir, "echo changed >sub/a.txt; echo changed >sub/b.bin")
			return h.dir
		},
		"index version 3, long names": func(h *hostile) string {
			h.must(h.dir, `mv ../repo ../inner && mkdir ../repo && cd ../repo && git init -q --object-format=sha256 . && d=$(printf 'x%.0s' {1..200}) && mkdir -p $d/$d && touch $d/$d/file && git add . && git -c user.name=u -c user.email=u commit -qm super
mv ../inner sub; cd sub && rm -rf .git && git init -q --object-format=sha256 . && git config user.name u && git config user.email u && git add . && git commit -qm again && cd .. && git add sub 2>/dev/null && touch later && git add -N later`)
			h.arm(filepath.Join(h.dir, "sub", ".git", "config"))
			h.must(h.dir, "echo changed >sub/a.txt; echo changed >sub/b.bin")
			return h.dir
		},
		"index version 4, split": func(h *hostile) string {
			h.must(h.dir, "mv ../repo ../inner && mkdir ../repo && cd ../repo && git init -q . && mv ../inner sub && for i in 1 2 3; do echo >s$i; done && git add . 2>/dev/null && git -c user.name=u -c user.email=u commit -qm super && git update-index --index-version 4 && git update-index --split-index && touch new && git add new")
			h.arm(filepath.Join(h.dir, "sub", ".git", "config"))
			h.must(h.dir, "echo changed >sub/a.txt; echo changed >sub/b.bin")
			return h.dir
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHostile(t)
			h.dir = place(h)
			lines := []string{"git status", "git diff", "git diff HEAD~1", "git log -p", "git status -v"}
			for _, line := range lines {
				h.touch()
				h.safe(line)
				if ran := h.ran(); len(ran) > 0 {
					t.Errorf("%s ran %v", line, ran)
				}
			}
			filtered := func(name string) bool { return strings.HasPrefix(name, "filter.") }
			var ran []string
			for _, line := range lines {
				if slices.ContainsFunc(ran, filtered) {
					break
				}
				if _, err := shell.Run(t.Context(), shell.Command{Line: line, Dir: h.dir, Env: h.env(), Timeout: time.Minute}); err != nil {
					t.Fatal(err)
				}
				ran = append(ran, h.ran()...)
			}
			if !slices.ContainsFunc(ran, filtered) {
				t.Errorf("only %v ran without protection, so this test shows nothing", ran)
			}
		})
	}
}

// touch makes git look into the files again.
func (h *hostile) touch() {
	h.t.Helper()
	now := time.Now()
	for _, pattern := range []string{"*/*.txt", "*/*/*.txt"} {
		files, err := filepath.Glob(filepath.Join(h.home, "..", pattern))
		if err != nil {
			h.t.Fatal(err)
		}
		for _, file := range files {
			if err := os.Chtimes(file, now, now); err != nil {
				h.t.Fatal(err)
			}
		}
	}
}

func TestGitElsewhereInTheLine(t *testing.T) {
	t.Parallel()
	h := newHostile(t)
	h.arm(filepath.Join(h.dir, ".git", "config"))
	h.must(h.home, "mkdir -p a/b")
	bad := h.dir
	h.dir = filepath.Join(h.home, "a", "b")
	for _, line := range []string{
		"git -C ../../../repo status", "git -C ../.. -C ../repo status", "cd ../../../repo && git diff", "cd " + bad + "; git diff",
		"cd .. && cd .. && git -C ../repo status", "for i in 1 2 3; do git status; cd ..; cd ../repo; done",
		"(cd ../../../repo; nice git log -p | head)", "if cd '../../../repo'; then timeout 5 git diff; fi",
	} {
		h.must(bad, "echo changed >a.txt; echo changed >b.bin")
		res := h.safe(line)
		if ran := h.ran(); len(ran) > 0 {
			t.Errorf("%s ran %v", line, ran)
		}
		if !strings.Contains(res.Output, "a.txt") && !strings.Contains(line, "log") {
			t.Errorf("%s did not read the repository:\n%s", line, res.Output)
		}
	}
}

func TestPartialCloneFetchesNothing(t *testing.T) {
	t.Parallel()
	h := newHostile(t)
	h.must(h.dir, "git config uploadpack.allowFilter true && git clone -q --no-checkout --filter=blob:none file://$PWD ../clone && rm .git/objects/info/alternates")
	h.dir = filepath.Join(h.dir, "..", "clone")
	h.must(h.dir, "git config remote.origin.uploadpack '"+h.program("uploadpack")+" </dev/null; git-upload-pack'")
	for _, line := range []string{"git show HEAD:c.txt", "git log -p", "git cat-file -p HEAD:a.txt"} {
		h.safe(line)
		if ran := h.ran(); len(ran) > 0 {
			t.Errorf("%s ran %v", line, ran)
		}
	}
	h.must(h.dir, "git show HEAD:c.txt")
	if len(h.ran()) == 0 {
		t.Error("nothing ran without protection, so this test shows nothing")
	}
}

func TestLinesThatAreNotSafe(t *testing.T) {
	t.Parallel()
	h := newHostile(t)
	for _, line := range []string{
		"git -c core.pager=x log", "git --config-env=a.b=c log", "git --exec-path=/tmp status", "git --git-dir=x status", "git --work-tree=/ status",
		"git commit -m x", "git fetch", "git checkout .", "git difftool", "git frobnicate", "git help log", "git log --help", "git submodule foreach x",
		"GIT_DIR=/x git status", "export GIT_DIR=/x; git status", "unset GIT_CONFIG_COUNT; git status", "env -i git status", "env -u X git log",
		"env GIT_CONFIG_COUNT=0 git status", "HOME=/x git status", "env HOME=/x git status", "PATH=.:$PATH git status", "(( GIT_CONFIG_COUNT = 0 )); git status",
		"read GIT_CONFIG_COUNT; git status", "read $x; git log", "printf -v $x 0; git log", "declare $x=0; git log", "let x=0; git log",
		"for HOME in /x; do git status; done", "cd $x && git status", "cd - && git status", "git -C $x status", "git -C ~/x status", "git $x",
		"cd x* && git status", "f() { git status; }; f", "bash -c 'git status'", "eval git status", "$x status", "g$x status", "find . -execdir git status \\;",
		"xargs sh -c 'git log'", "env -S 'git log'", "sudo git status", "exec -c git log", "hash -p /x git; git log", "git status '", "$(echo git) log",
		"alias ls=x; git status", "trap 'git x' EXIT; git status", ". ./file", "x=$((y++)); git status",
	} {
		if _, err := shell.GitSafe(h.dir, line, h.env()); !errors.Is(err, shell.ErrGitUnsafe) {
			t.Errorf("%s: %v", line, err)
		}
	}
	for _, line := range []string{
		"", "ls", "ls .git; cat .gitignore", "echo git is a program", "[ -d .git ] && git status", "git log | head -5", "x=$(git rev-parse HEAD); git show $x",
		"git log --oneline -5 -- 'a b' *.go ~/x", "git --version", "command -v git", "git ls-files | while read -r f; do git log -1 \"$f\"; done",
		"! git diff --quiet", "time git status", "gi\"t\" status", "/usr/bin/git status", "printf '%s\\n' \"$(git log)\"",
	} {
		if _, err := shell.GitSafe(h.dir, line, h.env()); err != nil {
			t.Errorf("%s: %v", line, err)
		}
	}
	for _, env := range []string{"GIT_DIR=/x", "GIT_CONFIG_COUNT=1"} {
		if _, err := shell.GitSafe(h.dir, "git status", append(h.env(), env)); !errors.Is(err, shell.ErrGitUnsafe) {
			t.Errorf("%s: %v", env, err)
		}
	}
}

func TestRepositoriesThatCannotBeRead(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]string{
		"configuration":    "echo '[' >>.git/config",
		"index":            "echo nonsense >.git/index",
		"index cut":        "head -c 100 .git/index >x && mv x .git/index",
		"index of later":   `printf 'DIRC\0\0\0\011\0\0\0\0' >.git/index`,
		"endless includes": "git config include.path config",
		"odd driver":       "git config 'filter.a=b.clean' x",
		"too many drivers": "seq 3000 | sed 's/.*/[diff \"&\"]\\ntextconv = x/' >>.git/config",
		"other user":       "git config include.path '~somebody/x'",
		"a pipe":           "rm .git/config && mkfifo .git/config",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHostile(t)
			h.must(h.dir, spoil)
			if _, err := shell.GitSafe(h.dir, "git status", h.env()); !errors.Is(err, shell.ErrGitUnsafe) {
				t.Errorf("error %v", err)
			}
		})
	}
}

// TestDriverNamesAreReadLikeGit writes configurations of odd spellings. For each
// that git can read, every filter that git knows of must be overridden, under
// the very name.
func TestDriverNamesAreReadLikeGit(t *testing.T) {
	t.Parallel()
	h := newHostile(t)
	if err := os.RemoveAll(h.dir); err != nil {
		t.Fatal(err)
	}
	h.must(h.home, "git init -q "+h.dir)
	config := filepath.Join(h.dir, ".git", "config")
	piece := rapid.SampledFrom([]string{
		"[filter", "[FILTER", "[filter.", "[core", "]", " ", "\t", "\n", "\r\n", "\r", "\"", "\\", "\\\\", "\\\"", "\\n", "\\\n", "#", ";", "=",
		" = ", "clean", "Clean", "smudge", "process = x", "clean=x\n", "\n\tclean = evil # note\n", "\n[filter \"a b\"]", "\n[filter \"ü\"] clean",
		"\"x y\"", "[filter \"q\\\"\\\\\"]\n", "[filter.Old]\n", "-", ".", "1", "a", "B", "\v", "\ufeff", "é", "\n[]\n", "\n[diff \"d\"]\n", "textconv", "[filter \"\"]", "[filter.]", "[filter. \"c\"]\n",
	})
	rapid.Check(t, func(rt *rapid.T) {
		text := strings.Join(rapid.SliceOfN(piece, 0, 14).Draw(rt, "pieces"), "")
		if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
			rt.Fatal(err)
		}
		cmd := exec.Command("git", "config", "-f", config, "--list", "-z")
		cmd.Env = h.env()
		out, err := cmd.Output()
		if err != nil {
			return // git does not take it, and runs nothing
		}
		env, err := shell.GitSafe(h.dir, "git status", h.env())
		if err != nil && !strings.Contains(err.Error(), "odd name") {
			rt.Fatalf("%q: git reads it, but: %v", text, err)
		}
		for entry := range strings.SplitSeq(string(out), "\x00") {
			key, _, _ := strings.Cut(entry, "\n")
			section, rest, _ := strings.Cut(key, ".")
			if last := rest[strings.LastIndexByte(rest, '.')+1:]; err == nil && (section == "filter" && (last == "clean" || last == "smudge" || last == "process")) {
				if !slices.ContainsFunc(env, func(kv string) bool {
					return strings.HasSuffix(kv, "="+key) && strings.HasPrefix(kv, "GIT_CONFIG_KEY_")
				}) {
					rt.Errorf("%q: %q is not overridden", text, key)
				}
			}
		}
	})
}

// FuzzRepositoryFiles feeds broken configurations and indexes: an error is fine,
// hanging or crashing is not.
func FuzzRepositoryFiles(f *testing.F) {
	f.Add("[a]\nb = c", "DIRC\x00\x00\x00\x02\x00\x00\x00\x00")
	f.Add("[filter \"x\"]\nclean = \"a\\\n b\" ; c\n[include]\npath = config", "DIRC\x00\x00\x00\x04\x00\x00\x00\x02"+strings.Repeat("\x00", 90))
	f.Fuzz(func(t *testing.T, config, index string) {
		dir := t.TempDir()
		git := filepath.Join(dir, ".git")
		if err := os.Mkdir(git, 0o700); err != nil {
			t.Fatal(err)
		}
		for name, text := range map[string]string{"config": config, "index": index} {
			if err := os.WriteFile(filepath.Join(git, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		env, err := shell.GitSafe(dir, "git status", []string{"HOME=" + dir})
		if err == nil && !slices.Contains(env, "GIT_ALLOW_PROTOCOL=none") {
			t.Error("no error and no protection")
		}
	})
}

func BenchmarkGitSafe(b *testing.B) {
	for _, line := range []string{"ls -l | head", "git log --oneline -5"} {
		b.Run(fmt.Sprintf("%.3s", line), func(b *testing.B) {
			for b.Loop() {
				if _, err := shell.GitSafe(".", line, os.Environ()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
