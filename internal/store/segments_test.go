package store_test

import (
	"bytes"
	"testing"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/eventlog"
	"github.com/mixagent/mix/internal/store"
)

func segment(session string, first, last int64, size, second int) eventlog.Segment {
	return eventlog.Segment{SessionID: session, First: first, Last: last, Data: bytes.Repeat([]byte{0, 0xff, '\n', 'x'}, size/4), CreatedAt: at(second)}
}

func TestSegments(t *testing.T) {
	t.Parallel()
	s := open(t)
	a, b := addSession(t, s), addSession(t, s)
	if first, err := s.FirstSegment(t.Context(), a); first != 0 || err != nil {
		t.Errorf("first segment of an empty log = %d, %v", first, err)
	}
	all := []eventlog.Segment{segment(a, 3, 9, 100, 1), segment(a, 12, 20, 100, 2), segment(a, 21, 40, 1000, 3)}
	before := s.Stats().Commits
	if err := s.SaveSegments(t.Context(), []eventlog.Segment{all[0], segment(b, 1, 2, 8, 1), segment("gone", 1, 2, 8, 1), all[1]}); err != nil {
		t.Fatal(err)
	}
	if n := s.Stats().Commits - before; n != 1 {
		t.Errorf("saving took %d commits, want 1", n)
	}
	// A save whose outcome its caller did not learn is repeated.
	if err := s.SaveSegments(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	if err := s.SaveSegments(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		after    int64
		maxBytes int
		want     []eventlog.Segment
	}{
		{0, 1 << 20, all},
		{9, 1 << 20, all[1:]},
		{15, 1 << 20, all[1:]},
		{20, 1 << 20, all[2:]},
		{40, 1 << 20, nil},
		{0, 200, all[:2]},
		{0, 199, all[:1]},
		{0, 0, all[:1]},
		{20, 1, all[2:]},
	} {
		got, err := s.LoadSegments(t.Context(), a, test.after, test.maxBytes)
		if err != nil {
			t.Fatal(err)
		}
		wantEqual(t, got, test.want)
	}
	if first, err := s.FirstSegment(t.Context(), a); first != 3 || err != nil {
		t.Errorf("first segment = %d, %v; want 3", first, err)
	}
	if got, err := s.LoadSegments(t.Context(), "gone", 0, 1000); err != nil || len(got) > 0 {
		t.Errorf("segments of an unknown session: %v, %v", got, err)
	}
}

func TestPruneSegments(t *testing.T) {
	t.Parallel()
	s := open(t)
	const each, count = 100, 600 // more than one step deletes
	fill := func() string {
		session := addSession(t, s)
		commit(t, s, func(b *store.Batch) {
			for i := range count {
				b.AddSegments([]eventlog.Segment{segment(session, int64(i+1), int64(i+1), each, i)})
			}
		})
		return session
	}
	a := fill()
	firstLeft := func(want int64) {
		t.Helper()
		if got, err := s.FirstSegment(t.Context(), a); got != want || err != nil {
			t.Errorf("first segment = %d, %v; want %d", got, err, want)
		}
	}
	prune := func(second int, maxBytes int64) {
		t.Helper()
		if err := s.PruneSegments(t.Context(), at(second), maxBytes); err != nil {
			t.Fatal(err)
		}
	}
	prune(0, count*each)
	firstLeft(1)
	prune(3, count*each)
	firstLeft(4)
	prune(0, 10*each+50)
	firstLeft(count - 9)
	fill() // another session of the same ages
	prune(0, 4*each)
	firstLeft(count - 1)
	prune(count, 1<<20)
	firstLeft(0)
}

func TestMessagesByEventLeavesOutTheQueue(t *testing.T) {
	t.Parallel()
	s := open(t)
	session := addSession(t, s)
	placed, queued := text(session, domain.RoleUser, "now", 1), text(session, domain.RoleUser, "later", 2)
	placed.EventSeq, queued.EventSeq = 5, 6
	commit(t, s, func(b *store.Batch) { b.AddMessage(placed); b.QueueMessage(queued) })
	got, err := s.MessagesByEvent(t.Context(), session, 4, 10)
	if err != nil {
		t.Fatal(err)
	}
	wantEqual(t, ids(got), []string{placed.ID})
}
