package search_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/mixagent/mix/internal/search"
)

// TestIgnoreAsGitDoes lets git itself judge generated trees.
func TestIgnoreAsGitDoes(t *testing.T) {
	t.Parallel()
	git, err := exec.LookPath("git")
	if err != nil {
		if os.Getenv("MIX_TEST_REQUIRE") != "" {
			t.Fatal("git is not installed")
		}
		t.Skip("git is not installed")
	}
	base := t.TempDir()
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		n++
		dir := filepath.Join(base, fmt.Sprint(n))
		repo := filepath.Join(dir, "repo")
		makeRepository(t, repo)
		files := drawTree(t, repo)
		global := filepath.Join(dir, "global")
		put(t, global, drawRules(t, "global"))
		put(t, filepath.Join(repo, ".git", "info", "exclude"), drawRules(t, "exclude"))

		cmd := exec.Command(git, "-c", "core.excludesFile="+global, "check-ignore", "--stdin", "-z")
		cmd.Dir = repo
		cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_SYSTEM="+os.DevNull)
		cmd.Stdin = strings.NewReader(strings.Join(files, "\x00") + "\x00")
		out, err := cmd.Output()
		if exit := (*exec.ExitError)(nil); err != nil && !(asExit(err, &exit) && exit.ExitCode() == 1) {
			t.Fatalf("git check-ignore: %v", err)
		}
		ignored := strings.Split(string(out), "\x00")
		var want []string
		for _, f := range files {
			if !slices.Contains(ignored, f) {
				want = append(want, f)
			}
		}
		res, err := search.Glob(t.Context(), search.GlobOptions{
			Tree:    search.Tree{Root: repo, Hidden: true, GlobalIgnore: global},
			Pattern: "**", Limit: 10_000,
		})
		if err != nil {
			t.Fatal(err)
		}
		got := foundPaths(res)
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Fatalf("files that are not ignored:\nfound %q\n  git %q", got, want)
		}
	})
}

func asExit(err error, target **exec.ExitError) bool {
	e, ok := err.(*exec.ExitError)
	*target = e
	return ok
}

// makeRepository writes the least that git takes for a repository.
func makeRepository(t *rapid.T, dir string) {
	put(t, filepath.Join(dir, ".git", "HEAD"), "ref: refs/heads/main\n")
	for _, d := range []string{"objects", "refs"} {
		if err := os.MkdirAll(filepath.Join(dir, ".git", d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

func put(t *rapid.T, name, content string) {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

var (
	dirNames  = []string{"a", "b", "build", "a b", "doc.d", ".hid", "[z]"}
	fileNames = []string{"x", "y.o", "a", "foo.go", "a b", "#h", "!n", "x.tar.o", ".env", "b ", "A", "[z]", `q\`, "é"}
	atoms     = []string{
		"a", "b", "x", "y", "build", "foo", ".o", ".go", "o", "*", "**", "?", "/", "/", "[a-c]", "[!a]", "[^x]", "[]z]",
		"[[:alpha:]]", "[[:digit:]x]", `\*`, `\ `, " ", "#", "!", "a b", ".", "[", "]", "[a-", `\`, "é", "tar", "[[]z]", "/**", "**/", "/**/",
	}
	wholeRules = []string{
		"*", "!*", "*/", "!*/", "**", "/*", "!/a", "a/", "/a/", "a/b", "a/**/x", "**/x", "a/**", "*.o", "!y.o", "# note", `\#h`, `\!n`,
		"", " ", "b\\ ", "build", "!build/", "foo.go ", "doc.d/*", "*.tar.*", "a/*/x", "/**/x", "**/a/**", "!foo.go", `[z]`, `\[z\]`,
	}
)

func drawTree(t *rapid.T, repo string) []string {
	var files []string
	dirs := []string{""}
	for i := range rapid.IntRange(0, 6).Draw(t, "directories") {
		parent := rapid.SampledFrom(dirs).Draw(t, fmt.Sprint("parent", i))
		d := filepath.Join(parent, rapid.SampledFrom(dirNames).Draw(t, fmt.Sprint("dir", i)))
		if !slices.Contains(dirs, d) && !slices.Contains(files, d) {
			dirs = append(dirs, d)
		}
	}
	for i, d := range dirs {
		for j := range rapid.IntRange(1, 4).Draw(t, fmt.Sprint("files", i)) {
			name := filepath.Join(d, rapid.SampledFrom(fileNames).Draw(t, fmt.Sprint("file", i, j)))
			if slices.Contains(files, name) || slices.Contains(dirs, name) {
				continue
			}
			put(t, filepath.Join(repo, name), "")
			files = append(files, name)
		}
		if rapid.IntRange(0, 2).Draw(t, fmt.Sprint("has rules", i)) > 0 {
			name := filepath.Join(d, ".gitignore")
			put(t, filepath.Join(repo, name), drawRules(t, fmt.Sprint("rules", i)))
			files = append(files, name)
		}
	}
	return files
}

func drawRules(t *rapid.T, label string) string {
	made := rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(rapid.SampledFrom(atoms), 1, 5).Draw(t, "atoms"), "")
	})
	line := rapid.OneOf(rapid.SampledFrom(wholeRules), made)
	end := rapid.SampledFrom([]string{"\n", "\n", "\n", "\r\n"})
	var b strings.Builder
	for range rapid.IntRange(0, 5).Draw(t, label) {
		if rapid.IntRange(0, 4).Draw(t, "negate") == 0 {
			b.WriteByte('!')
		}
		b.WriteString(line.Draw(t, "line") + end.Draw(t, "end"))
	}
	return b.String()
}

func TestIgnoreFiles(t *testing.T) {
	t.Parallel()
	dir := writeTree(t, `
-- .gitignore --
*.log
/out
-- .ignore --
!keep.log
docs
-- keep.log --
-- drop.log --
-- out/x --
-- sub/out/x --
-- docs/x --
-- sub/.gitignore --
!drop.log
-- sub/drop.log --
-- sub/other/.ignore --
x
-- sub/other/x --
`)
	got := foundPaths(glob(t, search.GlobOptions{Tree: tree(dir), Pattern: "**"}))
	equal(t, ".ignore wins over .gitignore, nested over outer", got, []string{"keep.log", "sub/drop.log", "sub/out/x"})

	o := search.GlobOptions{Tree: tree(dir), Pattern: "**"}
	o.NoIgnore = true
	if got := glob(t, o); got.Count != 7 {
		t.Errorf("without ignore files: %d files, want 7: %q", got.Count, foundPaths(got))
	}
	o = search.GlobOptions{Tree: tree(dir), Pattern: "**"}
	o.Path = "docs"
	equal(t, "a path that is named is searched", foundPaths(glob(t, o)), []string{"docs/x"})
	o.Path = "sub"
	equal(t, "rules of the directories above hold", foundPaths(glob(t, o)), []string{"sub/drop.log", "sub/out/x"})
}

// TestIgnoreOfParents: the root of the search is a directory of a repository,
// whose rules above the root hold; a repository within another has its own.
func TestIgnoreOfParents(t *testing.T) {
	t.Parallel()
	dir := writeTree(t, `
-- .git/HEAD --
-- .git/info/exclude --
*.tmp
-- .gitignore --
*.log
/work/secret
-- work/a.log --
-- work/a.tmp --
-- work/secret --
-- work/a.txt --
-- work/inner/.git/HEAD --
-- work/inner/b.log --
-- work/inner/b.txt --
`)
	got := foundPaths(glob(t, search.GlobOptions{Tree: tree(filepath.Join(dir, "work")), Pattern: "**"}))
	equal(t, "files", got, []string{"a.txt", "inner/b.log", "inner/b.txt"})
}

func TestIgnoreInWorktree(t *testing.T) {
	t.Parallel()
	dir := writeTree(t, `
-- main/.git/info/exclude --
hidden.txt
-- main/.git/worktrees/w/commondir --
../..
-- w/.git --
gitdir: ../main/.git/worktrees/w
-- w/hidden.txt --
-- w/seen.txt --
`)
	got := foundPaths(glob(t, search.GlobOptions{Tree: tree(filepath.Join(dir, "w")), Pattern: "**"}))
	equal(t, "files", got, []string{"seen.txt"})
}

func TestGlobalIgnoreFile(t *testing.T) {
	home := writeTree(t, `
-- repo/a.swp --
-- repo/b.txt --
-- .config/git/ignore --
*.swp
-- my ignore --
*.txt
`)
	t.Setenv("HOME", home)
	t.Setenv("USERPROFILE", home)
	t.Setenv("XDG_CONFIG_HOME", "")
	files := func() []string {
		return foundPaths(glob(t, search.GlobOptions{Tree: search.Tree{Root: filepath.Join(home, "repo")}, Pattern: "**"}))
	}
	equal(t, "the default file", files(), []string{"b.txt"})

	writeFile(t, filepath.Join(home, ".config", "git", "config"), "[core]\n\texcludesFile = ~/none\n")
	equal(t, "a file that does not exist", files(), []string{"a.swp", "b.txt"})

	writeFile(t, filepath.Join(home, ".gitconfig"), "[user]\nexcludesfile = x\n[CORE] ; c\n ExcludesFile = \"~/my ignore\" # c\n")
	equal(t, "the home configuration first", files(), []string{"a.swp"})
	if got, want := search.GlobalIgnoreFile(), filepath.Join(home, "my ignore"); got != want {
		t.Errorf("GlobalIgnoreFile() = %q, want %q", got, want)
	}
}

// TestIgnoreHostileRules: a pattern that would take exponential time ends.
func TestIgnoreHostileRules(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("a/", 40)
	dir := writeTree(t, "-- .gitignore --\n"+strings.Repeat("**/a/", 30)+"b\n"+strings.Repeat("*a", 60)+"b\n-- "+deep+strings.Repeat("a", 60)+" --\n")
	if got := glob(t, search.GlobOptions{Tree: tree(dir), Pattern: "**"}); got.Count != 1 {
		t.Errorf("found %q", foundPaths(got))
	}
}
