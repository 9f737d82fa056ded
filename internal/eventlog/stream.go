package eventlog

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mixagent/mix/internal/domain"
)

// stream is the log of one session.
type stream struct {
	id    string
	ready chan struct{} // closed once the stream is loaded, or err is set
	err   error

	mu       sync.Mutex
	changed  *sync.Cond // on mu: a reservation or a save ended, or the stream did
	win      window
	last     int64 // the last number given out
	reserved int64 // numbers up to here may be given out
	gone     bool  // the session was deleted: nothing is saved any more
	ended    bool  // deleted or closing: nothing is appended any more
	closed   bool  // the log is closed: the archive may be gone
	dirty    bool  // listed for the next save
	saving   bool  // a save has taken the unsaved events and is not done
	lastUse  uint64

	reserving  bool
	reserveErr error // of the last attempt
	attempts   int   // to reserve that failed, over all time
	retryAt    int64 // number at which to try again in the background

	behind  chan struct{} // closed for the cursors that wait; nil when none does
	waiting int           // about how many do
	waking  bool          // a goroutine closes behind
	again   bool          // something happened since it last did

	size atomic.Int64 // win.bytes, for the bound over all sessions
}

func newStream(id string, last, reserved int64) *stream {
	s := &stream{id: id, ready: make(chan struct{}), last: last, reserved: reserved}
	s.changed = sync.NewCond(&s.mu)
	s.win.floor = last
	return s
}

// Create opens a session that is being made; its numbers start at 1. The caller
// commits the returned reservation together with the session, before the first
// Append. When that fails it calls [Log.Forget].
func (l *Log) Create(session string) (reserve int64) {
	s := newStream(session, 0, l.o.ReserveBlock)
	close(s.ready)
	l.mu.Lock()
	defer l.mu.Unlock()
	s.ended, s.closed = l.closed, l.closed
	l.streams[session] = s
	return s.reserved
}

// open returns the stream of a session, from the archive if need be.
func (l *Log) open(ctx context.Context, session string) (*stream, error) {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil, domain.ErrClosed
	}
	s, ok := l.streams[session]
	if !ok {
		s = newStream(session, 0, 0)
		l.streams[session] = s
	}
	l.mu.Unlock()
	if !ok {
		l.load(ctx, s)
	}
	select {
	case <-s.ready:
		return s, s.err
	default:
	}
	select {
	case <-s.ready:
		return s, s.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// load finds out where the numbers of s go on. Others wait for it, so it does
// not end with the caller's context.
func (l *Log) load(ctx context.Context, s *stream) {
	defer close(s.ready)
	reserved, err := l.archive.Reserved(context.WithoutCancel(ctx), s.id)
	if err != nil {
		s.err = err
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.streams[s.id] == s {
			delete(l.streams, s.id)
		}
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last, s.reserved, s.win.floor = reserved, reserved, reserved
}

// end lets no more events in and wakes everybody who waits. The caller holds
// the lock.
func (s *stream) end(l *Log) {
	s.ended = true
	s.changed.Broadcast()
	l.wake(s)
}

// A crowd is so many waiting cursors that waking them takes noticeable time.
// It is woken at most once in crowdPause, so that a fast model's appends do not
// compete for the processor with thousands of readers of one event each.
const (
	crowd      = 64
	crowdPause = time.Millisecond
)

// wake tells waiting cursors that there is something new. It does the same
// little work however many wait: a goroutine tells them. The caller holds the
// lock of s.
func (l *Log) wake(s *stream) {
	if s.behind == nil {
		return
	}
	if s.waking {
		s.again = true
		return
	}
	if s.waiting < crowd {
		close(s.behind)
		s.behind, s.waiting = nil, 0
		return
	}
	s.waking = true
	l.work.Go(func() { l.notify(s) })
}

// notify wakes the cursors that wait, and those that wait again until there is
// nothing new for them.
func (l *Log) notify(s *stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.again = true; s.again; {
		waiting, n := s.behind, s.waiting
		s.behind, s.waiting, s.again = nil, 0, false
		s.mu.Unlock()
		close(waiting)
		if n >= crowd {
			l.pause(crowdPause)
		}
		s.mu.Lock()
	}
	s.waking = false
}

// Attempts to reserve numbers that none are left of, before an event is given
// up; the pauses between them double.
const (
	reserveAttempts = 6
	reservePause    = 50 * time.Millisecond
)

// reserve begins to reserve the next block behind upTo, unless that is under
// way. The caller holds the lock of s.
func (l *Log) reserve(s *stream, upTo int64) {
	if s.reserving || s.ended {
		return
	}
	s.reserving = true
	upTo += l.o.ReserveBlock
	l.work.Go(func() {
		err := l.archive.Reserve(l.ctx, s.id, upTo)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.reserving, s.reserveErr = false, err
		if err == nil {
			s.reserved = max(s.reserved, upTo)
		} else {
			s.attempts++
			s.retryAt = s.last + l.o.ReserveBlock/16
		}
		s.changed.Broadcast()
	})
}

// awaitNumbers waits until numbers up to need may be given out, and reports
// whether they may. The caller holds the lock of s, which is free meanwhile.
func (l *Log) awaitNumbers(s *stream, need int64) bool {
	failed := s.attempts
	for !s.ended {
		l.reserve(s, need)
		for s.reserving && s.reserved < need && !s.ended {
			s.changed.Wait()
		}
		if s.reserved >= need {
			return true
		}
		n := s.attempts - failed
		if n >= reserveAttempts || errors.Is(s.reserveErr, domain.ErrNotFound) {
			break
		}
		if n > 0 {
			s.mu.Unlock()
			l.pause(reservePause << n)
			s.mu.Lock()
		}
	}
	return false
}

// pause waits for d or until the log closes.
func (l *Log) pause(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-l.ctx.Done():
	}
}
