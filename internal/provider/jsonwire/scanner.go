package jsonwire

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth is how deep values may nest before a [Scanner] gives up.
const maxDepth = 64

// Scanner walks over one JSON text. Its methods must be called in the order of
// the text; the first that does not find what it stands for makes the scanner
// fail, and from then on every method returns a zero value. So a caller checks
// once, with [Scanner.End].
//
//	s := jsonwire.NewScanner(data)
//	for s.Object(); s.More(); {
//		switch string(s.Key()) {
//		case "type":
//			kind = s.Text()
//		default:
//			s.Skip()
//		}
//	}
//	if !s.End() { … }
type Scanner struct {
	b       []byte
	i       int
	depth   int
	objects uint64 // bit n: the value around at depth n is an object
	first   bool   // at the first element of an object or array
	failed  bool
	scratch []byte
}

// NewScanner returns a scanner of data, which must not change while it is used.
func NewScanner(data []byte) Scanner { return Scanner{b: data} }

// Reset makes s scan data, and keeps its memory.
func (s *Scanner) Reset(data []byte) { *s = Scanner{b: data, scratch: s.scratch[:0]} }

// Fail makes s fail: the caller met what it does not expect.
func (s *Scanner) Fail() { s.failed = true }

// End reports whether everything was found and only white space is left.
func (s *Scanner) End() bool {
	s.space()
	return !s.failed && s.i == len(s.b) && s.depth == 0
}

// Object enters an object.
func (s *Scanner) Object() { s.enter('{') }

// Array enters an array.
func (s *Scanner) Array() { s.enter('[') }

func (s *Scanner) enter(c byte) {
	if s.peek() != c || s.depth == maxDepth {
		s.failed = true
		return
	}
	s.i++
	s.objects &^= 1 << s.depth
	if c == '{' {
		s.objects |= 1 << s.depth
	}
	s.depth++
	s.first = true
}

// More reports whether another key or element follows, and leaves the object
// or array when none does.
func (s *Scanner) More() bool {
	c := s.peek()
	switch {
	case c == '}' || c == ']':
		s.leave(c)
		return false
	case s.first:
		s.first = false
		return !s.failed
	case c == ',':
		s.i++
		if c = s.peek(); c == '}' || c == ']' {
			s.failed = true
		}
		return !s.failed
	}
	s.failed = true
	return false
}

func (s *Scanner) leave(c byte) {
	s.i++
	s.first = false
	if s.depth == 0 {
		s.failed = true
		return
	}
	s.depth--
	if (c == '}') != (s.objects&(1<<s.depth) != 0) {
		s.failed = true
	}
}

// Key returns the next key of an object. It is valid until the next method is
// called. A key with an escape makes the scanner fail.
func (s *Scanner) Key() []byte {
	key := s.Plain()
	if s.peek() != ':' {
		s.failed = true
		return nil
	}
	s.i++
	return key
}

// Plain returns the bytes of a string that has no escapes and is ASCII, as
// names and types are; other strings make the scanner fail.
func (s *Scanner) Plain() []byte {
	raw, plain := s.raw()
	if !plain {
		s.failed = true
		return nil
	}
	return raw
}

// Text returns a string's value.
func (s *Scanner) Text() string {
	raw, plain := s.raw()
	if s.failed {
		return ""
	}
	if !plain {
		raw = s.unescape(raw)
	}
	return string(raw)
}

// Null reports whether the next value is null, and then skips it.
func (s *Scanner) Null() bool {
	if s.peek() != 'n' {
		return false
	}
	s.literal("null")
	return !s.failed
}

// Int returns an integer of at most 15 digits.
func (s *Scanner) Int() int {
	negative := s.peek() == '-'
	if negative {
		s.i++
	}
	n, from := 0, s.i
	for s.i < len(s.b) && isDigit(s.b[s.i]) {
		n = n*10 + int(s.b[s.i]-'0')
		s.i++
		if s.i-from > 15 {
			break
		}
	}
	digits := s.i - from
	if digits == 0 || digits > 15 || (digits > 1 && s.b[from] == '0') || (s.i < len(s.b) && isNumberByte(s.b[s.i])) {
		s.failed = true
	}
	if s.failed {
		return 0
	}
	if negative {
		return -n
	}
	return n
}

// Skip skips a value of any kind.
func (s *Scanner) Skip() {
	switch c := s.peek(); {
	case c == '"':
		if raw, plain := s.raw(); !plain && !s.failed {
			s.unescape(raw)
		}
	case c == '{':
		for s.Object(); s.More(); {
			s.skipKey()
			s.Skip()
		}
	case c == '[':
		for s.Array(); s.More(); {
			s.Skip()
		}
	case c == 't':
		s.literal("true")
	case c == 'f':
		s.literal("false")
	case c == 'n':
		s.literal("null")
	default:
		s.number()
	}
}

func (s *Scanner) skipKey() {
	if raw, plain := s.raw(); !plain && !s.failed {
		s.unescape(raw)
	}
	if s.peek() != ':' {
		s.failed = true
		return
	}
	s.i++
}

// peek skips white space and returns the next byte, or 0.
func (s *Scanner) peek() byte {
	s.space()
	if s.failed || s.i >= len(s.b) {
		return 0
	}
	return s.b[s.i]
}

func (s *Scanner) space() {
	for s.i < len(s.b) {
		switch s.b[s.i] {
		case ' ', '\t', '\n', '\r':
			s.i++
		default:
			return
		}
	}
}

func (s *Scanner) literal(word string) {
	if !bytes.HasPrefix(s.b[s.i:], []byte(word)) {
		s.failed = true
		return
	}
	s.i += len(word)
}

// raw returns what stands between the quotes of a string, and whether it is
// ASCII without escapes.
func (s *Scanner) raw() (raw []byte, plain bool) {
	if s.peek() != '"' {
		s.failed = true
		return nil, false
	}
	from := s.i + 1
	plain = true
	for i := from; i < len(s.b); i++ {
		switch c := s.b[i]; {
		case c == '"':
			s.i = i + 1
			return s.b[from:i], plain
		case c == '\\':
			plain = false
			i++
		case c < ' ':
			s.failed = true
			return nil, false
		case c >= utf8.RuneSelf:
			plain = false
		}
	}
	s.failed = true
	return nil, false
}

// unescape returns the value of a string; it fails on bytes that are not UTF-8,
// which encoding/json replaces.
func (s *Scanner) unescape(raw []byte) []byte {
	if !utf8.Valid(raw) {
		s.failed = true
		return nil
	}
	out := s.scratch[:0]
	for {
		i := bytes.IndexByte(raw, '\\')
		if i < 0 {
			out = append(out, raw...)
			s.scratch = out
			return out
		}
		out = append(out, raw[:i]...)
		raw = raw[i+1:] // raw has the escaped byte: see Scanner.raw
		c := raw[0]
		raw = raw[1:]
		switch c {
		case '"', '\\', '/':
			out = append(out, c)
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'u':
			r, size := escapedRune(raw)
			if size == 0 {
				s.failed = true
				return nil
			}
			out = utf8.AppendRune(out, r)
			raw = raw[size:]
		default:
			s.failed = true
			return nil
		}
	}
}

// escapedRune reads the digits behind \u, and a second escape where both are a
// pair of surrogates. A single surrogate is U+FFFD. The size is 0 where there
// are no four digits.
func escapedRune(b []byte) (rune, int) {
	first, ok := hex4(b)
	if !ok {
		return 0, 0
	}
	if !utf16.IsSurrogate(first) {
		return first, 4
	}
	if len(b) >= 10 && b[4] == '\\' && b[5] == 'u' {
		if second, ok := hex4(b[6:]); ok {
			if r := utf16.DecodeRune(first, second); r != utf8.RuneError {
				return r, 10
			}
		}
	}
	return utf8.RuneError, 4
}

func hex4(b []byte) (rune, bool) {
	if len(b) < 4 {
		return 0, false
	}
	var r rune
	for _, c := range b[:4] {
		switch {
		case isDigit(c):
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// number skips a number as RFC 8259 writes it.
func (s *Scanner) number() {
	if s.peek() == '-' {
		s.i++
	}
	if s.i < len(s.b) && s.b[s.i] == '0' {
		s.i++
	} else {
		s.digits()
	}
	if s.i < len(s.b) && s.b[s.i] == '.' {
		s.i++
		s.digits()
	}
	if s.i < len(s.b) && (s.b[s.i] == 'e' || s.b[s.i] == 'E') {
		s.i++
		if s.i < len(s.b) && (s.b[s.i] == '+' || s.b[s.i] == '-') {
			s.i++
		}
		s.digits()
	}
}

func (s *Scanner) digits() {
	from := s.i
	for s.i < len(s.b) && isDigit(s.b[s.i]) {
		s.i++
	}
	if s.i == from {
		s.failed = true
	}
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isNumberByte(c byte) bool {
	return isDigit(c) || c == '.' || c == 'e' || c == 'E' || c == '+' || c == '-'
}
