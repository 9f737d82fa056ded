package permission

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// maxLinks bounds how many symbolic links one path may pass through, like the
// kernel's own limit of 40.
const maxLinks = 40

// Resolve returns the place that path names, seen from dir: absolute, with
// every symbolic link of its longest existing prefix followed, and ".." taken
// after the links, as the kernel does. The rest of the path need not exist. It
// refuses an empty path, one with a NUL byte, and one that runs in circles.
//
// An error to look at a part (no permission, say) is returned and not skipped:
// a place that cannot be seen cannot be judged.
func Resolve(dir, path string) (string, error) {
	if path == "" {
		return "", errors.New("the path is empty")
	}
	if strings.ContainsRune(path, 0) {
		return "", errors.New("the path holds a NUL byte")
	}
	if !filepath.IsAbs(path) {
		if !filepath.IsAbs(dir) {
			return "", fmt.Errorf("the directory %q is not absolute", dir)
		}
		if runtime.GOOS == "windows" && (filepath.VolumeName(path) != "" || os.IsPathSeparator(path[0])) {
			return "", fmt.Errorf("the path %q depends on the current drive; write it in full", path)
		}
		path = dir + string(filepath.Separator) + path
	}
	volume := filepath.VolumeName(path)
	return follow(volume+string(filepath.Separator), path[len(volume):])
}

// resolveBelow is [Resolve] for a directory that is resolved already.
func resolveBelow(dir, path string) (string, error) {
	if path == "" || filepath.IsAbs(path) || runtime.GOOS == "windows" || strings.ContainsRune(path, 0) {
		return Resolve(dir, path)
	}
	return follow(dir, path)
}

// follow walks rest, name by name, from the resolved directory done.
func follow(done, rest string) (string, error) {
	// Below a name that does not exist nothing can be a link.
	missing := false
	for links := 0; ; {
		rest = trimSeparators(rest)
		if rest == "" {
			return done, nil
		}
		name := rest
		if i := indexSeparator(rest); i >= 0 {
			name, rest = rest[:i], rest[i:]
		} else {
			rest = ""
		}
		switch name {
		case ".":
			continue
		case "..":
			done, missing = filepath.Dir(done), false
			continue
		}
		next := filepath.Join(done, name)
		if missing {
			done = next
			continue
		}
		info, err := os.Lstat(next)
		if errors.Is(err, fs.ErrNotExist) || isNotDirectory(err) {
			missing, done = true, next
			continue
		}
		if err != nil {
			return "", fmt.Errorf("resolve %s: %w", next, err)
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			done = next
			continue
		}
		if links++; links > maxLinks {
			return "", fmt.Errorf("resolve %s: more than %d symbolic links", next, maxLinks)
		}
		target, err := os.Readlink(next)
		if err != nil {
			return "", fmt.Errorf("resolve %s: %w", next, err)
		}
		rest = target + string(filepath.Separator) + rest
		if filepath.IsAbs(target) {
			v := filepath.VolumeName(target)
			done, rest = v+string(filepath.Separator), rest[len(v):]
		}
	}
}

func trimSeparators(s string) string {
	for s != "" && os.IsPathSeparator(s[0]) {
		s = s[1:]
	}
	return s
}

func indexSeparator(s string) int {
	for i := range len(s) {
		if os.IsPathSeparator(s[i]) {
			return i
		}
	}
	return -1
}

// within reports whether path is root or below it. Both are clean and
// absolute. A sibling that shares the first letters is not below.
func within(root, path string) bool {
	if root == "" {
		return false
	}
	root, path = fold(root), fold(path)
	if !strings.HasPrefix(path, root) {
		return false
	}
	return len(path) == len(root) || os.IsPathSeparator(root[len(root)-1]) || os.IsPathSeparator(path[len(root)])
}
