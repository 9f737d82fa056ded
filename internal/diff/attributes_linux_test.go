package diff_test

import (
	"errors"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

func TestReplaceFileKeepsAttributes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	name := filepath.Join(dir, "f.txt")
	write(t, name, "old", 0o644)
	if err := unix.Setxattr(name, "user.origin", []byte("here"), 0); errors.Is(err, unix.ENOTSUP) {
		t.Skip("the file system of the temporary directory has no extended attributes")
	} else if err != nil {
		t.Fatal(err)
	}
	if err := replace(openRoot(t, dir), "f.txt", "new"); err != nil {
		t.Fatal(err)
	}
	value := make([]byte, 16)
	n, err := unix.Getxattr(name, "user.origin", value)
	if err != nil || string(value[:n]) != "here" {
		t.Errorf("attribute %q, %v", value[:max(n, 0)], err)
	}
}
