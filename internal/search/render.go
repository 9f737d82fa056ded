package search

import (
	"fmt"
	"strconv"
	"strings"
)

// Content renders the lines as grep does: "path:12:text" for a match,
// "path-11-text" for context, "--" between lines that are not neighbours when
// there is context. Where a line was cut it says how many bytes are missing.
func (r GrepResult) Content(lineNumbers bool) string {
	var b strings.Builder
	gaps := r.hasContext()
	for i, f := range r.Files {
		for j, l := range f.Lines {
			if gaps && (j == 0 && i > 0 || j > 0 && l.Number > f.Lines[j-1].Number+1) {
				b.WriteString("--\n")
			}
			l.write(&b, f.Path, lineNumbers)
		}
	}
	return b.String()
}

func (r GrepResult) hasContext() bool {
	for _, f := range r.Files {
		for _, l := range f.Lines {
			if !l.Match {
				return true
			}
		}
	}
	return false
}

func (l Line) write(b *strings.Builder, path string, number bool) {
	sep := byte('-')
	if l.Match {
		sep = ':'
	}
	b.WriteString(path)
	b.WriteByte(sep)
	if number {
		b.WriteString(strconv.Itoa(l.Number))
		b.WriteByte(sep)
	}
	if l.CutBefore > 0 {
		fmt.Fprintf(b, "[%d bytes cut] ", l.CutBefore)
	}
	b.WriteString(l.Text)
	if l.CutAfter > 0 {
		fmt.Fprintf(b, " [%d bytes cut]", l.CutAfter)
	}
	b.WriteByte('\n')
}
