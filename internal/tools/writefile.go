package tools

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// maxEdit bounds the files that are edited, compared or hashed, in bytes.
const maxEdit = 10 << 20

// content reads the judged file whole.
func (t *target) content() ([]byte, fs.FileInfo, error) {
	f, info, err := t.open()
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = f.Close() }()
	data, err := io.ReadAll(io.LimitReader(f, maxEdit+1))
	if err != nil {
		return nil, nil, fmt.Errorf("read %s: %w", t.name, plainPathError(err))
	}
	if len(data) > maxEdit {
		return nil, nil, fmt.Errorf("%s has %d bytes; files over %d bytes cannot be edited with this tool, use a command", t.name, info.Size(), maxEdit)
	}
	return data, info, nil
}

// write puts data at the target: in place of the judged file, which must still
// be as info says, or as a new file where there was none. Whoever reads the
// file sees the old content or the new, never a part. Permissions, and the owner
// where the system lets us, stay.
func (t *target) write(data []byte, info fs.FileInfo) (fs.FileInfo, error) {
	root, err := t.parent()
	if err != nil {
		return nil, err
	}
	defer func() { _ = root.Close() }()
	name := filepath.Base(t.path)
	temp := ".mix-" + strings.ToLower(rand.Text()[:12]) + ".tmp"
	mode := fs.FileMode(0o666)
	if info != nil {
		mode = 0o600 // until it has the permissions of the file it replaces
	}
	f, err := root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", t.name, plainPathError(err))
	}
	written, err := fill(f, data, info)
	if err == nil && info != nil {
		err = t.swap(root, temp, name, info)
	} else if err == nil {
		err = place(root, temp, name)
	}
	if err != nil {
		_ = root.Remove(temp)
		if errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("%s came into being meanwhile; read it first", t.name)
		}
		return nil, fmt.Errorf("write %s: %w", t.name, plainPathError(err))
	}
	return written, nil
}

// fill writes the temporary file and closes it.
func fill(f *os.File, data []byte, info fs.FileInfo) (fs.FileInfo, error) {
	_, err := f.Write(data)
	if err == nil && info != nil {
		keepOwner(f, info)
		err = f.Chmod(info.Mode().Perm() | info.Mode()&(fs.ModeSetuid|fs.ModeSetgid|fs.ModeSticky))
	}
	if err == nil {
		err = f.Sync()
	}
	var written fs.FileInfo
	if err == nil {
		written, err = f.Stat()
	}
	return written, errors.Join(err, f.Close())
}

// swap puts the temporary file in the place of the one that was judged.
func (t *target) swap(root *os.Root, temp, name string, info fs.FileInfo) error {
	now, err := root.Lstat(name)
	if err != nil || !os.SameFile(now, info) {
		return errMoved
	}
	if now.Size() != info.Size() || !now.ModTime().Equal(info.ModTime()) {
		return errors.New("the file was changed at the same moment by somebody else; read it again")
	}
	return root.Rename(temp, name)
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

// parent opens the directory of the target, making those that are missing.
// Each new one is a real directory, not a link that came into its place.
func (t *target) parent() (*os.Root, error) {
	root, err := t.directory()
	if err != nil {
		return nil, err
	}
	rel, err := filepath.Rel(t.base, filepath.Dir(t.path))
	if err != nil || rel == "." {
		return root, err
	}
	for _, name := range strings.Split(rel, string(filepath.Separator)) {
		next, err := enter(root, name)
		_ = root.Close()
		if err != nil {
			return nil, fmt.Errorf("make the directory of %s: %w", t.name, plainPathError(err))
		}
		root = next
	}
	return root, nil
}

func enter(root *os.Root, name string) (*os.Root, error) {
	if err := root.Mkdir(name, 0o777); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	info, err := root.Lstat(name)
	if err != nil {
		return nil, err
	}
	next, err := root.OpenRoot(name)
	if err != nil {
		return nil, err
	}
	if in, err := next.Stat("."); err != nil || !os.SameFile(in, info) {
		_ = next.Close()
		return nil, fmt.Errorf("%s %w", name, errMoved)
	}
	return next, nil
}
