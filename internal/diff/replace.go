package diff

import "strings"

const bom = "\uFEFF"

// Result is the outcome of a replacement.
type Result struct {
	// Content is the whole new text.
	Content string
	// Count is the number of places that were replaced, at least 1.
	Count int
	// Lines are the numbers, from 1, of the lines of the old text on which the
	// replaced places begin, for the first 101 of them.
	Lines []int
}

// maxLines bounds the line numbers that are looked up.
const maxLines = 100

// Replace puts replacement in the place of old in content. Without all, old
// must be there exactly once, overlapping copies included. All errors are
// [EditError]; content is then to stay as it is.
//
// Time and memory are linear in the size of content.
func Replace(content, old, replacement string, all bool) (Result, error) {
	text := newText(content)
	old = strings.TrimPrefix(old, bom)
	with := strings.TrimPrefix(replacement, bom)
	if text.crlf || strings.Contains(old, "\r\n") {
		with = toLF(with)
	}
	old = toLF(old)
	switch {
	case strings.TrimSpace(old) == "":
		return Result{}, &EditError{Kind: BlankOld}
	case old == with:
		return Result{}, &EditError{Kind: SameText}
	}
	places := text.find(old, all)
	if len(places) == 0 {
		return Result{}, notFound(text.lf, old)
	}
	lines := lineNumbers(text.lf, places)
	if len(places) > 1 && !all {
		return Result{}, &EditError{Kind: Ambiguous, Matches: len(places), Lines: lines}
	}
	res := Result{Lines: lines}
	res.Content, res.Count = text.splice(old, with, all)
	return res, nil
}

// text is the content of a file and its form with "\n" only, on which all
// matching is done.
type text struct {
	mark string // the byte order mark, if there is one
	raw  string // without it
	lf   string
	crlf bool // raw has "\r\n"
}

func newText(content string) text {
	t := text{raw: content}
	if rest, ok := strings.CutPrefix(content, bom); ok {
		t.mark, t.raw = bom, rest
	}
	t.lf = toLF(t.raw)
	t.crlf = len(t.lf) != len(t.raw)
	return t
}

func toLF(s string) string {
	if !strings.Contains(s, "\r\n") {
		return s
	}
	return strings.ReplaceAll(s, "\r\n", "\n")
}

// find returns where old begins in t.lf, for the first of them: for all, places
// that do not overlap; else every place, since one that overlaps another makes
// the edit ambiguous.
func (t *text) find(old string, all bool) []int {
	step := 1
	if all {
		step = len(old)
	}
	var places []int
	for at := 0; len(places) <= maxLines; {
		i := strings.Index(t.lf[at:], old)
		if i < 0 {
			break
		}
		places = append(places, at+i)
		at += i + step
	}
	return places
}

// splice builds the new content and counts the replacements.
func (t *text) splice(old, with string, all bool) (string, int) {
	n := 1
	if all {
		n = strings.Count(t.lf, old)
	}
	var b strings.Builder
	b.Grow(len(t.mark) + len(t.raw) + n*max(0, len(with)-len(old)))
	b.WriteString(t.mark)
	// Only what really changes is written anew; see the package comment.
	head, tail := 0, 0
	if t.crlf {
		head, tail = commonLines(old, with)
	}
	middle := with[head : len(with)-tail]
	c := cursor{raw: t.raw, next: -1}
	at, next := 0, 0 // in raw, and in the form with "\n" only
	for range n {
		p := next + strings.Index(t.lf[next:], old)
		next = p + len(old)
		start, end := p, next
		if t.crlf {
			start, end = c.seek(p+head), c.seek(next-tail)
		}
		b.WriteString(t.raw[at:start])
		if t.crlf {
			writeEnded(&b, middle, t.raw[start:end], t.ending(start))
		} else {
			b.WriteString(with)
		}
		at = end
	}
	b.WriteString(t.raw[at:])
	return b.String(), n
}

// commonLines returns how many bytes of whole lines the two have in common at
// their beginning and at their end.
func commonLines(a, b string) (head, tail int) {
	n := min(len(a), len(b))
	for head < n && a[head] == b[head] {
		head++
	}
	head = strings.LastIndexByte(a[:head], '\n') + 1
	n -= head
	for tail < n && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
	}
	// Back to the beginning of a line, or rather to the break before it.
	i := strings.IndexByte(a[len(a)-tail:], '\n')
	if i < 0 {
		return head, 0
	}
	return head, tail - i - 1
}

// cursor finds offsets in raw text for offsets in the form with "\n" only.
// Offsets must not decrease. The offset of a "\n" is that of its "\r".
type cursor struct {
	raw     string
	at      int // in raw
	dropped int // carriage returns before at that the other form lacks
	next    int // where the first "\r\n" at or after at is, len(raw) for none; -1: unknown
}

func (c *cursor) seek(lf int) int {
	for {
		if c.next < c.at {
			c.next = len(c.raw)
			if i := strings.Index(c.raw[c.at:], "\r\n"); i >= 0 {
				c.next = c.at + i
			}
		}
		if raw := lf + c.dropped; raw <= c.next {
			return raw
		}
		c.at = c.next + 2
		c.dropped++
	}
}

// ending is the line ending of the line before raw offset at, or of the first
// line of the text.
func (t *text) ending(at int) string {
	i := strings.LastIndexByte(t.raw[:at], '\n')
	if i < 0 {
		i = strings.IndexByte(t.raw, '\n')
	}
	if i > 0 && t.raw[i-1] == '\r' {
		return "\r\n"
	}
	return "\n"
}

// writeEnded writes s with the line endings of the lines it replaces, one
// after the other, then with that of the last of them, or with ending where
// they have none.
func writeEnded(b *strings.Builder, s, replaced, ending string) {
	for {
		i := strings.IndexByte(s, '\n')
		if i < 0 {
			b.WriteString(s)
			return
		}
		if j := strings.IndexByte(replaced, '\n'); j >= 0 {
			ending = "\n"
			if j > 0 && replaced[j-1] == '\r' {
				ending = "\r\n"
			}
			replaced = replaced[j+1:]
		}
		b.WriteString(s[:i])
		b.WriteString(ending)
		s = s[i+1:]
	}
}

// lineNumbers returns the numbers of the lines on which places are.
func lineNumbers(s string, places []int) []int {
	var out []int
	line, at := 1, 0
	for _, p := range places {
		line += strings.Count(s[at:p], "\n")
		at = p
		out = append(out, line)
	}
	return out
}
