package tools_test

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/permission"
	"github.com/mixagent/mix/internal/tools"
)

// unruly is a tool that does not keep to its contract.
type unruly struct {
	scripted
	plan func() (*tools.Plan, error)
}

func (u unruly) Capabilities() []domain.Capability { return []domain.Capability{domain.CanRead} }

func (u unruly) Plan(context.Context, *tools.Env, json.RawMessage) (*tools.Plan, error) {
	return u.plan()
}

// witness allows everything and keeps what it was asked about.
type witness struct{ accesses *[]permission.Access }

func (w witness) Judge(_ context.Context, _ permission.Subject, c permission.Call) permission.Verdict {
	*w.accesses = append(*w.accesses, c.Accesses...)
	return permission.Verdict{Outcome: domain.OutcomeAllow}
}

func (witness) Ask(context.Context, permission.Subject, permission.Call, permission.Verdict) (domain.Decision, error) {
	return domain.Decision{}, errors.New("nobody is there")
}

// TestUnrulyTools: whatever a tool does, its call ends and says so.
func TestUnrulyTools(t *testing.T) {
	t.Parallel()
	run := func(out tools.Output) func(context.Context, *tools.Env) (tools.Output, error) {
		return func(context.Context, *tools.Env) (tools.Output, error) { return out, nil }
	}
	for name, tc := range map[string]struct {
		plan     func() (*tools.Plan, error)
		state    domain.CallState
		says     string
		result   string
		accesses int
	}{
		"no plan":                {func() (*tools.Plan, error) { return nil, nil }, domain.CallFailed, "has no plan", "", 0},
		"a plan without a way":   {func() (*tools.Plan, error) { return &tools.Plan{}, nil }, domain.CallFailed, "has no plan", "", 0},
		"a panic while it plans": {func() (*tools.Plan, error) { panic("no") }, domain.CallFailed, "broke down", "", 0},
		"an undeclared effect": {func() (*tools.Plan, error) {
			return &tools.Plan{Accesses: []permission.Access{{Can: domain.CanWrite, Path: "/a"}}, Run: run(tools.Output{})}, nil
		}, domain.CallFailed, `does not declare the capability "write"`, "", 0},
		"no effects named": {func() (*tools.Plan, error) { return &tools.Plan{Run: run(tools.Output{Text: "fine"})}, nil }, domain.CallFinished, "fine", "{}", 1},
		"a result that is no JSON": {func() (*tools.Plan, error) {
			return &tools.Plan{Run: run(tools.Output{Text: "fine", Result: math.NaN()})}, nil
		}, domain.CallFinished, "fine", "{}", 1},
		"a result that is too long": {func() (*tools.Plan, error) {
			return &tools.Plan{Run: run(tools.Output{Text: strings.Repeat("é", 200_000), Result: strings.Repeat("x", 2<<20)})}, nil
		}, domain.CallFinished, "[… 100000 characters left out …]", "{}", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr := newTrace()
			var seen []permission.Access
			x, err := tools.NewExecutor(tools.NewRegistry(unruly{scripted{"Unruly", tr}, tc.plan}), witness{&seen}, tools.Options{Logger: quiet})
			must(t, err)
			out, err := x.Execute(t.Context(), tools.Batch{Calls: []domain.ToolCall{{ID: "c", Tool: "Unruly"}}, Journal: tr, Emitter: tr})
			must(t, err)
			if c := out[0]; c.State != tc.state || !strings.Contains(c.Text, tc.says) || tc.result != "" && string(c.Result) != tc.result {
				t.Errorf("%s %.200s %.200s", c.State, c.Text, c.Result)
			}
			if len(seen) != tc.accesses {
				t.Errorf("the gate saw %+v", seen)
			}
		})
	}
}

// TestPlanThatChanges: a call that is planned again after others, and would
// then touch something that nobody allowed, is not run.
func TestPlanThatChanges(t *testing.T) {
	t.Parallel()
	tr := newTrace()
	planned := 0
	plan := func() (*tools.Plan, error) {
		planned++
		path := "/judged"
		if planned > 1 {
			path = "/other"
		}
		return &tools.Plan{Accesses: []permission.Access{{Can: domain.CanRead, Path: path}}, Run: func(context.Context, *tools.Env) (tools.Output, error) {
			tr.note("the unruly one ran")
			return tools.Output{}, nil
		}}, nil
	}
	x, err := tools.NewExecutor(tools.NewRegistry(scripted{"Script", tr}, unruly{scripted{"Unruly", tr}, plan}), witness{new([]permission.Access)}, tools.Options{Logger: quiet})
	must(t, err)
	calls := scriptCalls(script{Writes: []string{"/judged"}}, script{})
	calls[1].Tool = "Unruly"
	out, err := x.Execute(t.Context(), tools.Batch{Calls: calls, Journal: tr, Emitter: tr})
	must(t, err)
	if out[1].State != domain.CallFailed || !strings.Contains(out[1].Text, "changed what this call would touch") || tr.at("the unruly one ran") >= 0 {
		t.Errorf("%s %s", out[1].State, out[1].Text)
	}
}

// TestGateThatCannotAsk: the call is denied and says why.
func TestGateThatCannotAsk(t *testing.T) {
	t.Parallel()
	tr := newTrace()
	x, err := tools.NewExecutor(tools.NewRegistry(scripted{"Script", tr}), mute{}, tools.Options{Logger: quiet})
	must(t, err)
	out, err := x.Execute(t.Context(), tools.Batch{Calls: scriptCalls(script{}), Journal: tr, Emitter: tr})
	must(t, err)
	if out[0].State != domain.CallDenied || !strings.Contains(out[0].Text, "could not be asked for permission (the line is dead)") {
		t.Errorf("%s %s", out[0].State, out[0].Text)
	}
}

type mute struct{}

func (mute) Judge(context.Context, permission.Subject, permission.Call) permission.Verdict {
	return permission.Verdict{}
}

func (mute) Ask(context.Context, permission.Subject, permission.Call, permission.Verdict) (domain.Decision, error) {
	return domain.Decision{}, errors.New("the line is dead")
}
