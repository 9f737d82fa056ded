package search

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// confined opens files below one directory. The kernel refuses paths that
// leave it or go through a symbolic link, also when a directory is swapped for
// a link while the walk is on its way.
type confined struct {
	fd   int
	dir  string
	root *os.Root // instead of fd, where openat2 is missing or forbidden
}

func openConfined(dir string) (*confined, error) {
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: dir, Err: err}
	}
	c := &confined{fd: fd, dir: dir}
	probe, err := c.openat(".", unix.O_PATH)
	if err == nil {
		_ = unix.Close(probe)
		return c, nil
	}
	_ = unix.Close(fd)
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return &confined{fd: -1, dir: dir, root: root}, nil
}

func (c *confined) close() {
	if c.root != nil {
		_ = c.root.Close()
		return
	}
	_ = unix.Close(c.fd)
}

func (c *confined) openat(rel string, flags uint64) (int, error) {
	if rel == "" {
		rel = "."
	}
	how := unix.OpenHow{
		// O_NONBLOCK: opening a named pipe must not wait for its writer.
		Flags:   unix.O_RDONLY | unix.O_CLOEXEC | unix.O_NONBLOCK | flags,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS,
	}
	if flags&unix.O_PATH != 0 {
		how.Flags = unix.O_CLOEXEC | flags
	}
	// EAGAIN means that a rename happened at the same time.
	for tries := 0; ; tries++ {
		fd, err := unix.Openat2(c.fd, rel, &how)
		if err == nil {
			return fd, nil
		}
		if !errors.Is(err, unix.EINTR) && (!errors.Is(err, unix.EAGAIN) || tries > 8) {
			return -1, &fs.PathError{Op: "open", Path: c.dir + "/" + rel, Err: err}
		}
	}
}

func (c *confined) openDir(rel string) (*os.File, error) {
	if c.root != nil {
		return c.root.Open(slashOrDot(rel))
	}
	fd, err := c.openat(rel, unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), c.dir+"/"+rel), nil
}

// file is an open regular file. It is not an [os.File] on Linux because a
// search opens very many of them and needs nothing but read.
type file struct {
	fd      int
	f       *os.File
	size    int64
	modTime time.Time
}

// errNotRegular is returned for pipes, devices, sockets and directories.
var errNotRegular = errors.New("not a regular file")

func (c *confined) openFile(rel string) (file, error) {
	if c.root != nil {
		return openFileIn(c.root, rel)
	}
	fd, err := c.openat(rel, 0)
	if err != nil {
		return file{}, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		_ = unix.Close(fd)
		return file{}, &fs.PathError{Op: "stat", Path: rel, Err: err}
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		_ = unix.Close(fd)
		return file{}, &fs.PathError{Op: "open", Path: rel, Err: errNotRegular}
	}
	return file{fd: fd, size: st.Size, modTime: time.Unix(st.Mtim.Unix())}, nil
}

// Read implements [io.Reader].
func (f file) Read(p []byte) (int, error) {
	if f.f != nil {
		return f.f.Read(p)
	}
	for {
		n, err := unix.Read(f.fd, p)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return 0, err
		case n == 0 && len(p) > 0:
			return 0, io.EOF
		}
		return n, nil
	}
}

func (f file) close() {
	if f.f != nil {
		_ = f.f.Close()
		return
	}
	_ = unix.Close(f.fd)
}

func openFileIn(root *os.Root, rel string) (file, error) {
	f, info, err := openRegular(root, rel)
	if err != nil {
		return file{}, err
	}
	return file{fd: -1, f: f, size: info.Size(), modTime: info.ModTime()}, nil
}
