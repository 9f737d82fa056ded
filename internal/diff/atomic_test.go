package diff_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

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

// replace is ReplaceFile of the file as it is now.
func replace(root *os.Root, name, content string) error {
	info, err := root.Lstat(name)
	if err != nil {
		return err
	}
	_, err = diff.ReplaceFile(root, name, []byte(content), info)
	return err
}

func TestWriteFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	root := openRoot(t, dir)
	info, err := diff.CreateFile(root, "new.txt", []byte("one"), 0o640)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"two", "three", "", "four"} {
		// What one call returns is what the next may expect.
		if info, err = diff.ReplaceFile(root, "new.txt", []byte(text), info); err != nil {
			t.Fatal(err)
		}
		if got := read(t, filepath.Join(dir, "new.txt")); got != text {
			t.Errorf("content %q", got)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := diff.CreateFile(root, filepath.Join("sub", "empty"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	noLeftovers(t, dir, "new.txt", "sub")
	noLeftovers(t, filepath.Join(dir, "sub"), "empty")
}

func TestWriteFilesRefuse(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "in", "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "outside"), "old", 0o644)
	root := openRoot(t, filepath.Join(dir, "in"))
	for link, to := range map[string]string{"link": "outside", "dangling": "new outside"} {
		if err := os.Symlink(filepath.Join("..", to), filepath.Join(dir, "in", link)); err != nil {
			t.Skip("no symbolic links here:", err)
		}
	}
	for name, want := range map[string]error{
		"link":     diff.ErrNotRegular,
		"dangling": diff.ErrNotRegular,
		"sub":      diff.ErrNotRegular,
	} {
		if err := replace(root, name, "new"); !errors.Is(err, want) {
			t.Errorf("%s: error %v, want %v", name, err, want)
		}
		if _, err := diff.CreateFile(root, name, []byte("new"), 0o644); !errors.Is(err, fs.ErrExist) {
			t.Errorf("%s: error %v, want %v", name, err, fs.ErrExist)
		}
	}
	old, err := os.Lstat(filepath.Join(dir, "outside"))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]error{
		filepath.Join("..", "outside"):     nil,
		filepath.Join("absent", "file"):    fs.ErrNotExist,
		filepath.Join("link", "file"):      nil,
		filepath.Join("..", "new outside"): nil,
	} {
		if _, err := diff.CreateFile(root, name, []byte("new"), 0o644); err == nil || want != nil && !errors.Is(err, want) {
			t.Errorf("%s: error %v, want %v", name, err, want)
		}
		if _, err := diff.ReplaceFile(root, name, []byte("new"), old); err == nil {
			t.Errorf("%s was replaced", name)
		}
	}
	if got := read(t, filepath.Join(dir, "outside")); got != "old" {
		t.Errorf("a file outside of the root has content %q", got)
	}
	noLeftovers(t, dir, "in", "outside")
	noLeftovers(t, filepath.Join(dir, "in"), "dangling", "link", "sub")
}

// TestReplaceOnlyWhatIsExpected: whatever happened to the file since the caller
// saw it, it stays.
func TestReplaceOnlyWhatIsExpected(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		meanwhile func(t *testing.T, name string)
		want      error
	}{
		"longer": {func(t *testing.T, name string) { write(t, name, "older", 0o644) }, diff.ErrChanged},
		"touched": {func(t *testing.T, name string) {
			if err := os.Chtimes(name, time.Time{}, time.Unix(1e9, 0)); err != nil {
				t.Fatal(err)
			}
		}, diff.ErrChanged},
		"gone": {func(t *testing.T, name string) {
			if err := os.Remove(name); err != nil {
				t.Fatal(err)
			}
		}, diff.ErrReplaced},
		"another": {func(t *testing.T, name string) {
			info, err := os.Lstat(name)
			if err != nil {
				t.Fatal(err)
			}
			write(t, name+".new", "mine", 0o644)
			if err := errors.Join(os.Chtimes(name+".new", time.Time{}, info.ModTime()), os.Rename(name+".new", name)); err != nil {
				t.Fatal(err)
			}
		}, diff.ErrReplaced},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			path := filepath.Join(dir, "f")
			write(t, path, "text", 0o644)
			old, err := os.Lstat(path)
			if err != nil {
				t.Fatal(err)
			}
			c.meanwhile(t, path)
			now, readErr := os.ReadFile(path)
			if _, err := diff.ReplaceFile(openRoot(t, dir), "f", []byte("new"), old); !errors.Is(err, c.want) {
				t.Errorf("error %v, want %v", err, c.want)
			}
			if readErr != nil {
				noLeftovers(t, dir)
				return
			}
			if got := read(t, path); got != string(now) {
				t.Errorf("content %q, was %q", got, now)
			}
			noLeftovers(t, dir, "f")
		})
	}
}

// TestCreateOnce: of many that create a file one does, and the file is its.
func TestCreateOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	root := openRoot(t, dir)
	const many = 16
	var made atomic.Int32
	var winner atomic.Value
	var wg sync.WaitGroup
	for i := range many {
		wg.Go(func() {
			text := strings.Repeat(string(rune('a'+i)), 10_000)
			_, err := diff.CreateFile(root, "f", []byte(text), 0o644)
			switch {
			case err == nil:
				made.Add(1)
				winner.Store(text)
			case !errors.Is(err, fs.ErrExist):
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if made.Load() != 1 || read(t, filepath.Join(dir, "f")) != winner.Load() {
		t.Errorf("%d made it", made.Load())
	}
	noLeftovers(t, dir, "f")
}
