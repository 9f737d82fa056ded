package jsonwire

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"
)

// AppendString appends s as a JSON string. Bytes that are not UTF-8 become
// U+FFFD, because vendors refuse a whole request for one of them.
func AppendString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size == 1 {
				b = append(b, s[from:i]...)
				b = append(b, "\ufffd"...)
				from = i + 1
			}
			i += size
			continue
		}
		if c >= ' ' && c != '"' && c != '\\' {
			i++
			continue
		}
		b = append(b, s[from:i]...)
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		default:
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
		i++
		from = i
	}
	b = append(b, s[from:]...)
	return append(b, '"')
}

// AppendObject appends the JSON object that text holds, as it stands; "{}"
// where text is not an object. Bytes that are not UTF-8, and escapes of single
// surrogates, become U+FFFD: a model can write them, and vendors refuse to read
// them back.
func AppendObject(b []byte, text string) []byte {
	raw := bytes.TrimSpace([]byte(text))
	if len(raw) == 0 || raw[0] != '{' || !json.Valid(raw) {
		return append(b, "{}"...)
	}
	if !utf8.Valid(raw) {
		raw = bytes.ToValidUTF8(raw, []byte("\ufffd"))
	}
	for {
		i := bytes.IndexByte(raw, '\\')
		if i < 0 {
			return append(b, raw...)
		}
		if raw[i+1] != 'u' {
			b = append(b, raw[:i+2]...)
			raw = raw[i+2:]
			continue
		}
		r, size := escapedRune(raw[i+2:])
		if r == utf8.RuneError {
			b = append(append(b, raw[:i]...), `\ufffd`...)
		} else {
			b = append(b, raw[:i+2+size]...)
		}
		raw = raw[i+2+size:]
	}
}
