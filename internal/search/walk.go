package search

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
)

// Entry is a file (or link, pipe, …) that a walk came to; never a directory.
type Entry struct {
	// Path is relative to the tree's root, with slashes.
	Path string
	// Type holds the type bits only; 0 is a regular file.
	Type fs.FileMode
	info func() (fs.FileInfo, error)
}

// Info describes the entry itself; a symbolic link is not followed.
func (e Entry) Info() (fs.FileInfo, error) { return e.info() }

// WalkStats is what a walk did not see.
type WalkStats struct {
	// Unreadable counts directories and files that could not be read.
	Unreadable int
	// Warnings says which and why: the first 10 in the order of paths.
	Warnings []string
}

const (
	maxWarnings = 10
	// dirChunk is how many entries of a directory are held at a time.
	dirChunk = 4096
	// fileBatch is how many files one worker takes at a time.
	fileBatch = 16
	// maxWorkers bounds goroutines, open directories and buffers.
	maxWorkers = 16
)

// Walk calls fn for every file of the tree that the rules of the package let
// through, from several goroutines at once and in no order. An error of fn, or
// the end of ctx, ends the walk and is returned; Walk returns after the last
// call of fn did. Unreadable directories end nothing: they are in the stats.
func Walk(ctx context.Context, t Tree, fn func(Entry) error) (WalkStats, error) {
	p, err := t.locate()
	if err != nil {
		return WalkStats{}, err
	}
	root, err := openConfined(p.root)
	if err != nil {
		return WalkStats{}, fmt.Errorf("open search root: %w", err)
	}
	defer root.close()
	return walk(ctx, t, p, root, nil, fn)
}

// walk is Walk with the root open and a filter of the caller's.
func walk(ctx context.Context, t Tree, p place, root *confined, filter *nameFilter, fn func(Entry) error) (WalkStats, error) {
	if !p.info.IsDir() {
		e := Entry{Path: p.rel, Type: p.info.Mode().Type(), info: func() (fs.FileInfo, error) { return p.info, nil }}
		return WalkStats{}, fn(e)
	}
	w := &walker{ctx: ctx, tree: t, prefix: p.prefix(), start: p.rel, root: root, filter: filter, fn: fn}
	w.wake.L = &w.mu
	first := workItem{dir: p.rel}
	if !t.NoIgnore {
		w.rules = &ignoreReader{root: root, prefix: w.prefix, global: t.globalRules()}
		first.level = w.rules.above(p.root, filepath.Join(p.root, filepath.FromSlash(p.rel)))
	}
	w.stack = append(w.stack, first)

	w.workers = min(max(4, runtime.GOMAXPROCS(0)), maxWorkers)
	var wg sync.WaitGroup
	for range w.workers {
		wg.Go(w.work)
	}
	wg.Wait()
	return w.stats, w.err
}

func (t Tree) globalRules() *rules {
	name := t.GlobalIgnore
	if name == "" {
		name = GlobalIgnoreFile()
	}
	return parseRules(readSmallFile(name))
}

// workItem is a directory to read, or, when files is set, files to visit.
type workItem struct {
	dir   string
	level *ignoreLevel // of the parent directory
	files []Entry
}

// walker shares a stack of work between its workers. Last in, first out keeps
// it about as small as the tree is deep.
type walker struct {
	ctx     context.Context
	tree    Tree
	prefix  string
	start   string // slash path of the directory that the walk began in
	root    *confined
	rules   *ignoreReader // nil: no ignore files
	filter  *nameFilter   // nil: every name
	fn      func(Entry) error
	workers int

	mu     sync.Mutex
	wake   sync.Cond
	stack  []workItem
	active int // workers that may still push
	err    error
	stats  WalkStats
}

func (w *walker) work() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for {
		for len(w.stack) == 0 && w.active > 0 && w.err == nil {
			w.wake.Wait()
		}
		if len(w.stack) == 0 || w.err != nil {
			w.wake.Broadcast()
			return
		}
		item := w.stack[len(w.stack)-1]
		w.stack = w.stack[:len(w.stack)-1]
		w.active++
		w.mu.Unlock()

		var err error
		if item.files != nil {
			err = w.visit(item.files)
		} else {
			err = w.readDir(item)
		}

		w.mu.Lock()
		w.active--
		if err != nil && w.err == nil {
			w.err = err
		}
		if w.active == 0 && len(w.stack) == 0 {
			w.wake.Broadcast()
		}
	}
}

// push adds work and reports whether it was taken; files are refused while
// enough work waits, so that a directory with millions of them stays small.
func (w *walker) push(item workItem) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if item.files != nil && len(w.stack) > 8*w.workers {
		return false
	}
	w.stack = append(w.stack, item)
	w.wake.Signal()
	return true
}

func (w *walker) visit(files []Entry) error {
	for _, e := range files {
		if err := w.ctx.Err(); err != nil {
			return context.Cause(w.ctx)
		}
		if err := w.fn(e); err != nil {
			return err
		}
	}
	return nil
}

func (w *walker) readDir(item workItem) error {
	d, err := w.root.openDir(item.dir)
	if err != nil {
		w.unreadable(item.dir, err)
		return nil
	}
	defer func() { _ = d.Close() }()
	level, first := item.level, true
	for {
		if w.ctx.Err() != nil {
			return context.Cause(w.ctx)
		}
		entries, err := d.ReadDir(dirChunk)
		if first && w.rules != nil {
			level = w.rules.below(level, item.dir, namesOf(entries, err))
		}
		first = false
		if err := w.sort(item.dir, level, entries); err != nil {
			return err
		}
		if err != nil && !errors.Is(err, io.EOF) {
			w.unreadable(item.dir, err)
			return nil
		}
		if len(entries) < dirChunk {
			return nil
		}
	}
}

// namesOf looks for ignore files in the first chunk of a directory; nil means
// that there may be more chunks.
func namesOf(entries []fs.DirEntry, err error) *ignoreNames {
	if len(entries) == dirChunk && err == nil {
		return nil
	}
	names := &ignoreNames{}
	for _, e := range entries {
		if name := e.Name(); name[0] == '.' {
			names.note(name)
		}
	}
	return names
}

// sort puts the admitted entries of a directory on the stack: its directories
// first, so that its files are visited before the walk goes deeper.
func (w *walker) sort(dir string, level *ignoreLevel, entries []fs.DirEntry) error {
	below := dir
	if below != "" {
		below += "/"
	}
	var files []Entry
	for _, e := range entries {
		name := e.Name()
		abs := w.prefix + below + name
		rel := abs[len(w.prefix):]
		if !w.admits(level, abs, rel, name, e.IsDir()) {
			continue
		}
		if e.IsDir() {
			w.push(workItem{dir: rel, level: level})
			continue
		}
		files = append(files, Entry{Path: rel, Type: e.Type(), info: e.Info})
	}
	for len(files) > 0 {
		n := min(fileBatch, len(files))
		if !w.push(workItem{files: files[:n:n]}) {
			if err := w.visit(files[:n]); err != nil {
				return err
			}
		}
		files = files[n:]
	}
	return nil
}

func (w *walker) admits(level *ignoreLevel, abs, rel, name string, isDir bool) bool {
	if name == ".git" {
		return false
	}
	if name[0] == '.' && !w.tree.Hidden && !w.filter.namesHidden(name) {
		return false
	}
	if w.filter != nil && !w.filter.admits(w.belowStart(rel), name, isDir) {
		return false
	}
	if w.rules != nil && level != nil && level.ignores(abs, name, isDir) {
		return false
	}
	return w.tree.Skip == nil || !w.tree.Skip(filepath.FromSlash(abs))
}

func (w *walker) belowStart(rel string) string {
	if w.start == "" {
		return rel
	}
	return strings.TrimPrefix(rel[len(w.start):], "/")
}

// unreadable notes that a file or directory could not be read.
func (w *walker) unreadable(rel string, err error) {
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		err = pathErr.Err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stats.note(path.Join(".", rel), err)
}

func (s *WalkStats) note(rel string, err error) {
	s.Unreadable++
	s.warn(fmt.Sprintf("%s was not read: %v", rel, err))
}

func (s *WalkStats) warn(text string) {
	i, _ := slices.BinarySearch(s.Warnings, text)
	s.Warnings = slices.Insert(s.Warnings, i, text)
	s.Warnings = s.Warnings[:min(len(s.Warnings), maxWarnings)]
}
