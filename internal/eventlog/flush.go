package eventlog

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/mixagent/mix/internal/domain"
)

// segmentBytes bounds a segment, unless a single event is longer.
const segmentBytes = 32 << 10

// maxRetry bounds the pause between saves while they fail.
const maxRetry = 4 * time.Second

// mark lists s for the next save and starts the flusher if it does not run.
func (l *Log) mark(s *stream) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dirty = append(l.dirty, s)
	if !l.flushing && !l.closed {
		l.flushing = true
		l.work.Go(l.flush)
	}
}

// saveEarly asks for a save now.
func (l *Log) saveEarly() {
	select {
	case l.early <- struct{}{}:
	default:
	}
}

// flush saves at the pace of the options until nothing is left to save. While
// saves fail it slows down and does not hurry for anybody.
func (l *Log) flush() {
	pause := l.o.SegmentEvery
	timer := time.NewTimer(pause)
	defer timer.Stop()
	early := l.early
	for {
		select {
		case <-timer.C:
		case <-early:
		case <-l.ctx.Done():
			return
		}
		if err := l.save(l.ctx); err != nil {
			pause, early = min(2*pause, maxRetry), nil
		} else {
			pause, early = l.o.SegmentEvery, l.early
		}
		l.mu.Lock()
		if len(l.dirty) == 0 || l.closed {
			l.flushing = false
			l.mu.Unlock()
			return
		}
		l.mu.Unlock()
		timer.Reset(pause)
	}
}

// Flush returns when all events appended before are on disk.
func (l *Log) Flush(ctx context.Context) error { return l.save(ctx) }

// save writes what is new in all sessions in one transaction.
func (l *Log) save(ctx context.Context) error {
	select {
	case l.saving <- struct{}{}:
		defer func() { <-l.saving }()
	case <-ctx.Done():
		return fmt.Errorf("save events: %w", ctx.Err())
	}
	l.mu.Lock()
	streams := l.dirty
	l.dirty = nil
	l.mu.Unlock()

	l.passes++
	segments, upTo := l.collect(streams)
	var err error
	if len(segments) > 0 {
		err = l.store(ctx, segments)
	}
	l.report(err)
	for i, s := range streams {
		l.settle(s, upTo[i], err)
	}
	if err != nil {
		return fmt.Errorf("save events: %w", err)
	}
	if len(segments) > 0 {
		l.evict()
		l.planPrune()
	}
	return nil
}

// collect returns the segments to write, and for each stream up to which
// number they reach.
func (l *Log) collect(streams []*stream) (segments []Segment, upTo []int64) {
	now := time.Now().UTC()
	upTo = make([]int64, len(streams))
	for i, s := range streams {
		s.mu.Lock()
		s.dirty = false
		s.lastUse = l.passes
		if !s.gone {
			segments = s.win.segments(segments, s.id, now)
			upTo[i] = s.last
			s.saving = true
		}
		s.mu.Unlock()
	}
	return segments, upTo
}

// store writes segments. A session that is deleted at this moment must not keep
// the others from the disk, so when the archive misses one they go one by one.
func (l *Log) store(ctx context.Context, segments []Segment) error {
	err := l.archive.SaveSegments(ctx, segments)
	if !errors.Is(err, domain.ErrNotFound) {
		return err
	}
	for i := range segments {
		err := l.archive.SaveSegments(ctx, segments[i:i+1])
		if err != nil && !errors.Is(err, domain.ErrNotFound) {
			return err
		}
	}
	return nil
}

// settle takes the outcome of a save into account for one stream.
func (l *Log) settle(s *stream, upTo int64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.saving = false
	if err == nil {
		s.win.saved(upTo)
		s.win.evict(l.o.SessionBytes)
		s.size.Store(int64(s.win.bytes))
	} else if !s.dirty {
		s.dirty = true
		l.mark(s)
	}
	s.changed.Broadcast()
}

// report tells once that saving fails, and once that it works again.
func (l *Log) report(err error) {
	if failed := err != nil; l.failing.Swap(failed) == failed {
		return
	}
	if err != nil {
		l.o.Logger.Error("events cannot be saved; they stay in memory while there is room", "error", err)
		return
	}
	l.o.Logger.Info("events are saved again", "lost", l.Dropped())
}

// evict keeps all windows together within their bound: sessions that were
// written to least recently give up their saved events. It goes somewhat below
// the bound, so as not to have to look at everything again at once.
func (l *Log) evict() {
	l.mu.Lock()
	total := int64(0)
	for _, s := range l.streams {
		total += s.size.Load()
	}
	if total <= int64(l.o.TotalBytes) {
		l.mu.Unlock()
		return
	}
	streams := l.all()
	l.mu.Unlock()

	uses := make(map[*stream]uint64, len(streams))
	for _, s := range streams {
		s.mu.Lock()
		uses[s] = s.lastUse
		s.mu.Unlock()
	}
	slices.SortFunc(streams, func(a, b *stream) int { return cmp.Compare(uses[a], uses[b]) })
	for _, s := range streams {
		if total <= int64(l.o.TotalBytes)*7/8 {
			return
		}
		s.mu.Lock()
		total -= int64(s.win.bytes)
		s.win.evict(0)
		total += int64(s.win.bytes)
		s.size.Store(int64(s.win.bytes))
		s.mu.Unlock()
	}
}

// planPrune sees to it that segments are pruned some time after a save.
func (l *Log) planPrune() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || l.pruner != nil {
		return
	}
	delay := pruneEvery
	if !l.pruned {
		delay = pruneFirst
	}
	l.pruner = time.AfterFunc(delay, func() {
		l.mu.Lock()
		l.pruner, l.pruned = nil, true
		if l.closed {
			l.mu.Unlock()
			return
		}
		l.work.Add(1)
		l.mu.Unlock()
		defer l.work.Done()
		if err := l.archive.PruneSegments(l.ctx, time.Now().UTC().Add(-l.o.KeepFor), l.o.KeepBytes); err != nil {
			l.o.Logger.Warn("old events cannot be removed", "error", err)
		}
	})
}
