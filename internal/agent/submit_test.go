package agent_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/mixagent/mix/internal/agent"
	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/provider"
	"github.com/mixagent/mix/internal/store"
)

// TestAcceptedIsOnDisk: when Submit returns, message, run and event are there.
func TestAcceptedIsOnDisk(t *testing.T) {
	t.Parallel()
	r := newRig(t, answers(answer{hang: true}))
	s := r.session()
	for i := range 3 {
		sent := r.send(s, fmt.Sprint("prompt ", i))
		list, err := r.store.Messages(t.Context(), s, store.MessageRange{Queued: true})
		if err != nil {
			t.Fatal(err)
		}
		m := list[len(list)-1]
		if m.ID != sent.MessageID || m.RunID != sent.RunID || m.Text() != fmt.Sprint("prompt ", i) {
			t.Errorf("stored: %+v", m)
		}
		if run := r.runOf(sent.RunID); run.MessageID != m.ID || run.State.Ended() {
			t.Errorf("run: %+v", run)
		}
		segments, err := r.store.LoadSegments(t.Context(), s, m.EventSeq-1, 1)
		if err != nil || len(segments) == 0 || !strings.Contains(string(segments[0].Data), m.ID) {
			t.Errorf("the event is not on disk: %v", err)
		}
		if sent.Queued != (i > 0) || sent.EventSeq >= m.EventSeq || sent.Repeated {
			t.Errorf("accepted: %+v, message at %d", sent, m.EventSeq)
		}
	}
}

func TestRefusedPrompts(t *testing.T) {
	t.Parallel()
	r := newRig(t, answers(say("unused")))
	s := r.session()
	for name, c := range map[string]struct {
		session, text string
		want          error
		holds         string
	}{
		"empty":           {s, "", agent.ErrEmptyPrompt, "empty"},
		"blank":           {s, " \n\t", agent.ErrEmptyPrompt, "empty"},
		"too big":         {s, strings.Repeat("a", 4<<20+1), agent.ErrPromptTooBig, "put the text into a file"},
		"unknown session": {domain.NewID(), "hi", domain.ErrNotFound, "session"},
	} {
		_, err := r.agent.Submit(t.Context(), c.session, agent.Prompt{Text: c.text})
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		wantHolds(t, name, err.Error(), c.holds)
	}
	if list := r.history(s); len(list) != 0 {
		t.Errorf("stored: %v", texts(list))
	}
	if end := r.run(s, strings.Repeat("a", 4<<20)).end(); end.text("content") != "unused" {
		t.Errorf("the largest prompt: %v", end.text("state"))
	}
}

// TestQueue: messages that are sent while one is worked on run one after the
// other, and each stands behind the answer before it.
func TestQueue(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(_ int, req *provider.Request) answer {
		last := req.Messages[len(req.Messages)-1]
		if last.Calls != nil {
			return say("after the tool")
		}
		return say("to "+last.Text()).call("Glob", `{"pattern":"*"}`)
	})
	s := r.session()
	var sent []agent.Accepted
	var want []string
	for i := range 5 {
		text := fmt.Sprint("m", i)
		sent = append(sent, r.send(s, text))
		want = append(want, "user: "+text, "assistant: to "+text, "assistant: after the tool")
	}
	all := r.wait(s, agent.Accepted{RunID: sent[4].RunID, EventSeq: sent[0].EventSeq})
	wantTexts(t, r.history(s), want...)
	var ended []string
	for _, e := range all.of(domain.EventComplete) {
		ended = append(ended, e.text("runId"))
	}
	for i := range sent {
		if i >= len(ended) || ended[i] != sent[i].RunID {
			t.Fatalf("runs ended in the order %v, sent were %+v", ended, sent)
		}
	}
}

func TestQueueLimit(t *testing.T) {
	t.Parallel()
	r := newRig(t, answers(answer{hang: true}), func(o *agent.Options) { o.QueueLimit = 2 })
	s := r.session()
	for range 3 {
		r.send(s, "wait")
	}
	_, err := r.agent.Submit(t.Context(), s, agent.Prompt{Text: "one too many"})
	if !errors.Is(err, agent.ErrQueueFull) {
		t.Fatalf("%v", err)
	}
	wantHolds(t, "the error", err.Error(), "2 messages wait", "try again", "cancel")
	// Another session has a queue of its own.
	r.send(r.session(), "hi")
	if _, err := r.agent.Cancel(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	r.model.play(answers(say("fine")))
	if end := r.run(s, "Now?").end(); end.text("content") != "fine" {
		t.Errorf("%v", end)
	}
}

// TestSubmitTogether: prompts from several goroutines at once, each in its own
// run, none lost, none twice, each answered right behind it.
func TestSubmitTogether(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(_ int, req *provider.Request) answer {
		return say("to " + req.Messages[len(req.Messages)-1].Text())
	}, func(o *agent.Options) { o.QueueLimit = 100 })
	s := r.session()
	const n = 24
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			if _, err := r.agent.Submit(t.Context(), s, agent.Prompt{Text: fmt.Sprint("p", i), IdempotencyKey: fmt.Sprint(i / 2)}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	ends := 0
	r.until(s, 0, func(e event) bool {
		if e.name == domain.EventComplete {
			ends++
		}
		return ends == n/2
	})
	history := texts(r.history(s))
	if len(history) != n {
		t.Fatalf("%d messages: %v", len(history), history)
	}
	for i := 0; i < n; i += 2 {
		if history[i+1] != "assistant: to "+strings.TrimPrefix(history[i], "user: ") {
			t.Errorf("%q is followed by %q", history[i], history[i+1])
		}
	}
	slices.Sort(history)
	if len(slices.Compact(history)) != n {
		t.Error("a message is there twice")
	}
}

// TestBusy asks how many sessions work while runs come and go.
func TestBusy(t *testing.T) {
	t.Parallel()
	r := newRig(t, answers(say("fine")))
	ctx, stop := context.WithCancel(t.Context())
	var asker sync.WaitGroup
	asker.Go(func() {
		for ctx.Err() == nil {
			if n := r.agent.Busy(); n < 0 || n > 1 {
				t.Errorf("%d sessions are busy", n)
			}
			runtime.Gosched()
		}
	})
	for range 4 {
		s := r.session()
		for range 10 {
			r.run(s, "Hi")
		}
	}
	stop()
	asker.Wait()
}

func TestIdempotency(t *testing.T) {
	t.Parallel()
	r := newRig(t, answers(say("once")))
	s := r.session()
	first := r.submit(s, agent.Prompt{Text: "Do it", IdempotencyKey: "k", Digest: "d"})
	r.wait(s, first)
	for range 2 {
		again := r.submit(s, agent.Prompt{Text: "Do it", IdempotencyKey: "k", Digest: "d"})
		if !again.Repeated || again.RunID != first.RunID || again.MessageID != first.MessageID || again.EventSeq != first.EventSeq {
			t.Errorf("again: %+v, first %+v", again, first)
		}
	}
	other := r.submit(s, agent.Prompt{Text: "Do it", IdempotencyKey: "k2", Digest: "d"})
	if other.Repeated {
		t.Errorf("another key: %+v", other)
	}
	r.wait(s, other)
	if elsewhere := r.submit(r.session(), agent.Prompt{Text: "Do it", IdempotencyKey: "k"}); elsewhere.Repeated {
		t.Errorf("another session: %+v", elsewhere)
	}
	r.restart()
	if again := r.submit(s, agent.Prompt{Text: "Do it", IdempotencyKey: "k"}); again.RunID != first.RunID {
		t.Errorf("after a restart: %+v", again)
	}
}

// TestUnacknowledged: without a key only a prompt whose answer was lost is
// taken for a repetition, once, and not for longer than a minute.
func TestUnacknowledged(t *testing.T) {
	t.Parallel()
	clock := newClock()
	r := newRig(t, answers(say("fine")), func(o *agent.Options) { o.Now = clock.now })
	s := r.session()
	send := func(digest string) agent.Accepted {
		a := r.submit(s, agent.Prompt{Text: digest, Digest: digest})
		r.wait(s, a)
		return a
	}
	a := send("a")
	if b := send("a"); b.Repeated {
		t.Error("a prompt that was acknowledged is sent again on purpose")
	}
	a = send("a")
	r.agent.Unacknowledged(a.RunID)
	if other := send("b"); other.Repeated {
		t.Error("another prompt")
	}
	if again := send("a"); !again.Repeated || again.RunID != a.RunID {
		t.Errorf("the lost one: %+v", again)
	}
	if third := send("a"); third.Repeated {
		t.Error("a repetition gets its answer once")
	}
	a = send("c")
	r.agent.Unacknowledged(a.RunID)
	clock.advance(61 * time.Second)
	if late := send("c"); late.Repeated {
		t.Error("after a minute it is meant anew")
	}
}

// clock is a time that tests set.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(time.Millisecond)
	return c.at
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// TestClientLeavesDuringCommit: a client that hangs up while its prompt is
// being stored leaves either nothing or a run that somebody works on.
func TestClientLeavesDuringCommit(t *testing.T) {
	t.Parallel()
	r := newRig(t, answers(say("fine")))
	s := r.session()
	unlock := r.blockDisk()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	type result struct {
		a   agent.Accepted
		err error
	}
	done := make(chan result, 1)
	go func() {
		a, err := r.agent.Submit(ctx, s, agent.Prompt{Text: "Hi"})
		done <- result{a, err}
	}()
	<-ctx.Done()
	unlock()
	got := <-done
	if got.err == nil {
		r.wait(s, got.a)
	} else if err := r.log.Flush(t.Context()); err != nil { // behind everything that waits for the disk
		t.Fatal(err)
	}
	runs, err := r.store.Runs(t.Context(), s, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, run := range runs {
		if !run.State.Ended() {
			t.Errorf("nobody works on %+v", run)
		}
	}
}

// blockDisk lets no commit through until unlock is called.
func (r *rig) blockDisk() (unlock func()) {
	r.t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(r.data, "mix.db")+"?_pragma=busy_timeout(10000)")
	if err != nil {
		r.t.Fatal(err)
	}
	conn, err := db.Conn(r.t.Context())
	if err == nil {
		_, err = conn.ExecContext(r.t.Context(), "BEGIN IMMEDIATE")
	}
	if err != nil {
		r.t.Fatal(err)
	}
	return func() {
		_, err := conn.ExecContext(context.Background(), "ROLLBACK")
		if err := errors.Join(err, conn.Close(), db.Close()); err != nil {
			r.t.Error(err)
		}
	}
}

func TestEffort(t *testing.T) {
	t.Parallel()
	r := newRig(t, answers(say("fine")))
	s := r.session()
	for text, want := range map[string]domain.Effort{
		"Mend it":                         domain.EffortOff,
		"I rethink, thinking of thinkers": domain.EffortOff,
		"Think about it":                  domain.EffortBasic,
		"think, then think hard":          domain.EffortMedium,
		"Think deeply about it":           domain.EffortMedium,
		"think more":                      domain.EffortMedium,
		"think\n\ta lot":                  domain.EffortMedium,
		"MEGATHINK":                       domain.EffortMedium,
		"ultrathink!":                     domain.EffortMaximum,
		"think hard, no, think harder":    domain.EffortMaximum,
	} {
		r.run(s, text)
		if got := r.model.last(t).Effort; got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	r.wait(s, r.submit(s, agent.Prompt{Text: "ultrathink", Effort: domain.EffortOff}))
	if got := r.model.last(t).Effort; got != domain.EffortOff {
		t.Errorf("what a client says goes first, got %q", got)
	}
}

// TestAnyOrder sends, cancels and asks in any order from several goroutines.
// Whatever happens: each run ends once, each message has its place, and what a
// model is sent is never shorter than before.
func TestAnyOrder(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(n int, _ *provider.Request) answer {
		switch n % 4 {
		case 0:
			return say("text").call("Glob", `{"pattern":"`+fmt.Sprint(n)+`"}`)
		case 3:
			return answer{err: errors.New("boom")}.with(say("half").deltas...)
		}
		return say("fine")
	}, func(o *agent.Options) { o.QueueLimit = 3 })
	rapid.Check(t, func(rt *rapid.T) {
		s := r.session()
		steps := rapid.SliceOfN(rapid.SampledFrom([]string{"send", "send", "cancel", "busy"}), 1, 10).Draw(rt, "steps")
		accepted := make(chan agent.Accepted, len(steps))
		var wg sync.WaitGroup
		for i, step := range steps {
			wg.Go(func() {
				switch step {
				case "send":
					a, err := r.agent.Submit(t.Context(), s, agent.Prompt{Text: fmt.Sprint("p", i)})
					if err == nil {
						accepted <- a
					} else if !errors.Is(err, agent.ErrQueueFull) {
						t.Error(err)
					}
				case "cancel":
					if _, err := r.agent.Cancel(t.Context(), s); err != nil {
						t.Error(err)
					}
				case "busy":
					r.agent.Busy()
				}
			})
		}
		wg.Wait()
		close(accepted)
		sent := map[string]bool{}
		for a := range accepted {
			r.wait(s, a)
			sent[a.MessageID] = true
		}
		ends := map[string]int{}
		for _, e := range r.all(s).of(domain.EventComplete) {
			ends[e.text("runId")]++
		}
		for run, n := range ends {
			if n != 1 {
				rt.Fatalf("run %s ended %d times", run, n)
			}
		}
		for _, m := range r.history(s) {
			delete(sent, m.ID)
		}
		if len(ends) < len(sent) || len(sent) > 0 {
			rt.Fatalf("messages without a place: %v", sent)
		}
	})
}
