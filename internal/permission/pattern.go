package permission

import (
	"path/filepath"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// pathPattern is a path rule seen from one directory: absolute, with slashes,
// folded like the paths it is compared with.
type pathPattern struct {
	whole string
	segs  []string
	// braces is true when a {a/b,c} alternative makes segments meaningless.
	braces bool
	// deep is true when a directory that matches means all below it: always
	// for rules that deny, and where the last name is given in full.
	deep bool
}

func newPathPattern(abs string, allow bool) pathPattern {
	abs = fold(abs)
	if len(abs) > 1 {
		abs = strings.TrimSuffix(abs, "/")
	}
	last := unescaped(abs[strings.LastIndexByte(abs, '/')+1:])
	return pathPattern{
		deep:   !allow || !strings.ContainsAny(last, "*?[{"),
		whole:  abs,
		segs:   strings.Split(strings.Trim(abs, "/"), "/"),
		braces: strings.ContainsRune(abs, '{'),
	}
}

// slashed returns the form of a path that patterns are compared with.
func slashed(path string) string { return fold(filepath.ToSlash(path)) }

// match reports whether the pattern means the path, or a directory above it.
func (p *pathPattern) match(slashedPath string) bool {
	if doublestar.MatchUnvalidated(p.whole, slashedPath) {
		return true
	}
	return p.deep && !strings.HasSuffix(p.whole, "/**") && doublestar.MatchUnvalidated(p.whole+"/**", slashedPath)
}

// reaches reports whether the pattern may mean something below the path.
func (p *pathPattern) reaches(slashedPath string) bool {
	if p.braces {
		return true
	}
	rest := p.segs
	for seg := range strings.SplitSeq(strings.Trim(slashedPath, "/"), "/") {
		if seg == "" {
			continue
		}
		if len(rest) == 0 {
			return true // a directory above the path is meant, so all below it
		}
		if rest[0] == "**" {
			return true
		}
		if !doublestar.MatchUnvalidated(rest[0], seg) {
			return false
		}
		rest = rest[1:]
	}
	return true
}

// absolutePatterns turns the pattern of a path rule into absolute ones.
//
// Paths are compared after their links are resolved, so a pattern whose fixed
// part goes through a link would never match; it is taken in its resolved form
// too. Not for rules that allow, though, when the link lies in the session's
// directory: there the agent can make links, and "Edit(src/**)" must not come
// to mean whatever src points to.
func absolutePatterns(pattern, dir, home string, allow bool) []pathPattern {
	var base string
	inside := false
	switch {
	case pattern == "~" || strings.HasPrefix(pattern, "~/"):
		if home == "" {
			return nil
		}
		base, pattern = home, strings.TrimPrefix(strings.TrimPrefix(pattern, "~"), "/")
	case filepath.IsAbs(filepath.FromSlash(pattern)) || strings.HasPrefix(pattern, "/"):
		base = filepath.VolumeName(filepath.FromSlash(pattern))
		pattern = strings.TrimPrefix(filepath.ToSlash(pattern)[len(base):], "/")
		base += string(filepath.Separator)
	default:
		base, inside = dir, true
	}
	fixed, glob := splitFixed(pattern)
	full := filepath.Join(base, filepath.FromSlash(fixed))
	out := []pathPattern{newPathPattern(joinPattern(full, glob), allow)}
	if allow && (inside || within(dir, full)) {
		return out
	}
	if real, err := Resolve(full, "."); err == nil && real != full {
		out = append(out, newPathPattern(joinPattern(real, glob), allow))
	}
	return out
}

func joinPattern(fixed, glob string) string {
	s := escapeGlob(filepath.ToSlash(fixed))
	if glob == "" {
		return s
	}
	return strings.TrimSuffix(s, "/") + "/" + glob
}

// splitFixed cuts a pattern before its first segment with a wildcard.
// The fixed part is returned without escapes and "." segments.
func splitFixed(pattern string) (fixed, glob string) {
	segs := strings.Split(pattern, "/")
	var plain []string
	for i, seg := range segs {
		if strings.ContainsAny(unescaped(seg), "*?[{") {
			return strings.Join(plain, "/"), strings.Join(segs[i:], "/")
		}
		if seg != "." && seg != "" {
			plain = append(plain, unescapeGlob(seg))
		}
	}
	return strings.Join(plain, "/"), ""
}

// unescaped returns s without its escaped characters.
func unescaped(s string) string {
	if !strings.ContainsRune(s, '\\') {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' {
			i++
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func unescapeGlob(s string) string {
	if !strings.ContainsRune(s, '\\') {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// escapeGlob returns a pattern that means exactly s.
func escapeGlob(s string) string {
	if !strings.ContainsAny(s, `*?[]{}\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if strings.IndexByte(`*?[]{}\`, s[i]) >= 0 {
			b.WriteByte('\\')
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// matchGlob reports whether s matches a pattern in which "*" stands for any
// text, also with slashes.
func matchGlob(pattern, s string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == s
	}
	s, ok := strings.CutPrefix(s, parts[0])
	if !ok {
		return false
	}
	last := parts[len(parts)-1]
	for _, part := range parts[1 : len(parts)-1] {
		i := strings.Index(s, part)
		if i < 0 {
			return false
		}
		s = s[i+len(part):]
	}
	return strings.HasSuffix(s, last)
}
