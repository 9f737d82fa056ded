package jsonwire_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/mixagent/mix/internal/provider/jsonwire"
)

var samples = []string{
	`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a\n\"b\" \u003c \ud83d\ude00 é"}}`,
	`{"a": [1, -2.5e+10, 0, true, false, null, {}, [], ""], "b" : {"c":{"d":[[[]]]}} } `,
	`"\ud800"`, `"\ud800\u0041"`, `"\udc00\ud800"`, "\"\xff\"", `"\x"`, "\"\n\"", `"abc`, `"\`, `"\u12`,
	`{"a":1,}`, `[1,]`, `[,1]`, `{,}`, `{"a"}`, `{"a":}`, `{a:1}`, `[1 2]`, `{"a":1]`, `[1}`, `01`, `-`, `1.`, `1e`, `.5`, `+1`, `nul`, ``, ` `, `1 1`, `{}}`,
	strings.Repeat("[", 70) + strings.Repeat("]", 70),
}

// FuzzSkip checks that what the scanner accepts is JSON, and that it gives up
// only where it says so.
func FuzzSkip(f *testing.F) {
	for _, s := range samples {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		s := jsonwire.NewScanner(in)
		s.Skip()
		got, valid := s.End(), json.Valid(in)
		if got && !valid {
			t.Errorf("accepted %q, which is not JSON", in)
		}
		givesUp := !utf8.Valid(in) || bytes.Count(in, []byte("["))+bytes.Count(in, []byte("{")) >= 64
		if !got && valid && !givesUp {
			t.Errorf("refused %q", in)
		}
	})
}

// FuzzText checks that strings and numbers are read as encoding/json does.
func FuzzText(f *testing.F) {
	for _, s := range samples {
		f.Add([]byte(s))
	}
	f.Add([]byte(`999999999999999`))
	f.Add([]byte(`-0`))
	f.Fuzz(func(t *testing.T, in []byte) {
		var text string
		err := json.Unmarshal(in, &text)
		s := jsonwire.NewScanner(in)
		if got := s.Text(); s.End() && (err != nil || got != text) {
			t.Errorf("Text of %q is %q, want %q, %v", in, got, text, err)
		} else if err == nil && utf8.Valid(in) && in[0] == '"' && got != text {
			t.Errorf("gave up on %q", in)
		}
		var n int
		err = json.Unmarshal(in, &n)
		s.Reset(in)
		if got := s.Int(); s.End() && (err != nil || got != n) {
			t.Errorf("Int of %q is %d, want %d, %v", in, got, n, err)
		}
	})
}

func TestScannerFields(t *testing.T) {
	t.Parallel()
	read := func(in string) (kind, text string, index int, ok bool) {
		s := jsonwire.NewScanner([]byte(in))
		for s.Object(); s.More(); {
			switch string(s.Key()) {
			case "type":
				kind = string(s.Plain())
			case "index":
				index = s.Int()
			case "text":
				if !s.Null() {
					text = s.Text()
				}
			default:
				s.Skip()
			}
		}
		return kind, text, index, s.End()
	}
	kind, text, index, ok := read(` { "x" : [ {"type":"no"} ] , "text" : "a\tb" , "index" : 7 , "type" : "t" } `)
	if !ok || kind != "t" || text != "a\tb" || index != 7 {
		t.Errorf("got %q %q %d %v", kind, text, index, ok)
	}
	if _, text, _, ok := read(`{"text":null}`); !ok || text != "" {
		t.Errorf("null gives %q %v", text, ok)
	}
	for _, in := range []string{
		`{"type":1}`, `{"type":"a\nb"}`, `{"index":"1"}`, `{"index":1.0}`, `{"index":1e3}`, `{"index":1234567890123456}`,
		`{"t\u0079pe":"x"}`, `[]`, `{"text":nil}`, `{"type":"t"`, `{"type":"t"} x`, `null`,
	} {
		if _, _, _, ok := read(in); ok {
			t.Errorf("accepted %s", in)
		}
	}
}

// FuzzAppend checks that what is appended is valid UTF-8 and JSON, and reads
// back as what was put in.
func FuzzAppend(f *testing.F) {
	for _, s := range samples {
		f.Add(s)
	}
	f.Add("{\"a\":\"\xff\"}")
	f.Add(`{"a":"\ud83d\ude00 \uD83D \\ud800 \\\ud800"}`)
	f.Fuzz(func(t *testing.T, in string) {
		var back string
		b := jsonwire.AppendString([]byte("x"), in)
		if err := json.Unmarshal(b[1:], &back); err != nil || b[0] != 'x' {
			t.Fatalf("AppendString(%q) = %q: %v", in, b, err)
		}
		if want := string([]rune(in)); back != want {
			t.Errorf("AppendString(%q) reads back as %q", in, back)
		}

		object := jsonwire.AppendObject(nil, in)
		var want, got map[string]any
		if json.Unmarshal([]byte(in), &want) != nil || want == nil {
			want = map[string]any{}
		}
		if err := json.Unmarshal(object, &got); err != nil || !utf8.Valid(object) {
			t.Fatalf("AppendObject(%q) = %q: %v", in, object, err)
		}
		a, _ := json.Marshal(want)
		b, _ = json.Marshal(got)
		if !utf8.ValidString(in) {
			return // bytes become U+FFFD, one for each run of them
		}
		if !bytes.Equal(a, b) {
			t.Errorf("AppendObject(%q) = %s, want %s", in, b, a)
		}
	})
}

func TestAppendObject(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		``:                                  `{}`,
		`[1]`:                               `{}`,
		`"a"`:                               `{}`,
		`{"a":`:                             `{}`,
		`null`:                              `{}`,
		" {\"b\": 1,\n\"a\": 2} ":           "{\"b\": 1,\n\"a\": 2}",
		`{"a":"\ud800"}`:                    `{"a":"\ufffd"}`,
		`{"a":"\ud800x\udc00\ud83d\ude00"}`: `{"a":"\ufffdx\ufffd\ud83d\ude00"}`,
		`{"a":"\\ud800"}`:                   `{"a":"\\ud800"}`,
		"{\"a\":\"\xc3\"}":                  `{"a":"` + "\ufffd" + `"}`,
	} {
		if got := string(jsonwire.AppendObject(nil, in)); got != want {
			t.Errorf("AppendObject(%q) = %q, want %q", in, got, want)
		}
	}
}
