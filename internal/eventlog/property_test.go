package eventlog_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/eventlog"
)

// model is what a session's log must be: every event that the disk or the
// current process has, in order.
type model struct {
	seqs   []int64
	blocks map[int64][]byte // as first seen
	saved  int              // of seqs, on disk
	top    int64            // highest number ever given out
}

// client is a subscriber that comes and goes and remembers what it got.
type client struct {
	cursor *eventlog.Cursor
	pos    int64
}

type machine struct {
	t       *rapid.T
	disk    *memory
	log     *eventlog.Log
	o       eventlog.Options
	model   model
	clients []*client
}

func (m *machine) append(size int) {
	ev := domain.Content{MessageID: "m", Content: strings.Repeat("x", size)}
	before, _ := m.log.Position(context.Background(), "s")
	last := m.log.Append("s", ev)
	if last <= m.model.top {
		m.t.Fatalf("number %d after %d: given out before", last, m.model.top)
	}
	for n := before + 1; n <= last; n++ {
		m.model.seqs = append(m.model.seqs, n)
	}
	m.model.top = last
}

func (m *machine) flush() {
	if err := m.log.Flush(context.Background()); err != nil {
		m.t.Fatalf("flush: %v", err)
	}
	m.model.saved = len(m.model.seqs)
}

// restart ends the process: cleanly, or so that all that was not saved is lost.
func (m *machine) restart(clean bool) {
	if clean {
		m.model.saved = len(m.model.seqs)
	} else {
		m.disk.setFail(io.ErrClosedPipe) // a killed process writes nothing more
	}
	err := m.log.Close(context.Background())
	if clean && err != nil {
		m.t.Fatalf("close: %v", err)
	}
	m.disk.setFail(nil)
	m.model.seqs = m.model.seqs[:m.model.saved]
	m.log = eventlog.New(m.disk, m.o)
	for _, c := range m.clients {
		m.connect(c)
	}
}

func (m *machine) connect(c *client) {
	cursor, err := m.log.Subscribe(context.Background(), "s", c.pos)
	if err != nil {
		m.t.Fatalf("subscribe: %v", err)
	}
	c.cursor = cursor
}

// read takes one batch, if there is something behind the client's position,
// and checks it against the model.
func (m *machine) read(c *client) {
	var want []int64
	for _, n := range m.model.seqs {
		if n > c.pos {
			want = append(want, n)
		}
	}
	if len(want) == 0 {
		return
	}
	recs, err := c.cursor.Next(context.Background())
	if err != nil {
		m.t.Fatalf("next: %v", err)
	}
	if len(recs) == 0 || len(recs) > len(want) {
		m.t.Fatalf("%d records from %d, want 1 to %d", len(recs), c.pos, len(want))
	}
	for i, r := range recs {
		if r.Seq != want[i] {
			m.t.Fatalf("record %d behind %d is %d, want %d", i, c.pos, r.Seq, want[i])
		}
		if old, ok := m.model.blocks[r.Seq]; ok && !bytes.Equal(old, r.Block) {
			m.t.Fatalf("event %d came with other bytes", r.Seq)
		}
		m.model.blocks[r.Seq] = bytes.Clone(r.Block)
	}
	c.pos = recs[len(recs)-1].Seq
	if c.cursor.Position() != c.pos {
		m.t.Fatalf("position %d after record %d", c.cursor.Position(), c.pos)
	}
}

func TestLogBehavesLikeItsModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := &machine{
			t: t, disk: newMemory(),
			o: eventlog.Options{
				SegmentEvery: time.Hour, // the test saves
				SessionBytes: rapid.SampledFrom([]int{1, 2 << 10, 64 << 10}).Draw(t, "session bytes"),
				TotalBytes:   rapid.SampledFrom([]int{1, 1 << 20}).Draw(t, "total bytes"),
				ReserveBlock: rapid.SampledFrom([]int64{1, 7, 64}).Draw(t, "block"),
				UnsavedBytes: 1 << 30,
			},
			model: model{blocks: map[int64][]byte{}},
		}
		m.log = eventlog.New(m.disk, m.o)
		create(m.log, m.disk, "s")
		defer func() { _ = m.log.Close(context.Background()) }()
		pick := func() *client {
			if len(m.clients) == 0 {
				t.Skip("nobody is connected")
			}
			return rapid.SampledFrom(m.clients).Draw(t, "client")
		}
		t.Repeat(map[string]func(*rapid.T){
			"append": func(t *rapid.T) { m.append(rapid.IntRange(0, 3000).Draw(t, "size")) },
			"append many": func(t *rapid.T) {
				for range rapid.IntRange(1, 150).Draw(t, "count") {
					m.append(10)
				}
			},
			"append long": func(t *rapid.T) { m.append(rapid.IntRange(50_000, 200_000).Draw(t, "size")) },
			"flush":       func(*rapid.T) { m.flush() },
			"stop":        func(*rapid.T) { m.restart(true) },
			"kill":        func(*rapid.T) { m.restart(false) },
			"join": func(t *rapid.T) {
				c := &client{}
				if n := len(m.model.seqs); n > 0 && rapid.Bool().Draw(t, "late") {
					c.pos = m.model.seqs[rapid.IntRange(0, n-1).Draw(t, "after")]
				}
				m.connect(c)
				m.clients = append(m.clients, c)
			},
			"reconnect": func(*rapid.T) { c := pick(); c.cursor.Close(); m.connect(c) },
			"read":      func(*rapid.T) { m.read(pick()) },
			"read all": func(*rapid.T) {
				for c := pick(); ; {
					pos := c.pos
					if m.read(c); c.pos == pos {
						return
					}
				}
			},
		})
	})
}

// Appends, saves, evictions and subscribers that come and go, all at once.
func TestConcurrentSubscribersMissNothing(t *testing.T) {
	t.Parallel()
	for _, o := range []eventlog.Options{
		{SessionBytes: 1, SegmentEvery: time.Millisecond, ReserveBlock: 16},
		{SessionBytes: 8 << 10, TotalBytes: 8 << 10, SegmentEvery: time.Millisecond},
		{SegmentEvery: time.Hour},
	} {
		t.Run(fmt.Sprintf("%d bytes", o.SessionBytes), func(t *testing.T) {
			t.Parallel()
			m := newMemory()
			l := open(t, m, o)
			const sessions, writers, each, readers = 3, 3, 400, 8
			var wg sync.WaitGroup
			for s := range sessions {
				name := fmt.Sprint("s", s)
				create(l, m, name)
				for range writers {
					wg.Go(func() {
						for i := range each {
							l.Append(name, text(i))
						}
					})
				}
				for r := range readers {
					wg.Go(func() { follow(t, l, name, writers*each, r*7+1) })
				}
			}
			wg.Wait()
		})
	}
}

// follow reads until it has seen number last, and reconnects every so many
// batches.
func follow(t *testing.T, l *eventlog.Log, session string, last int64, every int) {
	c, err := l.Subscribe(context.Background(), session, 0)
	if err != nil {
		t.Errorf("subscribe: %v", err)
		return
	}
	pos := int64(0)
	for batch := 1; pos < last; batch++ {
		recs, err := c.Next(context.Background())
		if err != nil {
			t.Errorf("next: %v", err)
			return
		}
		for _, r := range recs {
			if pos++; r.Seq != pos {
				t.Errorf("got number %d, want %d", r.Seq, pos)
				return
			}
		}
		if batch%every == 0 {
			c.Close()
			if c, err = l.Subscribe(context.Background(), session, pos); err != nil {
				t.Errorf("subscribe: %v", err)
				return
			}
		}
	}
}
