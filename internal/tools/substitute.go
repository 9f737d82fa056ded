package tools

import (
	"errors"
	"fmt"
	"sort"
	"strings"
)

// byteOrderMark begins some UTF-8 files; models neither see nor write it.
const byteOrderMark = "\uFEFF"

// editText is a text as a model knows it, without byte order mark and with "\n"
// at the end of lines, and the way back.
type editText struct {
	raw    string
	plain  string
	bom    int   // bytes of the byte order mark
	breaks []int // offsets in plain of line breaks that are "\r\n" in raw
}

func newEditText(raw string) editText {
	t := editText{raw: raw, plain: strings.TrimPrefix(raw, byteOrderMark)}
	t.bom = len(raw) - len(t.plain)
	if !strings.Contains(t.plain, "\r\n") {
		return t
	}
	var b strings.Builder
	b.Grow(len(t.plain))
	rest := t.plain
	for {
		i := strings.Index(rest, "\r\n")
		if i < 0 {
			break
		}
		b.WriteString(rest[:i])
		t.breaks = append(t.breaks, b.Len())
		b.WriteByte('\n')
		rest = rest[i+2:]
	}
	b.WriteString(rest)
	t.plain = b.String()
	return t
}

// at is the offset in raw of an offset in plain.
func (t editText) at(i int) int { return t.bom + i + sort.SearchInts(t.breaks, i) }

// native gives a text the line breaks that most lines of t have.
func (t editText) native(s string) string {
	if 2*len(t.breaks) > strings.Count(t.plain, "\n") {
		return strings.ReplaceAll(s, "\n", "\r\n")
	}
	return s
}

// substitute replaces old by new in text, exactly: once, or everywhere with
// all. It returns the text and the lines at which it did so. Its error says
// what is there instead.
func substitute(text, old, new string, all bool) (string, []int, error) {
	if strings.TrimSpace(old) == "" {
		return "", nil, errors.New("old_string is blank, which could be anywhere; give the text around it as well")
	}
	old, new = strings.ReplaceAll(old, "\r\n", "\n"), strings.ReplaceAll(new, "\r\n", "\n")
	if old == new {
		return "", nil, errors.New("old_string and new_string are the same, so there is nothing to change")
	}
	t := newEditText(text)
	var found []int
	for from := 0; ; {
		i := strings.Index(t.plain[from:], old)
		if i < 0 {
			break
		}
		found = append(found, from+i)
		from += i + len(old)
	}
	if len(found) == 0 {
		return "", nil, notThere(t.plain, old)
	}
	at := lineNumbers(t.plain, found)
	if len(found) > 1 && !all {
		return "", nil, fmt.Errorf("old_string is there %d times, at lines %s; add lines around it until it is unique, or set replace_all", len(found), listed(at))
	}
	replacement := t.native(new)
	var b strings.Builder
	done := 0
	for _, i := range found {
		b.WriteString(t.raw[done:t.at(i)])
		b.WriteString(replacement)
		done = t.at(i + len(old))
	}
	b.WriteString(t.raw[done:])
	return b.String(), at, nil
}

// lineNumbers are the lines, from 1, of ascending offsets.
func lineNumbers(text string, offsets []int) []int {
	out := make([]int, len(offsets))
	line, done := 1, 0
	for i, o := range offsets {
		line += strings.Count(text[done:o], "\n")
		done, out[i] = o, line
	}
	return out
}

// listed writes the first ten numbers.
func listed(n []int) string {
	parts := make([]string, 0, 11)
	for i, v := range n {
		if i == 10 {
			parts = append(parts, fmt.Sprintf("and %d more", len(n)-i))
			break
		}
		parts = append(parts, fmt.Sprint(v))
	}
	return strings.Join(parts, ", ")
}
