package search

import (
	"bytes"
	"strings"
)

// commonBytes orders the bytes of program text and prose from the most to the
// least common; those not listed are rarer than all of them.
const commonBytes = " etrnaisolcdpufm\n\t,h0.g()\"_bvy=-x1:w/k;*{}TSE2RACI'NO34LPDF<>8M5\\[]6Uz7qB9|&#+VjWGH!XK$?@Y%`Q^ZJ~"

// rarity grows with how seldom a byte is in text: 0 (space) to about 100.
func rarity(c byte) int {
	if i := strings.IndexByte(commonBytes, c); i >= 0 {
		return i
	}
	return len(commonBytes)
}

// finder looks for any of a set of literals in one buffer after the other. It
// remembers the next place of each, so the buffer is passed over once for each
// literal however many lines match. Not safe for concurrent use.
type finder struct {
	needles []needle
}

type needle struct {
	text string
	fold bool
	at   int  // offset of the rarest byte
	lo   byte // that byte, and its other case (equal without one)
	up   byte
	// next hit in the current buffer, len(buffer) for none; -1: not looked for.
	next int
	// nextLo and nextUp are the next places of the rare byte's two cases.
	nextLo, nextUp int
}

func newFinder(set []literal) *finder {
	f := &finder{}
	for _, l := range set {
		n := needle{text: l.text, fold: l.fold}
		best := -1
		for i := range len(l.text) {
			r := rarity(l.text[i])
			if l.fold {
				r = min(r, rarity(upper(l.text[i])))
			}
			if r > best {
				best, n.at = r, i
			}
		}
		n.lo = l.text[n.at]
		n.up = n.lo
		if l.fold {
			n.up = upper(n.lo)
		}
		f.needles = append(f.needles, n)
	}
	return f
}

func upper(c byte) byte {
	if 'a' <= c && c <= 'z' {
		return c - 'a' + 'A'
	}
	return c
}

// reset begins a new buffer.
func (f *finder) reset() {
	for i := range f.needles {
		n := &f.needles[i]
		n.next, n.nextLo, n.nextUp = -1, -1, -1
	}
}

// find returns where the first literal at or after pos begins, -1 for none.
// Within one buffer pos must not decrease.
func (f *finder) find(buf []byte, pos int) int {
	best := len(buf)
	for i := range f.needles {
		n := &f.needles[i]
		if n.next < pos {
			n.next = n.seek(buf, pos)
		}
		best = min(best, n.next)
	}
	if best == len(buf) {
		return -1
	}
	return best
}

func (n *needle) seek(buf []byte, pos int) int {
	if n.fold && n.lo != n.up {
		return n.seekFold(buf, pos)
	}
	at := pos + n.at
	misses := 0
	for at < len(buf) {
		i := bytes.IndexByte(buf[at:], n.lo)
		if i < 0 {
			break
		}
		at += i
		if start := at - n.at; n.here(buf, start) {
			return start
		}
		at++
		// The byte is common here after all: let the library's search for the
		// whole string go on, which has a second way for that.
		if misses++; !n.fold && misses > 32 && misses > (at-pos)/64 {
			if i := bytes.Index(buf[at-n.at:], []byte(n.text)); i >= 0 {
				return at - n.at + i
			}
			break
		}
	}
	return len(buf)
}

// seekFold follows both cases of the rarest byte.
func (n *needle) seekFold(buf []byte, pos int) int {
	at := pos + n.at
	for at < len(buf) {
		if n.nextLo < at {
			n.nextLo = indexFrom(buf, at, n.lo)
		}
		if n.nextUp < at {
			n.nextUp = indexFrom(buf, at, n.up)
		}
		at = min(n.nextLo, n.nextUp)
		if at == len(buf) {
			break
		}
		if start := at - n.at; n.here(buf, start) {
			return start
		}
		at++
	}
	return len(buf)
}

func indexFrom(buf []byte, at int, c byte) int {
	if i := bytes.IndexByte(buf[at:], c); i >= 0 {
		return at + i
	}
	return len(buf)
}

func (n *needle) here(buf []byte, start int) bool {
	if start+len(n.text) > len(buf) {
		return false
	}
	got := buf[start : start+len(n.text)]
	if !n.fold {
		return string(got) == n.text
	}
	for i, c := range got {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != n.text[i] {
			return false
		}
	}
	return true
}
