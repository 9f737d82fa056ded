package agent_test

import (
	"testing"

	"github.com/mixagent/mix/internal/agent"
	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/permission"
)

var again = call("Glob", `{"pattern":"*"}`)

// TestLoopWithoutApprover: the same call with the same result three times in a
// row ends the run where nobody can say that it should go on.
func TestLoopWithoutApprover(t *testing.T) {
	t.Parallel()
	r := newRig(t, answers(again))
	s := r.session()
	sent := r.send(s, "Go")
	got := r.wait(s, sent)
	text, kind := got.failure()
	if kind != "loop" || got.end().text("state") != "failed" || got.end().text("reason") != "loop" {
		t.Errorf("%q (%s), %v", text, kind, got.end())
	}
	wantHolds(t, "the error", text, "Glob was called 3 times in a row", "do differently")
	if n := len(r.model.seen()); n != 3 {
		t.Errorf("%d model calls", n)
	}
	r.wantNextWorks(s)
}

// TestLoopWithApprover: a person decides, and is asked again after three more.
func TestLoopWithApprover(t *testing.T) {
	t.Parallel()
	r := newRig(t, answers(again))
	s := r.session()
	defer r.gate.Attach(s, true)()
	sent := r.send(s, "Go")
	isAsked := func(e event) bool { return e.name == domain.EventPermission }
	asked := r.until(s, sent.EventSeq, isAsked).end()
	wantHolds(t, "the question", asked.text("description"), "Glob", "3 times", "go on?")
	if n := len(r.model.seen()); n != 3 {
		t.Errorf("%d model calls before the question", n)
	}
	r.answer(asked, domain.OutcomeAllow)
	asked = r.until(s, asked.seq, isAsked).end()
	if n := len(r.model.seen()); n != 6 {
		t.Errorf("%d model calls before the second question", n)
	}
	r.answer(asked, domain.OutcomeDeny)
	got := r.wait(s, sent)
	text, kind := got.failure()
	if kind != "loop" || got.end().text("reason") != "loop" {
		t.Errorf("%q (%s)", text, kind)
	}
	wantHolds(t, "the error", text, "the answer to going on was no")
	// Both questions are in the audit.
	rows, err := r.store.Audit(t.Context(), storeFilter(s))
	if err != nil {
		t.Fatal(err)
	}
	var outcomes []domain.Outcome
	for _, row := range rows {
		if row.Target == "continue" && row.Decision != nil {
			outcomes = append(outcomes, row.Decision.Outcome)
		}
	}
	if len(outcomes) != 2 || outcomes[0] != domain.OutcomeDeny || outcomes[1] != domain.OutcomeAllow {
		t.Errorf("decisions, newest first: %v", outcomes)
	}
}

func (r *rig) answer(asked event, o domain.Outcome) {
	r.t.Helper()
	if _, err := r.gate.Answer(r.t.Context(), asked.text("id"), permission.Answer{Outcome: o}); err != nil {
		r.t.Fatal(err)
	}
}

// TestCancelLoopQuestion: cancel reaches a run that asks whether to go on.
func TestCancelLoopQuestion(t *testing.T) {
	t.Parallel()
	r := newRig(t, answers(again))
	s := r.session()
	defer r.gate.Attach(s, true)()
	sent := r.send(s, "Go")
	r.until(s, sent.EventSeq, func(e event) bool { return e.name == domain.EventPermission })
	r.cancel(s)
	r.wantCancelled(s, sent)
	open, err := r.store.OpenRequests(t.Context())
	if err != nil || len(open) > 0 {
		t.Errorf("open requests: %v, %v", open, err)
	}
	r.wantNextWorks(s)
}

// TestNoLoop: what looks alike but is none.
func TestNoLoop(t *testing.T) {
	t.Parallel()
	grows := call("Bash", `{"command":"echo x >> n; cat n"}`)
	other := call("Glob", `{"pattern":"*.go"}`)
	twice := call("Glob", `{"pattern":"*"}`, "Glob", `{"pattern":"*"}`)
	for name, script := range map[string][]answer{
		"another result each time": {grows, grows, grows, grows, grows, say("ready")},
		"another call in between":  {again, again, other, again, again, other, say("ready")},
		"one more beside it":       {again, again, twice, twice, say("ready")},
		"only twice":               {again, again, say("ready")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, answers(script...))
			if end := r.run(r.session(), "Go").end(); end.text("content") != "ready" {
				t.Errorf("%v", end)
			}
		})
	}
}

// TestNoLoopOverMessages: each message starts to count anew.
func TestNoLoopOverMessages(t *testing.T) {
	t.Parallel()
	r := newRig(t, answers(again, again, say("one"), again, again, say("two")))
	s := r.sessionOf(agent.NewSession{Policy: domain.Policy{Mode: domain.ModeAuto}})
	r.run(s, "Go")
	if end := r.run(s, "Go").end(); end.text("content") != "two" {
		t.Errorf("%v", end)
	}
}
