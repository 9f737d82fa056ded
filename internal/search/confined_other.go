//go:build !linux

package search

import (
	"errors"
	"os"
	"time"
)

// confined opens files below one directory through an [os.Root].
type confined struct{ root *os.Root }

func openConfined(dir string) (*confined, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return &confined{root: root}, nil
}

func (c *confined) close() { _ = c.root.Close() }

func (c *confined) openDir(rel string) (*os.File, error) { return c.root.Open(slashOrDot(rel)) }

// file is an open regular file.
type file struct {
	f       *os.File
	size    int64
	modTime time.Time
}

// errNotRegular is returned for pipes, devices, sockets and directories.
var errNotRegular = errors.New("not a regular file")

func (c *confined) openFile(rel string) (file, error) {
	f, info, err := openRegular(c.root, rel)
	if err != nil {
		return file{}, err
	}
	return file{f: f, size: info.Size(), modTime: info.ModTime()}, nil
}

// Read implements [io.Reader].
func (f file) Read(p []byte) (int, error) { return f.f.Read(p) }

func (f file) close() { _ = f.f.Close() }
