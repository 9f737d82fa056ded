package eventlog_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/eventlog"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// memory is an Archive that keeps what a disk would keep.
type memory struct {
	mu       sync.Mutex
	reserved map[string]int64
	segments map[string][]eventlog.Segment
	messages map[string][]domain.Message
	fail     error // of everything that writes
	saves    int
	reserves int
	prunes   []time.Time
	gate     chan struct{} // when set, a save waits for it
}

func newMemory(sessions ...string) *memory {
	m := &memory{
		reserved: map[string]int64{}, segments: map[string][]eventlog.Segment{},
		messages: map[string][]domain.Message{},
	}
	for _, s := range sessions {
		m.reserved[s] = 0
	}
	return m
}

func (m *memory) Reserve(_ context.Context, session string, upTo int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return m.fail
	}
	m.reserves++
	old, ok := m.reserved[session]
	if !ok {
		return domain.ErrNotFound
	}
	m.reserved[session] = max(old, upTo)
	return nil
}

func (m *memory) Reserved(_ context.Context, session string) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, ok := m.reserved[session]
	if !ok {
		return 0, domain.ErrNotFound
	}
	return n, nil
}

func (m *memory) SaveSegments(_ context.Context, list []eventlog.Segment) error {
	m.mu.Lock()
	gate := m.gate
	m.mu.Unlock()
	if gate != nil {
		<-gate
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.saves++
	if m.fail != nil {
		return m.fail
	}
	for _, s := range list {
		if _, ok := m.reserved[s.SessionID]; !ok {
			return domain.ErrNotFound
		}
		if s.Last > m.reserved[s.SessionID] {
			return errors.New("a number was used that is not reserved")
		}
	}
	for _, s := range list {
		m.segments[s.SessionID] = append(m.segments[s.SessionID], s)
	}
	return nil
}

func (m *memory) LoadSegments(_ context.Context, session string, after int64, maxBytes int) ([]eventlog.Segment, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []eventlog.Segment
	size := 0
	for _, s := range m.segments[session] {
		if s.Last <= after {
			continue
		}
		if len(out) > 0 && size+len(s.Data) > maxBytes {
			break
		}
		out = append(out, s)
		size += len(s.Data)
	}
	return out, nil
}

func (m *memory) FirstSegment(_ context.Context, session string) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s := m.segments[session]; len(s) > 0 {
		return s[0].First, nil
	}
	return 0, nil
}

func (m *memory) MessagesByEvent(_ context.Context, session string, after, upTo int64) ([]domain.Message, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []domain.Message
	for _, msg := range m.messages[session] {
		if msg.EventSeq > after && msg.EventSeq <= upTo {
			out = append(out, msg)
		}
	}
	return out, nil
}

func (m *memory) PruneSegments(_ context.Context, olderThan time.Time, _ int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.prunes = append(m.prunes, olderThan)
	return nil
}

// pruneTo removes the segments that end at or before seq.
func (m *memory) pruneTo(session string, seq int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.segments[session] = slices.DeleteFunc(slices.Clone(m.segments[session]), func(s eventlog.Segment) bool {
		return s.Last <= seq
	})
}

func (m *memory) setFail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fail = err
}

func (m *memory) countSaves() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.saves
}

func (m *memory) remove(session string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.reserved, session)
	delete(m.segments, session)
}

// open returns a log that is closed at the end of the test.
func open(t testing.TB, a eventlog.Archive, o eventlog.Options) *eventlog.Log {
	l := eventlog.New(a, o)
	t.Cleanup(func() {
		if err := l.Close(context.Background()); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return l
}

// create makes a session in both.
func create(l *eventlog.Log, m *memory, session string) {
	n := l.Create(session)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.reserved[session] = n
}

func subscribe(t testing.TB, l *eventlog.Log, session string, after int64) *eventlog.Cursor {
	t.Helper()
	c, err := l.Subscribe(context.Background(), session, after)
	if err != nil {
		t.Fatalf("subscribe: %v", err)
	}
	return c
}

// read takes n records.
func read(t testing.TB, c *eventlog.Cursor, n int) []eventlog.Record {
	t.Helper()
	var out []eventlog.Record
	for len(out) < n {
		recs, err := c.Next(context.Background())
		if err != nil {
			t.Fatalf("next: %v after %d of %d records", err, len(out), n)
		}
		out = append(out, recs...)
	}
	return out
}

// available takes what a cursor can give without waiting.
func available(t testing.TB, c *eventlog.Cursor, upTo int64) []eventlog.Record {
	t.Helper()
	var out []eventlog.Record
	for c.Position() < upTo {
		recs, err := c.Next(context.Background())
		if err != nil {
			t.Fatalf("next: %v", err)
		}
		out = append(out, recs...)
	}
	return out
}
