package search

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// maxIgnoreFile is how much of an ignore or configuration file is read, in
// bytes. Git's own limit for an ignore file is 100 MiB; rules beyond this one
// are not seen.
const maxIgnoreFile = 4 << 20

func slashOrDot(rel string) string {
	if rel == "" {
		return "."
	}
	return filepath.FromSlash(rel)
}

// openRegular opens rel below root unless it is, or goes through, something
// other than directories and a regular file.
func openRegular(root *os.Root, rel string) (*os.File, fs.FileInfo, error) {
	name := slashOrDot(rel)
	before, err := root.Lstat(name)
	if err != nil {
		return nil, nil, err
	}
	if !before.Mode().IsRegular() {
		return nil, nil, &fs.PathError{Op: "open", Path: rel, Err: errNotRegular}
	}
	f, err := root.Open(name)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err == nil && !os.SameFile(before, info) {
		err = &fs.PathError{Op: "open", Path: rel, Err: errNotRegular}
	}
	if err != nil {
		_ = f.Close()
		return nil, nil, err
	}
	return f, info, nil
}

// readIgnoreFile returns the content of an ignore file below the root, nil
// where there is none.
func (c *confined) readIgnoreFile(rel string) []byte {
	f, err := c.openFile(rel)
	if err != nil {
		return nil
	}
	defer f.close()
	return readAtMost(f, maxIgnoreFile)
}

// readSmallFile returns the content of a file anywhere, nil where there is no
// such regular file.
func readSmallFile(name string) []byte {
	info, err := os.Stat(name)
	if err != nil || !info.Mode().IsRegular() {
		return nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil
	}
	defer func() { _ = f.Close() }()
	return readAtMost(f, maxIgnoreFile)
}

func readAtMost(r io.Reader, n int64) []byte {
	data, err := io.ReadAll(io.LimitReader(r, n))
	if err != nil {
		return nil
	}
	return data
}
