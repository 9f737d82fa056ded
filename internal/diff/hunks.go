package diff

import (
	"fmt"
	"strings"

	udiff "github.com/aymanbagabas/go-udiff"
)

// change replaces lines from..to (indexes) by others.
type change struct {
	from, to int
	with     []string
}

// changes turns edits at line boundaries of old into changes of its lines.
func changes(old string, edits []udiff.Edit) []change {
	lines := splitLines(old)
	var out []change
	i, at := 0, 0
	seek := func(offset int) int {
		for at < offset && i < len(lines) {
			at += len(lines[i])
			i++
		}
		return i
	}
	for _, e := range edits {
		from := seek(e.Start)
		c := change{from: from, to: seek(e.End), with: splitLines(e.New)}
		if n := len(out); n > 0 && out[n-1].to == c.from {
			out[n-1].to = c.to
			out[n-1].with = append(out[n-1].with, c.with...)
			continue
		}
		out = append(out, c)
	}
	return out
}

// splitLines splits after each line break.
func splitLines(s string) []string {
	if s == "" {
		return nil
	}
	lines := strings.SplitAfter(s, "\n")
	if lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	return lines
}

// hunks writes a unified diff. lines is the old text, or a part of it that
// begins on line first of the file.
type hunks struct {
	lines   []string
	first   int
	changes []change

	b     strings.Builder
	delta int // lines that the new text is longer by, so far
	d     Diff
}

func (h *hunks) render(head string) Diff {
	h.b.WriteString(head)
	for i := 0; i < len(h.changes); {
		j := i + 1
		for j < len(h.changes) && h.changes[j].from-h.changes[j-1].to <= 2*context {
			j++
		}
		h.hunk(h.changes[i:j])
		i = j
	}
	if h.d.Truncated {
		h.b.WriteString("The rest of the diff is too long to show.\n")
	}
	h.d.Text = h.b.String()
	return h.d
}

func (h *hunks) hunk(group []change) {
	from := max(0, group[0].from-context)
	to := min(len(h.lines), group[len(group)-1].to+context)
	grown := 0
	for _, c := range group {
		h.d.Additions += len(c.with)
		h.d.Removals += c.to - c.from
		grown += len(c.with) - (c.to - c.from)
	}
	fmt.Fprintf(&h.b, "@@ -%s +%s @@\n", span(h.first+from, to-from), span(h.first+from+h.delta, to-from+grown))
	h.delta += grown
	at := from
	for _, c := range group {
		h.write(' ', h.lines[at:c.from])
		h.write('-', h.lines[c.from:c.to])
		h.write('+', c.with)
		at = c.to
	}
	h.write(' ', h.lines[at:to])
}

// span is how a hunk's header names lines: an empty range by the line before.
func span(line, n int) string {
	switch n {
	case 0:
		return fmt.Sprintf("%d,0", line-1)
	case 1:
		return fmt.Sprint(line)
	}
	return fmt.Sprintf("%d,%d", line, n)
}

func (h *hunks) write(kind byte, lines []string) {
	for _, line := range lines {
		if h.b.Len()+len(line) > maxText {
			h.d.Truncated = true
		}
		if h.d.Truncated {
			return
		}
		h.b.WriteByte(kind)
		h.b.WriteString(line)
		if !strings.HasSuffix(line, "\n") {
			h.b.WriteString("\n\\ No newline at end of file\n")
		}
	}
}
