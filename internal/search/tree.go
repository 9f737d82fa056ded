package search

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// ErrOutside is returned when the path to search is not below the root.
var ErrOutside = errors.New("the path is outside of the directory that may be searched")

// Tree says which part of the file system is searched. Only Root is required.
type Tree struct {
	// Root is the absolute path of the directory that everything stays in.
	// Paths in results are relative to it and use slashes.
	Root string
	// Path is the directory or file to search, absolute or relative to Root.
	// Empty means Root itself. Symbolic links in it are resolved first; the
	// result must be below Root, else the error is [ErrOutside].
	Path string
	// Hidden includes names that start with a dot (never ".git").
	Hidden bool
	// NoIgnore turns all ignore files off.
	NoIgnore bool
	// GlobalIgnore is the file with the user's ignore rules for all
	// repositories. Empty means the one that git uses for this user
	// (core.excludesFile of the global configuration, else its default);
	// [os.DevNull] means none.
	GlobalIgnore string
	// Skip, when set, hides files and directories from the walk. It is called
	// with absolute paths, from several goroutines at once, also for Path.
	Skip func(path string) bool
}

// place is a Tree after its paths were resolved.
type place struct {
	root string // absolute, no symbolic links
	rel  string // slash path below root; "" is the root itself
	info fs.FileInfo
}

func (t Tree) locate() (place, error) {
	if !filepath.IsAbs(t.Root) {
		return place{}, fmt.Errorf("search root %q: not an absolute path", t.Root)
	}
	root, err := filepath.EvalSymlinks(t.Root)
	if err != nil {
		return place{}, fmt.Errorf("resolve search root: %w", err)
	}
	target := t.Path
	if !filepath.IsAbs(target) {
		target = filepath.Join(t.Root, target)
	}
	real, err := filepath.EvalSymlinks(target)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return place{}, fmt.Errorf("there is no file or directory %s: check the path: %w", target, fs.ErrNotExist)
		}
		return place{}, fmt.Errorf("resolve %s: %w", target, err)
	}
	rel, err := filepath.Rel(root, real)
	if err != nil || rel == ".." || strings.HasPrefix(rel, ".."+string(filepath.Separator)) {
		return place{}, fmt.Errorf("%s: %w (%s)", target, ErrOutside, root)
	}
	info, err := os.Stat(real)
	if err != nil {
		return place{}, fmt.Errorf("look at %s: %w", real, err)
	}
	if rel == "." {
		rel = ""
	}
	if t.Skip != nil && t.Skip(real) {
		return place{}, fmt.Errorf("%s must not be searched: %w", real, fs.ErrPermission)
	}
	return place{root: root, rel: filepath.ToSlash(rel), info: info}, nil
}

// prefix is what stands before a relative path in an absolute slash path.
func (p place) prefix() string {
	return strings.TrimSuffix(filepath.ToSlash(p.root), "/") + "/"
}
