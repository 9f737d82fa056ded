//go:build unix

package search_test

import (
	"path/filepath"
	"syscall"
	"testing"

	"github.com/mixagent/mix/internal/search"
)

// TestPipes: a search does not wait for somebody to write into a named pipe,
// nor for one that poses as an ignore file.
func TestPipes(t *testing.T) {
	t.Parallel()
	dir := writeTree(t, "-- a.txt --\nneedle\n")
	for _, name := range []string{"pipe.txt", ".gitignore"} {
		if err := syscall.Mkfifo(filepath.Join(dir, name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	equal(t, "searched", matchedPaths(grep(t, search.GrepOptions{Tree: tree(dir), Pattern: "needle"})), []string{"a.txt"})
	equal(t, "listed", foundPaths(glob(t, search.GlobOptions{Tree: tree(dir), Pattern: "*"})), []string{"a.txt"})
	o := search.GrepOptions{Tree: tree(dir), Pattern: "needle"}
	o.Path = "pipe.txt"
	if res := grep(t, o); res.FileCount != 0 {
		t.Errorf("found %q", matchedPaths(res))
	}
}
