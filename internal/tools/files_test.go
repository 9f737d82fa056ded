package tools_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mixagent/mix/internal/tools"
)

// place is a session with a directory of its own.
type place struct {
	t   testing.TB
	dir string
	env tools.Env
}

func newPlace(t testing.TB, files map[string]string) place {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	own := filepath.Join(dir, "own")
	p := place{t, filepath.Join(dir, "project"), tools.Env{}}
	for _, d := range []string{own, p.dir} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	p.env = tools.Env{Directory: p.dir, SessionDir: own, Files: tools.NewFileTracker(), Output: func(string) {}}
	for name, content := range files {
		p.write(name, content)
	}
	return p
}

func (p place) path(name string) string { return filepath.Join(p.dir, filepath.FromSlash(name)) }

func (p place) write(name, content string) {
	p.t.Helper()
	if err := os.MkdirAll(filepath.Dir(p.path(name)), 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(p.path(name), []byte(content), 0o644); err != nil {
		p.t.Fatal(err)
	}
}

func (p place) read(name string) string {
	p.t.Helper()
	data, err := os.ReadFile(p.path(name))
	if err != nil {
		p.t.Fatal(err)
	}
	return string(data)
}

// args is the input of a call.
type args map[string]any

func (p place) plan(tool tools.Tool, in args) (*tools.Plan, error) {
	p.t.Helper()
	raw, err := json.Marshal(in)
	if err != nil {
		p.t.Fatal(err)
	}
	return tool.Plan(context.Background(), &p.env, raw)
}

// call plans and runs.
func (p place) call(tool tools.Tool, in args) (tools.Output, error) {
	p.t.Helper()
	plan, err := p.plan(tool, in)
	if err != nil {
		return tools.Output{}, err
	}
	return plan.Run(context.Background(), &p.env)
}

// must is call for a call that has to work; it returns the text.
func (p place) must(tool tools.Tool, in args) string {
	p.t.Helper()
	out, err := p.call(tool, in)
	if err != nil {
		p.t.Fatalf("%s %v: %v", tool.Name(), in, err)
	}
	return out.Text
}

// fails is call for a call that has to fail with a text that says all of want.
func (p place) fails(tool tools.Tool, in args, want ...string) {
	p.t.Helper()
	out, err := p.call(tool, in)
	if err == nil {
		p.t.Errorf("%s %v worked: %s", tool.Name(), in, out.Text)
		return
	}
	for _, w := range want {
		if !strings.Contains(err.Error(), w) {
			p.t.Errorf("%s %v: %q does not say %q", tool.Name(), in, err, w)
		}
	}
}

// result is the JSON of what a call returned.
func result(t testing.TB, out tools.Output) string {
	t.Helper()
	raw, err := json.Marshal(out.Result)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func lines(from, to int) string {
	var b strings.Builder
	for i := from; i <= to; i++ {
		fmt.Fprintf(&b, "line %d\n", i)
	}
	return b.String()
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
