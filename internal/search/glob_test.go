package search_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mixagent/mix/internal/search"
)

func TestGlob(t *testing.T) {
	t.Parallel()
	dir := writeTree(t, `
-- .gitignore --
node_modules/
*.gen.go
-- README.md --
-- main.go --
-- main.gen.go --
-- src/a.ts --
-- src/deep/b.ts --
-- src/deep/b.test.ts --
-- node_modules/x/index.js --
-- .github/workflows/ci.yml --
-- we[i]rd/f.txt --
`)
	touch(t, filepath.Join(dir, "src", "deep", "b.ts"), 5)
	for _, tt := range []struct {
		pattern, path string
		want          []string
	}{
		{"*.ts", "", []string{"src/deep/b.ts", "src/a.ts", "src/deep/b.test.ts"}},
		{"**/*.ts", "", []string{"src/deep/b.ts", "src/a.ts", "src/deep/b.test.ts"}},
		{"src/*.ts", "", []string{"src/a.ts"}},
		{"./src/**/b*.ts", "", []string{"src/deep/b.ts", "src/deep/b.test.ts"}},
		{"/*.md", "", []string{"README.md"}},
		{"*.{md,go}", "", []string{"README.md", "main.go"}},
		{"src/deep/b.ts", "", []string{"src/deep/b.ts"}},
		{"deep/*.ts", "src", []string{"src/deep/b.ts", "src/deep/b.test.ts"}},
		{"deep/**", "src", []string{"src/deep/b.ts", "src/deep/b.test.ts"}},
		{filepath.ToSlash(dir) + "/src/*.ts", "", []string{"src/a.ts"}},
		{filepath.ToSlash(dir) + "/*.md", "", []string{"README.md"}},
		{"*.js", "", nil},
		{"node_modules/**/*.js", "", []string{"node_modules/x/index.js"}},
		{"**/ci.yml", "", nil},
		{".github/**", "", []string{".github/workflows/ci.yml"}},
		{"**/.github/**/*.yml", "", []string{".github/workflows/ci.yml"}},
		{`we\[i\]rd/*`, "", []string{"we[i]rd/f.txt"}},
		{"absent/**/*.go", "", nil},
		{"main.go/*", "", nil},
	} {
		o := search.GlobOptions{Tree: tree(dir), Pattern: tt.pattern}
		o.Path = tt.path
		res := glob(t, o)
		equal(t, tt.pattern, foundPaths(res), tt.want)
		if res.Count != len(tt.want) || res.Truncated {
			t.Errorf("%s: Count %d, Truncated %v", tt.pattern, res.Count, res.Truncated)
		}
	}
}

func TestGlobErrors(t *testing.T) {
	t.Parallel()
	dir := writeTree(t, "-- in/a.txt --\n-- out/b.txt --\n")
	root := filepath.Join(dir, "in")
	for name, tt := range map[string]struct {
		o    search.GlobOptions
		want string
	}{
		"empty":    {search.GlobOptions{Tree: tree(root), Pattern: " "}, "empty"},
		"bad":      {search.GlobOptions{Tree: tree(root), Pattern: "{a"}, "not valid"},
		"limit":    {search.GlobOptions{Tree: tree(root), Pattern: "*", Limit: -1}, "negative"},
		"a file":   {search.GlobOptions{Tree: search.Tree{Root: root, Path: "a.txt"}, Pattern: "*"}, "is a file"},
		"above":    {search.GlobOptions{Tree: tree(root), Pattern: "../out/*"}, "outside"},
		"absolute": {search.GlobOptions{Tree: tree(root), Pattern: filepath.ToSlash(dir) + "/out/*"}, "outside"},
	} {
		_, err := search.Glob(context.Background(), tt.o)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v does not say %q", name, err, tt.want)
		}
		if tt.want == "outside" && !errors.Is(err, search.ErrOutside) {
			t.Errorf("%s: error %v is not ErrOutside", name, err)
		}
	}
}

// TestGlobManyFiles has a directory that is read in several pieces, with its
// ignore file anywhere among them.
func TestGlobManyFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for i := range 4500 {
		f, err := os.Create(filepath.Join(dir, fmt.Sprintf("f%04d.txt", i)))
		if err != nil {
			t.Fatal(err)
		}
		_ = f.Close()
	}
	writeFile(t, filepath.Join(dir, ".gitignore"), "*9.txt\n")
	for i, n := range []int{17, 4100, 4096} {
		at := epoch.AddDate(20, 0, i)
		if err := os.Chtimes(filepath.Join(dir, fmt.Sprintf("f%04d.txt", n)), at, at); err != nil {
			t.Fatal(err)
		}
	}
	res := glob(t, search.GlobOptions{Tree: tree(dir), Pattern: "**"})
	if res.Count != 4050 || len(res.Files) != search.GlobLimit || !res.Truncated {
		t.Fatalf("Count %d, %d files, Truncated %v", res.Count, len(res.Files), res.Truncated)
	}
	equal(t, "the newest", foundPaths(res)[:3], []string{"f4096.txt", "f4100.txt", "f0017.txt"})
}

func TestSymbolicLinks(t *testing.T) {
	t.Parallel()
	dir := writeTree(t, "-- in/AGENTS.md --\nneedle\n-- in/sub/x.md --\nneedle\n-- out/secret.md --\nneedle\n")
	in := filepath.Join(dir, "in")
	for link, target := range map[string]string{
		"CLAUDE.md":   "AGENTS.md",
		"away.md":     filepath.Join("..", "out", "secret.md"),
		"absolute.md": filepath.Join(dir, "out", "secret.md"),
		"away":        filepath.Join("..", "out"),
		"loop":        ".",
		"dangling.md": "nowhere",
	} {
		if err := os.Symlink(target, filepath.Join(in, link)); err != nil {
			t.Skip("no symbolic links here:", err)
		}
	}
	got := matchedPaths(grep(t, search.GrepOptions{Tree: tree(in), Pattern: "needle"}))
	slices.Sort(got)
	equal(t, "searched", got, []string{"AGENTS.md", "sub/x.md"})
	got = foundPaths(glob(t, search.GlobOptions{Tree: tree(in), Pattern: "*.md"}))
	slices.Sort(got)
	equal(t, "listed", got, []string{"AGENTS.md", "CLAUDE.md", "sub/x.md"})

	o := search.GrepOptions{Tree: tree(in), Pattern: "needle"}
	o.Path = "CLAUDE.md"
	equal(t, "a link that is named", matchedPaths(grep(t, o)), []string{"AGENTS.md"})
	for _, path := range []string{"away", "away.md", "absolute.md"} {
		o.Path = path
		if _, err := search.Grep(context.Background(), o); !errors.Is(err, search.ErrOutside) {
			t.Errorf("%s: error %v, want ErrOutside", path, err)
		}
	}

	if err := os.Symlink("in", filepath.Join(dir, "root")); err != nil {
		t.Fatal(err)
	}
	got = matchedPaths(grep(t, search.GrepOptions{Tree: tree(filepath.Join(dir, "root")), Pattern: "needle", Glob: "x*"}))
	equal(t, "a root that is a link", got, []string{"sub/x.md"})
}
