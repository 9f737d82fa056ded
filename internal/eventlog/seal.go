package eventlog

import (
	"context"
	"fmt"
	"time"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/wire"
)

// Seal appends events that must be on disk before anybody sees them, and in
// one piece with what they announce: the end of a run and its complete event
// are either both there after a crash, or neither, so that no client waits for
// the event in vain and none gets it twice.
//
// commit is given everything of the session that is not on disk yet, with the
// events at its end, and has to store it in the transaction of the thing that
// is announced. While it runs nothing else is appended to the session and
// nobody reads it; it must not call the log. After an error of commit nothing
// was appended, and Seal returns that error.
//
// In a session that is deleted or unknown, or in a closed log, there is nobody
// to tell: commit is called without segments.
func (l *Log) Seal(ctx context.Context, session string, commit func([]Segment) error, events ...domain.Event) error {
	s, err := l.open(ctx, session)
	if err != nil {
		l.o.Logger.Debug("sealed events of no session", "session", session, "error", err)
		return commit(nil)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	sealed, ok := l.awaitSeal(s, events)
	if !ok {
		return commit(nil)
	}
	var extra window
	for _, e := range sealed {
		extra.add(e.blocks, e.from, e.last, e.own)
	}
	now := time.Now().UTC()
	segments := s.win.segments(nil, s.id, now)
	segments = extra.segments(segments, s.id, now)
	if err := commit(segments); err != nil {
		return fmt.Errorf("seal events of session %s: %w", session, err)
	}
	for _, e := range sealed {
		l.accept(s, e.blocks, e.last, e.own)
	}
	s.win.saved(s.last)
	s.win.evict(l.o.SessionBytes)
	s.size.Store(int64(s.win.bytes))
	s.changed.Broadcast()
	return nil
}

// sealedEvent is an event that is encoded but not yet in the window.
type sealedEvent struct {
	blocks     []byte
	from, last int64
	own        bool
}

// awaitSeal encodes the events with the next numbers, once no save is under
// way and the numbers are reserved. It reports false for an ended session. The
// caller holds the lock of s, which is free while this waits.
func (l *Log) awaitSeal(s *stream, events []domain.Event) ([]sealedEvent, bool) {
	for !s.ended {
		if s.saving {
			s.changed.Wait()
			continue
		}
		list, last := encodeAll(s.last, events)
		if last <= s.reserved {
			return list, true
		}
		if !l.awaitNumbers(s, last) {
			break
		}
	}
	return nil, false
}

// encodeAll encodes events with the numbers behind last.
func encodeAll(last int64, events []domain.Event) ([]sealedEvent, int64) {
	list := make([]sealedEvent, len(events))
	for i, ev := range events {
		e := sealedEvent{from: last + 1, own: wire.Own(ev.EventType())}
		e.blocks, e.last = wire.EncodeEvent(nil, e.from, ev)
		list[i], last = e, e.last
	}
	return list, last
}
