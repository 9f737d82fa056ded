package search

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// nameFilter decides by name which files are searched: by globs and by a file
// type. A nil filter lets everything through.
//
// A glob without a slash matches the name at any depth; one with a slash
// matches the path below the searched directory ("/*.go" only its top). "**"
// crosses directories, "{a,b}" alternates, a leading "!" excludes, a glob that
// ends in "/" means everything below that directory.
type nameFilter struct {
	include, exclude []glob
	hidden           []string // components of include that start with a dot
	types            *fileType
}

type glob struct {
	pattern string
	path    bool // matched against the path, not the name
}

// newNameFilter builds a filter from globs and the name of a file type, both
// of which may be empty.
func newNameFilter(globs []string, typeName string) (*nameFilter, error) {
	f := &nameFilter{}
	for _, text := range globs {
		if err := f.add(text); err != nil {
			return nil, err
		}
	}
	if typeName != "" {
		t, err := typeNamed(typeName)
		if err != nil {
			return nil, err
		}
		f.types = t
	}
	if len(f.include)+len(f.exclude) == 0 && f.types == nil {
		return nil, nil
	}
	return f, nil
}

func (f *nameFilter) add(text string) error {
	p, negated := strings.CutPrefix(text, "!")
	p = strings.TrimPrefix(p, "./")
	if negated {
		p = strings.TrimSuffix(p, "/")
	} else if strings.HasSuffix(p, "/") {
		p += "**"
	}
	g := glob{pattern: strings.TrimPrefix(p, "/"), path: strings.Contains(p, "/")}
	if g.pattern == "" || !doublestar.ValidatePattern(g.pattern) {
		return fmt.Errorf(`glob %q is not valid: check its brackets and braces (write \[ for a bracket in a name)`, text)
	}
	if negated {
		f.exclude = append(f.exclude, g)
		return nil
	}
	f.include = append(f.include, g)
	f.hidden = append(f.hidden, dotComponents(g.pattern)...)
	return nil
}

// dotComponents returns the components of a glob that can only match names
// with a leading dot, of every alternative of its braces.
func dotComponents(pattern string) []string {
	var dots []string
	for _, p := range expandBraces(pattern, 64) {
		for c := range strings.SplitSeq(p, "/") {
			if len(c) > 1 && c[0] == '.' && c != ".." && !slices.Contains(dots, c) {
				dots = append(dots, c)
			}
		}
	}
	return dots
}

// expandBraces writes out the alternatives of "{a,b}", at most about limit.
func expandBraces(p string, limit int) []string {
	open := strings.IndexByte(p, '{')
	if open < 0 || limit <= 1 {
		return []string{p}
	}
	depth, start := 0, open+1
	var parts []string
	for i := open; i < len(p); i++ {
		switch p[i] {
		case '{':
			depth++
		case ',', '}':
			if p[i] == '}' {
				depth--
			}
			if p[i] == ',' && depth == 1 || depth == 0 {
				parts = append(parts, p[start:i])
				start = i + 1
			}
		}
		if depth == 0 {
			var out []string
			for _, part := range parts {
				out = append(out, expandBraces(p[:open]+part+p[i+1:], limit/len(parts))...)
			}
			return out
		}
	}
	return []string{p}
}

// namesHidden reports whether a glob of the filter names a hidden entry.
func (f *nameFilter) namesHidden(name string) bool {
	if f == nil {
		return false
	}
	for _, p := range f.hidden {
		if doublestar.MatchUnvalidated(p, name) {
			return true
		}
	}
	return false
}

// admits judges an entry; rel is its path below the searched directory.
// Directories are only kept out by excluding globs.
func (f *nameFilter) admits(rel, name string, isDir bool) bool {
	if f.types != nil && !isDir && !f.types.matches(name) {
		return false
	}
	for _, g := range f.exclude {
		if g.matches(rel, name) {
			return false
		}
	}
	if isDir || len(f.include) == 0 {
		return true
	}
	for _, g := range f.include {
		if g.matches(rel, name) {
			return true
		}
	}
	return false
}

func (g glob) matches(rel, name string) bool {
	if g.path {
		return doublestar.MatchUnvalidated(g.pattern, rel)
	}
	return doublestar.MatchUnvalidated(g.pattern, name)
}

// splitGlobs separates a list of globs at white space and at commas outside of
// braces and brackets.
func splitGlobs(list string) []string {
	var out []string
	depth, start := 0, 0
	flush := func(end int) {
		if g := strings.TrimSpace(list[start:end]); g != "" {
			out = append(out, g)
		}
		start = end + 1
	}
	for i := 0; i < len(list); i++ {
		switch list[i] {
		case '\\':
			i++
		case '{', '[':
			depth++
		case '}', ']':
			depth = max(0, depth-1)
		case ',', ' ', '\t', '\n':
			if depth == 0 {
				flush(i)
			}
		}
	}
	if start < len(list) {
		flush(len(list))
	}
	return out
}

// staticDir returns the directories that a glob names without any wildcard
// and the glob below them: "src/cmd/**/*.go" is "src/cmd" and "**/*.go".
func staticDir(pattern string) (dir, rest string) {
	dir, rest = doublestar.SplitPattern(pattern)
	if dir == "." || strings.ContainsAny(dir, `\`) {
		return "", pattern
	}
	return path.Clean(dir), rest
}
