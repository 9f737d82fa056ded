package shell

import "unicode/utf8"

// preview keeps the first and the last characters of a text of any length.
type preview struct {
	max   int   // characters that text may return
	total int64 // characters seen
	head  []byte
	room  int // characters that head can still take
	tail  ring
}

func newPreview(maxChars int) preview {
	half := maxChars / 2
	// A character has up to four bytes, so this many bytes hold the characters
	// of the second half whatever they are.
	return preview{max: maxChars, room: half, tail: ring{size: utf8.UTFMax * (maxChars - half)}}
}

// add takes the next part of the text: valid UTF-8 of whole characters.
func (p *preview) add(s []byte) {
	p.total += int64(utf8.RuneCount(s))
	n := 0
	for p.room > 0 && n < len(s) {
		_, size := utf8.DecodeRune(s[n:])
		n += size
		p.room--
	}
	p.head = append(p.head, s[:n]...)
	p.tail.add(s[n:])
}

// cut reports whether the text is longer than what text will return.
func (p *preview) cut() bool { return p.total > int64(p.max) }

// text returns the whole text, or its head and tail with notice between them,
// and how many characters are missing. The tail makes room for the notice.
func (p *preview) text(notice func(cut int64) string) (string, int64) {
	if !p.cut() {
		return string(p.head) + string(p.tail.bytes()), 0
	}
	// The count in the final notice is at most the total, so it is no longer.
	kept := p.max - p.max/2
	reserve := utf8.RuneCountInString(notice(p.total))
	if reserve > kept {
		notice = func(int64) string { return "\n[... cut ...]\n" }
		reserve = utf8.RuneCountInString(notice(0))
	}
	tail := lastRunes(p.tail.bytes(), kept-reserve)
	cut := p.total - int64(p.max/2) - int64(kept-reserve)
	return string(p.head) + notice(cut) + string(tail), cut
}

// lastRunes is the last n characters of s, which may begin within a character.
func lastRunes(s []byte, n int) []byte {
	from := len(s)
	for ; n > 0 && from > 0; n-- {
		_, size := utf8.DecodeLastRune(s[:from])
		from -= size
	}
	return s[from:]
}

// ring keeps the last size bytes of what is added.
type ring struct {
	size int
	buf  []byte
	next int // where the oldest byte is, once buf is full
}

func (r *ring) add(p []byte) {
	if len(p) >= r.size {
		r.buf = append(r.buf[:0], p[len(p)-r.size:]...)
		r.next = 0
		return
	}
	if n := min(r.size-len(r.buf), len(p)); n > 0 {
		r.buf = append(r.buf, p[:n]...)
		p = p[n:]
	}
	for len(p) > 0 {
		n := copy(r.buf[r.next:], p)
		r.next = (r.next + n) % r.size
		p = p[n:]
	}
}

// bytes returns the kept bytes in order.
func (r *ring) bytes() []byte {
	out := make([]byte, 0, len(r.buf))
	return append(append(out, r.buf[r.next:]...), r.buf[:r.next]...)
}
