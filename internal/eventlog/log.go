package eventlog

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/wire"
)

// Log holds the logs of all sessions. Its methods are safe for concurrent use.
type Log struct {
	archive Archive
	o       Options

	ctx  context.Context // ends with the log
	stop context.CancelFunc
	work sync.WaitGroup // all goroutines of the log

	mu       sync.Mutex // never held while a stream's lock is taken
	streams  map[string]*stream
	dirty    []*stream // have something that is not on disk
	flushing bool      // the flusher runs
	closed   bool
	pruner   *time.Timer // nil when no pruning is due
	pruned   bool        // at least once

	early   chan struct{} // asks the flusher not to wait
	saving  chan struct{} // held by whoever saves
	passes  uint64        // saves so far; guarded by saving
	failing atomic.Bool   // the last save failed
	dropped atomic.Int64
}

// New returns a log over the archive. It reads nothing until it is asked.
func New(a Archive, o Options) *Log {
	ctx, stop := context.WithCancel(context.Background())
	return &Log{
		archive: a, o: o.withDefaults(), ctx: ctx, stop: stop,
		streams: map[string]*stream{},
		early:   make(chan struct{}, 1), saving: make(chan struct{}, 1),
	}
}

// Append numbers ev, encodes it once and lets the subscribers have it. It
// returns the event's number, the last one where a long text became several
// events. It blocks only while no reserved number is left, or while a working
// disk is behind by [Options.UnsavedBytes]. An event of a session that is
// deleted or unknown, or of a closed log, is nobody's and is left out.
func (l *Log) Append(session string, ev domain.Event) int64 {
	s, err := l.open(l.ctx, session)
	if err != nil {
		l.o.Logger.Debug("event of no session", "session", session, "event", ev.EventType(), "error", err)
		return 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for !s.ended {
		if s.win.unsavedBytes >= l.o.UnsavedBytes && !l.makeRoom(s) {
			continue
		}
		blocks, last := wire.EncodeEvent(s.win.tail(), s.last+1, ev)
		if last <= s.reserved {
			l.accept(s, blocks, last, wire.Own(ev.EventType()))
			break
		}
		// Others may append while this waits, so the number is not ours yet.
		if !l.awaitNumbers(s, last) && !s.ended {
			l.dropped.Add(1)
			l.o.Logger.Error("an event is lost: no numbers could be reserved for it",
				"session", session, "event", ev.EventType(), "error", s.reserveErr)
			break
		}
	}
	return s.last
}

// accept adds encoded blocks with the next numbers. The caller holds the lock.
func (l *Log) accept(s *stream, blocks []byte, last int64, own bool) {
	s.win.add(blocks, s.last+1, last, own)
	s.last = last
	if left := s.reserved - last; left < l.o.ReserveBlock/2 && last >= s.retryAt {
		l.reserve(s, s.reserved)
	}
	if s.win.bytes > l.o.SessionBytes+l.o.SessionBytes/4 {
		s.win.evict(l.o.SessionBytes) // a quarter at a time
	}
	s.size.Store(int64(s.win.bytes))
	if !s.dirty {
		s.dirty = true
		l.mark(s)
	}
	if s.win.unsavedBytes > l.o.UnsavedBytes/4 {
		l.saveEarly()
	}
	l.wake(s)
}

// makeRoom deals with a session whose unsaved events reached their bound. It
// reports whether there is room now; if not, it has waited for a save. The
// caller holds the lock.
func (l *Log) makeRoom(s *stream) bool {
	if !l.failing.Load() {
		l.saveEarly()
		s.changed.Wait()
		return false
	}
	lost := s.win.drop(l.o.UnsavedBytes - l.o.UnsavedBytes/8)
	l.dropped.Add(lost)
	return true
}

// Position returns the last number given out in the session.
func (l *Log) Position(ctx context.Context, session string) (int64, error) {
	s, err := l.open(ctx, session)
	if err != nil {
		return 0, fmt.Errorf("event log of session %s: %w", session, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last, nil
}

// Dropped returns how many events were lost since the start, because the disk
// did not take them.
func (l *Log) Dropped() int64 { return l.dropped.Load() }

// Forget ends the log of a session that was deleted: connected cursors still
// get what is in memory, then io.EOF. What is not on disk never gets there.
func (l *Log) Forget(session string) {
	l.mu.Lock()
	s, ok := l.streams[session]
	if !ok || l.closed {
		l.mu.Unlock()
		return
	}
	delete(l.streams, session)
	l.work.Add(1)
	l.mu.Unlock()
	defer l.work.Done()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gone = true
	s.end(l)
}

// Close saves what is not on disk, ends all cursors and waits for the log's
// goroutines. The error is that of the last save, or of ctx.
func (l *Log) Close(ctx context.Context) error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	l.closed = true
	if l.pruner != nil {
		l.pruner.Stop()
	}
	streams := l.all()
	l.mu.Unlock()

	for _, s := range streams {
		s.mu.Lock()
		s.end(l)
		s.mu.Unlock()
	}
	err := l.Flush(ctx)
	for _, s := range streams {
		s.mu.Lock()
		s.closed = true
		s.mu.Unlock()
	}
	l.stop()
	done := make(chan struct{})
	go func() { l.work.Wait(); close(done) }()
	select {
	case <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("close the event log: %w", ctx.Err())
	}
}

// all returns the streams. The caller holds l.mu.
func (l *Log) all() []*stream {
	list := make([]*stream, 0, len(l.streams))
	for _, s := range l.streams {
		list = append(list, s)
	}
	return list
}
