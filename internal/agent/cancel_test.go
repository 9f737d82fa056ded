package agent_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/mixagent/mix/internal/agent"
	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/permission"
	"github.com/mixagent/mix/internal/provider"
)

// soon is far less than what the tests cancel would take, and far more than a
// loaded machine needs for it; [BenchmarkCancel] measures.
const soon = 15 * time.Second

// cancel cancels a session's work and checks that nothing of it is left.
func (r *rig) cancel(session string) {
	r.t.Helper()
	start := time.Now()
	busy, err := r.agent.Cancel(r.t.Context(), session)
	if err != nil || !busy {
		r.t.Fatalf("Cancel: %v, %v", busy, err)
	}
	if took := time.Since(start); took > soon {
		r.t.Errorf("Cancel took %v", took)
	}
	if n := r.agent.Busy(); n != 0 {
		r.t.Errorf("%d sessions are busy", n)
	}
}

// wantCancelled checks the end of a cancelled run.
func (r *rig) wantCancelled(session string, sent agent.Accepted) events {
	r.t.Helper()
	got := r.wait(session, sent)
	if text, _ := got.failure(); text != "" || got.end().text("state") != "cancelled" {
		r.t.Errorf("%q, %v", text, got.end())
	}
	if run := r.runOf(sent.RunID); run.State != domain.RunCancelled || run.EndedAt.IsZero() {
		r.t.Errorf("run: %+v", run)
	}
	return got
}

// wantNextWorks checks that the session goes on.
func (r *rig) wantNextWorks(session string) []domain.Message {
	r.t.Helper()
	r.model.play(answers(say("I go on")))
	if end := r.run(session, "Go on").end(); end.text("content") != "I go on" {
		r.t.Errorf("the next message: %v", end)
	}
	return r.model.last(r.t).Messages
}

func TestCancelIdle(t *testing.T) {
	t.Parallel()
	r := newRig(t, answers(say("fine")))
	s := r.session()
	for range 2 {
		if busy, err := r.agent.Cancel(t.Context(), s); busy || err != nil {
			t.Errorf("%v, %v", busy, err)
		}
		r.run(s, "Hi")
	}
	if _, err := r.agent.Cancel(t.Context(), domain.NewID()); !errors.Is(err, domain.ErrNotFound) {
		t.Errorf("an unknown session: %v", err)
	}
}

func TestCancelStream(t *testing.T) {
	t.Parallel()
	half := answer{hang: true}.with(say("Half").deltas...).call("Bash", `{"command":"touch ran"}`)
	r := newRig(t, answers(half))
	s := r.session()
	sent := r.send(s, "Go")
	r.hang()
	r.cancel(s)
	got := r.wantCancelled(s, sent)
	if len(got.of(domain.EventToolStart)) > 0 {
		t.Error("a tool ran")
	}
	history := r.history(s)
	wantTexts(t, history, "user: Go", "assistant: Half")
	if m := history[1]; m.FinishReason != domain.FinishCanceled || len(m.Calls) > 0 || !m.CostUnknown {
		t.Errorf("message: %+v", m)
	}
	wantTexts(t, r.wantNextWorks(s), "user: Go", "assistant: Half", "user: Go on")
}

func TestCancelTool(t *testing.T) {
	t.Parallel()
	r := newRig(t, answers(call("Bash", `{"command":"touch started; sleep 60; touch late"}`, "Bash", `{"command":"touch second"}`)))
	s := r.session()
	sent := r.send(s, "Go")
	r.until(s, sent.EventSeq, func(e event) bool { return e.name == domain.EventToolStart })
	r.cancel(s)
	got := r.wantCancelled(s, sent)
	if n := len(got.of(domain.EventToolComplete)); n != 2 {
		t.Errorf("%d calls ended: %v", n, got.names())
	}
	calls := r.history(s)[1].Calls
	if calls[0].State != domain.CallInterrupted || calls[1].State != domain.CallInterrupted || !calls[1].StartedAt.IsZero() {
		t.Errorf("calls: %+v", calls)
	}
	wantHolds(t, "the first result", calls[0].Text, "may have had effects")
	wantHolds(t, "the second result", calls[1].Text, "was not run")
	for _, name := range []string{"late", "second"} {
		if _, err := os.Stat(filepath.Join(r.dir, name)); err == nil {
			t.Errorf("%s was made", name)
		}
	}
	turns := turnsOf(r.wantNextWorks(s))
	if last := turns[len(turns)-1]; len(last.Results) != 2 || last.Texts[0] != "Go on" {
		t.Errorf("the last turn: %+v", last)
	}
}

func TestCancelWhileAPersonIsAsked(t *testing.T) {
	t.Parallel()
	r := newRig(t, answers(call("Bash", `{"command":"touch ran"}`)))
	s := r.sessionOf(agent.NewSession{})
	defer r.gate.Attach(s, true)()
	sent := r.send(s, "Go")
	asked := r.until(s, sent.EventSeq, func(e event) bool { return e.name == domain.EventPermission })
	r.cancel(s)
	r.wantCancelled(s, sent)
	id := asked.end().text("id")
	_, d, err := r.store.Request(t.Context(), id)
	if err != nil || d == nil || d.Outcome != domain.OutcomeWithdrawn || d.By != "cancel" {
		t.Errorf("decision: %+v, %v", d, err)
	}
	_, err = r.gate.Answer(t.Context(), id, permission.Answer{Outcome: domain.OutcomeAllow})
	if !errors.Is(err, domain.ErrConflict) {
		t.Errorf("a late answer: %v", err)
	}
	if _, err := os.Stat(filepath.Join(r.dir, "ran")); err == nil {
		t.Error("the command ran")
	}
	r.wantNextWorks(s)
}

// TestCancelQueue: what waits is cancelled as well, stays in the conversation,
// and each run has its one end.
func TestCancelQueue(t *testing.T) {
	t.Parallel()
	r := newRig(t, answers(answer{hang: true}.with(say("Half").deltas...)))
	s := r.session()
	first := r.send(s, "one")
	second, third := r.send(s, "two"), r.send(s, "three")
	r.hang()
	r.cancel(s)
	for _, sent := range []agent.Accepted{first, second, third} {
		r.wantCancelled(s, sent)
	}
	wantTexts(t, r.history(s), "user: one", "assistant: Half", "user: two", "user: three")
	if n := len(r.all(s).of(domain.EventComplete)); n != 3 {
		t.Errorf("%d complete events", n)
	}
	if row := r.sessionRow(s); row.UserMessages != 3 || row.MessageCount != 4 {
		t.Errorf("counters: %+v", row)
	}
	wantTexts(t, r.wantNextWorks(s), "user: one", "assistant: Half", "user: two", "user: three", "user: Go on")
	if n := len(r.model.seen()); n != 2 {
		t.Errorf("%d model calls", n)
	}
}

// TestCancelAndLeave: who cancelled does not wait for the end; everything is
// cancelled all the same.
func TestCancelAndLeave(t *testing.T) {
	t.Parallel()
	reached, release := make(chan struct{}), make(chan struct{})
	r := newRig(t, func(int, *provider.Request) answer {
		close(reached)
		<-release // a vendor that does not let go
		return say("late")
	})
	s := r.session()
	first, second := r.send(s, "one"), r.send(s, "two")
	<-reached
	ctx, leave := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer leave()
	if _, err := r.agent.Cancel(ctx, s); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Cancel: %v", err)
	}
	close(release)
	r.wait(s, first)
	r.wantCancelled(s, second)
	r.wantNextWorks(s)
}

// TestCancelBetweenSteps: a run that is cancelled while its tools end makes no
// further model call.
func TestCancelBetweenSteps(t *testing.T) {
	t.Parallel()
	r := newRig(t, answers(call("Glob", `{"pattern":"*"}`)))
	s := r.session()
	sent := r.send(s, "Go")
	for {
		if busy, err := r.agent.Cancel(t.Context(), s); err != nil {
			t.Fatal(err)
		} else if busy {
			break
		}
	}
	n := len(r.model.seen())
	r.wantCancelled(s, sent)
	r.restart()
	if now := len(r.model.seen()); now != n {
		t.Errorf("%d model calls after %d", now, n)
	}
	for _, m := range r.history(s) {
		for _, c := range m.Calls {
			if !c.State.Ended() {
				t.Errorf("call: %+v", c)
			}
		}
	}
	r.wantNextWorks(s)
}

func TestDeleteWhileRunning(t *testing.T) {
	t.Parallel()
	r := newRig(t, answers(call("Bash", `{"command":"touch started; sleep 60; touch late"}`)))
	s := r.session()
	sent := r.send(s, "Go")
	r.send(s, "and then")
	r.until(s, sent.EventSeq, func(e event) bool { return e.name == domain.EventToolStart })
	c, err := r.log.Subscribe(t.Context(), s, sent.EventSeq)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := r.agent.DeleteSession(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	var names []domain.EventType
	for {
		records, err := c.Next(t.Context())
		if err != nil {
			break
		}
		for _, rec := range records {
			names = append(names, parse(t, rec.Block).name)
		}
	}
	completes := 0
	for _, n := range names {
		if n == domain.EventComplete {
			completes++
		}
	}
	if completes != 2 || names[len(names)-1] != domain.EventSessionGone {
		t.Errorf("events: %v", names)
	}
	if _, err := os.Stat(r.agent.SessionDir(s)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder: %v", err)
	}
	for what, err := range map[string]error{
		"send":   func() error { _, err := r.agent.Submit(t.Context(), s, agent.Prompt{Text: "hi"}); return err }(),
		"cancel": func() error { _, err := r.agent.Cancel(t.Context(), s); return err }(),
		"delete": r.agent.DeleteSession(t.Context(), s),
	} {
		if !errors.Is(err, domain.ErrNotFound) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// BenchmarkCancel is how long it takes from the cancel to the end of the run,
// with everything that it started.
func BenchmarkCancel(b *testing.B) {
	for name, c := range map[string]struct {
		answer answer
		until  domain.EventType
	}{
		"stream":  {answer{hang: true}.with(say("Half").deltas...), domain.EventContent},
		"command": {call("Bash", `{"command":"sleep 60 & sleep 60"}`), domain.EventToolStart},
	} {
		b.Run(name, func(b *testing.B) {
			r := newRig(b, answers(c.answer))
			s := r.session()
			for b.Loop() {
				b.StopTimer()
				sent := r.send(s, "Go")
				r.until(s, sent.EventSeq, func(e event) bool { return e.name == c.until })
				b.StartTimer()
				r.cancel(s)
			}
		})
	}
}
