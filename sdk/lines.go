package mix

import (
	"bytes"
	"fmt"
	"io"
)

const (
	// maxEvent bounds one event in bytes; the server keeps them under 64 KiB.
	maxEvent = 1 << 20
	// firstBuffer holds most events without growing.
	firstBuffer = 8 << 10
	// maxEmptyReads is how often a reader may return nothing in a row.
	maxEmptyReads = 100
)

var errEventTooLarge = fmt.Errorf("an event of the stream is larger than %d bytes; is this the address of a Mix server?", maxEvent)

// lineReader yields lines that end with LF, CR or CRLF. A line is returned as
// soon as its end is there: after a CR it does not wait for the LF that may
// follow.
type lineReader struct {
	r          io.Reader
	buf        []byte
	start, end int  // what of buf is not consumed yet
	scanned    int  // of it, how much holds no line end
	skipLF     bool // the last line ended with CR
	first      bool // nothing was returned yet: a byte order mark may come
	empty      int  // reads in a row that returned nothing
	err        error
}

func newLineReader(r io.Reader) *lineReader {
	return &lineReader{r: r, buf: make([]byte, firstBuffer), first: true}
}

// next returns a line without its end; it is valid until the next call.
func (l *lineReader) next() ([]byte, error) {
	for {
		if l.skipLF && l.start < l.end {
			l.skipLF = false
			if l.buf[l.start] == '\n' {
				l.start++
			}
		}
		if i := lineEnd(l.buf[l.start+l.scanned : l.end]); i >= 0 {
			stop := l.start + l.scanned + i
			line := l.buf[l.start:stop]
			l.skipLF = l.buf[stop] == '\r'
			l.start, l.scanned = stop+1, 0
			if l.first {
				l.first = false
				line = bytes.TrimPrefix(line, []byte("\ufeff"))
			}
			return line, nil
		}
		l.scanned = l.end - l.start
		if err := l.fill(); err != nil {
			return nil, err
		}
	}
}

// lineEnd finds the first LF or CR.
func lineEnd(b []byte) int {
	lf := bytes.IndexByte(b, '\n')
	if lf >= 0 {
		b = b[:lf]
	}
	if cr := bytes.IndexByte(b, '\r'); cr >= 0 {
		return cr
	}
	return lf
}

// fill reads once, after making room.
func (l *lineReader) fill() error {
	if l.err != nil {
		return l.err
	}
	switch {
	case l.start == l.end:
		l.start, l.end = 0, 0
	case l.end == len(l.buf) && l.start > 0:
		l.end = copy(l.buf, l.buf[l.start:l.end])
		l.start = 0
	case l.end == len(l.buf):
		if len(l.buf) > maxEvent {
			return errEventTooLarge
		}
		l.buf = append(l.buf, make([]byte, len(l.buf))...)
	}
	n, err := l.r.Read(l.buf[l.end:])
	l.end += n
	l.err = err
	if n > 0 {
		l.empty = 0
		return nil // what came with an error comes before it
	}
	if l.empty++; err == nil && l.empty >= maxEmptyReads {
		l.err = io.ErrNoProgress
	}
	return l.err
}
