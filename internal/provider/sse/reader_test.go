package sse_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/mixagent/mix/internal/provider/sse"
)

// event is a copy of an [sse.Event] that outlives the next call.
type event struct{ Name, Data, ID string }

// readAll returns every event of src and the error that ended it.
func readAll(src io.Reader, limit int) ([]event, error) {
	var all []event
	r := sse.NewReader(src, limit)
	for {
		e, err := r.Next()
		if err != nil {
			return all, err
		}
		all = append(all, event{string(e.Name), string(e.Data), string(e.ID)})
	}
}

func TestReader(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		in   string
		want []event
	}{
		"one event":               {"event: a\ndata: b\n\n", []event{{Name: "a", Data: "b"}}},
		"CRLF":                    {"event: a\r\ndata: b\r\n\r\ndata: c\r\n\r\n", []event{{Name: "a", Data: "b"}, {Data: "c"}}},
		"CR":                      {"event: a\rdata: b\r\rdata: c\r\r", []event{{Name: "a", Data: "b"}, {Data: "c"}}},
		"line ends mixed":         {"data: a\r\n\ndata: b\n\rdata: c\r\r\ndata: d\n\n", []event{{Data: "a"}, {Data: "b"}, {Data: "c"}, {Data: "d"}}},
		"byte order mark":         {"\xef\xbb\xbfdata: a\n\n", []event{{Data: "a"}}},
		"half a byte order mark":  {"\xef\xbbdata: a\n\ndata: b\n\n", []event{{Data: "b"}}},
		"second byte order mark":  {"\xef\xbb\xbf\xef\xbb\xbfdata: a\n\ndata: b\n\n", []event{{Data: "b"}}},
		"only a byte order mark":  {"\xef\xbb\xbf", nil},
		"several data lines":      {"data: a\ndata:\ndata: b\nevent: a-name-between\ndata: c\n\n", []event{{Name: "a-name-between", Data: "a\n\nb\nc"}}},
		"data without colon":      {"data\ndata\n\n", []event{{Data: "\n"}}},
		"one space is taken off":  {"data:  a \n\ndata:b\n\n", []event{{Data: " a "}, {Data: "b"}}},
		"empty data":              {"data:\n\n", []event{{Data: ""}}},
		"comments":                {": ping\n\n:\ndata: a\n: between\ndata: b\n\n: end\n", []event{{Data: "a\nb"}}},
		"unknown fields":          {"retry: 10\nfoo: bar\nfoo\nDATA: x\ndata: a\n\n", []event{{Data: "a"}}},
		"name without data":       {"event: a\n\ndata: b\n\n", []event{{Data: "b"}}},
		"last name wins":          {"event: a\nevent: b\ndata: c\n\n", []event{{Name: "b", Data: "c"}}},
		"identifier stays":        {"id: 1\ndata: a\n\ndata: b\n\nid\ndata: c\n\n", []event{{Data: "a", ID: "1"}, {Data: "b", ID: "1"}, {Data: "c"}}},
		"identifier with NUL":     {"id: 1\nid: 2\x00\ndata: a\n\n", []event{{Data: "a", ID: "1"}}},
		"end inside an event":     {"data: a\n\ndata: b\n", []event{{Data: "a"}}},
		"end inside a line":       {"data: a\n\ndata: b", []event{{Data: "a"}}},
		"nothing":                 {"", nil},
		"only line ends":          {"\n\r\n\r\r\n\n", nil},
		"colons and CR in values": {"data: a:b: c\rdata: d\n\n", []event{{Data: "a:b: c\nd"}}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for how, src := range map[string]io.Reader{
				"whole":        strings.NewReader(tt.in),
				"by bytes":     iotest.OneByteReader(strings.NewReader(tt.in)),
				"data and EOF": iotest.DataErrReader(strings.NewReader(tt.in)),
			} {
				got, err := readAll(src, 0)
				if err != io.EOF {
					t.Errorf("%s: ended with %v, want EOF", how, err)
				}
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("%s: events differ (-want +got):\n%s", how, diff)
				}
			}
		})
	}
}

// TestEventBeforeItsSuccessor shows that an event is there with its last byte:
// a reader that waits for one byte more would delay every delta by one.
func TestEventBeforeItsSuccessor(t *testing.T) {
	t.Parallel()
	for _, end := range []string{"\n\n", "\r\r", "\r\n\r"} {
		pr, pw := io.Pipe()
		go func() { _, _ = io.WriteString(pw, "data: a"+end) }()
		e, err := sse.NewReader(pr, 0).Next()
		if err != nil || string(e.Data) != "a" {
			t.Errorf("end %q: got %q, %v", end, e.Data, err)
		}
		_ = pr.Close()
	}
}

func TestLimit(t *testing.T) {
	t.Parallel()
	const limit = 64
	head, tail := "data: ", "\n\n"
	fits := strings.Repeat("x", limit-len(head)-len(tail))
	tests := map[string]struct {
		in   string
		want int // events before the error
		over bool
	}{
		"just fits":             {head + fits + tail, 1, false},
		"one byte too many":     {head + fits + "x" + tail, 0, true},
		"line without end":      {strings.Repeat("x", 2*limit), 0, true},
		"many lines":            {strings.Repeat("data: y\n", limit), 0, true},
		"comments do not count": {strings.Repeat(": keep-alive\n", limit) + "data: a\n\n", 1, false},
		"events do not add up":  {strings.Repeat(head+fits+tail, 9), 9, false},
		"second is too large":   {"data: a\n\n" + head + fits + "x" + tail, 1, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, src := range []io.Reader{strings.NewReader(tt.in), iotest.OneByteReader(strings.NewReader(tt.in))} {
				got, err := readAll(src, limit)
				var over *sse.LimitError
				if errors.As(err, &over) != tt.over || len(got) != tt.want {
					t.Errorf("got %d events and %v, want %d, over limit %v", len(got), err, tt.want, tt.over)
				}
				if tt.over && over != nil && over.Limit != limit {
					t.Errorf("error names limit %d, want %d", over.Limit, limit)
				}
			}
		})
	}
}

func TestSourceErrors(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	got, err := readAll(io.MultiReader(strings.NewReader("data: a\n\ndata: b"), iotest.ErrReader(broken)), 0)
	if len(got) != 1 || !errors.Is(err, broken) {
		t.Errorf("got %v, %v; want one event and the source's error", got, err)
	}
	if _, err := readAll(emptyReader{}, 0); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("a source without progress gives %v", err)
	}
}

type emptyReader struct{}

func (emptyReader) Read([]byte) (int, error) { return 0, nil }

// cutReader returns its bytes in pieces of random size.
type cutReader struct {
	rest []byte
	rnd  *rand.Rand
}

func (r *cutReader) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p, r.rest[:1+r.rnd.IntN(len(r.rest))])
	r.rest = r.rest[n:]
	return n, nil
}

// FuzzSplits checks that every way to cut a stream into reads gives the same
// events and the same end, and that both agree with a plain reading of the
// standard.
func FuzzSplits(f *testing.F) {
	f.Add([]byte("event: a\r\ndata: b\rdata: c\n\n: x\ndata\n\r\n"), uint64(1))
	f.Add([]byte("\xef\xbb\xbfid: 7\ndata: a\n\ndata"), uint64(2))
	f.Add([]byte("data: a\ndata: b\r\r\n\ndata: c\n\n\xef\xbb"), uint64(3))
	f.Add(bytes.Repeat([]byte("data: 0123456789\n"), 9), uint64(4))
	f.Fuzz(func(t *testing.T, in []byte, seed uint64) {
		const limit = 100
		want, wantErr := plain(in, limit)
		for how, src := range map[string]io.Reader{
			"whole":    bytes.NewReader(in),
			"by bytes": iotest.OneByteReader(bytes.NewReader(in)),
			"random":   &cutReader{in, rand.New(rand.NewPCG(seed, 0))},
			"end":      iotest.DataErrReader(bytes.NewReader(in)),
		} {
			got, err := readAll(src, limit)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s: events differ (-want +got):\n%s", how, diff)
			}
			if (err == io.EOF) != (wantErr == io.EOF) {
				t.Errorf("%s: ended with %v, want %v", how, err, wantErr)
			}
		}
	})
}

// plain is the standard's algorithm without regard to speed.
func plain(in []byte, limit int) ([]event, error) {
	in = bytes.TrimPrefix(in, []byte("\xef\xbb\xbf"))
	var (
		all      []event
		cur      event
		data     []string
		size     int
		over     = &sse.LimitError{Limit: limit}
		followLF bool
	)
	for len(in) > 0 {
		if followLF && in[0] == '\n' {
			in = in[1:]
			if size > 0 {
				size++
			}
			followLF = false
			continue
		}
		i := bytes.IndexAny(in, "\r\n")
		if i < 0 {
			if size+len(in) > limit {
				return all, over
			}
			return all, io.EOF
		}
		line := string(in[:i])
		followLF = in[i] == '\r'
		in = in[i+1:]
		if size += i + 1; size > limit {
			return all, over
		}
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case line == "":
			if len(data) > 0 {
				cur.Data = strings.Join(data, "\n")
				all = append(all, cur)
			}
			cur, data, size = event{ID: cur.ID}, nil, 0
		case name == "data":
			data = append(data, value)
		case name == "event":
			cur.Name = value
		case name == "id" && !strings.Contains(value, "\x00"):
			cur.ID = value
		case name == "" && len(data) == 0 && cur.Name == "":
			size = 0
		}
	}
	if size > limit {
		return all, over
	}
	return all, io.EOF
}

func BenchmarkReader(b *testing.B) {
	const frame = "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\" multiply the numbers\"}           }\n\n"
	const count = 1000
	stream := []byte(strings.Repeat(frame, count))
	b.SetBytes(int64(len(stream)))
	b.ReportAllocs()
	for b.Loop() {
		r := sse.NewReader(bytes.NewReader(stream), 0)
		for range count {
			if _, err := r.Next(); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/count, "ns/event")
}
