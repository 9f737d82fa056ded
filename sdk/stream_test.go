package mix_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	mix "github.com/mixagent/mix/sdk"
)

// bodyClient answers every request with one body.
type bodyClient struct {
	body   io.Reader
	closed bool
}

func (c *bodyClient) Do(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Body: c}, nil
}
func (c *bodyClient) Read(p []byte) (int, error) { return c.body.Read(p) }
func (c *bodyClient) Close() error               { c.closed = true; return nil }

// open returns a stream that reads from r.
func open(t testing.TB, r io.Reader) *mix.EventStream {
	t.Helper()
	stream, err := mix.New("http://unused", mix.WithClient(&bodyClient{body: r})).Events(t.Context(), "s", mix.EventOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return stream
}

// collect reads a stream to its end, an event a line.
func collect(stream *mix.EventStream) (string, error) {
	var b strings.Builder
	for stream.Next() {
		ev := stream.Event()
		fmt.Fprintf(&b, "%d %s %q\n", ev.ID, ev.Type, ev.Data)
	}
	return b.String(), stream.Err()
}

// streams are the forms that the HTML standard allows.
var streams = []struct{ name, in, want string }{
	{"nothing", "", ""},
	{"ours", "id: 7\nevent: content\ndata: {\"a\":1}\n\n", `7 content "{\"a\":1}"` + "\n"},
	{"no spaces", "id:7\nevent:content\ndata:x\n\n", `7 content "x"` + "\n"},
	{"one space is taken", "data:  x\n\n", `0 message " x"` + "\n"},
	{"fields in any order", "data: x\nevent: a\nid: 3\n\n", `3 a "x"` + "\n"},
	{"crlf", "id: 1\r\nevent: a\r\ndata: x\r\n\r\ndata: y\r\n\r\n", `1 a "x"` + "\n" + `1 message "y"` + "\n"},
	{"cr", "id: 1\revent: a\rdata: x\r\rdata: y\r\r", `1 a "x"` + "\n" + `1 message "y"` + "\n"},
	{"mixed line ends", "data: x\r\n\rdata: y\n\r\ndata: z\r\r\n", `0 message "x"` + "\n" + `0 message "y"` + "\n" + `0 message "z"` + "\n"},
	{"cr, crlf is two ends", "data: x\r\r\n", `0 message "x"` + "\n"},
	{"byte order mark", "\ufeffdata: x\n\n", `0 message "x"` + "\n"},
	{"a second mark is a part of the name", "data: x\n\n\ufeffdata: y\n\n", `0 message "x"` + "\n"},
	{"comments", ": ping\n\n:\n\ndata: x\n: in the middle\n\n", `0 message "x"` + "\n"},
	{"many lines of data", "data: x\ndata: y\ndata\ndata: \n\n", `0 message "x\ny\n\n"` + "\n"},
	{"an empty line first", "data\ndata: x\n\n", `0 message "\nx"` + "\n"},
	{"empty data", "data:\n\n", `0 message ""` + "\n"},
	{"without data it is none", "event: a\n\ndata: x\n\n", `0 message "x"` + "\n"},
	{"a number without data holds", "id: 9\n\ndata: x\n\n", `9 message "x"` + "\n"},
	{"the number holds", "id: 9\ndata: x\n\ndata: y\n\n", `9 message "x"` + "\n" + `9 message "y"` + "\n"},
	{"an empty number", "id: 9\ndata: x\n\nid\ndata: y\n\n", `9 message "x"` + "\n" + `0 message "y"` + "\n"},
	{"no number", "id: 4\nid: x\nid: -5\nid: +5\nid: 1\x00\nid: 99999999999999999999\ndata: x\n\n", `4 message "x"` + "\n"},
	{"the last of two wins", "event: a\nevent: b\nid: 1\nid: 2\ndata: x\n\n", `2 b "x"` + "\n"},
	{"unknown fields", "retry: 10\nfoo: bar\nDATA: no\n data: no\ndata : no\nalone\ndata: x\n\n", `0 message "x"` + "\n"},
	{"colons in the value", "data: a: b:c\n\n", `0 message "a: b:c"` + "\n"},
	{"unfinished", "data: x\n\nid: 5\ndata: lost\n", `0 message "x"` + "\n"},
	{"unfinished line", "data: x\n\ndata: lost", `0 message "x"` + "\n"},
	{"not utf-8", "data: \xff\n\n", `0 message "\xff"` + "\n"},
}

func TestStreamForms(t *testing.T) {
	t.Parallel()
	for _, tt := range streams {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for name, r := range map[string]io.Reader{
				"whole":       strings.NewReader(tt.in),
				"bytewise":    iotest.OneByteReader(strings.NewReader(tt.in)),
				"early end":   iotest.DataErrReader(strings.NewReader(tt.in)),
				"empty reads": &stutter{r: strings.NewReader(tt.in)},
			} {
				got, err := collect(open(t, r))
				if err != nil || got != tt.want {
					t.Errorf("%s: %v\ngot:\n%swant:\n%s", name, err, got, tt.want)
				}
			}
		})
	}
}

// stutter returns nothing at every other read.
type stutter struct {
	r   io.Reader
	odd bool
}

func (s *stutter) Read(p []byte) (int, error) {
	if s.odd = !s.odd; s.odd {
		return 0, nil
	}
	return s.r.Read(p[:min(len(p), 3)])
}

// TestStreamDoesNotWait: an event is yielded when its blank line is there, also
// after a CR that a LF may follow.
func TestStreamDoesNotWait(t *testing.T) {
	t.Parallel()
	for _, end := range []string{"\n\n", "\r\r", "\r\n\r"} {
		r, w := io.Pipe()
		stream := open(t, r)
		go func() { _, _ = io.WriteString(w, "data: x"+end) }()
		if !stream.Next() || string(stream.Event().Data) != "x" {
			t.Errorf("%q: %v", end, stream.Err())
		}
		w.Close()
	}
}

// TestHugeEvents: the limit is on an event, not on the stream, and what is
// beyond it is an error that says so.
func TestHugeEvents(t *testing.T) {
	t.Parallel()
	const limit = 1 << 20
	ping := ": " + strings.Repeat("p", 1000) + "\n\n"
	for _, tt := range []struct {
		name, in string
		events   int
		bad      bool
	}{
		{"a long line", "data: " + strings.Repeat("a", limit-100) + "\n\ndata: x\n\n", 2, false},
		{"many lines", strings.Repeat("data: "+strings.Repeat("a", 1000)+"\n", 1000) + "\n", 1, false},
		{"many comments", strings.Repeat(ping, 2*limit/len(ping)) + "data: x\n\n", 1, false},
		{"many events", strings.Repeat("data: "+strings.Repeat("a", 60<<10)+"\n\n", 40), 40, false},
		{"too long a line", "data: x\n\ndata: " + strings.Repeat("a", limit) + "\n\n", 1, true},
		{"a line without end", "data: " + strings.Repeat("a", 4*limit), 0, true},
		{"too many lines", strings.Repeat("data: "+strings.Repeat("a", 1000)+"\n", 1200) + "\n", 0, true},
		{"comments without end", strings.Repeat(":"+strings.Repeat("a", 1000)+"\n", 1200), 0, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			stream := open(t, strings.NewReader(tt.in))
			n := 0
			for stream.Next() {
				n++
			}
			err := stream.Err()
			if n != tt.events || (err != nil) != tt.bad || err != nil && !strings.Contains(err.Error(), "larger than 1048576 bytes") {
				t.Errorf("%d events, want %d; %v", n, tt.events, err)
			}
		})
	}
}

func TestStreamEnds(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for _, tt := range []struct {
		name string
		r    io.Reader
		want error
	}{
		{"the server closed it", strings.NewReader("data: x\n\n"), nil},
		{"the connection broke", io.MultiReader(strings.NewReader("data: x\n\n"), iotest.ErrReader(broken)), broken},
		{"a reader that never yields", io.MultiReader(strings.NewReader("data: x\n\n"), silent{}), io.ErrNoProgress},
	} {
		stream := open(t, tt.r)
		var got []string
		var last error
		for ev, err := range stream.All() {
			got, last = append(got, string(ev.Data)), err
		}
		if !errors.Is(last, tt.want) || !errors.Is(stream.Err(), tt.want) || got[0] != "x" {
			t.Errorf("%s: %q, %v, %v", tt.name, got, last, stream.Err())
		}
		if stream.Next() {
			t.Errorf("%s: an event after the end", tt.name)
		}
	}
}

type silent struct{}

func (silent) Read([]byte) (int, error) { return 0, nil }

func TestCloseEndsNext(t *testing.T) {
	t.Parallel()
	r, _ := io.Pipe()
	client := &bodyClient{body: r}
	stream, err := mix.New("http://unused", mix.WithClient(closer{client, r})).Events(t.Context(), "s", mix.EventOptions{})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan bool)
	go func() { ended <- stream.Next() }()
	if err := stream.Close(); err != nil {
		t.Fatal(err)
	}
	if <-ended || stream.Err() != nil {
		t.Errorf("after Close: %v", stream.Err())
	}
}

// closer is a bodyClient whose Close ends a Read that waits.
type closer struct {
	*bodyClient
	pipe *io.PipeReader
}

func (c closer) Do(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Body: c}, nil
}
func (c closer) Close() error { return c.pipe.CloseWithError(errors.New("read on a closed body")) }

// TestBreakStopsAll: the loop's body decides.
func TestBreakStopsAll(t *testing.T) {
	t.Parallel()
	stream := open(t, strings.NewReader("data: x\n\ndata: y\n\n"))
	for range stream.All() {
		break
	}
	if !stream.Next() || string(stream.Event().Data) != "y" {
		t.Errorf("the second event is gone: %v", stream.Err())
	}
}

// FuzzStream cuts a stream at every place and compares with the whole.
func FuzzStream(f *testing.F) {
	for _, tt := range streams {
		f.Add([]byte(tt.in), uint16(len(tt.in)/2))
	}
	f.Fuzz(func(t *testing.T, in []byte, at uint16) {
		whole, err := collect(open(t, bytes.NewReader(in)))
		if err != nil && len(in) <= 1<<20 {
			t.Fatal(err)
		}
		i := int(at) % (len(in) + 1)
		cut, err := collect(open(t, io.MultiReader(bytes.NewReader(in[:i]), bytes.NewReader(in[i:]))))
		if err == nil && cut != whole {
			t.Fatalf("cut at %d:\n%s\nwhole:\n%s", i, cut, whole)
		}
		bytewise, err := collect(open(t, iotest.OneByteReader(bytes.NewReader(in))))
		if err == nil && bytewise != whole {
			t.Fatalf("byte by byte:\n%s\nwhole:\n%s", bytewise, whole)
		}
		// The line ends are one.
		if !bytes.ContainsRune(in, '\r') {
			for _, end := range []string{"\r\n", "\r"} {
				other, err := collect(open(t, bytes.NewReader(bytes.ReplaceAll(in, []byte("\n"), []byte(end)))))
				if err == nil && other != whole {
					t.Fatalf("with %q:\n%s\nwhole:\n%s", end, other, whole)
				}
			}
		}
	})
}

func BenchmarkStream(b *testing.B) {
	data, err := json.Marshal(map[string]string{"type": "content", "content": "a few words ", "assistantMessageId": strings.Repeat("x", 36)})
	if err != nil {
		b.Fatal(err)
	}
	var in bytes.Buffer
	for i := range 1000 {
		fmt.Fprintf(&in, "id: %d\nevent: content\ndata: %s\n\n", i+1, data)
	}
	b.SetBytes(int64(in.Len()))
	b.ReportAllocs()
	client := &bodyClient{}
	m := mix.New("http://unused", mix.WithClient(client))
	for b.Loop() {
		client.body = bytes.NewReader(in.Bytes())
		stream, err := m.Events(context.Background(), "s", mix.EventOptions{})
		if err != nil {
			b.Fatal(err)
		}
		n := 0
		for stream.Next() {
			n++
		}
		if n != 1000 || stream.Err() != nil {
			b.Fatal(n, stream.Err())
		}
	}
}
