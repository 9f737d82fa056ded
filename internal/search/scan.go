package search

import (
	"bytes"
	"context"
	"errors"
	"io"
)

const (
	// bufferSize is what is read and searched at a time.
	bufferSize = 256 << 10
	// maxBuffer is the longest line that is searched as a whole, in bytes. Of
	// a longer one the pieces are searched, with overlap between them.
	maxBuffer = 1 << 20
	overlap   = 64 << 10
	// binaryPrefix is where a NUL means that the file is not searched at all.
	binaryPrefix = 8 << 10
	// maxMultiline is the largest file that multiline mode searches, in bytes;
	// maxSlow where RE2 is not available.
	maxMultiline = 8 << 20
	maxSlow      = 1 << 20
	// maxSpans is how many matches of one file multiline mode counts.
	maxSpans = 100_000
	// maxUTF16 is the largest UTF-16 file that is searched, in bytes.
	maxUTF16 = 16 << 20
)

// Reasons why a file was not searched, or not to its end.
var (
	errBinary   = errors.New("binary file")
	errTooLarge = errors.New("too large")
)

// scanner searches files one after the other with reused buffers. It belongs
// to one goroutine at a time.
type scanner struct {
	p     *pattern
	ctx   context.Context // of the file that is being searched
	find  *finder         // nil without literals
	buf   []byte
	whole []byte // multiline and UTF-16 files
	out   lineSink

	candidates []candidate
	lined      []byte // their lines, one after the other
}

func newScanner(p *pattern) *scanner {
	s := &scanner{p: p, buf: make([]byte, bufferSize)}
	if len(p.literals) > 0 {
		s.find = newFinder(p.literals)
	}
	return s
}

// file searches f and leaves the outcome in s.out. errBinary with matches
// means that the search stopped at a NUL.
func (s *scanner) file(ctx context.Context, f file) error {
	s.ctx = ctx
	n, eof, err := fill(f, s.buf[:bufferSize], 0, f.size)
	if err != nil {
		return err
	}
	head := s.buf[:n]
	if bytes.HasPrefix(head, []byte{0xff, 0xfe}) || bytes.HasPrefix(head, []byte{0xfe, 0xff}) {
		return s.utf16(ctx, f, head)
	}
	if bytes.IndexByte(head[:min(n, binaryPrefix)], 0) >= 0 {
		return errBinary
	}
	head = bytes.TrimPrefix(head, []byte("\xef\xbb\xbf"))
	if s.p.multiline {
		return s.multiline(ctx, f, head, eof)
	}
	if len(head) < n {
		n = copy(s.buf, head)
	}
	return s.lines(ctx, f, n, eof)
}

// fill reads into buf[n:] until it is full or the file ends. A read that
// reached the known size spares the one that would return nothing.
func fill(f io.Reader, buf []byte, n int, size int64) (int, bool, error) {
	for n < len(buf) {
		k, err := f.Read(buf[n:])
		n += k
		if err == io.EOF {
			return n, true, nil
		}
		if err != nil {
			return n, false, err
		}
		if size > 0 && int64(n) == size && n < len(buf) {
			return n, true, nil
		}
	}
	return n, false, nil
}

// lines searches line by line; n bytes are in the buffer already.
func (s *scanner) lines(ctx context.Context, f file, n int, eof bool) error {
	inLine := false // the buffer begins within a line that is too long for it
	for {
		data := s.buf[:n]
		nul := bytes.IndexByte(data, 0)
		if nul >= 0 {
			data, eof = data[:nul], true
		}
		end := len(data)
		if !eof {
			end = bytes.LastIndexByte(data, '\n') + 1
		}
		switch {
		case end > 0 || eof:
			s.region(data[:end], inLine, false)
			inLine = false
		case len(s.buf) < maxBuffer:
			s.buf = append(s.buf, make([]byte, len(s.buf))...)
		default:
			s.region(data, inLine, true)
			inLine = true
			end = len(data) - overlap
		}
		if nul >= 0 {
			return errBinary
		}
		if eof || s.out.done() {
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		n = copy(s.buf, s.buf[end:n])
		var err error
		if n, eof, err = fill(f, s.buf, n, 0); err != nil {
			return err
		}
	}
}

// region searches whole lines; the last may lack its line break. inLine says
// that data begins within a line, open that its last line goes on after it.
func (s *scanner) region(data []byte, inLine, open bool) {
	s.out.begin(data, inLine)
	switch {
	case s.find != nil:
		s.byLiteral(data)
	case s.p.region != nil:
		s.byRE2(data)
	default:
		s.byLine(data)
	}
	s.out.end(open)
}

func (s *scanner) byLiteral(data []byte) {
	s.find.reset()
	for pos := 0; pos < len(data) && !s.out.done(); {
		hit := s.find.find(data, pos)
		if hit < 0 {
			break
		}
		start, end := lineAround(data, pos, hit)
		pos = end + 1
		if s.p.exact {
			s.out.match(start, end, hit-start)
			continue
		}
		s.candidates = append(s.candidates, candidate{start: start, end: end})
		if len(s.candidates) == maxCandidates {
			s.verify(data)
		}
	}
	s.verify(data)
}

// candidate is a line that holds a required literal; at is where it begins in
// the copy that RE2 reads.
type candidate struct{ start, end, at int }

const (
	// maxCandidates is how many lines are verified at a time.
	maxCandidates = 128
	// fewCandidates is how many the standard library judges faster one by one
	// than RE2 does in one call.
	fewCandidates = 3
)

// verify reports the candidates that match, and forgets all of them.
func (s *scanner) verify(data []byte) {
	defer func() { s.candidates = s.candidates[:0] }()
	if len(s.candidates) <= fewCandidates || s.p.region == nil {
		for _, c := range s.candidates {
			at := 0
			if !s.out.done() && s.judge(trimCR(data[c.start:c.end]), &at) {
				s.out.match(c.start, c.end, at)
			}
		}
		return
	}
	s.lined = s.lined[:0]
	for i := range s.candidates {
		c := &s.candidates[i]
		c.at = len(s.lined)
		s.lined = append(append(s.lined, data[c.start:c.end]...), '\n')
	}
	i := 0
	for _, m := range s.p.region.FindAllIndex(s.lined, -1) {
		if m[0] == len(s.lined) {
			return
		}
		for i+1 < len(s.candidates) && s.candidates[i+1].at <= m[0] {
			i++
		}
		c := s.candidates[i]
		if c.at < 0 || s.out.done() {
			continue // the same line again
		}
		at := m[0] - c.at
		s.candidates[i].at = -1
		if line := data[c.start:c.end]; !bytes.HasSuffix(line, []byte{'\r'}) || s.judge(trimCR(line), &at) {
			s.out.match(c.start, c.end, at)
		}
	}
}

func (s *scanner) byRE2(data []byte) {
	limit := -1
	if s.out.first {
		limit = 1
	}
	pos := 0
	for _, m := range s.p.region.FindAllIndex(data, limit) {
		if m[0] < pos || m[0] == len(data) && endsLine(data) {
			continue // the same line again, or the place after the last one
		}
		start, end := lineAround(data, pos, m[0])
		at := m[0] - start
		if line := data[start:end]; !bytes.HasSuffix(line, []byte{'\r'}) || s.judge(trimCR(line), &at) {
			s.out.match(start, end, at)
		} else if limit == 1 {
			s.byLine(data[min(end+1, len(data)):]) // the only match asked for was none
			return
		}
		pos = end + 1
	}
}

func (s *scanner) byLine(data []byte) {
	base := len(s.out.data) - len(data)
	for pos := 0; pos < len(data) && !s.out.done(); {
		end := len(data)
		if i := bytes.IndexByte(data[pos:], '\n'); i >= 0 {
			end = pos + i
		}
		at := 0
		if s.judge(trimCR(data[pos:end]), &at) {
			s.out.match(base+pos, base+end, at)
		}
		pos = end + 1
	}
}

// judge runs the expression on one line. Where in the line it matched is only
// worth knowing when the line will be cut.
func (s *scanner) judge(line []byte, at *int) bool {
	if s.p.region == nil && s.ctx.Err() != nil {
		return false // each line can take long
	}
	if len(line) <= s.out.maxLine {
		return s.p.line.Match(line)
	}
	find := s.p.line.FindIndex
	if s.p.region == nil {
		find = func(line []byte) []int { return s.p.findSlowly(s.ctx, line) }
	}
	loc := find(line)
	if loc == nil {
		return false
	}
	*at = loc[0]
	return true
}

// lineAround returns the bounds of the line that holds at, without its break.
func lineAround(data []byte, from, at int) (start, end int) {
	start = from + bytes.LastIndexByte(data[from:at], '\n') + 1
	end = len(data)
	if i := bytes.IndexByte(data[at:], '\n'); i >= 0 {
		end = at + i
	}
	return start, end
}

func endsLine(data []byte) bool { return len(data) == 0 || data[len(data)-1] == '\n' }

func trimCR(line []byte) []byte {
	if n := len(line); n > 0 && line[n-1] == '\r' {
		return line[:n-1]
	}
	return line
}
