package store_test

import (
	"encoding/json"
	"testing"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/store"
)

func TestRunComesBackAsItWas(t *testing.T) {
	t.Parallel()
	s := open(t)
	want := domain.Run{
		ID: id("run"), SessionID: addSession(t, s), MessageID: "message", State: domain.RunQueued, PlanMode: true,
		Effort: domain.EffortMedium, MaxSteps: 3, EventSeq: 4, IdempotencyKey: "key", Digest: "digest", CreatedAt: at(1),
	}
	commit(t, s, func(b *store.Batch) { b.AddRun(want) })
	got, err := s.Run(t.Context(), want.ID)
	if err != nil {
		t.Fatal(err)
	}
	wantEqual(t, got, want)

	want.State, want.Reason, want.Error, want.ErrorType = domain.RunFailed, "error", "It broke.", "network"
	want.Steps, want.EventSeq, want.StartedAt, want.EndedAt = 2, 9, at(2), at(3)
	changed := want
	changed.IdempotencyKey, changed.Digest, changed.MessageID = "not", "to be", "changed"
	commit(t, s, func(b *store.Batch) { b.UpdateRun(changed) })
	if got, err = s.Run(t.Context(), want.ID); err != nil {
		t.Fatal(err)
	}
	wantEqual(t, got, want)
}

func TestRunLookups(t *testing.T) {
	t.Parallel()
	s := open(t)
	session, other := addSession(t, s), addSession(t, s)
	add := func(r domain.Run) domain.Run {
		t.Helper()
		r.ID = id("run")
		commit(t, s, func(b *store.Batch) { b.AddRun(r) })
		return r
	}
	done := add(domain.Run{SessionID: session, State: domain.RunDone, IdempotencyKey: "k1", Digest: "same", CreatedAt: at(1), EndedAt: at(20)})
	running := add(domain.Run{SessionID: session, State: domain.RunRunning, Digest: "same", CreatedAt: at(2)})
	queued := add(domain.Run{SessionID: session, State: domain.RunQueued, CreatedAt: at(3)})
	elsewhere := add(domain.Run{SessionID: other, State: domain.RunQueued, IdempotencyKey: "k1", CreatedAt: at(1)})
	add(domain.Run{SessionID: other, State: domain.RunFailed, CreatedAt: at(4), EndedAt: at(29)})

	one := func(name string, want domain.Run) func(domain.Run, error) {
		return func(got domain.Run, err error) {
			t.Helper()
			if err != nil || got.ID != want.ID {
				t.Errorf("%s = %s, %v; want %s", name, got.ID, err, want.ID)
			}
		}
	}
	one("run by key", done)(s.RunByKey(t.Context(), session, "k1"))
	one("run by key elsewhere", elsewhere)(s.RunByKey(t.Context(), other, "k1"))
	one("newest run by digest", running)(s.RunByDigest(t.Context(), session, "same", at(0)))
	for name, err := range map[string]error{
		"unknown key":   second(s.RunByKey(t.Context(), session, "k2")),
		"no key":        second(s.RunByKey(t.Context(), session, "")),
		"no digest":     second(s.RunByDigest(t.Context(), session, "", at(0))),
		"too old":       second(s.RunByDigest(t.Context(), session, "same", at(3))),
		"other session": second(s.RunByDigest(t.Context(), other, "same", at(0))),
	} {
		t.Run(name, func(t *testing.T) { wantIs(t, err, domain.ErrNotFound) })
	}
	wantIs(t, try(s, func(b *store.Batch) { b.AddRun(domain.Run{ID: id("run"), SessionID: session, IdempotencyKey: "k1"}) }), domain.ErrConflict)

	many := func(name string, want ...domain.Run) func([]domain.Run, error) {
		return func(got []domain.Run, err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
			if len(got) != len(want) {
				t.Fatalf("%s: %d runs, want %d", name, len(got), len(want))
			}
			for i := range got {
				if got[i].ID != want[i].ID {
					t.Errorf("%s: run %d is %s, want %s", name, i, got[i].ID, want[i].ID)
				}
			}
		}
	}
	many("unfinished", elsewhere, running, queued)(s.UnfinishedRuns(t.Context()))
	many("runs", queued, running, done)(s.Runs(t.Context(), session, 0))
	many("last run", queued)(s.Runs(t.Context(), session, 1))
}

func second[T any](_ T, err error) error { return err }

func TestCallOnItsWay(t *testing.T) {
	t.Parallel()
	s := open(t)
	c := addCall(t, s, addSession(t, s), domain.CallProposed)
	check := func() {
		t.Helper()
		got, err := s.Call(t.Context(), c.ID)
		if err != nil {
			t.Fatal(err)
		}
		wantEqual(t, got, c)
	}
	check()
	for _, state := range []domain.CallState{domain.CallAsked, domain.CallAllowed} {
		commit(t, s, func(b *store.Batch) { b.SetCall(c.ID, state) })
		c.State = state
		check()
	}
	commit(t, s, func(b *store.Batch) { b.StartCall(c.ID, at(2)) })
	c.State, c.StartedAt = domain.CallStarted, at(2)
	check()
	c.State, c.Result, c.Text, c.IsError, c.EndedAt = domain.CallFailed, json.RawMessage(`{"exit":1}`), "it failed", true, at(3)
	commit(t, s, func(b *store.Batch) { b.EndCall(c) })
	check()
}

// TestCallTransitions tries every step from every state. What was started is
// never started again, and what has ended stays as it ended.
func TestCallTransitions(t *testing.T) {
	t.Parallel()
	s := open(t)
	session := addSession(t, s)
	steps := map[string]func(*store.Batch, domain.ToolCall){
		"start": func(b *store.Batch, c domain.ToolCall) { b.StartCall(c.ID, at(5)) },
		"allow": func(b *store.Batch, c domain.ToolCall) { b.SetCall(c.ID, domain.CallAllowed) },
		"end": func(b *store.Batch, c domain.ToolCall) {
			c.State = domain.CallInterrupted
			b.EndCall(c)
		},
	}
	for state, allowed := range map[domain.CallState]map[string]bool{
		domain.CallProposed:    {"start": true, "allow": true, "end": true},
		domain.CallAsked:       {"start": true, "allow": true, "end": true},
		domain.CallAllowed:     {"start": true, "allow": true, "end": true},
		domain.CallStarted:     {"end": true},
		domain.CallDenied:      {},
		domain.CallFinished:    {},
		domain.CallFailed:      {},
		domain.CallInterrupted: {},
	} {
		for name, step := range steps {
			t.Run(string(state)+" "+name, func(t *testing.T) {
				before := addCall(t, s, session, state)
				mark := text(session, domain.RoleUser, "neighbour in the batch", 1)
				err := try(s, func(b *store.Batch) {
					b.QueueMessage(mark)
					step(b, before)
				})
				if allowed[name] {
					if err != nil {
						t.Fatal(err)
					}
					return
				}
				wantIs(t, err, domain.ErrConflict)
				after, err := s.Call(t.Context(), before.ID)
				if err != nil {
					t.Fatal(err)
				}
				wantEqual(t, after, before)
				wantIs(t, try(s, func(b *store.Batch) { b.DeleteQueued(mark.ID) }), domain.ErrNotFound)
			})
		}
	}
}

func TestUnfinishedCalls(t *testing.T) {
	t.Parallel()
	s := open(t)
	session := addSession(t, s)
	var want []domain.ToolCall
	for _, state := range []domain.CallState{
		domain.CallProposed, domain.CallDenied, domain.CallAsked, domain.CallFinished,
		domain.CallAllowed, domain.CallFailed, domain.CallStarted, domain.CallInterrupted,
	} {
		c := addCall(t, s, session, state)
		if !state.Ended() {
			want = append(want, c)
		}
	}
	got, err := s.UnfinishedCalls(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	wantEqual(t, got, want)
}
