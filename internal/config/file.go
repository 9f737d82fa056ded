package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// maxFile bounds a settings file or model list, in bytes.
const maxFile = 1 << 20

// opener is what files are opened through: the file system, or an [os.Root].
type opener func(name string) (*os.File, error)

func openAny(name string) (*os.File, error) {
	return os.OpenFile(name, os.O_RDONLY|openNonblock, 0)
}

func openIn(root *os.Root) opener {
	return func(name string) (*os.File, error) {
		return root.OpenFile(name, os.O_RDONLY|openNonblock, 0)
	}
}

// readRegular reads up to limit bytes of a regular file and says how large it
// is. What is not a regular file is an error at once: a named pipe in a
// repository must not make anybody wait.
func readRegular(open opener, name string, limit int64) (data []byte, size int64, err error) {
	f, err := open(name)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, 0, err
	}
	if !info.Mode().IsRegular() {
		return nil, 0, fmt.Errorf("%s is not a regular file", name)
	}
	data, err = io.ReadAll(io.LimitReader(f, limit))
	return data, max(info.Size(), int64(len(data))), err
}

// readWhole reads a file that may not be larger than [maxFile]. A file that
// does not exist gives nil.
func readWhole(open opener, name string) ([]byte, error) {
	data, size, err := readRegular(open, name, maxFile+1)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("read %s: %w", name, err)
	case size > maxFile:
		return nil, fmt.Errorf("%s is larger than %d bytes", name, maxFile)
	}
	return data, nil
}

// WriteFile replaces the file name by data, with mode 0600, so that after a
// crash at any instant the old or the new content is there, whole. A symbolic
// link stays and the file that it names is replaced. The directory must exist.
func WriteFile(name string, data []byte) error {
	if target, err := filepath.EvalSymlinks(name); err == nil {
		name = target
	}
	dir := filepath.Dir(name)
	f, err := os.CreateTemp(dir, "."+filepath.Base(name)+"-*") // 0600
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	if err := fill(f, data); err != nil {
		_ = os.Remove(f.Name())
		return fmt.Errorf("write %s: %w", name, err)
	}
	if err := os.Rename(f.Name(), name); err != nil {
		_ = os.Remove(f.Name())
		return fmt.Errorf("write %s: %w", name, err)
	}
	if err := syncDir(dir); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

// fill writes data to f, makes it durable and closes f.
func fill(f *os.File, data []byte) error {
	_, err := f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}
