//go:build unix

package tools_test

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/permission"
	"github.com/mixagent/mix/internal/tools"
)

func TestBash(t *testing.T) {
	t.Parallel()
	p := newPlace(t, map[string]string{"a": "content\n"})
	p.env.Environ = append(os.Environ(), "MY_TOKEN=hunter2", "PLAIN=yes")
	out, err := p.call(tools.Bash(), args{"command": "cat a; echo err >&2; pwd; echo $MY_TOKEN$PLAIN"})
	if err != nil {
		t.Fatal(err)
	}
	if want := "content\nerr\n" + p.dir + "\nyes\n"; out.Text != want || out.IsError {
		t.Errorf("%q", out.Text)
	}
	var r struct {
		Output     string
		ExitCode   int
		Start, End int64
	}
	raw := result(t, out)
	must(t, json.Unmarshal([]byte(raw), &r))
	if r.ExitCode != 0 || !strings.HasPrefix(r.Output, "content\n") || !strings.Contains(raw, `"start_time":1`) || !strings.Contains(raw, `"end_time":1`) {
		t.Error(raw)
	}
	for _, tc := range []struct {
		in    args
		says  string
		error bool
	}{
		{args{"command": "exit 3"}, "Exit code 3.", true},
		{args{"command": "echo hi; false"}, "hi\n\nExit code 1.", true},
		{args{"command": "true"}, "printed nothing", false},
		{args{"command": "cat"}, "printed nothing", false},
		{args{"command": "echo part; exec sleep 60", "timeout": 200}, "part\n\nThe command timed out after 200 ms", true},
		{args{"command": "echo", "timeout": 700_000}, "lowered to the maximum, 600000 ms", false},
		{args{"command": "kill -9 $$"}, "ended by SIGKILL", true},
	} {
		out, err := p.call(tools.Bash(), tc.in)
		if err != nil || out.IsError != tc.error || !strings.Contains(out.Text, tc.says) {
			t.Errorf("%v: %v %t %q", tc.in, err, out.IsError, out.Text)
		}
	}
	p.fails(tools.Bash(), args{"command": " "}, "empty")
	p.fails(tools.Bash(), args{"command": "x", "timeout": -1}, "positive")
	p.fails(tools.Bash(), args{"command": "# " + strings.Repeat("x", 140_000)}, "131")
}

func TestBashFlood(t *testing.T) {
	t.Parallel()
	p := newPlace(t, nil)
	var mu sync.Mutex
	var live strings.Builder
	p.env.Output = func(s string) { mu.Lock(); defer mu.Unlock(); live.WriteString(s) }
	out, err := p.call(tools.Bash(), args{"command": "seq 1 20000"})
	must(t, err)
	if !strings.HasPrefix(out.Text, "1\n2\n") || !strings.Contains(out.Text, "\n20000\n") || len(out.Text) > 31_000 || !strings.Contains(out.Text, "characters of the output are left out") {
		t.Errorf("%d bytes, %.200q", len(out.Text), out.Text)
	}
	_, rest, found := strings.Cut(out.Text, "bytes) is in ")
	path, _, _ := strings.Cut(rest, ";")
	if data, err := os.ReadFile(path); !found || err != nil || len(data) != 108_894 || !strings.HasPrefix(path, p.env.SessionDir) {
		t.Errorf("%q holds %d bytes, %v", path, len(data), err)
	}
	if text := p.must(tools.ReadText(), args{"file_path": path, "offset": 9_999, "limit": 1}); !strings.Contains(text, "10000\t10000\n") {
		t.Error(text)
	}
	mu.Lock()
	defer mu.Unlock()
	if !strings.Contains(live.String(), "1\n") {
		t.Errorf("live output: %.100q", live.String())
	}
}

// TestBashCancel: a cancelled command returns soon, with what it had printed,
// and its call is interrupted.
func TestBashCancel(t *testing.T) {
	t.Parallel()
	p := newPlace(t, nil)
	b := newBench(t, tools.Options{})
	x, err := tools.NewExecutor(tools.NewRegistry(tools.Bash()), yes{}, tools.Options{Logger: quiet})
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	calls := []domain.ToolCall{{ID: "c", Tool: "Bash", Input: json.RawMessage(`{"command":"echo begun; touch begun; exec sleep 100"}`)}}
	batch := b.batch(calls...)
	batch.Env = p.env
	batch.Emitter = emit(func(ev domain.Event) {
		if _, ok := ev.(domain.Output); ok {
			cancel()
		}
		b.Emit(ev)
	})
	out, err := x.Execute(ctx, batch)
	must(t, err)
	c := out[0]
	if c.State != domain.CallInterrupted || !strings.Contains(c.Text, "may have had effects") || !strings.Contains(c.Text, "begun") || !strings.Contains(string(c.Result), `"output":"begun\n"`) {
		t.Errorf("%s %q %s", c.State, c.Text, c.Result)
	}
	if took := c.EndedAt.Sub(c.StartedAt); took > 10*time.Second {
		t.Errorf("it took %s", took)
	}
}

// TestBashMarks: while a command runs there is a mark of it, where the system
// has marks.
func TestBashMarks(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("commands are marked on Linux only")
	}
	p := newPlace(t, nil)
	p.env.Marks = filepath.Join(p.env.SessionDir, "..", "marks")
	if text := p.must(tools.Bash(), args{"command": "ls " + p.env.Marks + " | wc -l"}); text != "1\n" {
		t.Errorf("%q", text)
	}
	if left, err := os.ReadDir(p.env.Marks); err != nil || len(left) > 0 {
		t.Errorf("%v, %v", left, err)
	}
}

// TestBashAlias: the time limit of the alias is in seconds.
func TestBashAlias(t *testing.T) {
	t.Parallel()
	tool := tools.Bash().(tools.AliasTool)
	for in, want := range map[string]string{
		`{"command":"x","timeout":30}`:    `{"command":"x","timeout":30000}`,
		`{"command":"x","timeout":0.5}`:   `{"command":"x","timeout":500}`,
		`{"command":"x","timeout":1e300}`: `{"command":"x","timeout":600000}`,
		`{"command":"x"}`:                 `{"command":"x"}`,
	} {
		if got, err := tool.FromAlias("bash", json.RawMessage(in)); err != nil || string(got) != want {
			t.Errorf("%s: %s, %v", in, got, err)
		}
	}
	if _, err := tool.FromAlias("bash", json.RawMessage(`{"timeout":-1}`)); err == nil {
		t.Error("a negative time was taken")
	}
}

// TestReadOnlyGitRunsNothing: a repository whose configuration names programs
// is read without running them; where that cannot be, the call is asked.
func TestReadOnlyGitRunsNothing(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("git"); err != nil {
		if os.Getenv("MIX_TEST_REQUIRE") != "" {
			t.Fatal("git is not installed")
		}
		t.Skip("git is not installed")
	}
	p := newPlace(t, map[string]string{"a": "one\n"})
	git := func(args ...string) {
		t.Helper()
		cmd := exec.Command("git", append([]string{"-C", p.dir, "-c", "user.name=n", "-c", "user.email=e"}, args...)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	git("init", "-q")
	git("add", "a")
	git("commit", "-q", "-m", "first")
	p.write("a", "two\n")
	ran := p.path("ran")
	for key, value := range map[string]string{
		"core.fsmonitor": "touch " + ran, "core.pager": "touch " + ran, "diff.external": "touch " + ran,
	} {
		git("config", key, value)
	}
	p.env.ReadOnly = true
	text := p.must(tools.Bash(), args{"command": "git status --short && git diff"})
	if !strings.Contains(text, " M a") || !strings.Contains(text, "+two") {
		t.Error(text)
	}
	if _, err := os.Stat(ran); err == nil {
		t.Error("the repository's program ran")
	}
}

// TestUnsafeGitIsAsked: a line that the gate takes for a read, but that git
// could turn into more, is asked; a single command that a rule names runs.
func TestUnsafeGitIsAsked(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		rule, command string
		asked         bool
	}{
		{"Read(./**)", "git -c core.pager=x version", true},
		{"ask", "git -c core.pager=x version", true},
		{"Bash(git:*)", "git -c core.pager=x version", false},
		{"Bash", "git -c core.pager=x version", false},
		{"Bash(echo:*)", "echo; git -c core.pager=x version", true},
	} {
		p := newPlace(t, nil)
		b := newBench(t, tools.Options{})
		x, err := tools.NewExecutor(tools.NewRegistry(tools.Bash()), readsOnly{tc.rule}, tools.Options{Logger: quiet})
		must(t, err)
		var proposed []tools.Proposal
		input, err := json.Marshal(args{"command": tc.command})
		must(t, err)
		batch := b.batch(domain.ToolCall{ID: "c", Tool: "Bash", Input: input})
		batch.Env, batch.Journal = p.env, spy{b.trace, &proposed}
		out, err := x.Execute(t.Context(), batch)
		must(t, err)
		if ran := b.at("event start c") >= 0; ran == tc.asked {
			t.Errorf("%+v: %s %s", tc, out[0].State, out[0].Text)
		}
		p0 := proposed[0]
		if asked := p0.Call.State == domain.CallAsked; asked != tc.asked || asked != p0.Request.Asked || asked != (p0.Decision == nil) {
			t.Errorf("%+v: %+v", tc, p0)
		}
	}
}

// readsOnly takes every command for a read, and denies what is asked.
type readsOnly struct{ rule string }

func (g readsOnly) Judge(context.Context, permission.Subject, permission.Call) permission.Verdict {
	return permission.Verdict{
		Outcome: domain.OutcomeAllow, Rule: g.rule, ReadOnly: true,
		Request: domain.Request{ID: "r"}, Decision: &domain.Decision{RequestID: "r"},
	}
}

func (readsOnly) Ask(context.Context, permission.Subject, permission.Call, permission.Verdict) (domain.Decision, error) {
	return domain.Decision{Outcome: domain.OutcomeDeny}, nil
}
