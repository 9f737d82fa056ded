package eventlog_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/eventlog"
	"github.com/mixagent/mix/internal/wire"
)

func text(i int) domain.Event {
	return domain.Content{MessageID: "m", Content: fmt.Sprintf("piece %d ", i)}
}

func numbers(recs []eventlog.Record) []int64 {
	out := make([]int64, len(recs))
	for i, r := range recs {
		out[i] = r.Seq
	}
	return out
}

func TestNumbersGoOnBehindTheReservationAfterARestart(t *testing.T) {
	t.Parallel()
	m := newMemory()
	first := eventlog.New(m, eventlog.Options{ReserveBlock: 100})
	create(first, m, "s")
	for i := range 3 {
		if got := first.Append("s", text(i)); got != int64(i+1) {
			t.Fatalf("number %d, want %d", got, i+1)
		}
	}
	if err := first.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	if got := first.Append("s", text(9)); got > 3 {
		t.Fatalf("a closed log gave out number %d", got)
	}

	second := open(t, m, eventlog.Options{ReserveBlock: 100})
	if p, err := second.Position(context.Background(), "s"); err != nil || p != 100 {
		t.Fatalf("position %d, %v; want 100", p, err)
	}
	if got := second.Append("s", text(4)); got != 101 {
		t.Fatalf("number %d after the restart, want 101", got)
	}
	c := subscribe(t, second, "s", 1)
	if got := fmt.Sprint(numbers(read(t, c, 3))); got != "[2 3 101]" {
		t.Fatalf("replay over the restart: %s", got)
	}
}

func TestNumbersAreReservedInBlocks(t *testing.T) {
	t.Parallel()
	m := newMemory()
	l := open(t, m, eventlog.Options{ReserveBlock: 100})
	create(l, m, "s")
	for i := range 10_000 {
		l.Append("s", text(i))
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.reserves < 95 || m.reserves > 105 || m.reserved["s"] > 10_200 {
		t.Errorf("%d reservations up to %d for 10000 numbers in blocks of 100", m.reserves, m.reserved["s"])
	}
}

func TestUnknownSession(t *testing.T) {
	t.Parallel()
	l := open(t, newMemory(), eventlog.Options{})
	if _, err := l.Subscribe(context.Background(), "none", 0); !errors.Is(err, domain.ErrNotFound) {
		t.Errorf("subscribe: %v", err)
	}
	if _, err := l.Position(context.Background(), "none"); !errors.Is(err, domain.ErrNotFound) {
		t.Errorf("position: %v", err)
	}
	if got := l.Append("none", text(0)); got != 0 {
		t.Errorf("append gave %d", got)
	}
}

func TestSubscribeFromNowOrBeyond(t *testing.T) {
	t.Parallel()
	m := newMemory()
	l := open(t, m, eventlog.Options{})
	create(l, m, "s")
	l.Append("s", text(0))
	now, beyond := subscribe(t, l, "s", -1), subscribe(t, l, "s", 99)
	if now.Position() != 1 || beyond.Position() != 1 {
		t.Fatalf("positions %d and %d, want 1", now.Position(), beyond.Position())
	}
	l.Append("s", text(1))
	for _, c := range []*eventlog.Cursor{now, beyond} {
		if got := read(t, c, 1); got[0].Seq != 2 || c.Position() != 2 {
			t.Errorf("first record %d, position %d", got[0].Seq, c.Position())
		}
		c.Close()
	}
}

func TestOwnEventsAreMarkedInMemoryAndOnDisk(t *testing.T) {
	t.Parallel()
	m := newMemory()
	l := open(t, m, eventlog.Options{})
	create(l, m, "s")
	l.Append("s", domain.TitleChanged{Title: "x"})
	l.Append("s", text(1))
	live := read(t, subscribe(t, l, "s", 0), 2)
	if err := l.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	disk := read(t, subscribe(t, open(t, m, eventlog.Options{}), "s", 0), 2)
	for i, own := range []bool{true, false} {
		if live[i].Own != own || disk[i].Own != own {
			t.Errorf("record %d: own %v live, %v from disk, want %v", i, live[i].Own, disk[i].Own, own)
		}
		if !bytes.Equal(live[i].Block, disk[i].Block) {
			t.Errorf("record %d differs:\n%s%s", i, live[i].Block, disk[i].Block)
		}
	}
}

func TestLongTextTakesSeveralNumbers(t *testing.T) {
	t.Parallel()
	m := newMemory()
	l := open(t, m, eventlog.Options{ReserveBlock: 4})
	create(l, m, "s")
	long := strings.Repeat("0123456789", 50_000)
	last := l.Append("s", domain.ToolInput{CallID: "c", Input: long})
	if last < 9 || last > 10 {
		t.Fatalf("last number %d", last)
	}
	recs := read(t, subscribe(t, l, "s", 0), int(last))
	for i, r := range recs {
		b, err := wire.ParseBlock(r.Block)
		if err != nil || b.Seq != r.Seq || r.Seq != int64(i+1) {
			t.Fatalf("record %d: number %d, block %d, %v", i, r.Seq, b.Seq, err)
		}
	}
}

func TestSavesOnceForAllSessionsAndThenSleeps(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		l := eventlog.New(m, eventlog.Options{})
		defer l.Close(context.Background())
		for _, s := range []string{"a", "b", "c"} {
			create(l, m, s)
			l.Append(s, text(0))
			l.Append(s, text(1))
		}
		time.Sleep(249 * time.Millisecond)
		synctest.Wait()
		if n := m.countSaves(); n != 0 {
			t.Fatalf("%d saves before the time", n)
		}
		time.Sleep(2 * time.Millisecond)
		synctest.Wait()
		if n := m.countSaves(); n != 1 {
			t.Fatalf("%d saves, want one for all sessions", n)
		}
		time.Sleep(30 * time.Second)
		if n := m.countSaves(); n != 1 {
			t.Fatalf("%d saves while nothing happened", n)
		}
		l.Append("b", text(2))
		time.Sleep(251 * time.Millisecond)
		synctest.Wait()
		if n := m.countSaves(); n != 2 || len(m.segments["b"]) != 2 || len(m.segments["a"]) != 1 {
			t.Fatalf("%d saves, segments %d and %d", n, len(m.segments["b"]), len(m.segments["a"]))
		}
	})
}

func TestPrunesAfterAMinuteThenHourlyWhileItWrites(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		l := eventlog.New(m, eventlog.Options{})
		defer l.Close(context.Background())
		create(l, m, "s")
		l.Append("s", text(0))
		time.Sleep(5 * time.Hour)
		synctest.Wait()
		if len(m.prunes) != 1 {
			t.Fatalf("pruned %d times after one write", len(m.prunes))
		}
		l.Append("s", text(1))
		time.Sleep(61 * time.Minute)
		synctest.Wait()
		if len(m.prunes) != 2 {
			t.Fatalf("pruned %d times after the second write", len(m.prunes))
		}
		if age := time.Since(m.prunes[1]); age < 7*24*time.Hour || age > 7*24*time.Hour+2*time.Minute {
			t.Errorf("keeps segments for %v", age)
		}
	})
}

func TestFailingDiskIsRetriedAndMemoryStaysBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		var logged syncBuffer
		l := eventlog.New(m, eventlog.Options{UnsavedBytes: 64 << 10, Logger: logged.logger()})
		defer l.Close(context.Background())
		create(l, m, "s")
		c := subscribe(t, l, "s", 0)
		full := errors.New("disk full")
		m.setFail(full)
		l.Append("s", text(0))
		time.Sleep(time.Second)
		synctest.Wait()
		if err := l.Flush(context.Background()); !errors.Is(err, full) {
			t.Fatalf("flush: %v", err)
		}
		var last int64
		for i := range 2000 {
			last = l.Append("s", text(i))
		}
		if l.Dropped() == 0 {
			t.Fatal("nothing was dropped")
		}
		recs := available(t, c, last)
		if lost := last - int64(len(recs)); lost != l.Dropped() || recs[len(recs)-1].Seq != last {
			t.Errorf("a cursor missed %d, counted %d", lost, l.Dropped())
		}
		m.setFail(nil)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if got := m.segments["s"]; len(got) == 0 || got[len(got)-1].Last != last {
			t.Error("what was kept was not saved afterwards")
		}
		if n := strings.Count(logged.String(), "cannot be saved"); n != 1 {
			t.Errorf("told %d times that saving fails:\n%s", n, logged.String())
		}
	})
}

func TestNumbersRunOutWhileTheDiskFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		l := eventlog.New(m, eventlog.Options{ReserveBlock: 8})
		defer l.Close(context.Background())
		create(l, m, "s")
		m.setFail(errors.New("disk full"))
		for i := range 9 {
			l.Append("s", text(i))
		}
		if p, _ := l.Position(context.Background(), "s"); p != 8 || l.Dropped() != 1 {
			t.Fatalf("position %d with 8 reserved, dropped %d", p, l.Dropped())
		}
		m.setFail(nil)
		if got := l.Append("s", text(9)); got != 9 {
			t.Fatalf("number %d, want 9: a dropped event takes none", got)
		}
	})
}

func TestSlowDiskHoldsAppendBackAndLosesNothing(t *testing.T) {
	t.Parallel()
	m := newMemory()
	m.gate = make(chan struct{})
	l := open(t, m, eventlog.Options{UnsavedBytes: 32 << 10, SessionBytes: 16 << 10})
	create(l, m, "s")
	const n = 5000
	done := make(chan int64)
	go func() {
		var last int64
		for i := range n {
			last = l.Append("s", text(i))
		}
		done <- last
	}()
	m.gate <- struct{}{} // a save is under way only because of the size
	close(m.gate)
	if last := <-done; last != n || l.Dropped() != 0 {
		t.Fatalf("last number %d of %d, dropped %d", last, n, l.Dropped())
	}
	if got := available(t, subscribe(t, l, "s", 0), n); len(got) != n {
		t.Fatalf("replayed %d of %d", len(got), n)
	}
}

func TestOneDeletedSessionDoesNotKeepTheOthersFromTheDisk(t *testing.T) {
	t.Parallel()
	m := newMemory()
	l := open(t, m, eventlog.Options{})
	for _, s := range []string{"a", "b", "c"} {
		create(l, m, s)
		l.Append(s, text(0))
	}
	m.remove("b") // committed, but not yet told to the log
	if err := l.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	if len(m.segments["a"]) != 1 || len(m.segments["c"]) != 1 {
		t.Error("the others were not saved")
	}
}

func TestForgetDeliversTheLastEventsThenEnds(t *testing.T) {
	t.Parallel()
	m := newMemory()
	l := open(t, m, eventlog.Options{})
	create(l, m, "s")
	waiting, late := subscribe(t, l, "s", 0), subscribe(t, l, "s", 0)
	ended := make(chan error)
	go func() {
		n := 0
		for {
			recs, err := waiting.Next(context.Background())
			if err != nil {
				if n != 2 {
					err = fmt.Errorf("%d records before %w", n, err)
				}
				ended <- err
				return
			}
			n += len(recs)
		}
	}()
	l.Append("s", text(0))
	l.Append("s", domain.SessionGone{SessionID: "s"})
	m.remove("s")
	l.Forget("s")
	l.Forget("s")
	if err := <-ended; !errors.Is(err, io.EOF) || err.Error() != "EOF" {
		t.Errorf("waiting cursor: %v", err)
	}
	read(t, late, 2)
	if _, err := late.Next(context.Background()); !errors.Is(err, io.EOF) {
		t.Errorf("late cursor: %v", err)
	}
	if got := l.Append("s", text(3)); got != 0 {
		t.Errorf("append after the end gave %d", got)
	}
	if err := l.Flush(context.Background()); err != nil || len(m.segments["s"]) != 0 {
		t.Errorf("flush: %v, %d segments of a deleted session", err, len(m.segments["s"]))
	}
}

func TestCloseEndsCursorsAfterTheLastEvent(t *testing.T) {
	t.Parallel()
	m := newMemory()
	l := eventlog.New(m, eventlog.Options{})
	create(l, m, "s")
	var wg sync.WaitGroup
	for range 10 {
		c := subscribe(t, l, "s", 0)
		wg.Go(func() {
			n := 0
			for {
				recs, err := c.Next(context.Background())
				if err != nil {
					if n != 5 || !errors.Is(err, io.EOF) {
						t.Errorf("%d records, then %v", n, err)
					}
					return
				}
				n += len(recs)
			}
		})
	}
	for i := range 5 {
		l.Append("s", text(i))
	}
	if err := l.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	if _, err := l.Subscribe(context.Background(), "s", 0); !errors.Is(err, domain.ErrClosed) {
		t.Errorf("subscribe after close: %v", err)
	}
	if len(m.segments["s"]) != 1 {
		t.Error("the last events are not on disk")
	}
}

func TestNextEndsWithItsContext(t *testing.T) {
	t.Parallel()
	m := newMemory()
	l := open(t, m, eventlog.Options{})
	create(l, m, "s")
	c := subscribe(t, l, "s", 0)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := c.Next(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("next: %v", err)
	}
	l.Append("s", text(0))
	if got := read(t, c, 1); got[0].Seq != 1 {
		t.Fatalf("record %d", got[0].Seq)
	}
}

func TestMemoryOfAllSessionsIsBoundedAndTheOldestGiveWay(t *testing.T) {
	t.Parallel()
	m := newMemory()
	l := open(t, m, eventlog.Options{SessionBytes: 64 << 10, TotalBytes: 256 << 10})
	const sessions, each = 40, 100
	for s := range sessions {
		name := fmt.Sprint("s", s)
		create(l, m, name)
		for i := range each {
			l.Append(name, text(i))
		}
		if err := l.Flush(context.Background()); err != nil {
			t.Fatal(err)
		}
		if n := eventlog.HeldBytes(l); n > 256<<10 {
			t.Fatalf("%d bytes held", n)
		}
	}
	if eventlog.Held(l, "s0") != 0 || eventlog.Held(l, "s39") != each {
		t.Errorf("the oldest session holds %d records, the newest %d", eventlog.Held(l, "s0"), eventlog.Held(l, "s39"))
	}
	for s := range sessions {
		if got := available(t, subscribe(t, l, fmt.Sprint("s", s), 0), each); len(got) != each {
			t.Errorf("session %d: replayed %d of %d", s, len(got), each)
		}
	}
}

func TestAThousandSubscribersGetTheSameBytes(t *testing.T) {
	t.Parallel()
	m := newMemory()
	l := open(t, m, eventlog.Options{})
	create(l, m, "s")
	const subscribers, events = 1000, 300
	var wg sync.WaitGroup
	for range subscribers {
		c := subscribe(t, l, "s", 0)
		wg.Go(func() {
			defer c.Close()
			for i, r := range read(t, c, events) {
				if r.Seq != int64(i+1) {
					t.Errorf("record %d has number %d", i, r.Seq)
					return
				}
			}
		})
	}
	for i := range events {
		l.Append("s", text(i))
	}
	wg.Wait()
}
