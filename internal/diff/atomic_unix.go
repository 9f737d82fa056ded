//go:build unix

package diff

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// keepOwner gives f the owner and group of old. Only root can give files away;
// for others a failure leaves the file theirs, as every editor does.
func keepOwner(f *os.File, old fs.FileInfo) {
	if st, ok := old.Sys().(*syscall.Stat_t); ok {
		_ = f.Chown(int(st.Uid), int(st.Gid))
	}
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
