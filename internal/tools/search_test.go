package tools_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/tools"
)

// tree is a small project whose files have different ages.
func tree(t testing.TB) place {
	p := newPlace(t, map[string]string{
		".gitignore":     "dist/\n",
		"main.go":        "package main\n\nfunc main() {\n\tprintln(\"hello\")\n}\n",
		"pkg/hello.go":   "package pkg\n\n// Hello says hello.\nfunc Hello() string { return \"hello\" }\n",
		"pkg/hello.js":   "console.log('Hello')\n",
		"dist/bundle.js": "hello\n",
	})
	for i, name := range []string{"pkg/hello.js", "pkg/hello.go", "main.go"} {
		at := time.Unix(int64(1_700_000_000+i), 0)
		if err := os.Chtimes(p.path(name), at, at); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

func native(s string) string { return strings.ReplaceAll(s, "/", string(filepath.Separator)) }

func TestGlob(t *testing.T) {
	t.Parallel()
	p := tree(t)
	out, err := p.call(tools.Glob(), args{"pattern": "**/*.go"})
	if err != nil {
		t.Fatal(err)
	}
	if got := native("main.go\npkg/hello.go"); out.Text != got {
		t.Errorf("%q", out.Text)
	}
	if filepath.Separator == '/' {
		if got := result(t, out); got != `{"matches":["main.go","pkg/hello.go"],"count":2,"truncated":false}` {
			t.Error(got)
		}
	}
	if text := p.must(tools.Glob(), args{"pattern": "*.js", "path": "pkg"}); text != native("pkg/hello.js") {
		t.Errorf("%q", text)
	}
	out, err = p.call(tools.Glob(), args{"pattern": "*.rs"})
	if err != nil || !strings.Contains(out.Text, "No file matches *.rs") || result(t, out) != `{"matches":[],"count":0,"truncated":false}` {
		t.Errorf("%v %q %s", err, out.Text, result(t, out))
	}
	p.fails(tools.Glob(), args{"pattern": " "}, "empty")
	p.fails(tools.Glob(), args{"pattern": "*", "path": "pkgs"}, "does not exist", "Did you mean pkg?")
	p.fails(tools.Glob(), args{"pattern": "["}, "[")
}

func TestGlobLimit(t *testing.T) {
	t.Parallel()
	p := newPlace(t, nil)
	for i := range 130 {
		p.write("f"+strings.Repeat("x", i), "")
	}
	out, err := p.call(tools.Glob(), args{"pattern": "f*"})
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Matches   []string
		Count     int
		Truncated bool
	}
	if err := json.Unmarshal([]byte(result(t, out)), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Matches) != 100 || got.Count != 130 || !got.Truncated || !strings.Contains(out.Text, "100 newest of 130 files") {
		t.Errorf("%d of %d, %t: %s", len(got.Matches), got.Count, got.Truncated, out.Text[len(out.Text)-150:])
	}
}

func TestGrep(t *testing.T) {
	t.Parallel()
	if filepath.Separator != '/' {
		t.Skip("the expected texts have slashes")
	}
	p := tree(t)
	for _, tc := range []struct {
		in           args
		text, result string
	}{
		{args{"pattern": "hello"}, "main.go\npkg/hello.go", `{"files":["main.go","pkg/hello.go"],"count":2}`},
		{args{"pattern": "HELLO", "-i": true, "type": "js"}, "pkg/hello.js", `{"files":["pkg/hello.js"],"count":1}`},
		{
			args{"pattern": "func", "output_mode": "content"},
			"main.go:3:func main() {\npkg/hello.go:4:func Hello() string { return \"hello\" }\n",
			`{"results":"main.go:3:func main() {\npkg/hello.go:4:func Hello() string { return \"hello\" }\n","number_of_matches":2,"truncated":false}`,
		},
		{
			args{"pattern": "func main", "output_mode": "content", "-n": "false", "-A": 1, "-B": 1},
			"main.go-\nmain.go:func main() {\nmain.go-\tprintln(\"hello\")\n",
			`{"results":"main.go-\nmain.go:func main() {\nmain.go-\tprintln(\"hello\")\n","number_of_matches":1,"truncated":false}`,
		},
		{args{"pattern": "hello", "output_mode": "count", "glob": "*.go"}, "main.go:1\npkg/hello.go:2\n\n3 matches in 2 files.", `{"counts":{"main.go":1,"pkg/hello.go":2},"total_matches":3}`},
		{args{"pattern": "main\\(\\) \\{.*println", "multiline": true}, "main.go", `{"files":["main.go"],"count":1}`},
		{args{"pattern": "func", "path": "main.go", "output_mode": "count"}, "main.go:1\n\n1 matches in 1 files.", `{"counts":{"main.go":1},"total_matches":1}`},
	} {
		out, err := p.call(tools.Grep(), tc.in)
		if err != nil {
			t.Errorf("%v: %v", tc.in, err)
			continue
		}
		if got := result(t, out); out.Text != tc.text || got != tc.result {
			t.Errorf("%v:\n%q\n%s", tc.in, out.Text, got)
		}
	}
	if text := p.must(tools.Grep(), args{"pattern": "absent"}); !strings.Contains(text, "No match for absent") {
		t.Error(text)
	}
	if text := p.must(tools.Grep(), args{"pattern": "hello", "head_limit": 1}); !strings.Contains(text, "1 newest of 2 files") {
		t.Error(text)
	}
	p.fails(tools.Grep(), args{"pattern": ""}, "empty")
	p.fails(tools.Grep(), args{"pattern": "a(b"}, "a(b")
	p.fails(tools.Grep(), args{"pattern": "a", "type": "klingon"}, "unknown file type")
	p.fails(tools.Grep(), args{"pattern": "a", "output_mode": "lines"}, `"files_with_matches", "content" or "count"`)
	p.fails(tools.Grep(), args{"pattern": "a", "-A": -1}, "negative")
}

// TestGrepAnswerIsBounded: a flood of matches ends at a line and says so.
func TestGrepAnswerIsBounded(t *testing.T) {
	t.Parallel()
	p := newPlace(t, map[string]string{"flood": strings.Repeat("match "+strings.Repeat("x", 90)+"\n", 5000)})
	out, err := p.call(tools.Grep(), args{"pattern": "match", "output_mode": "content"})
	if err != nil {
		t.Fatal(err)
	}
	if len(out.Text) > 61_000 || !strings.Contains(out.Text, "there are 5000 matches in 1 files") || !strings.Contains(result(t, out), `"number_of_matches":5000,"truncated":true`) {
		t.Errorf("%d bytes, ends %q", len(out.Text), out.Text[len(out.Text)-200:])
	}
}

// TestSearchLeavesOutWhatIsClosed: neither protected directories nor what the
// gate closed are listed or read.
func TestSearchLeavesOutWhatIsClosed(t *testing.T) {
	t.Parallel()
	p := newPlace(t, map[string]string{"a.txt": "secret", "data/mix.txt": "secret", "keys/id.txt": "secret"})
	p.env.Protected = []string{p.path("data")}
	p.env.Closed = func(path string) bool { return strings.HasPrefix(path, p.path("keys")) }
	for _, text := range []string{
		p.must(tools.Glob(), args{"pattern": "**/*.txt"}),
		p.must(tools.Grep(), args{"pattern": "secret"}),
	} {
		if text != "a.txt" {
			t.Errorf("%q", text)
		}
	}
	p.fails(tools.Grep(), args{"pattern": "secret", "path": "data"}, "must not be searched")
	plan, err := p.plan(tools.Grep(), args{"pattern": "secret", "path": "keys"})
	if err != nil {
		t.Fatal(err)
	}
	if a := plan.Accesses[0]; a.Can != domain.CanRead || a.Path != p.path("keys") || !a.Tree || !a.Filtered {
		t.Errorf("%+v", a)
	}
}

// TestSearchElsewhere: results outside of the session's directory have
// absolute paths, and the session's own folder can be searched though the data
// directory around it is protected.
func TestSearchElsewhere(t *testing.T) {
	t.Parallel()
	p := newPlace(t, nil)
	p.env.Protected = []string{filepath.Dir(p.env.SessionDir)}
	file := filepath.Join(p.env.SessionDir, "out.txt")
	if err := os.WriteFile(file, []byte("spooled\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, in := range []args{{"pattern": "spooled", "path": p.env.SessionDir}, {"pattern": "spooled", "path": file}} {
		if text := p.must(tools.Grep(), in); text != file {
			t.Errorf("%v: %q", in, text)
		}
	}
}
