package tools

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/permission"
)

// target is a place in the file system as it was when a call was planned. What
// is opened later must still be that place.
type target struct {
	path string // absolute, resolved
	name string // as shown to the model
	// info describes what stands at path; nil when nothing does.
	info fs.FileInfo
	// base is the nearest existing directory above path and baseInfo its
	// description: what the decision about path rests on.
	base     string
	baseInfo fs.FileInfo
}

// errMoved says that a place is not the one that was judged.
var errMoved = errors.New("was replaced by something else between the permission check and its use, so nothing was done; look at it again and repeat the call")

// locate resolves a path from the model, seen from the session's directory.
func (env *Env) locate(path string) (*target, error) {
	full, err := env.expand(path)
	if err != nil {
		return nil, err
	}
	resolved, err := permission.Resolve(env.Directory, full)
	if err != nil {
		return nil, err
	}
	t := &target{path: resolved, name: env.shown(resolved)}
	t.info, err = os.Lstat(resolved)
	if err != nil && !missing(err) {
		return nil, fmt.Errorf("look at %s: %w", t.name, err)
	}
	for t.base = filepath.Dir(resolved); ; t.base = filepath.Dir(t.base) {
		t.baseInfo, err = os.Lstat(t.base)
		if err == nil {
			break
		}
		if !missing(err) || filepath.Dir(t.base) == t.base {
			return nil, fmt.Errorf("look at %s: %w", env.shown(t.base), err)
		}
	}
	if !t.baseInfo.IsDir() {
		return nil, fmt.Errorf("%s is not a directory, so nothing can be below it", env.shown(t.base))
	}
	return t, nil
}

// expand replaces a leading "~".
func (env *Env) expand(path string) (string, error) {
	if path != "~" && !strings.HasPrefix(path, "~/") && !strings.HasPrefix(path, "~"+string(filepath.Separator)) {
		return path, nil
	}
	home := env.Home
	if home == "" {
		var err error
		if home, err = os.UserHomeDir(); err != nil {
			return "", fmt.Errorf("the path %s needs a home directory: %w", path, err)
		}
	}
	return filepath.Join(home, path[1:]), nil
}

// shown is a resolved path as the model sees it: relative to the session's
// directory where it is below it.
func (env *Env) shown(path string) string {
	if env.Directory == "" || path == env.Directory || !below(env.Directory, path) {
		return path
	}
	rel, err := filepath.Rel(env.Directory, path)
	if err != nil {
		return path
	}
	return rel
}

// access is the effect of a call on the target.
func (env *Env) access(can domain.Capability, t *target) permission.Access {
	return permission.Access{Can: can, Path: t.path, Own: env.SessionDir != "" && below(env.SessionDir, t.path)}
}

// missing reports whether err says that nothing is there: not the last name, or
// that a name on the way is a file.
func missing(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || notDirectory(err)
}

// regular refuses what is not a file with content: opening a pipe can hang, and
// opening a device can have effects.
func (t *target) regular() error {
	switch mode := t.info.Mode(); {
	case mode.IsRegular():
		return nil
	case mode.IsDir():
		return fmt.Errorf("%s is a directory; use Glob to list its files", t.name)
	default:
		return fmt.Errorf("%s is not a regular file (%s), so it cannot be read or written with this tool", t.name, kind(mode))
	}
}

func kind(mode fs.FileMode) string {
	switch {
	case mode&fs.ModeNamedPipe != 0:
		return "a pipe"
	case mode&fs.ModeSocket != 0:
		return "a socket"
	case mode&fs.ModeDevice != 0:
		return "a device"
	case mode&fs.ModeSymlink != 0:
		return "a symbolic link"
	default:
		return "special"
	}
}

// directory opens the base as it was judged. The caller closes it.
func (t *target) directory() (*os.Root, error) {
	root, err := os.OpenRoot(t.base)
	if err != nil {
		return nil, fmt.Errorf("open the directory of %s: %w", t.name, err)
	}
	info, err := root.Stat(".")
	if err != nil || !os.SameFile(info, t.baseInfo) {
		_ = root.Close()
		return nil, fmt.Errorf("the directory of %s %w", t.name, errMoved)
	}
	return root, nil
}

// open opens the file that was judged, for reading.
func (t *target) open() (*os.File, fs.FileInfo, error) {
	root, err := t.directory()
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = root.Close() }()
	return t.openIn(root)
}

func (t *target) openIn(root *os.Root) (*os.File, fs.FileInfo, error) {
	if err := t.regular(); err != nil {
		return nil, nil, err
	}
	base := filepath.Base(t.path)
	// Looked at first so that a pipe or device that took the file's place is
	// not even opened; what slips in after this look is found below.
	if info, err := root.Lstat(base); err != nil || !os.SameFile(info, t.info) {
		return nil, nil, fmt.Errorf("%s %w", t.name, errMoved)
	}
	f, err := root.OpenFile(base, os.O_RDONLY|openNonblock, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("open %s: %w", t.name, plainPathError(err))
	}
	info, err := f.Stat()
	if err != nil || !os.SameFile(info, t.info) || !info.Mode().IsRegular() {
		_ = f.Close()
		return nil, nil, fmt.Errorf("%s %w", t.name, errMoved)
	}
	return f, info, nil
}

// plainPathError drops the operation and the path, which the sentence around
// it names already.
func plainPathError(err error) error {
	if pe := (*fs.PathError)(nil); errors.As(err, &pe) {
		return pe.Err
	}
	if le := (*os.LinkError)(nil); errors.As(err, &le) {
		return le.Err
	}
	return err
}
