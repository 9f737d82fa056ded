package tools_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/permission"
	"github.com/mixagent/mix/internal/tools"
)

var allowed = script{Verdict: domain.OutcomeAllow}

func TestExecutorNeedsGateAndJournal(t *testing.T) {
	t.Parallel()
	if _, err := tools.NewExecutor(tools.NewRegistry(), nil, tools.Options{}); err == nil {
		t.Error("an executor without a gate was made")
	}
	if _, err := tools.NewExecutor(nil, scriptedGate{}, tools.Options{}); err == nil {
		t.Error("an executor without a registry was made")
	}
	b := newBench(t, tools.Options{})
	batch := b.batch(scriptCalls(allowed)...)
	batch.Journal = nil
	if _, err := b.x.Execute(t.Context(), batch); err == nil {
		t.Error("calls were run without a journal")
	}
	if len(b.lines) != 0 {
		t.Errorf("something happened: %q", b.lines)
	}
}

// TestQuietStepIsTwoCommits: what asks nobody is proposed as started and ended,
// nothing else.
func TestQuietStepIsTwoCommits(t *testing.T) {
	t.Parallel()
	b := newBench(t, tools.Options{})
	out, err := b.x.Execute(t.Context(), b.batch(scriptCalls(allowed)...))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"propose", "started c0", "event start c0", "run c0", "ran c0", "end c0", "event result c0", "event complete c0 true"}
	if got := strings.Join(b.lines, "\n"); got != strings.Join(want, "\n") {
		t.Errorf("got\n%s", got)
	}
	if c := out[0]; c.RequestID != "request of c0" || string(c.Result) != `{"ok":"c0"}` || c.Text != "done c0" || c.StartedAt.IsZero() {
		t.Errorf("the call is %+v", c)
	}
}

// TestBadCalls: what cannot be run ends in the proposal, with a text that says
// what to do, and the calls beside it run.
func TestBadCalls(t *testing.T) {
	t.Parallel()
	big := `{"End":"` + strings.Repeat("x", 5<<20) + `"}`
	for _, tc := range []struct {
		name, tool, input string
		state             domain.CallState
		journalInput      string
		says              []string
	}{
		{"unknown tool", "Scrpit", `{}`, domain.CallFailed, `{}`, []string{`no tool named "Scrpit"`, "did you mean Script", "Script, Task"}},
		{"unlike any tool", "fly_to_moon", `{}`, domain.CallFailed, `{}`, []string{"no tool named", "Script, Task"}},
		{"invalid JSON", "Script", `{"Reads": ["/a", }`, domain.CallFailed, `{}`, []string{"not valid JSON", "byte 18", "escaped"}},
		{"no JSON at all", "Script", "rm -rf", domain.CallFailed, `{}`, []string{"not valid JSON"}},
		{"half of an object", "Script", `{"Reads": ["/a"`, domain.CallFailed, `{}`, []string{"not valid JSON"}},
		{"5 MB", "Script", big, domain.CallFailed, big, []string{"5242890 bytes", "limit is 1048576", "several calls"}},
		{"denied", "Script", string(script{Verdict: domain.OutcomeDeny}.input()), domain.CallDenied, string(script{Verdict: domain.OutcomeDeny}.input()), []string{"denied by a rule", "the script says so", "not run"}},
		{"doomed", "Script", string(script{Doomed: true}.input()), domain.CallFailed, string(script{Doomed: true}.input()), []string{"cannot work"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, tools.Options{})
			calls := scriptCalls(allowed, allowed)
			calls[0].Tool, calls[0].Input = tc.tool, json.RawMessage(tc.input)
			out, err := b.x.Execute(t.Context(), b.batch(calls...))
			if err != nil {
				t.Fatal(err)
			}
			c := out[0]
			if c.State != tc.state || !c.IsError || string(c.Input) != tc.journalInput || !json.Valid(c.Result) {
				t.Errorf("state %s, error %t, %d bytes of input, result %.100s", c.State, c.IsError, len(c.Input), c.Result)
			}
			for _, s := range tc.says {
				if !strings.Contains(c.Text, s) {
					t.Errorf("%q does not say %q", c.Text, s)
				}
			}
			if b.at("run c0") >= 0 || b.at("event complete c0 false") < 0 || b.at("event start c0") >= 0 {
				t.Errorf("trace %q", b.lines)
			}
			if out[1].State != domain.CallFinished {
				t.Errorf("the other call is %s", out[1].State)
			}
		})
	}
}

// TestEmptyInputIsAnObject: vendors send no input at all for a call without
// fields.
func TestEmptyInputIsAnObject(t *testing.T) {
	t.Parallel()
	b := newBench(t, tools.Options{})
	calls := scriptCalls(allowed)
	calls[0].Input = nil
	out, err := b.x.Execute(t.Context(), b.batch(calls...))
	if err != nil || string(out[0].Input) != "{}" || out[0].State == domain.CallFailed && strings.Contains(out[0].Text, "JSON") {
		t.Errorf("%v %+v", err, out)
	}
}

func TestPanickingTool(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	b := newBench(t, tools.Options{Sequential: true, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	out, err := b.x.Execute(t.Context(), b.batch(scriptCalls(script{Verdict: domain.OutcomeAllow, End: "panic"}, allowed)...))
	if err != nil {
		t.Fatal(err)
	}
	if out[0].State != domain.CallFailed || strings.Contains(out[0].Text, "goroutine") || out[1].State != domain.CallFinished {
		t.Errorf("%+v", out)
	}
	if s := log.String(); !strings.Contains(s, "at the disco") || !strings.Contains(s, "fake_test.go") {
		t.Errorf("the log has no stack: %s", s)
	}
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		in    script
		state domain.CallState
		says  string
	}{
		{"allowed", script{Answer: domain.OutcomeAllow}, domain.CallFinished, "done c0"},
		{"denied", script{Answer: domain.OutcomeDeny}, domain.CallDenied, "The user denied this call. Reason: I say so"},
		{"expired", script{Answer: domain.OutcomeExpired}, domain.CallDenied, "Nobody answered"},
		{"edited", script{Answer: domain.OutcomeAllow, Edit: &script{Reads: []string{"/a"}}}, domain.CallFinished, "The user changed the input"},
		{"edited to what a rule denies", script{Answer: domain.OutcomeAllow, Edit: &script{Verdict: domain.OutcomeDeny}}, domain.CallDenied, "denied by a rule"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, tools.Options{})
			out, err := b.x.Execute(t.Context(), b.batch(scriptCalls(tc.in)...))
			if err != nil {
				t.Fatal(err)
			}
			if c := out[0]; c.State != tc.state || !strings.Contains(c.Text, tc.says) {
				t.Errorf("%s: %s", c.State, c.Text)
			}
			if e := tc.in.Edit; e != nil && string(out[0].Input) != string(e.input()) {
				t.Errorf("the call keeps the input %s", out[0].Input)
			}
		})
	}
}

// TestAskedCallDelaysOnlyWhatItConflictsWith: a question holds up the calls
// that need its place, not the others, and an allowed call that must wait is
// recorded as allowed.
func TestAskedCallDelaysOnlyWhatItConflictsWith(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, tools.Options{})
		_, err := b.x.Execute(t.Context(), b.batch(scriptCalls(
			script{Verdict: domain.OutcomeAllow, Writes: []string{"/a"}, Work: 5 * time.Second},
			script{Answer: domain.OutcomeAllow, Writes: []string{"/a"}, Think: time.Second, Work: time.Second},
			script{Verdict: domain.OutcomeAllow, Reads: []string{"/b"}, Work: time.Second},
		)...))
		if err != nil {
			t.Fatal(err)
		}
		for _, order := range [][2]string{
			{"run c2", "answer allow c1"},
			{"answer allow c1", "allow c1"},
			{"allow c1", "ran c0"},
			{"end c0", "started c1"},
			{"started c1", "run c1"},
		} {
			if a, z := b.at("%s", order[0]), b.at("%s", order[1]); a < 0 || z < a {
				t.Errorf("%q (%d) is not before %q (%d)", order[0], a, order[1], z)
			}
		}
	})
}

// TestCancel: what runs is cancelled, what was asked or waits is not run, and
// all of it is recorded.
func TestCancel(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, tools.Options{})
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(errors.New("the user said stop")) })
		start := time.Now()
		out, err := b.x.Execute(ctx, b.batch(scriptCalls(
			script{Verdict: domain.OutcomeAllow, Writes: []string{"/a"}, Work: time.Hour},
			script{Verdict: domain.OutcomeAllow, Writes: []string{"/a"}},
			script{Answer: domain.OutcomeAllow, Think: time.Hour},
			script{Verdict: domain.OutcomeAllow},
		)...))
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took != time.Second {
			t.Errorf("it took %s", took)
		}
		for i, want := range []struct {
			state domain.CallState
			says  string
		}{
			{domain.CallInterrupted, "may have had effects. Check before you repeat it.\n\nhalf"},
			{domain.CallInterrupted, "was not run"},
			{domain.CallInterrupted, "was not run"},
			{domain.CallFinished, "done c3"},
		} {
			c := out[i]
			if c.State != want.state || !strings.Contains(c.Text, want.says) || b.ended[c.ID].State != want.state {
				t.Errorf("c%d is %s: %s", i, c.State, c.Text)
			}
		}
	})
}

func TestCancelledBeforeItBegan(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	b := newBench(t, tools.Options{})
	out, err := b.x.Execute(ctx, b.batch(scriptCalls(allowed, script{})...))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range out {
		if c.State != domain.CallInterrupted || !strings.Contains(c.Text, "was not run") || b.ended[c.ID].ID == "" {
			t.Errorf("%+v", c)
		}
	}
}

// TestLaterCallSeesWhatAnEarlierOneDid: a doomed call is not given up while an
// earlier call may still mend what it needs.
func TestLaterCallSeesWhatAnEarlierOneDid(t *testing.T) {
	t.Parallel()
	b := newBench(t, tools.Options{})
	out, err := b.x.Execute(t.Context(), b.batch(scriptCalls(
		script{Verdict: domain.OutcomeAllow, Writes: []string{"/a"}},
		script{Answer: domain.OutcomeAllow, Writes: []string{"/a"}, Doomed: true},
	)...))
	if err != nil || out[1].State != domain.CallFinished {
		t.Errorf("%v %+v", err, out)
	}
}

// TestPlanModeOverrulesTheGate, and the recorded decision says so.
func TestPlanModeOverrulesTheGate(t *testing.T) {
	t.Parallel()
	for _, subject := range []permission.Subject{
		{Policy: domain.Policy{Mode: domain.ModePlan}},
		{Inherited: []domain.Policy{{Mode: domain.ModePlan}}},
	} {
		b := newBench(t, tools.Options{})
		batch := b.batch(scriptCalls(
			script{Verdict: domain.OutcomeAllow, Writes: []string{"/a"}},
			script{Verdict: domain.OutcomeAllow, Exec: true},
			script{Answer: domain.OutcomeAllow, Exec: true},
			script{Verdict: domain.OutcomeAllow, Reads: []string{"/a"}},
		)...)
		batch.Subject = subject
		var proposed []tools.Proposal
		batch.Journal = spy{b.trace, &proposed}
		out, err := b.x.Execute(t.Context(), batch)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			if out[i].State != domain.CallDenied || !strings.Contains(out[i].Text, "plan mode") {
				t.Errorf("c%d is %s: %s", i, out[i].State, out[i].Text)
			}
			if d := proposed[i].Decision; d == nil || d.Outcome != domain.OutcomeDeny || d.By != "mode" || d.RequestID == "" {
				t.Errorf("the decision is %+v", d)
			}
		}
		if out[3].State != domain.CallFinished {
			t.Errorf("a read was not run: %s", out[3].Text)
		}
	}
}

// spy keeps what was proposed.
type spy struct {
	*trace
	proposed *[]tools.Proposal
}

func (s spy) Propose(ctx context.Context, p []tools.Proposal) error {
	*s.proposed = p
	return s.trace.Propose(ctx, p)
}

func TestTextIsBounded(t *testing.T) {
	t.Parallel()
	b := newBench(t, tools.Options{MaxText: 20})
	out, err := b.x.Execute(t.Context(), b.batch(scriptCalls(script{Verdict: domain.OutcomeDeny})...))
	if err != nil {
		t.Fatal(err)
	}
	if got := out[0].Text; !strings.HasPrefix(got, "This call \n[… ") || !strings.Contains(got, "characters left out …]\n") {
		t.Errorf("%q", got)
	}
}

func TestRegistry(t *testing.T) {
	t.Parallel()
	r := tools.NewRegistry(tools.Builtin()...)
	for alias, name := range map[string]string{
		"file_read": "ReadText", "file_write": "Write", "file_edit": "Edit", "bash": "Bash", "grep": "Grep", "glob": "Glob", "Bash": "Bash",
	} {
		if tool, ok := r.Lookup(alias); !ok || tool.Name() != name {
			t.Errorf("%s is not %s", alias, name)
		}
	}
	var names []string
	for _, tool := range r.List(nil) {
		names = append(names, tool.Name())
	}
	if got := fmt.Sprint(names); got != "[Bash Edit Glob Grep ReadText Write]" {
		t.Error(got)
	}
	defer func() {
		if recover() == nil {
			t.Error("two tools of one name were taken")
		}
	}()
	tools.NewRegistry(tools.Bash(), tools.Bash())
}
