package sse

import (
	"bytes"
	"fmt"
	"io"
)

// DefaultLimit bounds one event, in bytes: 16 MiB. The largest event seen in
// practice is a whole tool input in one piece.
const DefaultLimit = 16 << 20

// firstBuffer is the size a buffer starts with, in bytes. Common events of all
// vendors are below 1 KiB.
const firstBuffer = 8 << 10

// maxEmptyReads is how often in a row a source may return neither bytes nor an
// error, as in package bufio.
const maxEmptyReads = 100

// LimitError says that an event is larger than the reader's limit.
type LimitError struct{ Limit int }

// Error says what happened.
func (e *LimitError) Error() string {
	return fmt.Sprintf("an event of the stream is larger than %d bytes", e.Limit)
}

// Event is one event. Its slices are valid until the next call of
// [Reader.Next].
type Event struct {
	Name []byte // the event field; empty where the stream gave none
	Data []byte
	ID   []byte // the last identifier that the stream gave, empty where none
}

// Reader reads events from a source. It is for one goroutine.
type Reader struct {
	src   io.Reader
	limit int
	err   error // the source's, kept until the buffer is used up

	buf   []byte
	start int // where the current event begins
	pos   int // where the next line begins
	end   int // where the bytes read so far end
	lf    int // there is no LF in buf[pos:lf]
	cr    int // there is no CR in buf[pos:cr]

	begun  bool // the byte order mark was looked for
	skipLF bool // the last line ended with CR: an LF right behind belongs to it

	hasData  bool
	from, to int // the data is buf[from:to]
	name, id []byte
}

// NewReader returns a reader of the events of src. An event, with its field
// names and line ends, may have up to limit bytes; 0 means [DefaultLimit].
func NewReader(src io.Reader, limit int) *Reader {
	if limit <= 0 {
		limit = DefaultLimit
	}
	return &Reader{src: src, limit: limit, buf: make([]byte, min(firstBuffer, limit+1))}
}

// Next returns the next event as soon as its last byte was read. At the end of
// the source it returns [io.EOF], also in the middle of an event; other errors
// are the source's, or a *[LimitError].
func (r *Reader) Next() (Event, error) {
	r.start, r.hasData = r.pos, false
	r.name = r.name[:0]
	for {
		line, ok, err := r.line()
		if err != nil {
			return Event{}, err
		}
		if !ok {
			if err := r.fill(); err != nil {
				return Event{}, err
			}
			continue
		}
		if len(line) > 0 {
			r.field(line)
			continue
		}
		if r.hasData {
			return Event{Name: r.name, Data: r.buf[r.from:r.to], ID: r.id}, nil
		}
		r.start, r.name = r.pos, r.name[:0]
	}
}

// line returns the next line without its end, or false where the buffer holds
// no whole line.
func (r *Reader) line() ([]byte, bool, error) {
	if !r.begun && !r.skipMark() {
		return nil, false, nil
	}
	if r.skipLF && r.pos < r.end {
		r.skipLF = false
		if r.buf[r.pos] == '\n' {
			if r.start == r.pos {
				r.start++
			}
			r.pos++
		}
	}
	r.lf = r.find('\n', max(r.lf, r.pos))
	r.cr = r.find('\r', max(r.cr, r.pos))
	stop := min(r.lf, r.cr)
	if stop >= r.end {
		return nil, false, nil
	}
	line := r.buf[r.pos:stop]
	r.skipLF = stop == r.cr
	r.pos = stop + 1
	if r.pos-r.start > r.limit {
		return nil, false, &LimitError{Limit: r.limit}
	}
	return line, true, nil
}

// find returns where c is in buf[from:end], or end. Each byte is looked at once
// for each of the two line ends, so that hostile input costs no more than
// other input.
func (r *Reader) find(c byte, from int) int {
	if from >= r.end || r.buf[from] == c {
		return min(from, r.end)
	}
	if i := bytes.IndexByte(r.buf[from:r.end], c); i >= 0 {
		return from + i
	}
	return r.end
}

// skipMark skips a byte order mark at the start of the stream. It reports false
// while too few bytes are there to tell.
func (r *Reader) skipMark() bool {
	const mark = "\xef\xbb\xbf"
	have := r.buf[:r.end]
	if len(have) < len(mark) && bytes.HasPrefix([]byte(mark), have) && r.err == nil {
		return false
	}
	if bytes.HasPrefix(have, []byte(mark)) {
		r.pos, r.start = len(mark), len(mark)
	}
	r.begun = true
	return true
}

// field takes one line that is not empty.
func (r *Reader) field(line []byte) {
	name, value := line, line[len(line):]
	if i := bytes.IndexByte(line, ':'); i >= 0 {
		name, value = line[:i], line[i+1:]
		if len(value) > 0 && value[0] == ' ' {
			value = value[1:]
		}
	}
	switch string(name) {
	case "data":
		r.data(value)
	case "event":
		r.name = append(r.name[:0], value...)
	case "id":
		if bytes.IndexByte(value, 0) < 0 {
			r.id = append(r.id[:0], value...)
		}
	case "":
		// A comment. Between events it must not count for the event's size,
		// or a long-lived stream of comments would reach the limit.
		if !r.hasData && len(r.name) == 0 {
			r.start = r.pos
		}
	}
}

// data adds a data line. The first is a view; later ones are moved behind it,
// which always has room, because the field's name lies between them.
func (r *Reader) data(value []byte) {
	if !r.hasData {
		r.hasData = true
		r.to = r.pos - 1
		r.from = r.to - len(value)
		return
	}
	r.buf[r.to] = '\n'
	r.to += 1 + copy(r.buf[r.to+1:], value)
}

// fill reads once from the source.
func (r *Reader) fill() error {
	if r.end-r.start > r.limit {
		return &LimitError{Limit: r.limit}
	}
	if r.err != nil {
		return r.err
	}
	r.makeRoom()
	for range maxEmptyReads {
		n, err := r.src.Read(r.buf[r.end:])
		r.end += n
		r.err = err
		if n > 0 || err != nil {
			return nil
		}
	}
	r.err = io.ErrNoProgress
	return nil
}

// makeRoom moves what is still needed to the front of the buffer when the
// buffer is full, and doubles it when that does not help.
func (r *Reader) makeRoom() {
	if r.start == r.end || (r.end == len(r.buf) && r.start > 0) {
		n := copy(r.buf, r.buf[r.start:r.end])
		shift := r.start
		r.start, r.end = 0, n
		r.pos -= shift
		r.from -= shift
		r.to -= shift
		r.lf = max(r.lf-shift, 0)
		r.cr = max(r.cr-shift, 0)
	}
	if r.end == len(r.buf) {
		bigger := make([]byte, min(2*len(r.buf), r.limit+1))
		copy(bigger, r.buf[:r.end])
		r.buf = bigger
	}
}
