package diff_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mixagent/mix/internal/diff"
)

func openRoot(t *testing.T, dir string) *os.Root {
	t.Helper()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = root.Close() })
	return root
}

func write(t *testing.T, name, content string, mode fs.FileMode) {
	t.Helper()
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(name, mode); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// noLeftovers fails when a directory holds anything but the given names.
func noLeftovers(t *testing.T, dir string, names ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if strings.Join(got, " ") != strings.Join(names, " ") {
		t.Errorf("the directory holds %q, want %q", got, names)
	}
}

func TestWriteFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	root := openRoot(t, dir)
	if err := diff.WriteFile(root, "new.txt", []byte("one"), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := diff.WriteFile(root, "new.txt", []byte("two"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := diff.WriteFile(root, filepath.Join("sub", "empty"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if got := read(t, filepath.Join(dir, "new.txt")); got != "two" {
		t.Errorf("content %q", got)
	}
	noLeftovers(t, dir, "new.txt", "sub")
	noLeftovers(t, filepath.Join(dir, "sub"), "empty")
}

func TestWriteFileRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "in", "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "outside"), "old", 0o644)
	root := openRoot(t, filepath.Join(dir, "in"))
	if err := os.Symlink(filepath.Join("..", "outside"), filepath.Join(dir, "in", "link")); err != nil {
		t.Skip("no symbolic links here:", err)
	}
	for name, want := range map[string]error{
		"link":                             diff.ErrNotRegular,
		"sub":                              diff.ErrNotRegular,
		filepath.Join("..", "outside"):     nil,
		filepath.Join("absent", "file"):    fs.ErrNotExist,
		filepath.Join("link", "file"):      nil,
		filepath.Join("..", "new outside"): nil,
	} {
		err := diff.WriteFile(root, name, []byte("new"), 0o644)
		if err == nil || want != nil && !errors.Is(err, want) {
			t.Errorf("%s: error %v, want %v", name, err, want)
		}
	}
	if got := read(t, filepath.Join(dir, "outside")); got != "old" {
		t.Errorf("a file outside of the root has content %q", got)
	}
	noLeftovers(t, dir, "in", "outside")
	noLeftovers(t, filepath.Join(dir, "in"), "link", "sub")
}
