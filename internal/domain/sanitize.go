package domain

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Sanitize makes text from outside (output of commands, files, models) safe to
// show on a terminal, to log and to put into a prompt. What it removes could
// move the cursor, write the clipboard, type answers, or show a person or a
// model something else than what is there:
//
//   - escape sequences, whole: CSI, and OSC, DCS, APC, PM and SOS with their
//     text up to the terminator. A line end also ends them, so that an open one
//     cannot swallow the rest of the text;
//   - control characters (C0 except line feed and tab, DEL, C1). Carriage
//     returns, which let a line overwrite itself, become line feeds, "\r\n" one
//     of them;
//   - bidirectional controls, and invisible characters: zero-width ones, tags,
//     fillers. Joiners stay where scripts and emoji need them: one after a
//     character that is not ASCII. So do variation selectors.
//
// Bytes that are not UTF-8 become U+FFFD. The result is valid UTF-8, and
// sanitizing it again changes nothing. Clean text is returned as it is, without
// an allocation.
func Sanitize(s string) string {
	n := cleanPrefix(s)
	if n == len(s) {
		return s
	}
	var z Sanitizer
	dst := append(make([]byte, 0, len(s)), s[:n]...)
	if n > 0 {
		z.last, _ = utf8.DecodeLastRuneInString(s[:n])
	}
	dst = z.Append(dst, s[n:])
	return string(z.Flush(dst))
}

// SanitizeLine is [Sanitize] for text that has to stay on one line, such as a
// title or a question: line ends show as "⏎", tabs become spaces.
func SanitizeLine(s string) string {
	s = Sanitize(s)
	if !strings.ContainsAny(s, "\n\t") {
		return s
	}
	return strings.NewReplacer("\n", "⏎", "\t", " ").Replace(s)
}

// Visible writes text on one line and hides nothing: what [Sanitize] would
// remove or change stands there as an escape like \x1b or \u202e. It is for
// text that a person judges, such as a command to be allowed, where a removed
// part would be a part that nobody saw. Backslashes stay single, so the result
// is for reading, not for parsing back.
func Visible(s string) string {
	n := cleanPrefix(s)
	if n == len(s) && !strings.ContainsAny(s, "\n\t") {
		return s
	}
	var b strings.Builder
	b.Grow(len(s) + 16)
	for i, r := range s {
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD"):
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < 0x20 || r == 0x7F:
			fmt.Fprintf(&b, `\x%02x`, r)
		case plain(r):
			b.WriteRune(r)
		case r > 0xFFFF:
			fmt.Fprintf(&b, `\U%08x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// Sanitizer is [Sanitize] for text that comes in pieces. Wherever the text is
// split, also inside a character or an escape sequence, the pieces that
// [Sanitizer.Append] and the final [Sanitizer.Flush] add are together what
// Sanitize returns for the whole. The zero value is ready for use. It is not
// safe for concurrent use.
type Sanitizer struct {
	state   escState
	cr      bool // carriage returns wait for what follows them
	last    rune // last rune that was let through, 0 before the first
	partial [utf8.UTFMax]byte
	held    int // bytes of partial in use: the beginning of a character
}

// escState is where in an escape sequence (ECMA-48) the text is.
type escState uint8

const (
	ground          escState = iota
	escape                   // after ESC
	escapeInner              // after ESC and intermediate bytes
	controlSequence          // after ESC [
	controlString            // after ESC ] and its like, up to ST, BEL or a line end
)

// Append appends what is safe of s to dst and returns the extended slice. It
// may hold back a carriage return and up to three bytes of a character.
func (z *Sanitizer) Append(dst []byte, s string) []byte {
	for z.held > 0 && s != "" {
		z.partial[z.held] = s[0]
		z.held++
		s = s[1:]
		if p := z.partial[:z.held]; utf8.FullRune(p) {
			dst = z.drainPartial(dst)
		}
	}
	for s != "" {
		if c := s[0]; c < utf8.RuneSelf {
			if z.state == ground && !z.cr && c >= 0x20 && c != 0x7F {
				n := printableRun(s)
				dst = append(dst, s[:n]...)
				z.last = rune(s[n-1])
				s = s[n:]
				continue
			}
			dst = z.step(dst, rune(c))
			s = s[1:]
			continue
		}
		if !utf8.FullRuneInString(s) {
			z.held = copy(z.partial[:], s)
			return dst
		}
		r, size := utf8.DecodeRuneInString(s)
		dst = z.step(dst, r)
		s = s[size:]
	}
	return dst
}

// drainPartial takes the characters that partial holds by now; what remains is
// the beginning of another one, or nothing.
func (z *Sanitizer) drainPartial(dst []byte) []byte {
	for z.held > 0 && utf8.FullRune(z.partial[:z.held]) {
		r, size := utf8.DecodeRune(z.partial[:z.held])
		dst = z.step(dst, r)
		z.held = copy(z.partial[:], z.partial[size:z.held])
	}
	return dst
}

// Flush ends the text: it appends what was held back, and readies z for
// another text.
func (z *Sanitizer) Flush(dst []byte) []byte {
	for i := 0; i < z.held; i++ {
		dst = z.step(dst, utf8.RuneError)
	}
	if z.cr {
		dst = append(dst, '\n')
	}
	*z = Sanitizer{}
	return dst
}

// step moves the state by one rune.
func (z *Sanitizer) step(dst []byte, r rune) []byte {
	switch {
	case r == '\n' || r == '\r' || r == '\u2028' || r == '\u2029':
		z.state = ground
		return z.newline(dst, r)
	case r == 0x18 || r == 0x1A: // CAN and SUB end any sequence
		z.state = ground
		return dst
	case r == 0x1B:
		// Also ends a control string: "ESC \" is its terminator, and any other
		// escape aborts it.
		z.state = escape
		return dst
	}
	switch z.state {
	case escape:
		return z.afterEscape(dst, r)
	case escapeInner:
		if r >= 0x20 && r <= 0x2F {
			return dst
		}
		z.state = ground
		if r >= 0x30 && r <= 0x7E {
			return dst
		}
	case controlSequence:
		if r >= 0x20 && r <= 0x3F {
			return dst
		}
		z.state = ground
		if r >= 0x40 && r <= 0x7E {
			return dst
		}
	case controlString:
		if r == 0x07 || r == 0x9C { // BEL and the 8-bit ST
			z.state = ground
		}
		return dst
	}
	return z.emit(dst, r)
}

func (z *Sanitizer) afterEscape(dst []byte, r rune) []byte {
	switch {
	case r == '[':
		z.state = controlSequence
	case strings.ContainsRune("]P_^Xk", r): // OSC, DCS, APC, PM, SOS, and screen's title
		z.state = controlString
	case r >= 0x20 && r <= 0x2F:
		z.state = escapeInner
	default:
		z.state = ground
		if r < 0x30 || r > 0x7E {
			return z.emit(dst, r)
		}
	}
	return dst
}

// newline appends one line feed for a line feed and the carriage returns before
// it. Those wait, because only what follows tells whether they were part of it.
func (z *Sanitizer) newline(dst []byte, r rune) []byte {
	if r == '\r' {
		z.cr = true
		return dst
	}
	z.cr = false
	z.last = '\n'
	return append(dst, '\n')
}

// emit appends r unless it is one that must not pass.
func (z *Sanitizer) emit(dst []byte, r rune) []byte {
	if r == 0x9B {
		// The 8-bit CSI. The 8-bit forms of the others only lose themselves: as
		// characters of text that was decoded wrongly (U+009D ends a quotation
		// then) they are common, and must not take the rest of the line along.
		z.state = controlSequence
		return dst
	}
	if !plain(r) && !z.joins(r) {
		return dst
	}
	if z.cr {
		z.cr = false
		z.last = '\n'
		dst = append(dst, '\n')
		if !plain(r) { // a joiner has nothing to join any more
			return dst
		}
	}
	z.last = r
	return utf8.AppendRune(dst, r)
}

// joins reports whether r is a joiner or variation selector in a place where it
// changes how the character before it looks, and is not one of a row of them,
// which would be a way to hide text.
func (z *Sanitizer) joins(r rune) bool {
	switch r {
	case 0x200C, 0x200D:
		return z.last >= utf8.RuneSelf && z.last != 0x200C && z.last != 0x200D
	case 0xFE0E, 0xFE0F:
		if z.last < utf8.RuneSelf {
			return z.last >= '0' && z.last <= '9' || z.last == '#' || z.last == '*' // keycaps
		}
		return plain(z.last)
	}
	return false
}

// plain reports whether r may pass anywhere.
func plain(r rune) bool {
	if r < utf8.RuneSelf {
		return r >= 0x20 && r != 0x7F || r == '\n' || r == '\t'
	}
	return !unicode.Is(forbidden, r)
}

// forbidden are the characters above ASCII that do not pass by themselves.
var forbidden = &unicode.RangeTable{
	R16: []unicode.Range16{
		{0x0080, 0x009F, 1}, // C1
		{0x00AD, 0x00AD, 1}, // soft hyphen
		{0x034F, 0x034F, 1}, // combining grapheme joiner
		{0x061C, 0x061C, 1}, // Arabic letter mark
		{0x115F, 0x1160, 1}, // Hangul fillers
		{0x17B4, 0x17B5, 1}, // Khmer inherent vowels
		{0x180B, 0x180F, 1}, // Mongolian selectors
		{0x200B, 0x200F, 1}, // zero width, joiners, direction marks
		{0x2028, 0x202E, 1}, // line and paragraph separator, bidi embeddings
		{0x2060, 0x206F, 1}, // invisible operators, bidi isolates
		{0x3164, 0x3164, 1}, // Hangul filler
		{0xFE00, 0xFE0F, 1}, // variation selectors
		{0xFEFF, 0xFEFF, 1}, // byte order mark
		{0xFFA0, 0xFFA0, 1}, // Hangul filler
		{0xFFF0, 0xFFFB, 1}, // annotation
	},
	R32: []unicode.Range32{
		{0x1BCA0, 0x1BCA3, 1}, // shorthand format controls
		{0x1D173, 0x1D17A, 1}, // musical format controls
		{0xE0000, 0xE0FFF, 1}, // tags, variation selectors supplement
	},
}

// cleanPrefix returns the length of the longest prefix of s in which nothing
// needs a second look.
func cleanPrefix(s string) int {
	i := 0
	for i < len(s) {
		c := s[i]
		if c < utf8.RuneSelf {
			if c < 0x20 && c != '\n' && c != '\t' || c == 0x7F {
				return i
			}
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 || !plain(r) {
			return i
		}
		i += size
	}
	return i
}

// printableRun returns the length of the run of printable ASCII that s starts
// with, at least 1.
func printableRun(s string) int {
	for i := 1; i < len(s); i++ {
		if c := s[i]; c < 0x20 || c >= 0x7F {
			return i
		}
	}
	return len(s)
}
