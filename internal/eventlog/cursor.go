package eventlog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync/atomic"
	"time"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/wire"
)

// What a cursor takes at a time. A subscriber that stops reading holds on to
// one batch, and after a replay to what was loaded from disk for it.
const (
	maxBatch    = 64
	batchBytes  = 8 << 10
	loadBytes   = 32 << 10
	messageSpan = 2048 // numbers per look for whole messages
)

// Cursor is one subscriber's place in a session's log. It is used by one
// goroutine at a time; only Position may be called from others.
type Cursor struct {
	log *Log
	s   *stream
	pos atomic.Int64

	batch []Record // what Next returned last; its memory is used again
	// From the disk and not yet returned: encoded blocks, or whole messages.
	// When they are used up, everything up to loaded has been seen.
	blocks   []Segment
	messages []Record
	loaded   int64
}

// Subscribe returns a cursor that begins behind the number after: what happened
// since comes first, then what happens. With after < 0, or beyond the last
// number given out, it begins now. The error wraps [domain.ErrNotFound] for an
// unknown session and [domain.ErrClosed] after Close.
func (l *Log) Subscribe(ctx context.Context, session string, after int64) (*Cursor, error) {
	s, err := l.open(ctx, session)
	if err != nil {
		return nil, fmt.Errorf("event log of session %s: %w", session, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if after < 0 || after > s.last {
		after = s.last
	}
	c := &Cursor{log: l, s: s}
	c.pos.Store(after)
	return c, nil
}

// Position is the number of the last record that Next returned, or the one the
// cursor began behind. A subscriber that has passed on everything it got may
// resume from here.
func (c *Cursor) Position() int64 { return c.pos.Load() }

// Close gives the cursor's memory back. Next must not be called after it.
func (c *Cursor) Close() { c.batch, c.blocks, c.messages = nil, nil, nil }

// Next returns the records that follow, at least one, and waits if there is
// none. The slice is valid until the next call; the blocks in it stay valid.
// It returns the error of ctx when that ends, and io.EOF after the session was
// deleted or the log closed.
func (c *Cursor) Next(ctx context.Context) ([]Record, error) { return c.NextOrIdle(ctx, nil) }

// ErrIdle is returned by [Cursor.NextOrIdle] when its caller's time came.
var ErrIdle = errors.New("nothing came in time")

// NextOrIdle is [Cursor.Next] for a caller that has something else to do now
// and then: it returns [ErrIdle] when idle yields, and can be called again. A
// timer that is kept costs a stream less than a context for every wait.
func (c *Cursor) NextOrIdle(ctx context.Context, idle <-chan time.Time) ([]Record, error) {
	clear(c.batch)
	c.batch = c.batch[:0]
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		select {
		case <-idle:
			return nil, ErrIdle
		default:
		}
		if c.fromDisk(); len(c.batch) > 0 {
			break
		}
		behind, floor, err := c.fromMemory()
		if err != nil {
			return nil, err
		}
		if len(c.batch) > 0 {
			break
		}
		if behind == nil {
			if err := c.load(ctx, floor); err != nil {
				return nil, fmt.Errorf("read events of session %s: %w", c.s.id, err)
			}
			continue
		}
		select {
		case <-behind:
		case <-idle:
			return nil, ErrIdle
		case <-ctx.Done():
		}
	}
	c.pos.Store(c.batch[len(c.batch)-1].Seq)
	return c.batch, nil
}

// fromMemory fills the batch from the window. With nothing new it returns a
// channel to wait on; with the position behind the window, where that begins.
func (c *Cursor) fromMemory() (behind <-chan struct{}, floor int64, err error) {
	s, pos := c.s, c.pos.Load()
	s.mu.Lock()
	defer s.mu.Unlock()
	if pos < s.win.floor {
		if s.closed {
			return nil, 0, io.EOF
		}
		return nil, s.win.floor, nil
	}
	if c.batch = s.win.after(pos, c.batch); len(c.batch) > 0 {
		return nil, 0, nil
	}
	if s.ended {
		return nil, 0, io.EOF
	}
	if s.behind == nil {
		s.behind = make(chan struct{})
	}
	s.waiting++
	return s.behind, 0, nil
}

// load gets what follows the position from the disk, some of it. Everything
// up to floor that exists was on disk before this was called.
//
// Numbers have gaps where a process was killed, so that a gap alone does not
// tell that segments were pruned. Pruning takes the oldest, so it reached
// behind the position exactly if no older segment is left. That is looked up
// after the segments were loaded: what is in hand cannot be pruned any more.
func (c *Cursor) load(ctx context.Context, floor int64) error {
	after := c.pos.Load()
	segments, err := c.log.archive.LoadSegments(ctx, c.s.id, after, loadBytes)
	if err != nil && !errors.Is(err, domain.ErrNotFound) {
		return err
	}
	end := floor
	if len(segments) > 0 {
		end = segments[0].First - 1
	}
	if end > after {
		first, err := c.log.archive.FirstSegment(ctx, c.s.id)
		if err != nil && !errors.Is(err, domain.ErrNotFound) {
			return err
		}
		if first == 0 || first > after+1 {
			return c.loadMessages(ctx, after, min(end, after+messageSpan))
		}
	}
	if len(segments) == 0 {
		c.pos.Store(max(after, floor)) // a gap
		return nil
	}
	c.blocks, c.loaded = slices.Clone(segments), segments[len(segments)-1].Last
	return nil
}

// loadMessages gets the messages that stand for pruned events.
func (c *Cursor) loadMessages(ctx context.Context, after, upTo int64) error {
	list, err := c.log.archive.MessagesByEvent(ctx, c.s.id, after, upTo)
	if err != nil && !errors.Is(err, domain.ErrNotFound) {
		return err
	}
	c.messages, c.loaded = whole(list, after), upTo
	return nil
}

// fromDisk fills the batch from what was loaded.
func (c *Cursor) fromDisk() {
	pos, size := c.pos.Load(), 0
	for len(c.messages) > 0 && len(c.batch) < maxBatch && size < batchBytes {
		c.batch = append(c.batch, c.messages[0])
		size += len(c.messages[0].Block)
		c.messages = c.messages[1:]
	}
	for len(c.blocks) > 0 && len(c.batch) < maxBatch && size < batchBytes {
		r, rest, err := nextRecord(c.blocks[0].Data)
		if err != nil {
			c.log.o.Logger.Error("damaged events on disk are left out", "session", c.s.id,
				"first", c.blocks[0].First, "last", c.blocks[0].Last, "error", err)
			rest = nil
		} else if r.Seq > pos {
			c.batch = append(c.batch, r)
			size += len(r.Block)
		}
		if c.blocks[0].Data = rest; len(rest) == 0 {
			c.blocks = c.blocks[1:]
		}
	}
	if len(c.messages) == 0 && len(c.blocks) == 0 && len(c.batch) == 0 {
		c.pos.Store(max(pos, c.loaded))
		c.blocks, c.messages = nil, nil
	}
}

// whole turns messages into the events that a subscriber who missed theirs
// needs. The last event of a message has the message's own number, and those
// before it the ones below, as far as they are free: then several share one.
func whole(list []domain.Message, after int64) []Record {
	var out []Record
	for i := range list {
		m := &list[i]
		var events []domain.Event
		if m.Role == domain.RoleUser {
			events = append(events, domain.UserMessage{MessageID: m.ID, Content: m.Text()})
		} else {
			if text := m.Reasoning(); text != "" {
				events = append(events, domain.Thinking{MessageID: m.ID, Content: text})
			}
			if text := m.Text(); text != "" {
				events = append(events, domain.Content{MessageID: m.ID, Content: text})
			}
		}
		out = append(out, number(events, after, m.EventSeq)...)
		after = m.EventSeq
	}
	return out
}

// number encodes events with numbers above after, the last of them last.
func number(events []domain.Event, after, last int64) []Record {
	var blocks int64
	for _, ev := range events {
		_, n := wire.EncodeEvent(nil, 1, ev)
		blocks += n
	}
	var out []Record
	seq := max(after, last-blocks)
	for _, ev := range events {
		data, _ := wire.EncodeEvent(nil, 1, ev)
		for block := range wire.Blocks(data) {
			seq = min(seq+1, last)
			out = append(out, Record{Seq: seq, Block: wire.Renumber(block, seq)})
		}
	}
	return out
}
