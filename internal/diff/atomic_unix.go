//go:build unix

package diff

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// openNonblock keeps the opening of a pipe without a reader from hanging.
const openNonblock = syscall.O_NONBLOCK

// keepOwner gives f the owner and group of old and reports whether it has the
// group. Only root can give files away; for others f stays theirs, as with every
// editor.
func keepOwner(f *os.File, old fs.FileInfo) bool {
	st, ok := old.Sys().(*syscall.Stat_t)
	if !ok {
		return false
	}
	return f.Chown(int(st.Uid), int(st.Gid)) == nil || f.Chown(-1, int(st.Gid)) == nil
}

// syncDir forces the entries of a directory to the disk.
func syncDir(root *os.Root, dir string) error {
	d, err := root.Open(filepath.Clean(dir))
	if err != nil {
		return err
	}
	err = d.Sync()
	if closed := d.Close(); err == nil {
		err = closed
	}
	return err
}
