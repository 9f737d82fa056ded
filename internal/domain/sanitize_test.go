package domain_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/mixagent/mix/internal/domain"
)

var sanitizeTable = []struct{ name, in, want string }{
	{"empty", "", ""},
	{"plain", "hello\n\tworld", "hello\n\tworld"},
	{"letters", "Grüße, 世界, мир", "Grüße, 世界, мир"},
	{"colour", "\x1b[1;31mred\x1b[0m", "red"},
	{"private csi", "a\x1b[?25lb", "ab"},
	{"csi with intermediate", "a\x1b[2 qb", "ab"},
	{"8-bit csi", "a\u009b31mb", "ab"},
	{"csi cut by text", "a\x1b[31é", "aé"},
	{"csi cut by newline", "a\x1b[31\nm", "a\nm"},
	{"clipboard with bel", "a\x1b]52;c;ZXZpbA==\ab", "ab"},
	{"clipboard with st", "a\x1b]52;c;ZXZpbA==\x1b\\b", "ab"},
	{"string with 8-bit st", "a\x1bPq#0\u009cb", "ab"},
	{"link", "\x1b]8;;http://evil\x1b\\text\x1b]8;;\x1b\\", "text"},
	{"dcs", "a\x1bP1$r0m\x1b\\b", "ab"},
	{"apc", "a\x1b_Gf=24;AAAA\x1b\\b", "ab"},
	{"pm", "a\x1b^x\x1b\\b", "ab"},
	{"sos", "a\x1bXx\x1b\\b", "ab"},
	{"screen title", "a\x1bkx\x1b\\b", "ab"},
	{"open string ends with the line", "a\x1b]0;title\nrm -rf /", "a\nrm -rf /"},
	{"can ends a string", "a\x1b]0;x\x18b", "ab"},
	{"escape aborts a string", "a\x1b]0;x\x1b[1mb", "ab"},
	{"charset", "a\x1b(0b", "ab"},
	{"reset", "a\x1bcb", "ab"},
	{"escape before a letter above ASCII", "a\x1béb", "aéb"},
	{"escape at the end", "a\x1b", "a"},
	{"mojibake keeps its line", "\u00e2\u0080\u009dquoted", "\u00e2quoted"},
	{"controls", "a\x00\x01\b\v\f\x7fb", "ab"},
	{"crlf", "a\r\nb\r\n", "a\nb\n"},
	{"several cr", "a\r\r\nb", "a\nb"},
	{"lone cr", "10%\r20%", "10%\n20%"},
	{"cr at the end", "a\r", "a\n"},
	{"cr, erase, lf", "a\r\x1b[K\nb", "a\nb"},
	{"line separator", "a\u2028b\u2029c", "a\nb\nc"},
	{"bidi", "a\u202eb\u2066c\u2069d\u200ee\u061cf", "abcdef"},
	{"zero width", "a\u200bb\ufeffc\u2060d\u00ade", "abcde"},
	{"tags", "a\U000e0041\U000e007fb", "ab"},
	{"hidden bytes in selectors", "x\U000e0100\U000e01ef😀\ufe0f\ufe0f\ufe0fy", "x😀\ufe0fy"},
	{"emoji family", "👩\u200d👩\u200d👧", "👩\u200d👩\u200d👧"},
	{"heart on fire", "❤\ufe0f\u200d🔥", "❤\ufe0f\u200d🔥"},
	{"keycap", "1\ufe0f\u20e3", "1\ufe0f\u20e3"},
	{"selector on a letter", "a\ufe0fb", "ab"},
	{"persian", "می\u200cخواهم", "می\u200cخواهم"},
	{"joiner in ascii", "pass\u200dword", "password"},
	{"row of joiners", "é\u200d\u200c\u200d\u200db", "é\u200db"},
	{"joiner after cr", "é\r\u200db", "é\nb"},
	{"not utf-8", "a\xff\xc3(\xe2\x82b", "a\ufffd\ufffd(\ufffd\ufffdb"},
	{"cut character", "a\xe2\x82", "a\ufffd\ufffd"},
	{"surrogate", "a\xed\xa0\x80b", "a\ufffd\ufffd\ufffdb"},
}

func TestSanitize(t *testing.T) {
	t.Parallel()
	for _, tt := range sanitizeTable {
		if got := domain.Sanitize(tt.in); got != tt.want {
			t.Errorf("%s: Sanitize(%q) = %q, want %q", tt.name, tt.in, got, tt.want)
		}
	}
}

func TestSanitizeLine(t *testing.T) {
	t.Parallel()
	if got, want := domain.SanitizeLine("a\r\nb\tc\x1b[0m"), "a⏎b c"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := domain.SanitizeLine("one line"); got != "one line" {
		t.Errorf("clean text became %q", got)
	}
}

func TestVisible(t *testing.T) {
	t.Parallel()
	tests := []struct{ in, want string }{
		{"rm -rf build", "rm -rf build"},
		{"echo hi\x1b]; rm -rf ~\x1b\\", `echo hi\x1b]; rm -rf ~\x1b\`},
		{"a\nb\tc\rd", `a\nb\tc\rd`},
		{"a\u202eb\U000e0041c\x7f", `a\u202eb\U000e0041c\x7f`},
		{"a\xffb\ufffd", `a\xffb` + "\ufffd"},
		{"Grüße", "Grüße"},
	}
	for _, tt := range tests {
		if got := domain.Visible(tt.in); got != tt.want {
			t.Errorf("Visible(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestSanitizeCleanTextDoesNotAllocate(t *testing.T) {
	text := strings.Repeat("plain text with Grüße\n", 100)
	if n := testing.AllocsPerRun(20, func() { domain.Sanitize(text) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzSanitize(f *testing.F) {
	for _, tt := range sanitizeTable {
		f.Add(tt.in, uint16(1), uint16(3))
	}
	f.Fuzz(func(t *testing.T, s string, a, b uint16) {
		got := domain.Sanitize(s)
		checkSafe(t, got)
		if again := domain.Sanitize(got); again != got {
			t.Fatalf("not idempotent: %q became %q", got, again)
		}
		i, j := int(a)%(len(s)+1), int(b)%(len(s)+1)
		if i > j {
			i, j = j, i
		}
		var z domain.Sanitizer
		var parts []byte
		for _, part := range []string{s[:i], s[i:j], s[j:]} {
			parts = z.Append(parts, part)
		}
		if parts = z.Flush(parts); string(parts) != got {
			t.Fatalf("split at %d and %d: %q, whole %q", i, j, parts, got)
		}
		bytewise := z.Append(nil, "") // z is ready again after Flush
		for k := range len(s) {
			bytewise = z.Append(bytewise, s[k:k+1])
		}
		if bytewise = z.Flush(bytewise); string(bytewise) != got {
			t.Fatalf("byte by byte: %q, whole %q", bytewise, got)
		}
		checkSafe(t, domain.Visible(s))
		if line := domain.SanitizeLine(s); strings.ContainsAny(line, "\n\t\r") {
			t.Fatalf("more than one line: %q", line)
		}
	})
}

// checkSafe is written apart from the code it checks: it names the characters
// that do harm, not those that pass.
func checkSafe(t *testing.T, s string) {
	t.Helper()
	if !utf8.ValidString(s) {
		t.Fatalf("not UTF-8: %q", s)
	}
	for _, r := range s {
		switch {
		case r < 0x20 && r != '\n' && r != '\t',
			r >= 0x7F && r <= 0x9F,
			r >= 0x202A && r <= 0x202E,
			r >= 0x2066 && r <= 0x2069,
			r == 0x200B, r == 0x200E, r == 0x200F, r == 0x061C, r == 0xFEFF,
			r >= 0xE0000 && r <= 0xE01EF:
			t.Fatalf("forbidden %U in %q", r, s)
		}
	}
}

func BenchmarkSanitize(b *testing.B) {
	clean := strings.Repeat("a line of ordinary output, 60 characters or so in length\n", 512)
	colour := strings.Repeat("\x1b[32mok\x1b[0m  a line of coloured output\r\n", 512)
	for name, text := range map[string]string{"clean": clean, "colour": colour} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				domain.Sanitize(text)
			}
		})
	}
}
