package search_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mixagent/mix/internal/search"
)

// writeTree makes files in a new directory, from a text in which a line
// "-- path --" begins each file. All get the same modification time.
func writeTree(t testing.TB, text string) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	name := ""
	var body strings.Builder
	flush := func() {
		if name != "" {
			writeFile(t, filepath.Join(dir, name), body.String())
		}
		body.Reset()
	}
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, "-- "); ok {
			flush()
			name = strings.TrimSuffix(strings.TrimSpace(rest), " --")
			continue
		}
		body.WriteString(line)
	}
	flush()
	return dir
}

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func writeFile(t testing.TB, name, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	touch(t, name, 0)
}

// touch sets the modification time to so many seconds after the epoch.
func touch(t testing.TB, name string, seconds int) {
	t.Helper()
	at := epoch.Add(time.Duration(seconds) * time.Second)
	if err := os.Chtimes(name, at, at); err != nil {
		t.Fatal(err)
	}
}

// tree is a Tree that does not depend on the configuration of who runs the tests.
func tree(dir string) search.Tree {
	return search.Tree{Root: dir, GlobalIgnore: os.DevNull}
}

func grep(t testing.TB, o search.GrepOptions) search.GrepResult {
	t.Helper()
	res, err := search.Grep(context.Background(), o)
	if err != nil {
		t.Fatalf("Grep %q: %v", o.Pattern, err)
	}
	return res
}

func glob(t testing.TB, o search.GlobOptions) search.GlobResult {
	t.Helper()
	res, err := search.Glob(context.Background(), o)
	if err != nil {
		t.Fatalf("Glob %q: %v", o.Pattern, err)
	}
	return res
}

func foundPaths(res search.GlobResult) []string {
	var out []string
	for _, f := range res.Files {
		out = append(out, f.Path)
	}
	return out
}

func matchedPaths(res search.GrepResult) []string {
	var out []string
	for _, f := range res.Files {
		out = append(out, f.Path)
	}
	return out
}

func equal(t testing.TB, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n got %q\nwant %q", what, got, want)
	}
}
