package tools

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/mixagent/mix/internal/diff"
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
// be as info says, or as a new file where there was none. With an error that is
// a [*diff.SyncError] it did.
func (t *target) write(data []byte, info fs.FileInfo) (fs.FileInfo, error) {
	root, err := t.parent()
	if err != nil {
		return nil, err
	}
	defer func() { _ = root.Close() }()
	var written fs.FileInfo
	if name := filepath.Base(t.path); info == nil {
		written, err = diff.CreateFile(root, name, data, 0o666)
	} else {
		written, err = diff.ReplaceFile(root, name, data, info)
	}
	switch {
	case err == nil || written != nil:
		return written, err
	case errors.Is(err, fs.ErrExist):
		return nil, fmt.Errorf("%s came into being meanwhile; read it first", t.name)
	case errors.Is(err, diff.ErrReplaced):
		return nil, fmt.Errorf("%s %w", t.name, errMoved)
	case errors.Is(err, diff.ErrChanged):
		return nil, fmt.Errorf("write %s: %w; read it again", t.name, diff.ErrChanged)
	}
	return nil, fmt.Errorf("write %s: %w", t.name, plainPathError(err))
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
