package search_test

import (
	"os"
	"strings"
	"testing"

	"github.com/mixagent/mix/internal/search"
)

// TestUnreadable: a path that is too long to be opened is unreadable for
// everybody, root included.
func TestUnreadable(t *testing.T) {
	t.Parallel()
	dir := writeTree(t, "-- a.txt --\nneedle\n")
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	name := strings.Repeat("d", 200)
	for range 25 {
		if err := root.Mkdir(name, 0o755); err != nil {
			t.Fatal(err)
		}
		next, err := root.OpenRoot(name)
		if err != nil {
			t.Fatal(err)
		}
		_ = root.Close()
		root = next
	}
	if err := root.WriteFile("f.txt", []byte("needle\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	_ = root.Close()

	res := grep(t, search.GrepOptions{Tree: tree(dir), Pattern: "needle"})
	equal(t, "what can be read is searched", matchedPaths(res), []string{"a.txt"})
	if res.Unreadable != 1 || len(res.Warnings) != 1 || !strings.Contains(res.Warnings[0], "was not read: file name too long") {
		t.Errorf("%d unreadable, warnings %q", res.Unreadable, res.Warnings)
	}
}
