package search

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"
)

// GlobLimit is how many files [Glob] returns when no limit is set.
const GlobLimit = 100

// GlobOptions say which files to list. Tree.Root and Pattern are required.
type GlobOptions struct {
	Tree
	// Pattern is a glob. Without a slash it matches names at any depth, as in
	// "*.js"; with one it matches paths below Path, as in "src/**/*.ts" or
	// "/*.md". "**" crosses directories, "{a,b}" alternates. An absolute
	// pattern must lie below the root. Directories that it names without a
	// wildcard are searched even where an ignore rule or a leading dot hides them.
	Pattern string
	// Limit is how many files are returned; 0 means [GlobLimit].
	Limit int
}

// FoundFile is a file that a glob matched.
type FoundFile struct {
	// Path is relative to the root, with slashes.
	Path    string
	ModTime time.Time
	Size    int64 // bytes
}

// GlobResult is what [Glob] found.
type GlobResult struct {
	// Files are sorted by modification time, newest first, then by path.
	Files []FoundFile
	// Count is the number of files that matched, also where Files was cut.
	Count     int
	Truncated bool
	WalkStats
}

// Glob lists files by name: regular files, and symbolic links to regular files
// below the root. When ctx ends early the result holds what was found so far,
// with the error.
func Glob(ctx context.Context, o GlobOptions) (GlobResult, error) {
	if strings.TrimSpace(o.Pattern) == "" {
		return GlobResult{}, errors.New(`the glob is empty: "**" lists every file`)
	}
	if o.Limit < 0 {
		return GlobResult{}, errors.New("the limit must not be negative")
	}
	found := collector[FoundFile]{
		limit:  cmp.Or(o.Limit, GlobLimit),
		weight: func(FoundFile) int { return 1 },
		order: func(a, b FoundFile) int {
			return cmp.Or(b.ModTime.Compare(a.ModTime), strings.Compare(a.Path, b.Path))
		},
	}
	start, names, err := o.start()
	if err != nil {
		return GlobResult{}, err
	}
	if start.info == nil {
		return GlobResult{}, nil
	}
	root, err := openConfined(start.root)
	if err != nil {
		return GlobResult{}, fmt.Errorf("open search root: %w", err)
	}
	defer root.close()
	links, err := os.OpenRoot(start.root)
	if err != nil {
		return GlobResult{}, fmt.Errorf("open search root: %w", err)
	}
	defer func() { _ = links.Close() }()
	var count atomic.Int64
	stats, err := walk(ctx, o.Tree, start, root, names, func(e Entry) error {
		info, err := fileInfo(links, e)
		if err != nil || !info.Mode().IsRegular() {
			return nil // gone since, or nothing that one could read
		}
		count.Add(1)
		found.add(FoundFile{Path: e.Path, ModTime: info.ModTime(), Size: info.Size()})
		return nil
	})
	res := GlobResult{Count: int(count.Load()), WalkStats: stats}
	res.Files, res.Truncated = found.result()
	return res, err
}

func fileInfo(root *os.Root, e Entry) (fs.FileInfo, error) {
	if e.Type&fs.ModeSymlink != 0 {
		return root.Stat(filepath.FromSlash(e.Path))
	}
	return e.Info()
}

// start returns where the walk begins, which is as deep as the pattern allows,
// and the filter for what is below. A place without info does not exist.
func (o GlobOptions) start() (place, *nameFilter, error) {
	pattern := filepath.ToSlash(o.Pattern)
	if os.PathSeparator == '/' {
		pattern = o.Pattern // a backslash escapes
	}
	if filepath.IsAbs(o.Pattern) && !strings.HasPrefix(pattern, "//") {
		if below, ok := belowRoot(o.Tree, pattern); ok {
			o.Path, pattern = o.Root, "/"+below
		}
	}
	base, err := o.locate()
	if err != nil {
		return place{}, nil, err
	}
	if !base.info.IsDir() {
		return place{}, nil, fmt.Errorf("%s is a file: the path to search must be a directory", o.Path)
	}
	dir, rest := "", pattern
	if trimmed := strings.TrimPrefix(strings.TrimPrefix(pattern, "./"), "/"); strings.Contains(trimmed, "/") {
		dir, rest = staticDir(trimmed)
		rest = "/" + rest
	}
	names, err := newNameFilter([]string{rest}, "")
	if err != nil {
		return place{}, nil, err
	}
	if dir == "" {
		return base, names, nil
	}
	o.Path = filepath.Join(base.root, filepath.FromSlash(path.Join(base.rel, dir)))
	start, err := o.locate()
	if errors.Is(err, fs.ErrNotExist) || err == nil && !start.info.IsDir() {
		if filepath.IsAbs(o.Pattern) && exists(filepath.FromSlash("/"+dir)) {
			return place{}, nil, fmt.Errorf("%s: %w (%s)", o.Pattern, ErrOutside, base.root)
		}
		return place{}, nil, nil
	}
	return start, names, err
}

// belowRoot cuts the root, or the path to search, from an absolute pattern.
func belowRoot(t Tree, pattern string) (string, bool) {
	roots := []string{t.Root}
	if real, err := filepath.EvalSymlinks(t.Root); err == nil {
		roots = append(roots, real)
	}
	for _, root := range roots {
		if below, ok := strings.CutPrefix(pattern, strings.TrimSuffix(filepath.ToSlash(root), "/")+"/"); ok {
			return below, true
		}
	}
	return "", false
}
