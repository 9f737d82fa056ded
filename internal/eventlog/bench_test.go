package eventlog_test

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/eventlog"
)

var delta domain.Event = domain.Content{
	MessageID: "0193a1b2-0000-7000-8000-000000000000", Content: "a few words of text ",
}

// BenchmarkAppend times the appends alone; all subscribers have got one before
// the next. delivery-ns is how long that takes for all of them.
func BenchmarkAppend(b *testing.B) {
	for _, subscribers := range []int{0, 1, 1000} {
		b.Run(fmt.Sprintf("subscribers=%d", subscribers), func(b *testing.B) {
			m := newMemory()
			l := eventlog.New(m, eventlog.Options{})
			create(l, m, "s")
			var readers, wave sync.WaitGroup
			for range subscribers {
				c := subscribe(b, l, "s", -1)
				readers.Go(func() {
					for {
						recs, err := c.Next(context.Background())
						if err != nil {
							return
						}
						wave.Add(-len(recs))
					}
				})
			}
			var appending, delivering time.Duration
			b.ReportAllocs()
			for range b.N {
				wave.Add(subscribers)
				start := time.Now()
				l.Append("s", delta)
				appending += time.Since(start)
				wave.Wait()
				delivering += time.Since(start)
			}
			b.ReportMetric(float64(appending.Nanoseconds())/float64(b.N), "append-ns")
			b.ReportMetric(float64(delivering.Nanoseconds())/float64(b.N), "delivery-ns")
			if err := l.Close(context.Background()); err != nil {
				b.Fatal(err)
			}
			readers.Wait()
		})
	}
}

// BenchmarkAppendDeadSubscribers shows what an append costs when a thousand
// subscribers are connected and none of them reads.
func BenchmarkAppendDeadSubscribers(b *testing.B) {
	m := newMemory()
	l := eventlog.New(m, eventlog.Options{})
	create(l, m, "s")
	for range 1000 {
		subscribe(b, l, "s", 0)
	}
	b.ReportAllocs()
	for b.Loop() {
		l.Append("s", delta)
	}
	b.StopTimer()
	if err := l.Close(context.Background()); err != nil {
		b.Fatal(err)
	}
}

func BenchmarkReplay10000(b *testing.B) {
	m := newMemory()
	l := eventlog.New(m, eventlog.Options{SessionBytes: 1})
	create(l, m, "s")
	for i := range 10_000 {
		l.Append("s", delta)
		if i%12 == 11 { // 50 events a second
			if err := l.Flush(context.Background()); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		available(b, subscribe(b, l, "s", 0), 10_000)
	}
	b.StopTimer()
	if err := l.Close(context.Background()); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkWake is the time from an append until a waiting subscriber has it.
func BenchmarkWake(b *testing.B) {
	m := newMemory()
	l := eventlog.New(m, eventlog.Options{})
	create(l, m, "s")
	c := subscribe(b, l, "s", 0)
	got := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			if _, err := c.Next(context.Background()); err != nil {
				return
			}
			got <- struct{}{}
		}
	})
	b.ReportAllocs()
	for b.Loop() {
		l.Append("s", delta)
		<-got
	}
	b.StopTimer()
	if err := l.Close(context.Background()); err != nil {
		b.Fatal(err)
	}
	wg.Wait()
}

// BenchmarkCursorMemory reports what a waiting subscriber holds, without the
// stack of its goroutine.
func BenchmarkCursorMemory(b *testing.B) {
	m := newMemory()
	l := eventlog.New(m, eventlog.Options{})
	create(l, m, "s")
	for range 1000 {
		l.Append("s", delta)
	}
	const n = 1000
	for b.Loop() {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		cursors := make([]*eventlog.Cursor, n)
		for i := range cursors {
			cursors[i] = subscribe(b, l, "s", 0)
			available(b, cursors[i], 1000)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(int64(after.HeapAlloc)-int64(before.HeapAlloc))/n, "B/cursor")
		runtime.KeepAlive(cursors)
	}
	b.StopTimer()
	if err := l.Close(context.Background()); err != nil {
		b.Fatal(err)
	}
}
