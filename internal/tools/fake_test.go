package tools_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/permission"
	"github.com/mixagent/mix/internal/tools"
)

// script is the input of the scripted tool: what it touches, what the gate and
// the person say, and how it ends.
type script struct {
	Reads, Writes []string
	Tree          bool
	Exec          bool
	ReadOnly      bool
	Verdict       domain.Outcome // of the gate; "" asks
	Answer        domain.Outcome // of the person
	Edit          *script        // what the person makes of it
	Think, Work   time.Duration  // of the person, of the tool
	End           string         // "" well, "error", "panic", "bad"
	Doomed        bool
}

func (s script) input() json.RawMessage {
	out, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return out
}

// trace is what happened, in order. It is journal, emitter and witness.
type trace struct {
	mu     sync.Mutex
	lines  []string
	states map[string]domain.CallState
	ended  map[string]domain.ToolCall
	events []domain.Event
	// fail makes the journal refuse an operation ("start c1").
	fail  string
	broke bool
}

func newTrace() *trace {
	return &trace{states: map[string]domain.CallState{}, ended: map[string]domain.ToolCall{}}
}

func (t *trace) add(format string, args ...any) error {
	line := fmt.Sprintf(format, args...)
	t.lines = append(t.lines, line)
	if line == t.fail {
		t.broke = true
		return errors.New("the disk is full")
	}
	return nil
}

func (t *trace) note(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	_ = t.add(format, args...)
}

func (t *trace) at(format string, args ...any) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Index(t.lines, fmt.Sprintf(format, args...))
}

func (t *trace) Propose(_ context.Context, proposals []tools.Proposal) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.add("propose"); err != nil {
		return err
	}
	for _, p := range proposals {
		if t.states[p.Call.ID] = p.Call.State; p.Call.State.Ended() {
			t.ended[p.Call.ID] = p.Call
		}
		t.lines = append(t.lines, fmt.Sprintf("%s %s", p.Call.State, p.Call.ID))
	}
	return nil
}

func (t *trace) Start(_ context.Context, id string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.add("started %s", id); err != nil {
		return err
	}
	if s := t.states[id]; s != domain.CallAsked && s != domain.CallAllowed {
		return fmt.Errorf("%s is %s: %w", id, s, domain.ErrConflict)
	}
	t.states[id] = domain.CallStarted
	return nil
}

func (t *trace) Allow(_ context.Context, id string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.states[id] != domain.CallAsked {
		return domain.ErrConflict
	}
	t.states[id] = domain.CallAllowed
	return t.add("allow %s", id)
}

func (t *trace) End(ctx context.Context, c domain.ToolCall) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if ctx.Err() != nil {
		return fmt.Errorf("committed with a cancelled context: %w", ctx.Err())
	}
	if t.states[c.ID].Ended() {
		return domain.ErrConflict
	}
	t.states[c.ID], t.ended[c.ID] = c.State, c
	return t.add("end %s", c.ID)
}

func (t *trace) Emit(ev domain.Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.events = append(t.events, ev)
	switch ev := ev.(type) {
	case domain.ToolStart:
		_ = t.add("event start %s", ev.CallID)
	case domain.Result:
		_ = t.add("event result %s", ev.CallID)
	case domain.ToolComplete:
		_ = t.add("event complete %s %t", ev.CallID, ev.Success)
	}
}

// scripted is a tool that does what its input says.
type scripted struct {
	name  string
	trace *trace
}

func (s scripted) Name() string            { return s.name }
func (s scripted) Aliases() []string       { return []string{"alias_of_" + s.name} }
func (s scripted) Description() string     { return "does what its input says" }
func (s scripted) Schema() json.RawMessage { return json.RawMessage(`{"type":"object"}`) }
func (s scripted) Capabilities() []domain.Capability {
	return []domain.Capability{domain.CanRead, domain.CanWrite, domain.CanExecute, domain.CanInteract}
}

func (s scripted) Plan(_ context.Context, _ *tools.Env, input json.RawMessage) (*tools.Plan, error) {
	var in script
	if err := json.Unmarshal(input, &in); err != nil {
		return nil, err
	}
	p := &tools.Plan{Accesses: in.accesses(), Run: func(ctx context.Context, env *tools.Env) (tools.Output, error) {
		return s.run(ctx, env, in)
	}}
	if in.Doomed {
		p.Doomed = errors.New("cannot work")
	}
	return p, nil
}

func (s script) accesses() []permission.Access {
	accesses := []permission.Access{{Can: domain.CanInteract}}
	for _, p := range s.Reads {
		accesses = append(accesses, permission.Access{Can: domain.CanRead, Path: p, Tree: s.Tree})
	}
	for _, p := range s.Writes {
		accesses = append(accesses, permission.Access{Can: domain.CanWrite, Path: p, Tree: s.Tree})
	}
	if s.Exec {
		accesses = append(accesses, permission.Access{Can: domain.CanExecute, Command: "make"})
	}
	return accesses
}

func (s scripted) run(ctx context.Context, env *tools.Env, in script) (tools.Output, error) {
	s.trace.note("run %s", env.CallID)
	defer s.trace.note("ran %s", env.CallID)
	env.Output("working")
	select {
	case <-time.After(in.Work):
	case <-ctx.Done():
		return tools.Output{Text: "half"}, ctx.Err()
	}
	switch in.End {
	case "error":
		return tools.Output{}, errors.New("it went wrong")
	case "panic":
		panic("at the disco")
	case "bad":
		return tools.Output{Text: "exit 1", IsError: true}, nil
	}
	return tools.Output{Result: map[string]string{"ok": env.CallID}, Text: "done " + env.CallID}, nil
}

// scriptedGate says what the inputs say.
type scriptedGate struct{ trace *trace }

func (g scriptedGate) Judge(_ context.Context, s permission.Subject, c permission.Call) permission.Verdict {
	var in script
	if err := json.Unmarshal(c.Input, &in); err != nil {
		return permission.Verdict{Outcome: domain.OutcomeDeny}
	}
	v := permission.Verdict{
		Outcome: in.Verdict, ReadOnly: in.ReadOnly, Rule: "a rule", Reason: "the script says so",
		Request: domain.Request{ID: "request of " + c.ID, CallID: c.ID, SessionID: s.SessionID},
	}
	if v.Outcome != "" {
		v.Decision = &domain.Decision{RequestID: v.Request.ID, Outcome: v.Outcome}
	}
	return v
}

func (g scriptedGate) Ask(ctx context.Context, _ permission.Subject, c permission.Call, v permission.Verdict) (domain.Decision, error) {
	var in script
	_ = json.Unmarshal(c.Input, &in)
	d := domain.Decision{RequestID: v.Request.ID, Outcome: in.Answer, Reason: "I say so"}
	select {
	case <-time.After(in.Think):
	case <-ctx.Done():
		d.Outcome = domain.OutcomeWithdrawn
		return d, ctx.Err()
	}
	if in.Edit != nil {
		d.Input = in.Edit.input()
	}
	g.trace.note("answer %s %s", d.Outcome, c.ID)
	return d, nil
}

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// bench is an executor of the scripted tool with its trace.
type bench struct {
	*trace
	x *tools.Executor
}

func newBench(t testing.TB, o tools.Options) bench {
	t.Helper()
	tr := newTrace()
	if o.Logger == nil {
		o.Logger = quiet
	}
	x, err := tools.NewExecutor(tools.NewRegistry(scripted{"Script", tr}, scripted{"Task", tr}), scriptedGate{tr}, o)
	if err != nil {
		t.Fatal(err)
	}
	return bench{tr, x}
}

func (b bench) batch(calls ...domain.ToolCall) tools.Batch {
	return tools.Batch{Calls: calls, Journal: b.trace, Emitter: b.trace, Env: tools.Env{Directory: "/"}}
}

func scriptCalls(scripts ...script) []domain.ToolCall {
	calls := make([]domain.ToolCall, len(scripts))
	for i, s := range scripts {
		calls[i] = domain.ToolCall{ID: fmt.Sprintf("c%d", i), Tool: "Script", Input: s.input(), State: domain.CallProposed, Index: i}
	}
	return calls
}

// yes allows everything.
type yes struct{}

func (yes) Judge(context.Context, permission.Subject, permission.Call) permission.Verdict {
	return permission.Verdict{Outcome: domain.OutcomeAllow}
}

func (yes) Ask(context.Context, permission.Subject, permission.Call, permission.Verdict) (domain.Decision, error) {
	return domain.Decision{}, fmt.Errorf("nobody is to be asked")
}

// emit is an emitter that is a function.
type emit func(domain.Event)

func (e emit) Emit(ev domain.Event) { e(ev) }
