package tools_test

import (
	"context"
	"encoding/json"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/tools"
)

func TestReadText(t *testing.T) {
	t.Parallel()
	p := newPlace(t, map[string]string{
		"a.txt":   "one\ntwo\r\nthree",
		"long":    lines(1, 2500),
		"wide":    strings.Repeat("é", 2001) + "\n" + strings.Repeat("x", 2000) + "\n",
		"empty":   "",
		"latin":   "caf\xe9\n",
		"b/c.txt": "deep\n",
	})
	tool := tools.ReadText()
	out, err := p.call(tool, args{"file_path": "a.txt"})
	if err != nil {
		t.Fatal(err)
	}
	if want := "     1\tone\n     2\ttwo\n     3\tthree\n"; out.Text != want {
		t.Errorf("%q", out.Text)
	}
	if got := result(t, out); !strings.HasPrefix(got, `{"content":"     1\tone\n`) || !strings.Contains(got, `"file_path":"`+strings.ReplaceAll(p.path("a.txt"), `\`, `\\`)+`"`) {
		t.Error(got)
	}
	for _, tc := range []struct {
		in   args
		says []string
		not  string
	}{
		{args{"file_path": p.path("a.txt"), "offset": 1, "limit": 1}, []string{"     2\ttwo\n", "Lines 2 to 2 of 3. Read on with offset 2."}, "one"},
		{args{"file_path": "long"}, []string{"  2000\tline 2000\n", "Lines 1 to 2000 of 2500. Read on with offset 2000."}, "line 2001"},
		{args{"file_path": "long", "offset": 2000}, []string{"  2001\tline 2001\n", "  2500\tline 2500\n"}, "Read on"},
		{args{"file_path": "long", "offset": 2500}, []string{"has 2500 lines, so there is nothing after offset 2500"}, "\t"},
		{args{"file_path": "wide"}, []string{"     1\t" + strings.Repeat("é", 2000) + "...\n", "     2\t" + strings.Repeat("x", 2000) + "\n", "1 lines were cut"}, ""},
		{args{"file_path": "empty"}, []string{"empty is empty."}, "\t"},
		{args{"file_path": "latin"}, []string{"caf\uFFFD\n"}, ""},
		{args{"file_path": "b/../b/c.txt", "limit": "1", "offset": 0.0}, []string{"deep"}, "Note"},
		{args{"file_path": "b/c.txt", "Offset": 3, "lines": 7}, []string{"deep", `no field "Offset"; it was ignored (did you mean "offset"?)`, `no field "lines"`}, ""},
	} {
		text := p.must(tool, tc.in)
		for _, s := range tc.says {
			if !strings.Contains(text, s) {
				t.Errorf("%v: %.300q does not say %q", tc.in, text, s)
			}
		}
		if tc.not != "" && strings.Contains(text, tc.not) {
			t.Errorf("%v: says %q", tc.in, tc.not)
		}
	}
}

func TestReadTextRefuses(t *testing.T) {
	t.Parallel()
	p := newPlace(t, map[string]string{
		"server.go": "package a\n", "image.png": "\x89PNG\r\n\x1a\n\x00\x00", "dir/x": "",
	})
	for _, tc := range []struct {
		in   args
		says []string
	}{
		{args{"file_path": "sever.go"}, []string{"sever.go does not exist. Did you mean server.go?"}},
		{args{"file_path": "server.py"}, []string{"Did you mean server.go?"}},
		{args{"file_path": "no/such/file"}, []string{"does not exist", "neither does its directory"}},
		{args{"file_path": "server.go/x"}, []string{"server.go is not a directory"}},
		{args{"file_path": "dir"}, []string{"dir is a directory; use Glob"}},
		{args{"file_path": "image.png"}, []string{"not a text file", "image/png"}},
		{args{"file_path": ""}, []string{"the path is empty"}},
		{args{"file_path": "a\x00b"}, []string{"NUL"}},
		{args{"file_path": "HTTPS://go.dev/x"}, []string{"WebFetch"}},
		{args{}, []string{`the field "file_path" is missing`, `{"file_path": a string, "offset": a whole number (optional), "limit": a whole number (optional)}`}},
		{args{"filePath": "x"}, []string{`you wrote "filePath"`}},
		{args{"file_path": 7}, []string{`"file_path" must be a string, but is 7`}},
		{args{"file_path": "x", "limit": "many"}, []string{`"limit" must be a whole number, but is "many"`}},
		{args{"file_path": "x", "offset": 1.5}, []string{`"offset" must be a whole number`}},
		{args{"file_path": "x", "offset": -1}, []string{"must not be negative"}},
	} {
		p.fails(tools.ReadText(), tc.in, tc.says...)
	}
	if runtime.GOOS != "windows" {
		p.fails(tools.ReadText(), args{"file_path": "/dev/zero"}, "a device")
	}
	if _, err := tools.ReadText().Plan(context.Background(), &p.env, json.RawMessage(`[1]`)); err == nil || !strings.Contains(err.Error(), "one JSON object") {
		t.Error(err)
	}
}

func TestReadTextAccess(t *testing.T) {
	t.Parallel()
	p := newPlace(t, map[string]string{"a": ""})
	p.env.Home = p.dir
	for in, path := range map[string]string{"a": p.path("a"), "~/a": p.path("a"), "../x": p.path("../x"), "~": p.dir} {
		plan, err := p.plan(tools.ReadText(), args{"file_path": in})
		if err != nil {
			t.Fatal(err)
		}
		if a := plan.Accesses; len(a) != 1 || a[0].Can != domain.CanRead || a[0].Path != path || a[0].Own {
			t.Errorf("%s: %+v", in, a)
		}
	}
	plan, err := p.plan(tools.ReadText(), args{"file_path": "../own/todo"})
	if err != nil || !plan.Accesses[0].Own {
		t.Errorf("%v %+v", err, plan)
	}
	plan, err = p.plan(tools.ReadText(), args{"file_path": "http://example.com/"})
	if err != nil || plan.Accesses[0].Can != domain.CanNetwork || plan.Accesses[0].URL != "http://example.com/" {
		t.Errorf("%v %+v", err, plan)
	}
}

// TestFileReadCountsFromOne: the alias counts lines from 1.
func TestFileReadCountsFromOne(t *testing.T) {
	t.Parallel()
	tool := tools.ReadText().(tools.AliasTool)
	for in, want := range map[string]string{
		`{"path":"a","offset":1}`:        `{"file_path":"a","offset":0}`,
		`{"file_path":"a","offset":"9"}`: `{"file_path":"a","offset":8}`,
		`{"path":"a","offset":0}`:        `{"file_path":"a","offset":0}`,
		`{"path":"a"}`:                   `{"file_path":"a"}`,
	} {
		if got, err := tool.FromAlias("file_read", json.RawMessage(in)); err != nil || string(got) != want {
			t.Errorf("%s: %s, %v", in, got, err)
		}
	}
	if _, err := tool.FromAlias("file_read", json.RawMessage(`{"offset":"x"}`)); err == nil {
		t.Error("no error for an offset that is no number")
	}
}

// TestReadTextHugeFile reads the beginning and the end of a sparse file of
// 2 GiB.
func TestReadTextHugeFile(t *testing.T) {
	t.Parallel()
	p := newPlace(t, map[string]string{"huge": strings.Repeat("a\n", 8<<10)})
	if err := os.Truncate(p.path("huge"), 2<<30); err != nil {
		t.Skip("no sparse files here:", err)
	}
	if text := p.must(tools.ReadText(), args{"file_path": "huge", "limit": 2}); !strings.Contains(text, "     2\ta\n\nLines 1 to 2; the file has more. Read on with offset 2.") {
		t.Errorf("%.200q", text)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	plan, err := p.plan(tools.ReadText(), args{"file_path": "huge", "offset": 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := plan.Run(ctx, &p.env); err == nil {
		t.Error("the reading went on after its context had ended")
	}
}

// TestReadTextLongLine reads one line of 12 MB.
func TestReadTextLongLine(t *testing.T) {
	t.Parallel()
	p := newPlace(t, map[string]string{"line": strings.Repeat("x", 12<<20)})
	if text := p.must(tools.ReadText(), args{"file_path": "line"}); len(text) > 2200 || !strings.Contains(text, "x...\n") {
		t.Errorf("%d bytes, %.100q", len(text), text)
	}
}

// TestReadTextAnswerIsBounded: wide lines end the answer before the limit of
// lines does, and it says where to go on.
func TestReadTextAnswerIsBounded(t *testing.T) {
	t.Parallel()
	p := newPlace(t, map[string]string{"wide": strings.Repeat(strings.Repeat("x", 999)+"\n", 300)})
	text := p.must(tools.ReadText(), args{"file_path": "wide"})
	if len(text) > 91_000 || !strings.Contains(text, "Lines 1 to 89 of 300. Read on with offset 89.") {
		t.Errorf("%d bytes, ends %q", len(text), text[len(text)-100:])
	}
}
