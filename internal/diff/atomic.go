package diff

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// ErrNotRegular is returned by [WriteFile] for a name that is a symbolic link,
// a directory, a device or a pipe.
var ErrNotRegular = errors.New("not a regular file")

// WriteFile makes data the content of the file name below root, in one step:
// it writes a temporary file in the same directory, forces it to the disk and
// renames it over name. On an error name is as it was, and no temporary file
// stays behind.
//
// A file that exists must be writable for us, though replacing it would not
// need that. It keeps its permissions (as with any write, not setuid and
// setgid) and, where the system lets us, its owner, group and extended
// attributes; perm is for a new file and is subject to the umask. Hard links to
// the old file keep the old content. Directories on the way must exist.
//
// A symbolic link is not followed and not replaced: the error is
// [ErrNotRegular], and the caller decides by naming the target instead.
//
// An error after the rename (only the directory could not be forced to the
// disk) is a [*SyncError]; the content is then in place.
func WriteFile(root *os.Root, name string, data []byte, perm fs.FileMode) error {
	old, err := root.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		old = nil
	case err != nil:
		return fmt.Errorf("look at the file to write: %w", err)
	case !old.Mode().IsRegular():
		return fmt.Errorf("write %s: %w", name, ErrNotRegular)
	}
	if old != nil {
		if err := writable(root, name); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
	}
	dir := filepath.Dir(name)
	temp := filepath.Join(dir, ".mix-"+rand.Text()+".tmp")
	if err := writeTemp(root, temp, name, data, perm.Perm(), old); err != nil {
		_ = root.Remove(temp)
		return fmt.Errorf("write %s: %w", name, err)
	}
	if err := root.Rename(temp, name); err != nil {
		_ = root.Remove(temp)
		return fmt.Errorf("replace %s: %w", name, err)
	}
	if err := syncDir(root, dir); err != nil {
		return &SyncError{Name: name, Err: err}
	}
	return nil
}

// writable reports whether the file could be written in place.
func writable(root *os.Root, name string) error {
	f, err := root.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	return f.Close()
}

// SyncError says that a file has its new content but that its directory could
// not be forced to the disk: after a loss of power it may have the old one.
type SyncError struct {
	Name string
	Err  error
}

// Error implements error.
func (e *SyncError) Error() string {
	return fmt.Sprintf("%s was written, but a loss of power may undo it: %v", e.Name, e.Err)
}

// Unwrap returns the cause.
func (e *SyncError) Unwrap() error { return e.Err }

// writeTemp writes the temporary file with everything that it takes over from
// old, which is nil for a new file.
func writeTemp(root *os.Root, temp, name string, data []byte, perm fs.FileMode, old fs.FileInfo) (err error) {
	if old != nil {
		perm = 0o600 // nobody else may read it before it has its owner
	}
	f, err := root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
	if err != nil {
		return err
	}
	defer func() {
		if closed := f.Close(); err == nil {
			err = closed
		}
	}()
	if _, err := f.Write(data); err != nil {
		return err
	}
	if old != nil {
		keepOwner(f, old)
		keepAttributes(root, name, f)
		if err := f.Chmod(old.Mode().Perm()); err != nil {
			return err
		}
	}
	return f.Sync()
}
