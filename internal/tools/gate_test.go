//go:build unix

package tools_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/permission"
	"github.com/mixagent/mix/internal/tools"
)

// person answers the gate's requests as soon as they are announced, with what
// answers says for the tool; without an answer she says no.
type person struct {
	gate    *permission.Gate
	answers map[string]permission.Answer
}

func (p *person) Decide(context.Context, domain.Decision, []domain.Grant) error { return nil }

func (p *person) Grants(context.Context, string, string) ([]domain.Grant, error) { return nil, nil }

func (p *person) Append(_ string, ev domain.Event) int64 {
	asked, ok := ev.(domain.PermissionAsked)
	if !ok {
		return 0
	}
	answer, ok := p.answers[asked.Tool]
	if !ok {
		answer = permission.Answer{Outcome: domain.OutcomeDeny, Reason: "not today"}
	}
	go func() { _, _ = p.gate.Answer(context.Background(), asked.RequestID, answer) }()
	return 0
}

// session is an executor of the built-in tools behind the real gate.
type session struct {
	place
	person *person
	x      *tools.Executor
	policy domain.Policy
}

func newSession(t testing.TB, files map[string]string, answers map[string]permission.Answer) *session {
	s := &session{place: newPlace(t, files), person: &person{answers: answers}}
	s.person.gate = permission.NewGate(permission.Options{Records: s.person, Events: s.person, Home: t.TempDir()})
	s.person.gate.GrantDirectory("s", s.dir)
	x, err := tools.NewExecutor(tools.NewRegistry(tools.Builtin()...), s.person.gate, tools.Options{Logger: quiet})
	must(t, err)
	s.x, s.env.SessionID = x, "s"
	return s
}

// do executes a batch of calls, given as tool and input by turns.
func (s *session) do(toolsAndInputs ...any) []domain.ToolCall {
	s.t.Helper()
	b := tools.Batch{
		Subject: permission.Subject{SessionID: "s", Directory: s.dir, Policy: s.policy},
		Env:     s.env, Journal: newTrace(), Emitter: newTrace(),
	}
	for i := 0; i < len(toolsAndInputs); i += 2 {
		input, err := json.Marshal(toolsAndInputs[i+1])
		must(s.t, err)
		b.Calls = append(b.Calls, domain.ToolCall{
			ID: domain.NewID(), SessionID: "s", Tool: toolsAndInputs[i].(string), Input: input, State: domain.CallProposed, Index: i / 2,
		})
	}
	out, err := s.x.Execute(s.t.Context(), b)
	must(s.t, err)
	return out
}

func expect(t *testing.T, c domain.ToolCall, state domain.CallState, says string) {
	t.Helper()
	if c.State != state || !strings.Contains(c.Text, says) {
		t.Errorf("%s %s is %s: %s", c.Tool, c.Input, c.State, c.Text)
	}
}

// TestReadsRunUnderTheGrant: in the mode ask, what reads in the directory runs;
// what writes or leaves the directory is asked, and here denied.
func TestReadsRunUnderTheGrant(t *testing.T) {
	t.Parallel()
	s := newSession(t, map[string]string{"a.txt": "hello\n"}, nil)
	out := s.do(
		"ReadText", args{"file_path": "a.txt"},
		"file_read", args{"path": "a.txt", "offset": 1},
		"Grep", args{"pattern": "hello"},
		"glob", args{"pattern": "*.txt"},
		"Bash", args{"command": "cat a.txt"},
		"Write", args{"file_path": "b.txt", "content": ""},
		"Bash", args{"command": "touch c.txt"},
		"ReadText", args{"file_path": "../elsewhere"},
	)
	for _, c := range out[:5] {
		expect(t, c, domain.CallFinished, "")
	}
	expect(t, out[1], domain.CallFinished, "     1\thello")
	for _, c := range out[5:] {
		expect(t, c, domain.CallDenied, "The user denied this call. Reason: not today")
	}
	for _, name := range []string{"b.txt", "c.txt"} {
		if _, err := os.Lstat(s.path(name)); err == nil {
			t.Errorf("%s was made", name)
		}
	}
}

// TestTwoEditsInOneAnswer: the second edit is planned again after the first,
// which made the text that it replaces.
func TestTwoEditsInOneAnswer(t *testing.T) {
	t.Parallel()
	s := newSession(t, map[string]string{"a": "one\n"}, nil)
	s.policy.Mode = domain.ModeAcceptEdits
	out := s.do(
		"ReadText", args{"file_path": "a"},
		"Edit", args{"file_path": "a", "old_string": "one", "new_string": "two"},
		"Edit", args{"file_path": "a", "old_string": "two", "new_string": "three"},
		"Write", args{"file_path": "b", "content": "b\n"},
		"ReadText", args{"file_path": "b"},
		"Edit", args{"file_path": "b", "old_string": "b", "new_string": "c"},
	)
	for _, c := range out {
		expect(t, c, domain.CallFinished, "")
	}
	if s.read("a") != "three\n" || s.read("b") != "c\n" {
		t.Errorf("%q %q", s.read("a"), s.read("b"))
	}
}

// TestPersonEditsTheInput: another path than the model's is planned and judged
// anew, and a rule that denies it wins over the person.
func TestPersonEditsTheInput(t *testing.T) {
	t.Parallel()
	for _, deny := range []bool{false, true} {
		s := newSession(t, nil, map[string]permission.Answer{
			"Write": {Outcome: domain.OutcomeAllow, Input: json.RawMessage(`{"file_path":"theirs","content":"x\n"}`)},
		})
		if deny {
			s.policy.Deny = []string{"Write(theirs)"}
		}
		out := s.do("Write", args{"file_path": "mine", "content": "y\n"})
		if _, err := os.Lstat(s.path("mine")); err == nil {
			t.Error("the model's file was written")
		}
		if deny {
			expect(t, out[0], domain.CallDenied, "denied by Write(theirs)")
			continue
		}
		expect(t, out[0], domain.CallFinished, "The user changed the input")
		if s.read("theirs") != "x\n" {
			t.Error(s.read("theirs"))
		}
	}
}

// TestPlanModeWithTheRealGate: reads run, nothing else does.
func TestPlanModeWithTheRealGate(t *testing.T) {
	t.Parallel()
	s := newSession(t, map[string]string{"a": "x\n"}, map[string]permission.Answer{"Write": {Outcome: domain.OutcomeAllow}})
	s.policy = domain.Policy{Mode: domain.ModePlan, Allow: []string{"Write", "Bash"}}
	out := s.do(
		"ReadText", args{"file_path": "a"},
		"Bash", args{"command": "cat a"},
		"Write", args{"file_path": "b", "content": ""},
		"Bash", args{"command": "touch b"},
	)
	for i, c := range out {
		expect(t, c, []domain.CallState{domain.CallFinished, domain.CallFinished, domain.CallDenied, domain.CallDenied}[i], "")
	}
}

// TestManyWritersOfOneFile: parallel appends through the shell and edits of
// other files do not lose each other's work.
func TestManyWritersOfOneFile(t *testing.T) {
	t.Parallel()
	s := newSession(t, map[string]string{"log": ""}, nil)
	s.policy.Mode = domain.ModeAuto
	var calls []any
	for i := range 8 {
		calls = append(calls, "Bash", args{"command": fmt.Sprintf("n=$(wc -l < log); echo %d >> log; test $(wc -l < log) -eq $((n + 1))", i)})
	}
	for _, c := range s.do(calls...) {
		expect(t, c, domain.CallFinished, "nothing")
	}
	if got := s.read("log"); got != "0\n1\n2\n3\n4\n5\n6\n7\n" {
		t.Errorf("%q", got)
	}
}
