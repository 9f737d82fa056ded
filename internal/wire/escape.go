package wire

import (
	"bytes"
	"encoding/json"
	"math"
	"unicode/utf16"
	"unicode/utf8"
)

const hexDigits = "0123456789abcdef"

// appendEscaped appends the inside of a JSON string that stands for s, without
// the quotes, as long as the result has at most limit bytes. It returns how
// many bytes of s it took, a whole number of characters.
func appendEscaped(dst []byte, s string, limit int) ([]byte, int) {
	start := 0 // of the run that needs no escaping and is not yet copied
	for i := 0; i < len(s); {
		if c := s[i]; c < utf8.RuneSelf {
			if c >= ' ' && c != '"' && c != '\\' {
				i++
				continue
			}
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if !escapes(r, size) {
			i += size
			continue
		}
		var n int
		if dst, n = appendRun(dst, s[start:i], limit); n < i-start {
			return dst, start + n
		}
		if len(dst)+len(`\u0000`) > limit {
			return dst, i
		}
		dst = appendEscape(dst, r)
		i += size
		start = i
	}
	dst, n := appendRun(dst, s[start:], limit)
	return dst, start + n
}

// appendRun copies as much of s, which is valid UTF-8, as the limit allows.
func appendRun(dst []byte, s string, limit int) ([]byte, int) {
	n := len(s)
	if room := limit - len(dst); room < n {
		n = max(room, 0)
		for n > 0 && !utf8.RuneStart(s[n]) {
			n--
		}
	}
	return append(dst, s[:n]...), n
}

// escapes reports whether a decoded character cannot stand for itself: what
// JSON forbids, what is not UTF-8, and what readers that know more line ends
// than LF would split a line at.
func escapes(r rune, size int) bool {
	switch r {
	case '"', '\\', '\u0085', '\u2028', '\u2029':
		return true
	case utf8.RuneError:
		return size == 1
	}
	return r < ' '
}

// appendEscape appends at most 6 bytes for a character that [escapes].
func appendEscape(dst []byte, r rune) []byte {
	switch r {
	case '"', '\\':
		return append(dst, '\\', byte(r))
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	}
	return append(dst, '\\', 'u', hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
}

// appendJSON appends the valid JSON value raw on one line, without space
// around its parts and with its strings escaped like those of [appendEscaped].
// A string is cut to longest encoded bytes; cut tells whether one was.
func appendJSON(dst, raw []byte, longest int) (_ []byte, cut bool) {
	for i := 0; i < len(raw); {
		switch c := raw[i]; c {
		case ' ', '\t', '\n', '\r':
			i++
		case '"':
			var was bool
			dst, i, was = appendJSONString(dst, raw, i, longest)
			cut = cut || was
		default:
			dst = append(dst, c)
			i++
		}
	}
	return dst, cut
}

// appendJSONString does [appendJSON] for the string that begins at raw[i] and
// returns the index behind it.
func appendJSONString(dst, raw []byte, i, longest int) (_ []byte, next int, cut bool) {
	dst = append(dst, '"')
	start := len(dst)
	for i++; raw[i] != '"'; {
		n := jsonUnit(raw[i:])
		if !cut {
			was := len(dst)
			if r, size := utf8.DecodeRune(raw[i:]); r != '\\' && escapes(r, size) {
				dst = appendEscape(dst, r)
			} else {
				dst = append(dst, raw[i:i+n]...)
			}
			if len(dst)-start > longest {
				dst, cut = dst[:was], true
			}
		}
		i += n
	}
	return append(dst, '"'), i + 1, cut
}

// jsonUnit is the length of the character or escape sequence at the start of b,
// the inside of a valid JSON string. Two halves of a surrogate pair are one.
func jsonUnit(b []byte) int {
	if b[0] != '\\' {
		_, n := utf8.DecodeRune(b)
		return n
	}
	if b[1] != 'u' {
		return 2
	}
	if r := hexRune(b[2:6]); utf16.IsSurrogate(r) && len(b) >= 12 && b[6] == '\\' && b[7] == 'u' &&
		utf16.DecodeRune(r, hexRune(b[8:12])) != utf8.RuneError {
		return 12
	}
	return 6
}

func hexRune(b []byte) (r rune) {
	for _, c := range b {
		r <<= 4
		switch {
		case c >= 'a':
			r |= rune(c - 'a' + 10)
		case c >= 'A':
			r |= rune(c - 'A' + 10)
		default:
			r |= rune(c - '0')
		}
	}
	return r
}

// stringLimits are tried in turn to make a JSON value fit.
var stringLimits = [...]int{math.MaxInt, 16 << 10, 4 << 10, 1 << 10, 256, 64}

// shortenJSON returns raw, a valid JSON value, on one line with its longest
// strings cut so that fits accepts it. A value that does not fit even so, for
// it has too many parts, becomes an empty one of its kind.
func shortenJSON(raw []byte, fits func([]byte) bool) (_ []byte, cut bool) {
	var short []byte
	for _, longest := range stringLimits {
		short, cut = appendJSON(short[:0], raw, longest)
		if fits(short) {
			return short, cut
		}
	}
	switch short[0] {
	case '{':
		return []byte("{}"), true
	case '[':
		return []byte("[]"), true
	}
	return []byte("null"), true // a number of thousands of digits
}

// isObject reports whether raw is a valid JSON object.
func isObject(raw []byte) bool {
	raw = bytes.TrimLeft(raw, " \t\r\n")
	return len(raw) > 0 && raw[0] == '{' && json.Valid(raw)
}
