package diff

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Errors of [ReplaceFile] about what stands at the name, wrapped. In each case
// nothing was written.
var (
	// ErrNotRegular is about a symbolic link, directory, device or pipe.
	ErrNotRegular = errors.New("not a regular file")
	// ErrReplaced means that the file is gone or that another one stands there.
	ErrReplaced = errors.New("another file, or none, is there now")
	// ErrChanged means that somebody wrote to the file.
	ErrChanged = errors.New("the file was changed at the same moment by somebody else")
)

// CreateFile makes a file name below root with data as its content, in one step:
// whoever looks sees no file or the whole one. What stands at name, be it a link
// that leads nowhere, is not touched; the error then wraps [fs.ErrExist]. Where
// the file system has no hard links a file that comes into being in the last
// moment may be replaced. The permissions perm are subject to the umask.
// Directories on the way must exist.
//
// It returns the description of the new file. On an error no file stays behind,
// but for a [*SyncError].
func CreateFile(root *os.Root, name string, data []byte, perm fs.FileMode) (fs.FileInfo, error) {
	if _, err := root.Lstat(name); err == nil {
		return nil, fmt.Errorf("create %s: %w", name, fs.ErrExist)
	}
	temp := tempBeside(name)
	info, err := writeTemp(root, temp, data, perm.Perm(), nil)
	if err == nil {
		err = place(root, temp, name)
	}
	if err != nil {
		_ = root.Remove(temp)
		return nil, fmt.Errorf("create %s: %w", name, err)
	}
	return info, synced(root, name)
}

// ReplaceFile makes data the content of the file name below root, in one step:
// it writes a temporary file in the same directory, forces it to the disk and
// renames it over name. Right before that it looks whether name is still the
// file that old describes, of the same size and time of change, so that nothing
// is overwritten that the caller has not seen; [ErrNotRegular], [ErrReplaced] and
// [ErrChanged] say that it is not. A symbolic link is not followed.
//
// The file must be writable for us, though replacing it would not need that. It
// keeps its permissions (as with any write, not setuid and setgid) and, where the
// system lets us, its owner, group and extended attributes. Where the group
// cannot be kept, the new one may do no more than everybody. Hard links to the
// old file keep the old content.
//
// It returns the description of the file as it is now. On an error name is as it
// was, and no temporary file stays behind; but for a [*SyncError].
func ReplaceFile(root *os.Root, name string, data []byte, old fs.FileInfo) (fs.FileInfo, error) {
	info, err := replaceFile(root, name, data, old)
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", name, err)
	}
	return info, synced(root, name)
}

func replaceFile(root *os.Root, name string, data []byte, old fs.FileInfo) (fs.FileInfo, error) {
	if !old.Mode().IsRegular() {
		return nil, ErrNotRegular
	}
	if err := unchanged(root, name, old); err != nil {
		return nil, err
	}
	// Opening tells whether the file may be written. A pipe that took its place
	// since must not hang us.
	from, err := root.OpenFile(name, os.O_WRONLY|openNonblock, 0)
	if err != nil {
		return nil, err
	}
	temp := tempBeside(name)
	info, err := writeTemp(root, temp, data, 0o600, from) // nobody else may read it before it has its owner
	if closed := from.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = unchanged(root, name, old)
	}
	if err == nil {
		err = root.Rename(temp, name)
	}
	if err != nil {
		_ = root.Remove(temp)
		return nil, err
	}
	return info, nil
}

// unchanged reports how name is not what old describes.
func unchanged(root *os.Root, name string, old fs.FileInfo) error {
	now, err := root.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return ErrReplaced
	case err != nil:
		return err
	case !os.SameFile(now, old) || !now.Mode().IsRegular(): // file numbers are used again
		return ErrReplaced
	case now.Size() != old.Size() || !now.ModTime().Equal(old.ModTime()):
		return ErrChanged
	}
	return nil
}

// tempBeside is a name that nobody else has, in the directory of name.
func tempBeside(name string) string {
	return filepath.Join(filepath.Dir(name), ".mix-"+rand.Text()+".tmp")
}

// place gives the temporary file its name, unless that is taken.
func place(root *os.Root, temp, name string) error {
	err := root.Link(temp, name)
	switch {
	case err == nil:
		return root.Remove(temp)
	case errors.Is(err, fs.ErrExist):
		return fs.ErrExist
	}
	// Not all file systems know hard links.
	if _, err := root.Lstat(name); err == nil {
		return fs.ErrExist
	}
	return root.Rename(temp, name)
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

// synced forces the directory of name to the disk.
func synced(root *os.Root, name string) error {
	if err := syncDir(root, filepath.Dir(name)); err != nil {
		return &SyncError{Name: name, Err: err}
	}
	return nil
}

// writeTemp writes the temporary file with everything that it takes over from
// the open file old, which is nil for a new one.
func writeTemp(root *os.Root, temp string, data []byte, perm fs.FileMode, old *os.File) (info fs.FileInfo, err error) {
	f, err := root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
	if err != nil {
		return nil, err
	}
	defer func() {
		if closed := f.Close(); err == nil {
			err = closed
		}
	}()
	if _, err := f.Write(data); err != nil {
		return nil, err
	}
	if old != nil {
		if err := takeOver(f, old); err != nil {
			return nil, err
		}
	}
	if err := f.Sync(); err != nil {
		return nil, err
	}
	return f.Stat()
}

// takeOver gives f the owner, attributes and permissions of old.
func takeOver(f, old *os.File) error {
	info, err := old.Stat()
	if err != nil {
		return err
	}
	perm := info.Mode().Perm()
	if !keepOwner(f, info) {
		perm = perm&^0o070 | perm&(perm&0o007<<3)
	}
	keepAttributes(f, old)
	return f.Chmod(perm)
}
