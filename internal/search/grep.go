package search

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
)

// Output says what [Grep] returns.
type Output string

// The output modes; the zero value is OutputFiles.
const (
	OutputFiles   Output = "files_with_matches" // the files that have a match, newest first
	OutputContent Output = "content"            // the matching lines, in path order
	OutputCount   Output = "count"              // matches per file, in path order
)

const (
	// DefaultLimit is how many files or lines Grep returns when no limit is set.
	DefaultLimit = 2000
	// DefaultMaxLine is how much of a line is returned when nothing else is
	// set, in bytes.
	DefaultMaxLine = 500
	// maxContext bounds the lines of context on each side of a match.
	maxContext = 1000
)

// GrepOptions say what to search for and what to return. Tree.Root and Pattern
// are required.
type GrepOptions struct {
	Tree
	// Pattern is a regular expression in RE2 syntax. '^' and '$' match at the
	// beginning and end of lines; \w, \d, \s and \b know ASCII only.
	Pattern string
	// Glob, when set, is one or more globs, separated by spaces or commas, for
	// the files to search; see the package documentation of names. It does not
	// apply to a Path that is a file.
	Glob string
	// Type, when set, is a file type such as "go", "py", "js".
	Type string
	// Output is what to return.
	Output Output
	// IgnoreCase matches letters in any case.
	IgnoreCase bool
	// Multiline lets matches cross lines; '.' matches line breaks too. Files
	// over 8 MiB are then left out and counted in TooLarge.
	Multiline bool
	// Before and After are lines of context around each matching line, for
	// OutputContent; at most 1000.
	Before, After int
	// Limit is how many files, or lines with their context, are returned; 0
	// means [DefaultLimit].
	Limit int
	// MaxLine is how many bytes of a line are returned; 0 means
	// [DefaultMaxLine].
	MaxLine int
}

// FileMatches is a file with at least one match.
type FileMatches struct {
	// Path is relative to the root, with slashes.
	Path    string
	ModTime time.Time
	// Count is the number of matching lines; in multiline mode of matches, at
	// most one beginning on each line. It is 1 for OutputFiles.
	Count int
	// Lines, for OutputContent, are matching lines and their context.
	Lines []Line
}

// GrepResult is what [Grep] found.
type GrepResult struct {
	Files []FileMatches
	// FileCount and Matches are totals, also where Files was cut. With
	// OutputFiles, Matches equals FileCount.
	FileCount, Matches int
	// Truncated says that Files does not hold everything.
	Truncated bool
	// Searched is the number of files that were read, Binary of those that were
	// given up because they are not text, TooLarge of those left out.
	Searched, Binary, TooLarge int
	WalkStats
}

// Grep searches files for a regular expression. When ctx ends early the result
// holds what was found so far, with the error. A bad pattern is a
// [PatternError]; unreadable files are no error but counted in the result.
func Grep(ctx context.Context, o GrepOptions) (GrepResult, error) {
	g, err := newGrepper(ctx, o)
	if err != nil {
		return GrepResult{}, err
	}
	place, err := o.locate()
	if err != nil {
		return GrepResult{}, err
	}
	root, err := openConfined(place.root)
	if err != nil {
		return GrepResult{}, fmt.Errorf("open search root: %w", err)
	}
	defer root.close()
	g.root = root
	stats, err := walk(ctx, o.Tree, place, root, g.names, g.file)
	return g.finish(stats), err
}

// grepper is one search in progress.
type grepper struct {
	ctx     context.Context
	o       GrepOptions
	want    lineSink
	names   *nameFilter
	root    *confined
	scans   sync.Pool
	matched collector[FileMatches]

	mu  sync.Mutex
	res GrepResult
}

func newGrepper(ctx context.Context, o GrepOptions) (*grepper, error) {
	if o.Pattern == "" {
		return nil, &PatternError{Offset: -1, Reason: "it is empty and would match every line", Hint: "give a pattern, or list files with Glob"}
	}
	if o.Limit < 0 || o.Before < 0 || o.After < 0 || o.MaxLine < 0 {
		return nil, errors.New("limits and lines of context must not be negative")
	}
	p, err := compilePattern(o.Pattern, o.IgnoreCase, o.Multiline)
	if err != nil {
		return nil, err
	}
	names, err := newNameFilter(splitGlobs(o.Glob), o.Type)
	if err != nil {
		return nil, err
	}
	g := &grepper{ctx: ctx, o: o, names: names}
	limit := cmp.Or(o.Limit, DefaultLimit)
	g.matched = collector[FileMatches]{limit: limit, order: byPath, weight: func(FileMatches) int { return 1 }}
	g.want.maxLine = cmp.Or(o.MaxLine, DefaultMaxLine)
	switch o.Output {
	case OutputFiles, "":
		g.want.first = true
		g.matched.order = newestFirst
	case OutputContent:
		g.want.keep = limit
		g.want.before, g.want.after = min(o.Before, maxContext), min(o.After, maxContext)
		g.matched.weight = func(f FileMatches) int { return len(f.Lines) }
	case OutputCount:
	default:
		return nil, fmt.Errorf("unknown output mode %q: use %s, %s or %s", o.Output, OutputContent, OutputFiles, OutputCount)
	}
	g.scans.New = func() any { return newScanner(p) }
	return g, nil
}

func byPath(a, b FileMatches) int { return strings.Compare(a.Path, b.Path) }

func newestFirst(a, b FileMatches) int {
	return cmp.Or(b.ModTime.Compare(a.ModTime), strings.Compare(a.Path, b.Path))
}

// file searches one file of the walk. Only the end of ctx is an error of it.
func (g *grepper) file(e Entry) error {
	if e.Type != 0 {
		return nil
	}
	f, err := g.root.openFile(e.Path)
	if err != nil {
		g.failed(e.Path, err)
		return nil
	}
	defer f.close()
	found := FileMatches{Path: e.Path, ModTime: f.modTime}
	want := g.want
	if want.keep > 0 && !g.matched.wants(found) {
		want.keep = 0
	}
	s := g.scans.Get().(*scanner)
	defer g.scans.Put(s)
	s.out.reset(want)
	err = s.file(g.ctx, f)
	if g.ctx.Err() != nil {
		return context.Cause(g.ctx)
	}
	if err != nil {
		g.failed(e.Path, err)
	}
	g.found(found, &s.out)
	return nil
}

func (g *grepper) found(f FileMatches, out *lineSink) {
	f.Count = out.matches
	g.mu.Lock()
	g.res.Searched++
	if f.Count > 0 {
		g.res.FileCount++
		g.res.Matches += f.Count
		g.res.Truncated = g.res.Truncated || out.dropped
	}
	g.mu.Unlock()
	if f.Count == 0 {
		return
	}
	if len(out.lines) > 0 {
		f.Lines = append([]Line(nil), out.lines...)
	}
	if g.o.Output == OutputContent && len(f.Lines) == 0 {
		return // beyond the limit; counted above, and the result is cut
	}
	g.matched.add(f)
}

func (g *grepper) failed(path string, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case errors.Is(err, errBinary):
		g.res.Binary++
	case errors.Is(err, errTooLarge):
		g.res.TooLarge++
	default:
		g.res.note(path, err)
	}
}

func (g *grepper) finish(stats WalkStats) GrepResult {
	r := &g.res
	for _, w := range stats.Warnings {
		r.warn(w)
	}
	r.Unreadable += stats.Unreadable
	var cut bool
	r.Files, cut = g.matched.result()
	r.Truncated = r.Truncated || cut
	if g.o.Output != OutputContent {
		return *r
	}
	// Each file kept as many lines as the whole result may have.
	room := g.want.keep
	for i := range r.Files {
		f := &r.Files[i]
		if len(f.Lines) > room {
			f.Lines, r.Truncated = f.Lines[:room], true
		}
		room -= len(f.Lines)
	}
	shown := 0
	for i := range r.Files {
		shown += r.Files[i].Count
	}
	r.Truncated = r.Truncated || shown < r.Matches
	return *r
}
