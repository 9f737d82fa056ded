package search

import "strings"

// wildmatch reports whether a glob of an ignore file matches text. It follows
// git's wildmatch.c with WM_PATHNAME: '*' and '?' stop at slashes, "**" crosses
// them where it is a whole path component.
//
// Hostile patterns could take exponential time; after maxWildSteps steps a
// pattern counts as not matching.
func wildmatch(pattern, text string) bool {
	m := wild{steps: maxWildSteps}
	return m.match(pattern, text) == wildMatch
}

const maxWildSteps = 200_000

type wildResult int

const (
	wildMatch wildResult = iota
	wildNoMatch
	wildAbortAll        // no longer text can match either
	wildAbortToStarStar // only an enclosing "**" can still match
)

type wild struct{ steps int }

func (m *wild) match(p, text string) wildResult {
	pi, ti := 0, 0
	for ; pi < len(p); pi, ti = pi+1, ti+1 {
		if m.steps--; m.steps < 0 {
			return wildAbortAll
		}
		c := p[pi]
		if ti == len(text) && c != '*' {
			return wildAbortAll
		}
		switch c {
		case '?':
			if text[ti] == '/' {
				return wildNoMatch
			}
		case '*':
			next, slash, direct := m.star(p, pi, text[ti:])
			if direct {
				return wildMatch
			}
			if next == len(p) {
				if !slash && strings.IndexByte(text[ti:], '/') >= 0 {
					return wildAbortToStarStar
				}
				return wildMatch
			}
			if !slash && p[next] == '/' {
				i := strings.IndexByte(text[ti:], '/')
				if i < 0 {
					return wildAbortAll
				}
				pi, ti = next, ti+i // the loop steps over both slashes
				continue
			}
			return m.rest(p[next:], text[ti:], slash)
		case '[':
			end, ok := class(p, pi, text[ti])
			if end < 0 {
				return wildAbortAll
			}
			if !ok || text[ti] == '/' {
				return wildNoMatch
			}
			pi = end
		case '\\':
			pi++
			if pi == len(p) || p[pi] != text[ti] {
				return wildNoMatch
			}
		default:
			if c != text[ti] {
				return wildNoMatch
			}
		}
	}
	if ti < len(text) {
		return wildNoMatch
	}
	return wildMatch
}

// star reads the asterisks at p[i:]. It returns the index after them and
// whether they match slashes; direct is true when a "**/" that stands for
// nothing already gave a match.
func (m *wild) star(p string, i int, text string) (next int, slash, direct bool) {
	next = i + 1
	for next < len(p) && p[next] == '*' {
		next++
	}
	if next == i+1 {
		return next, false, false
	}
	if i > 0 && p[i-1] != '/' {
		return next, false, false
	}
	rest := p[next:]
	if rest != "" && rest[0] != '/' && !strings.HasPrefix(rest, `\/`) {
		return next, false, false
	}
	if rest != "" && rest[0] == '/' && m.match(rest[1:], text) == wildMatch {
		return next, true, true
	}
	return next, true, false
}

// rest matches what follows asterisks at every place of text they can reach.
func (m *wild) rest(p, text string, slash bool) wildResult {
	for ti := 0; ti < len(text); ti++ {
		if !globSpecial(p[0]) {
			for ti < len(text) && text[ti] != p[0] && (slash || text[ti] != '/') {
				ti++
			}
			if ti == len(text) || text[ti] != p[0] {
				if slash {
					return wildAbortAll
				}
				return wildAbortToStarStar
			}
		}
		switch r := m.match(p, text[ti:]); {
		case r == wildNoMatch:
			if !slash && text[ti] == '/' {
				return wildAbortToStarStar
			}
		case !slash || r != wildAbortToStarStar:
			return r
		}
	}
	return wildAbortAll
}

func globSpecial(c byte) bool { return c == '*' || c == '?' || c == '[' || c == '\\' }

// class matches c against the bracket expression at p[i]. It returns the index
// of its closing bracket, -1 when it is malformed.
func class(p string, i int, c byte) (end int, ok bool) {
	i++
	negated := i < len(p) && (p[i] == '!' || p[i] == '^')
	if negated {
		i++
	}
	matched := false
	var prev byte // 0: no start of a range
	for first := true; ; first = false {
		if i >= len(p) {
			return -1, false
		}
		b := p[i]
		if b == ']' && !first {
			return i, matched != negated
		}
		switch {
		case b == '\\':
			i++
			if i == len(p) {
				return -1, false
			}
			b = p[i]
			matched = matched || c == b
			prev = b
		case b == '-' && prev != 0 && i+1 < len(p) && p[i+1] != ']':
			i++
			hi := p[i]
			if hi == '\\' {
				i++
				if i == len(p) {
					return -1, false
				}
				hi = p[i]
			}
			matched = matched || prev <= c && c <= hi
			prev = 0
		case b == '[' && i+1 < len(p) && p[i+1] == ':':
			j := strings.IndexByte(p[i+2:], ']')
			if j < 0 {
				return -1, false
			}
			name := p[i+2 : i+2+j]
			if !strings.HasSuffix(name, ":") { // a plain '['
				matched = matched || c == '['
				prev = '['
				break
			}
			in, known := posixClass(name[:len(name)-1], c)
			if !known {
				return -1, false
			}
			matched = matched || in
			i += 2 + j
			prev = 0
		default:
			matched = matched || c == b
			prev = b
		}
		i++
	}
}

func posixClass(name string, c byte) (in, known bool) {
	lower, upper, digit := 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9'
	alpha := lower || upper
	graph := '!' <= c && c <= '~'
	switch name {
	case "alnum":
		return alpha || digit, true
	case "alpha":
		return alpha, true
	case "blank":
		return c == ' ' || c == '\t', true
	case "cntrl":
		return c < ' ' || c == 0x7f, true
	case "digit":
		return digit, true
	case "graph":
		return graph, true
	case "lower":
		return lower, true
	case "print":
		return graph || c == ' ', true
	case "punct":
		return graph && !alpha && !digit, true
	case "space":
		return c == ' ' || '\t' <= c && c <= '\r', true
	case "upper":
		return upper, true
	case "xdigit":
		return digit || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F', true
	}
	return false, false
}
