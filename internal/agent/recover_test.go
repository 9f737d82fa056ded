package agent_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/mixagent/mix/internal/agent"
	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/eventlog"
	"github.com/mixagent/mix/internal/store"
	"github.com/mixagent/mix/internal/wire"
)

// wreck is the data that a server leaves when it dies: the rows and segments of
// one session, made by hand.
type wreck struct {
	r       *rig
	session string
	seq     int64
	created time.Time
	damaged int64 // the last event that cannot be read
}

func newWreck(r *rig) *wreck {
	return &wreck{r: r, session: r.session(), seq: 100, created: time.Now().UTC().Truncate(time.Millisecond)}
}

func (w *wreck) commit(fill func(*store.Batch)) {
	w.r.t.Helper()
	b := store.NewBatch()
	fill(b)
	if err := w.r.store.Commit(w.r.t.Context(), b); err != nil {
		w.r.t.Fatal(err)
	}
}

func (w *wreck) tick() time.Time {
	w.created = w.created.Add(time.Millisecond)
	return w.created
}

// run adds a run with its user message.
func (w *wreck) run(text string, state domain.RunState) domain.Run {
	w.r.t.Helper()
	at := w.tick()
	m := domain.Message{
		ID: domain.NewID(), SessionID: w.session, Role: domain.RoleUser, EventSeq: w.seq + 1, CreatedAt: at, UpdatedAt: at,
		Blocks: []domain.Block{{Type: domain.BlockText, Text: text}},
	}
	run := domain.Run{
		ID: domain.NewID(), SessionID: w.session, MessageID: m.ID, State: state, EventSeq: w.seq,
		Digest: "digest of " + text, CreatedAt: at,
	}
	m.RunID = run.ID
	w.commit(func(b *store.Batch) {
		if state == domain.RunQueued {
			b.QueueMessage(m)
		} else {
			b.AddMessage(m)
		}
		b.AddRun(run)
	})
	return run
}

// answer adds a stored answer with calls in the given states.
func (w *wreck) answer(run domain.Run, text string, states ...domain.CallState) domain.Message {
	w.r.t.Helper()
	at := w.tick()
	m := domain.Message{
		ID: domain.NewID(), SessionID: w.session, RunID: run.ID, Role: domain.RoleAssistant, Model: "test/priced",
		FinishReason: domain.FinishToolUse, EventSeq: w.seq, CreatedAt: at, UpdatedAt: at,
	}
	if text != "" {
		m.Blocks = append(m.Blocks, domain.Block{Type: domain.BlockText, Text: text})
	}
	for i, state := range states {
		id := fmt.Sprintf("vendor-%d", i)
		m.Blocks = append(m.Blocks, domain.Block{Type: domain.BlockToolCall, CallID: id, Tool: "Bash", Input: `{"command":"true"}`})
		c := domain.ToolCall{
			ID: domain.NewID(), CallID: id, SessionID: w.session, RunID: run.ID, MessageID: m.ID, Index: i,
			Tool: "Bash", Input: json.RawMessage(`{"command":"true"}`), State: state, CreatedAt: at,
		}
		if state.Ended() {
			c.Text, c.Result, c.EndedAt = "the result "+id, json.RawMessage(`{"ok":true}`), at
		}
		if state == domain.CallAsked {
			c.RequestID = domain.NewID()
		}
		m.Calls = append(m.Calls, c)
	}
	w.commit(func(b *store.Batch) {
		b.AddMessage(m)
		b.AddCalls(m.Calls)
		for _, c := range m.Calls {
			if c.RequestID != "" {
				b.AddRequest(domain.Request{
					ID: c.RequestID, SessionID: w.session, RunID: run.ID, CallID: c.ID, Kind: "permission",
					Tool: "Bash", Capability: domain.CanExecute, Asked: true, CreatedAt: at,
				})
			}
		}
	})
	return m
}

// streamed adds events to the log on disk.
func (w *wreck) streamed(list ...domain.Event) {
	w.r.t.Helper()
	var data []byte
	first := w.seq + 1
	for _, ev := range list {
		data, w.seq = wire.EncodeEvent(data, w.seq+1, ev)
	}
	w.segment(first, data)
}

func (w *wreck) segment(first int64, data []byte) {
	w.r.t.Helper()
	w.commit(func(b *store.Batch) {
		b.AddSegments([]eventlog.Segment{{SessionID: w.session, First: first, Last: w.seq, Data: data, CreatedAt: w.created}})
	})
}

// recover restarts the rig, which recovers.
func (w *wreck) recover() {
	w.r.t.Helper()
	w.r.restart()
}

// content are pieces of an answer.
func content(message string, pieces ...string) []domain.Event {
	var list []domain.Event
	for _, p := range pieces {
		list = append(list, domain.Content{MessageID: message, Content: p})
	}
	return list
}

// wantInterrupted checks what every interrupted run has in common.
func (w *wreck) wantInterrupted(run domain.Run) {
	w.r.t.Helper()
	row := w.r.runOf(run.ID)
	if row.State != domain.RunInterrupted || row.ErrorType != "interrupted" || row.EndedAt.IsZero() {
		w.r.t.Errorf("run %q: %+v", run.ID, row)
	}
	all := w.r.since(w.session, w.damaged)
	var ends []int
	for i, e := range all {
		if e.name == domain.EventComplete && e.text("runId") == run.ID {
			ends = append(ends, i)
		}
	}
	if len(ends) != 1 {
		w.r.t.Fatalf("%d complete events of the run: %v", len(ends), all.names())
	}
	end := all[ends[0]]
	if end.text("state") != "interrupted" {
		w.r.t.Errorf("complete: %v", end)
	}
	before := all[:ends[0]]
	text, kind := before.failure()
	if kind != "interrupted" {
		w.r.t.Errorf("error before complete: %q (%s)", text, kind)
	}
	wantHolds(w.r.t, "the error", text, "stopped", "send a message")
}

// wantNext checks that the next message just works, and returns what the model
// was sent.
func (w *wreck) wantNext() []domain.Message {
	w.r.t.Helper()
	w.r.model.play(answers(say("All is well")))
	got := w.r.run(w.session, "Are you there?")
	if text, _ := got.failure(); text != "" || got.end().text("content") != "All is well" {
		w.r.t.Errorf("the next message ended with %q, %v", text, got.end())
	}
	return w.r.model.last(w.r.t).Messages
}

func TestRecoverKeepsStreamedText(t *testing.T) {
	t.Parallel()
	w := newWreck(newRig(t, answers(say("unused"))))
	run := w.run("Tell me", domain.RunRunning)
	id := domain.NewID()
	w.streamed(domain.UserMessage{MessageID: run.MessageID, Content: "Tell me"})
	w.streamed(content(id, "Once ", "upon ")...)
	w.streamed(domain.Thinking{MessageID: id, Content: "hm"})
	w.streamed(append(content(id, "a time"), domain.Content{MessageID: domain.NewID(), Content: "of a sub-agent", ParentToolCallID: "x"})...)
	w.recover()

	w.wantInterrupted(run)
	history := w.r.history(w.session)
	wantTexts(t, history, "user: Tell me", "assistant: Once upon a time")
	if m := history[1]; m.ID != id || m.FinishReason != domain.FinishInterrupted || !m.CostUnknown || m.EventSeq <= run.EventSeq {
		t.Errorf("the answer: %+v", m)
	}
	wantTexts(t, w.wantNext(), "user: Tell me", "assistant: Once upon a time", "user: Are you there?")
}

// TestRecoverAfterAnswerWithoutText: the last text in the log belongs to a
// message that is stored already.
func TestRecoverAfterAnswerWithoutText(t *testing.T) {
	t.Parallel()
	w := newWreck(newRig(t, answers(say("unused"))))
	run := w.run("Do it", domain.RunRunning)
	w.streamed(domain.UserMessage{MessageID: run.MessageID, Content: "Do it"})
	first := w.answer(run, "I look.", domain.CallFinished)
	w.streamed(content(first.ID, "I look.")...)
	second := w.answer(run, "", domain.CallStarted)
	w.streamed(domain.ToolUse{CallID: second.Calls[0].ID, Tool: "Bash", MessageID: second.ID})
	w.recover()
	w.wantInterrupted(run)
	wantTexts(t, w.r.history(w.session), "user: Do it", "assistant: I look.", "assistant: ")
	w.wantNext()
}

func TestRecoverWithoutAnything(t *testing.T) {
	t.Parallel()
	w := newWreck(newRig(t, answers(say("unused"))))
	run := w.run("Hello", domain.RunRunning)
	w.recover()
	w.wantInterrupted(run)
	wantTexts(t, w.wantNext(), "user: Hello", "user: Are you there?")
}

func TestRecoverEndsCalls(t *testing.T) {
	t.Parallel()
	w := newWreck(newRig(t, answers(say("unused"))))
	run := w.run("Do it", domain.RunRunning)
	m := w.answer(run, "Now.", domain.CallFinished, domain.CallStarted, domain.CallAsked, domain.CallAllowed, domain.CallProposed)
	w.recover()
	w.wantInterrupted(run)

	const mayHave, notRun = "interrupted and may have had effects", "was not run"
	want := []string{"the result", mayHave, notRun, notRun, notRun}
	calls := w.r.history(w.session)[1].Calls
	for i, c := range calls {
		wantHolds(t, "the text of call "+string(m.Calls[i].State), c.Text, want[i])
		if i > 0 && (c.State != domain.CallInterrupted || !c.IsError || c.EndedAt.IsZero() || !json.Valid(c.Result)) {
			t.Errorf("call %d: %+v", i, c)
		}
	}
	// Subscribers hear of the end of what they saw begin.
	var ended []string
	for _, e := range w.r.all(w.session).of(domain.EventToolComplete) {
		ended = append(ended, e.text("toolCallId"))
	}
	if len(ended) != 4 || slices.Contains(ended, m.Calls[0].ID) {
		t.Errorf("ended calls on the stream: %v", ended)
	}
	// What the model reads is valid and says the same.
	turns := turnsOf(w.wantNext())
	if len(turns) != 3 || len(turns[2].Results) != 5 {
		t.Fatalf("turns: %+v", turns)
	}
	for i, res := range turns[2].Results {
		wantHolds(t, "the result", res.Text, want[i])
	}
}

func TestRecoverExpiresRequests(t *testing.T) {
	t.Parallel()
	w := newWreck(newRig(t, answers(say("unused"))))
	run := w.run("Do it", domain.RunRunning)
	m := w.answer(run, "May I?", domain.CallAsked)
	w.recover()
	w.wantInterrupted(run)
	_, d, err := w.r.store.Request(t.Context(), m.Calls[0].RequestID)
	if err != nil || d == nil || d.Outcome != domain.OutcomeExpired || d.By != "recovery" || d.Reason == "" {
		t.Errorf("decision: %+v, %v", d, err)
	}
	if got := w.r.all(w.session).of(domain.EventResolved); len(got) != 1 || got[0].text("outcome") != "expired" {
		t.Errorf("resolved events: %v", got)
	}
	open, err := w.r.store.OpenRequests(t.Context())
	if err != nil || len(open) != 0 {
		t.Errorf("open requests: %v, %v", open, err)
	}
}

// TestRecoverCallsOfEndedRun: a disk that was full for a moment can leave a
// call or a request open although its run has ended.
func TestRecoverCallsOfEndedRun(t *testing.T) {
	t.Parallel()
	w := newWreck(newRig(t, answers(say("unused"))))
	run := w.run("Do it", domain.RunFailed)
	w.answer(run, "Now.", domain.CallStarted, domain.CallAsked)
	w.recover()
	for _, c := range w.r.history(w.session)[1].Calls {
		if c.State != domain.CallInterrupted {
			t.Errorf("%+v", c)
		}
	}
	if got := w.r.all(w.session).of(domain.EventComplete); len(got) != 0 {
		t.Errorf("a run that had ended got %v", got)
	}
	w.wantNext()
}

func TestRecoverRunsWhatWasQueued(t *testing.T) {
	t.Parallel()
	w := newWreck(newRig(t, answers(say("unused"))))
	run := w.run("one", domain.RunRunning)
	second, third := w.run("two", domain.RunQueued), w.run("three", domain.RunQueued)
	w.r.model.play(answers(say("to two"), say("to three")))
	w.recover()
	w.wantInterrupted(run)
	w.r.wait(w.session, agent.Accepted{RunID: third.ID, EventSeq: third.EventSeq})
	wantTexts(t, w.r.history(w.session),
		"user: one", "user: two", "assistant: to two", "user: three", "assistant: to three")
	for _, run := range []domain.Run{second, third} {
		if got := w.r.runOf(run.ID); got.State != domain.RunDone {
			t.Errorf("run: %+v", got)
		}
	}
}

// TestRecoverTwice: a second recovery, by the same server or the next, finds
// nothing to do; also one after a first that died half-way.
func TestRecoverTwice(t *testing.T) {
	t.Parallel()
	w := newWreck(newRig(t, answers(say("unused"))))
	run := w.run("Do it", domain.RunRunning)
	m := w.answer(run, "Now.", domain.CallStarted, domain.CallAsked)
	w.streamed(content(m.ID, "Now.")...)
	w.streamed(content(domain.NewID(), "And th")...)
	w.recover()
	before := w.r.all(w.session)
	w.r.recover()
	w.recover()
	w.wantInterrupted(run)
	if after := w.r.all(w.session); len(after) != len(before) {
		t.Errorf("events before and after: %v, %v", before.names(), after.names())
	}
	wantTexts(t, w.r.history(w.session), "user: Do it", "assistant: Now.", "assistant: And th")
}

// TestRecoverAgainWhileRunsGoOn: the runs that the first recovery started are
// not taken for leftovers.
func TestRecoverAgainWhileRunsGoOn(t *testing.T) {
	t.Parallel()
	w := newWreck(newRig(t, answers(answer{hang: true})))
	run := w.run("Wait", domain.RunQueued)
	w.recover()
	w.r.hang()
	w.r.recover()
	if got := w.r.runOf(run.ID); got.State != domain.RunRunning {
		t.Errorf("run: %+v", got)
	}
}

// TestRecoverHalfway: one of several runs was closed before the recovery died.
func TestRecoverHalfway(t *testing.T) {
	t.Parallel()
	r := newRig(t, answers(say("unused")))
	a := newWreck(r)
	ra := a.run("A", domain.RunRunning)
	a.answer(ra, "a", domain.CallStarted)
	a.recover()
	b := newWreck(r)
	rb := b.run("B", domain.RunRunning)
	b.answer(rb, "b", domain.CallStarted)
	b.recover()
	a.wantInterrupted(ra)
	b.wantInterrupted(rb)
	a.wantNext()
	b.wantNext()
}

// TestRecoverAfterAnnouncedEnd: a disk that was full took the events of the end
// but not the end. No client sees it twice.
func TestRecoverAfterAnnouncedEnd(t *testing.T) {
	t.Parallel()
	w := newWreck(newRig(t, answers(say("unused"))))
	run := w.run("Do it", domain.RunRunning)
	w.streamed(content(domain.NewID(), "It is ")...)
	w.streamed(domain.Failure{Message: "the disk is full", Type: "internal_error"},
		domain.Complete{RunID: run.ID, State: domain.RunFailed})
	w.recover()
	if got := w.r.all(w.session).of(domain.EventComplete); len(got) != 1 {
		t.Errorf("complete events: %v", got)
	}
	if got := w.r.runOf(run.ID); !got.State.Ended() {
		t.Errorf("run: %+v", got)
	}
	wantTexts(t, w.wantNext(), "user: Do it", "assistant: It is ", "user: Are you there?")
}

// TestRecoverFromDamagedEvents: what cannot be read in the log costs its text
// and not the start of the server.
func TestRecoverFromDamagedEvents(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]string{
		"no block": "nonsense without an end",
		"no JSON":  "id: 101\nevent: content\ndata: {\"content\":\n\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWreck(newRig(t, answers(say("unused"))))
			run := w.run("Tell me", domain.RunRunning)
			w.seq++
			w.segment(w.seq, []byte(damage))
			w.damaged = w.seq
			w.streamed(content(domain.NewID(), "what is left")...)
			w.recover()
			w.wantInterrupted(run)
			wantTexts(t, w.r.history(w.session), "user: Tell me", "assistant: what is left")
		})
	}
}

// TestRepeatedAfterRestart: a client whose 202 was lost in the crash sends the
// same again; one that saw the answer begin means it anew.
func TestRepeatedAfterRestart(t *testing.T) {
	t.Parallel()
	w := newWreck(newRig(t, answers(say("unused"))))
	lost := w.run("lost", domain.RunRunning)
	w.recover()
	again := w.r.submit(w.session, agent.Prompt{Text: "lost", Digest: "digest of lost"})
	if !again.Repeated || again.RunID != lost.ID {
		t.Errorf("again: %+v, want run %s", again, lost.ID)
	}

	seen := w.run("seen", domain.RunRunning)
	w.streamed(content(domain.NewID(), "I beg")...)
	w.recover()
	w.r.model.play(answers(say("I go on")))
	anew := w.r.submit(w.session, agent.Prompt{Text: "seen", Digest: "digest of seen"})
	if anew.Repeated || anew.RunID == seen.ID {
		t.Errorf("anew: %+v", anew)
	}
	w.r.wait(w.session, anew)
}

// TestRecoverProperty: whatever mixture of rows a crash leaves, the history is
// valid, every run ends once and the next message works.
func TestRecoverProperty(t *testing.T) {
	t.Parallel()
	r := newRig(t, answers(say("fine")))
	states := []domain.CallState{
		domain.CallProposed, domain.CallAsked, domain.CallAllowed, domain.CallDenied,
		domain.CallStarted, domain.CallFinished, domain.CallFailed, domain.CallInterrupted,
	}
	rapid.Check(t, func(rt *rapid.T) {
		w := newWreck(r)
		run := w.run("work", domain.RunRunning)
		for range rapid.IntRange(0, 3).Draw(rt, "stored answers") {
			list := rapid.SliceOfN(rapid.SampledFrom(states), 1, 4).Draw(rt, "calls")
			text := rapid.SampledFrom([]string{"", "I do."}).Draw(rt, "text")
			m := w.answer(run, text, list...)
			if text != "" && rapid.Bool().Draw(rt, "its events were saved") {
				w.streamed(content(m.ID, text)...)
			}
		}
		partial := rapid.SampledFrom([]string{"", " \n", "And n"}).Draw(rt, "partial")
		if partial != "" {
			w.streamed(content(domain.NewID(), partial)...)
		}
		queued := rapid.IntRange(0, 2).Draw(rt, "queued")
		var last domain.Run
		for i := range queued {
			last = w.run(fmt.Sprint("queued ", i), domain.RunQueued)
		}
		w.recover()
		w.wantInterrupted(run)
		if queued > 0 {
			r.wait(w.session, agent.Accepted{RunID: last.ID, EventSeq: last.EventSeq})
		}
		w.wantNext()
		history := r.history(w.session)
		for _, m := range history {
			for _, c := range m.Calls {
				if !c.State.Ended() || c.Text == "" {
					rt.Fatalf("call: %+v", c)
				}
			}
		}
		if all := strings.Join(texts(history), "|"); strings.Contains(all, "And n") != (partial == "And n") {
			rt.Fatalf("history: %s", all)
		}
	})
}

// setModel changes the session's model to one that CreateSession would refuse.
func (w *wreck) setModel(name string) {
	w.r.t.Helper()
	w.commit(func(b *store.Batch) { b.SetModel(w.session, name) })
}
