package tools

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"strings"
	"unicode/utf8"
)

// lineReader takes a range of lines out of a file of any size, in constant
// memory.
type lineReader struct {
	skip, limit int
	whole       bool // read to the end, for the hash and the number of lines

	out    strings.Builder
	line   []byte // the beginning of the current line
	long   bool   // the current line goes on after what line holds
	number int    // lines ended so far
	shown  int
	cut    int   // lines shown cut
	hidden int   // lines shown without some of their characters
	veiled []int // the numbers of the first of them
	chars  int
	full   bool // the range or the answer is full
	atEnd  bool
	binary bool
	head   []byte
	size   int64
	digest hash.Hash
}

// maxLineBytes is enough for readLineChars characters, and to see that there
// are more.
const maxLineBytes = readLineChars*utf8.UTFMax + 2

func (r *lineReader) read(ctx context.Context, f io.Reader) error {
	buf := make([]byte, 64<<10)
	if r.whole {
		r.digest = sha256.New()
	}
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := f.Read(buf)
		if n > 0 && !r.take(buf[:n]) {
			return nil
		}
		if errors.Is(err, io.EOF) {
			r.finish()
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// take reads a piece; it returns false when no more is needed.
func (r *lineReader) take(p []byte) bool {
	if len(r.head) < 512 {
		r.head = append(r.head, p[:min(len(p), 512)]...)
	}
	if r.size < 8<<10 && bytes.IndexByte(p[:min(int64(len(p)), 8<<10-r.size)], 0) >= 0 {
		r.binary = true
		return false
	}
	r.size += int64(len(p))
	if r.digest != nil {
		r.digest.Write(p)
	}
	for len(p) > 0 {
		i := bytes.IndexByte(p, '\n')
		if i < 0 {
			r.keep(p)
			break
		}
		r.keep(p[:i])
		r.endLine()
		p = p[i+1:]
	}
	return r.whole || !r.full
}

func (r *lineReader) wanted() bool { return !r.full && r.number >= r.skip }

func (r *lineReader) keep(p []byte) {
	if !r.wanted() {
		r.long = r.long || len(p) > 0 // an unended line counts as one
		return
	}
	room := maxLineBytes - len(r.line)
	if len(p) > room {
		p, r.long = p[:room], true
	}
	r.line = append(r.line, p...)
}

func (r *lineReader) endLine() {
	if r.wanted() {
		r.show()
	}
	r.number++
	r.line, r.long = r.line[:0], false
}

func (r *lineReader) show() {
	text := r.line
	if !r.long {
		text = bytes.TrimSuffix(text, []byte("\r"))
	}
	s := strings.ToValidUTF8(string(text), "\uFFFD")
	if r.number == 0 {
		s = strings.TrimPrefix(s, "\uFEFF")
	}
	if n := headLen(s, readLineChars); n < len(s) {
		s = s[:n] + "..."
		r.cut++
	}
	clean := oneLine(s)
	veiled := clean != s
	s = fmt.Sprintf("%6d\t%s\n", r.number+1, clean)
	if r.chars += utf8.RuneCountInString(s); r.chars > readChars && r.shown > 0 {
		r.full = true
		return
	}
	r.out.WriteString(s)
	if veiled {
		r.veil(r.number + 1)
	}
	if r.shown++; r.shown == r.limit {
		r.full = true
	}
}

// veil notes a line that is not shown as it is.
func (r *lineReader) veil(line int) {
	if r.hidden++; len(r.veiled) < maxListedLines {
		r.veiled = append(r.veiled, line)
	}
}

func (r *lineReader) finish() {
	if len(r.line) > 0 || r.long {
		r.endLine()
	}
	r.atEnd = true
}

// sum is the hash of the whole file, or nil where not all of it was read.
func (r *lineReader) sum() *[sha256.Size]byte {
	if r.digest == nil || !r.atEnd {
		return nil
	}
	var sum [sha256.Size]byte
	r.digest.Sum(sum[:0])
	return &sum
}

// looks says what kind of data a binary file begins with.
func (r *lineReader) looks() string {
	return "it looks like " + http.DetectContentType(r.head)
}

// remark tells the model what it did not see and how to see it.
func (r *lineReader) remark(name string) string {
	last := r.skip + r.shown
	var parts []string
	switch {
	case r.atEnd && r.size == 0:
		parts = append(parts, name+" is empty.")
	case r.shown == 0:
		parts = append(parts, fmt.Sprintf("%s has %d lines, so there is nothing after offset %d.", name, r.number, r.skip))
	case r.atEnd && last < r.number:
		parts = append(parts, fmt.Sprintf("Lines %d to %d of %d. Read on with offset %d.", r.skip+1, last, r.number, last))
	case !r.atEnd:
		parts = append(parts, fmt.Sprintf("Lines %d to %d; the file has more. Read on with offset %d.", r.skip+1, last, last))
	}
	if r.cut > 0 {
		parts = append(parts, fmt.Sprintf("%d lines were cut after %d characters (\"...\"); use Grep or a command to see the rest.", r.cut, readLineChars))
	}
	if r.hidden > 0 {
		parts = append(parts, fmt.Sprintf("Characters that are not seen (control, invisible) are left out above, of line %s; Edit matches only with them.", listed(r.veiled, r.hidden)))
	}
	return strings.Join(parts, " ")
}
