package agent_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/mixagent/mix/internal/agent"
	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/provider"
)

// watched is a context that tells when somebody waits for its end.
type watched struct {
	context.Context
	once   sync.Once
	waited chan struct{}
}

func (w *watched) Done() <-chan struct{} {
	w.once.Do(func() { close(w.waited) })
	return w.Context.Done()
}

// closing closes the service in the background and returns when it accepts
// nothing new.
func (r *rig) closing(grace time.Duration) (closed <-chan error) {
	r.t.Helper()
	ctx := &watched{Context: r.t.Context(), waited: make(chan struct{})}
	done := make(chan error, 1)
	go func() { done <- r.agent.Close(ctx, grace) }()
	<-ctx.waited
	return done
}

// TestCloseGrace: a server that stops lets runs end, keeps what waits for the
// next one, and accepts nothing new.
func TestCloseGrace(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	reached := make(chan struct{}, 9)
	r := newRig(t, func(int, *provider.Request) answer {
		reached <- struct{}{}
		<-release
		return say("in time")
	})
	s := r.session()
	first, second := r.send(s, "one"), r.send(s, "two")
	<-reached
	closed := r.closing(patience)
	_, err := r.agent.Submit(t.Context(), s, agent.Prompt{Text: "late"})
	if !errors.Is(err, domain.ErrClosed) {
		t.Errorf("Submit: %v", err)
	} else {
		wantHolds(t, "the error", err.Error(), "stopping", "try again")
	}
	if _, err := r.agent.CreateSession(t.Context(), agent.NewSession{}); !errors.Is(err, domain.ErrClosed) {
		t.Errorf("CreateSession: %v", err)
	}
	close(release)
	if err := <-closed; err != nil {
		t.Fatal(err)
	}
	if run := r.runOf(first.RunID); run.State != domain.RunDone {
		t.Errorf("the first: %+v", run)
	}
	if run := r.runOf(second.RunID); run.State != domain.RunQueued {
		t.Errorf("the second: %+v", run)
	}
	r.restart()
	r.wait(s, second)
	wantTexts(t, r.history(s), "user: one", "assistant: in time", "user: two", "assistant: in time")
}

// TestCloseInterrupts: when the grace is over, runs are interrupted cleanly.
func TestCloseInterrupts(t *testing.T) {
	t.Parallel()
	r := newRig(t, answers(answer{hang: true}.with(say("Half").deltas...)))
	a, b := r.session(), r.session()
	first, waits := r.send(a, "one"), r.send(a, "two")
	r.hang()
	r.model.play(answers(call("Bash", `{"command":"sleep 60"}`)))
	second := r.send(b, "tool")
	r.until(b, second.EventSeq, func(e event) bool { return e.name == domain.EventToolStart })
	if n := r.agent.Busy(); n != 2 {
		t.Errorf("%d sessions are busy", n)
	}
	start := time.Now()
	if err := r.agent.Close(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took > soon {
		t.Errorf("Close took %v", took)
	}
	for session, sent := range map[string]agent.Accepted{a: first, b: second} {
		got := r.wait(session, sent)
		text, kind := got.failure()
		if kind != "interrupted" || got.end().text("state") != "interrupted" {
			t.Errorf("%q (%s), %v", text, kind, got.end())
		}
		wantHolds(t, "the error", text, "stopped", "send a message")
		if run := r.runOf(sent.RunID); run.State != domain.RunInterrupted || run.Error != text {
			t.Errorf("run: %+v", run)
		}
	}
	wantTexts(t, r.history(a), "user: one", "assistant: Half")
	if c := r.history(b)[1].Calls[0]; c.State != domain.CallInterrupted {
		t.Errorf("call: %+v", c)
	}
	if run := r.runOf(waits.RunID); run.State != domain.RunQueued {
		t.Errorf("what waits: %+v", run)
	}
	r.model.play(answers(say("fine")))
	r.restart()
	r.wait(a, waits)
	wantTexts(t, r.history(a), "user: one", "assistant: Half", "user: two", "assistant: fine")
	if n := len(r.all(a).of(domain.EventComplete)); n != 2 {
		t.Errorf("%d complete events", n)
	}
}

// TestCloseEndsWithContext: a second signal does not wait for the grace.
func TestCloseEndsWithContext(t *testing.T) {
	t.Parallel()
	r := newRig(t, answers(answer{hang: true}))
	s := r.session()
	sent := r.send(s, "one")
	r.hang()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.agent.Close(ctx, time.Hour); err != nil {
		t.Fatal(err)
	}
	if run := r.runOf(sent.RunID); run.State != domain.RunInterrupted {
		t.Errorf("run: %+v", run)
	}
	if err := r.agent.Close(t.Context(), time.Hour); err != nil {
		t.Errorf("a second Close: %v", err)
	}
}

// TestSubmitWhileClosing: a prompt either is refused, or its run is on disk
// with somebody who saw to it, when Close returns.
func TestSubmitWhileClosing(t *testing.T) {
	t.Parallel()
	r := newRig(t, answers(say("fine")))
	for range 10 {
		s := r.session()
		accepted := make(chan agent.Accepted, 4)
		inside := &watched{Context: t.Context(), waited: make(chan struct{})}
		var senders sync.WaitGroup
		for range cap(accepted) {
			senders.Go(func() {
				a, err := r.agent.Submit(inside, s, agent.Prompt{Text: "Hi"})
				if err == nil {
					accepted <- a
				} else if !errors.Is(err, domain.ErrClosed) {
					t.Error(err)
				}
			})
		}
		<-inside.waited
		if err := r.agent.Close(t.Context(), patience); err != nil {
			t.Fatal(err)
		}
		runs, err := r.store.Runs(t.Context(), s, 0)
		if err != nil {
			t.Fatal(err)
		}
		senders.Wait()
		if later, err := r.store.Runs(t.Context(), s, 0); err != nil || len(later) != len(runs) || r.agent.Busy() != 0 {
			t.Errorf("after Close: %d runs became %d, %d sessions are busy, %v", len(runs), len(later), r.agent.Busy(), err)
		}
		close(accepted)
		for a := range accepted {
			if run := r.runOf(a.RunID); run.State != domain.RunDone && run.State != domain.RunQueued {
				t.Errorf("run: %+v", run)
			}
		}
		r.restart()
	}
}
