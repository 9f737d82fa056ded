package shell

import (
	"bytes"
	"fmt"
	"unicode/utf8"
)

// output takes what a command prints and shares it out: a preview of head and
// tail, the live view, and, once it is longer than the preview, the spool. It
// is written by one goroutine; memory is bounded by the size of the preview.
type output struct {
	text    cleaner
	preview preview
	spool   spool
	live    *live  // nil without Command.OnOutput
	early   []byte // as printed, until it is known whether a spool is needed
	bytes   int64
}

func newOutput(c *Command) *output {
	o := &output{preview: newPreview(c.preview()), spool: spool{dir: c.SpoolDir}}
	if c.OnOutput != nil {
		o.live = startLive(c.OnOutput)
	}
	return o
}

// Write takes the next part of the output as printed. It never fails.
func (o *output) Write(p []byte) (int, error) {
	o.bytes += int64(len(p))
	o.show(o.text.next(p))
	switch {
	case o.spool.dir == "":
	case o.preview.cut():
		o.spool.write(o.early)
		o.early = nil
		o.spool.write(p)
	default:
		o.early = append(o.early, p...)
	}
	return len(p), nil
}

func (o *output) show(clean []byte) {
	o.preview.add(clean)
	if o.live != nil {
		o.live.add(clean)
	}
}

// close ends the live view and the spool.
func (o *output) close() {
	o.show(o.text.rest())
	if o.live != nil {
		o.live.close()
	}
	if o.preview.cut() {
		o.spool.write(o.early)
	}
	o.spool.close()
}

// report writes what is known of the output into res.
func (o *output) report(res *Result) {
	res.TotalBytes = o.bytes
	res.SpoolPath, res.SpoolErr = o.spool.path, o.spool.err
	res.Output, res.CutChars = o.preview.text(func(cut int64) string {
		return o.notice(cut)
	})
}

// notice is the line that stands where characters were cut.
func (o *output) notice(cut int64) string {
	where := ""
	switch {
	case o.spool.err != nil:
		where = fmt.Sprintf("; the rest could not be kept: %v", o.spool.err)
	case o.spool.path != "" && o.spool.lost() > 0:
		where = fmt.Sprintf("; the first and the last %d MiB of %d bytes are in %s", spoolHalf>>20, o.bytes, o.spool.path)
	case o.spool.path != "":
		where = fmt.Sprintf("; all %d bytes are in %s", o.bytes, o.spool.path)
	}
	return fmt.Sprintf("\n[... %d characters cut%s ...]\n", cut, where)
}

// cleaner turns output as printed into valid UTF-8 without NULs. A character
// that is split over two parts stays whole.
type cleaner struct {
	held []byte // the beginning of a character whose end has not come yet
	buf  []byte
}

// next returns the cleaned text up to the last whole character. The result is
// valid until the next call.
func (c *cleaner) next(p []byte) []byte {
	if len(c.held) > 0 {
		p = append(c.held, p...)
		c.held = nil
	}
	if n := partial(p); n > 0 {
		c.held = append([]byte(nil), p[len(p)-n:]...)
		p = p[:len(p)-n]
	}
	return c.clean(p)
}

// rest returns what was held back for an end that did not come.
func (c *cleaner) rest() []byte {
	p := c.held
	c.held = nil
	return c.clean(p)
}

func (c *cleaner) clean(p []byte) []byte {
	if utf8.Valid(p) && bytes.IndexByte(p, 0) < 0 {
		return p
	}
	c.buf = c.buf[:0]
	for len(p) > 0 {
		r, n := utf8.DecodeRune(p)
		if r == 0 {
			r = utf8.RuneError
		}
		c.buf = utf8.AppendRune(c.buf, r)
		p = p[n:]
	}
	return c.buf
}

// partial is how many bytes at the end of p may be the beginning of a character.
func partial(p []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(p); n++ {
		b := p[len(p)-n:]
		if utf8.RuneStart(b[0]) {
			if utf8.FullRune(b) {
				return 0
			}
			return n
		}
	}
	return 0
}
