package store_test

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/store"
)

// awaitWaiting returns when n batches are handed in and not answered. It yields
// instead of sleeping: the callers are on their way.
func awaitWaiting(s *store.Store, n int64) {
	for s.Stats().Waiting < n {
		runtime.Gosched()
	}
}

// patient opens a store that waits for other programs as long as a test takes.
func patient(t *testing.T) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), store.Options{
		Path: filepath.Join(t.TempDir(), "mix.db"), BusyTimeout: time.Hour, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// TestGroupCommit lets batches gather behind a writer that is held up, every
// fifth of them bad, and counts the commits they take.
func TestGroupCommit(t *testing.T) {
	t.Parallel()
	s := patient(t)
	session := addSession(t, s)
	const batches = 100
	before := s.Stats()
	release := hold(t, s.Path())
	var wg sync.WaitGroup
	errs := make([]error, batches)
	for i := range batches {
		wg.Go(func() {
			errs[i] = try(s, func(b *store.Batch) {
				m := text(session, domain.RoleUser, fmt.Sprint(i), i)
				b.AddMessage(m)
				switch i % 10 {
				case 0:
					b.SetTitle("unknown", "x", true)
				case 5:
					b.AddMessage(m)
				}
			})
		})
	}
	awaitWaiting(s, batches)
	release()
	wg.Wait()
	after := s.Stats()
	if got := after.Batches - before.Batches; got != batches {
		t.Errorf("%d batches answered, want %d", got, batches)
	}
	if got := after.Commits - before.Commits; got > 2 {
		t.Errorf("%d commits for %d batches, want 2 at most: those the writer had taken, and the rest", got, batches)
	}
	for i, err := range errs {
		switch i % 10 {
		case 0:
			wantIs(t, err, domain.ErrNotFound)
		case 5:
			wantIs(t, err, domain.ErrConflict)
		default:
			if err != nil {
				t.Errorf("batch %d: %v", i, err)
			}
		}
	}
	messages, err := s.History(t.Context(), session)
	if err != nil || len(messages) != batches*8/10 {
		t.Errorf("%d messages, %v; want those of the good batches", len(messages), err)
	}
}

func TestBatchTakesEffectWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	s := open(t)
	session := addSession(t, s)
	before := s.Stats().Commits
	err := try(s, func(b *store.Batch) {
		b.AddMessage(text(session, domain.RoleUser, "first", 1))
		b.SetTitle(session, "New", true)
		b.DeleteQueued("unknown")
		b.SetModel(session, "never reached")
	})
	wantIs(t, err, domain.ErrNotFound)
	if n := s.Stats().Commits - before; n != 0 {
		t.Errorf("a failed batch took %d commits", n)
	}
	got, err := s.Session(t.Context(), session)
	if err != nil || got.MessageCount != 0 || got.Title != "" {
		t.Errorf("after a failed batch: %+v, %v", got, err)
	}
}

func TestBatchThatCannotBeStored(t *testing.T) {
	t.Parallel()
	s := open(t)
	session := addSession(t, s)
	err := try(s, func(b *store.Batch) {
		b.SetTitle(session, "New", true)
		b.SetPolicy(session, domain.Policy{MaxCostUSD: math.NaN()})
	})
	if err == nil || !strings.Contains(err.Error(), "NaN") {
		t.Errorf("error = %v, want one about NaN", err)
	}
	if got, _ := s.Session(t.Context(), session); got.Title != "" {
		t.Error("the rest of the batch was stored")
	}
}

func TestEmptyBatchCostsNothing(t *testing.T) {
	t.Parallel()
	s := open(t)
	commit(t, s, func(*store.Batch) {})
	if n := s.Stats().Commits; n != 0 {
		t.Errorf("%d commits", n)
	}
}

func TestCallerMayGiveUp(t *testing.T) {
	t.Parallel()
	s := patient(t)
	session := addSession(t, s)
	release := hold(t, s.Path())
	ctx, cancel := context.WithCancel(t.Context())
	outcomes := make(chan error, 2)
	for range cap(outcomes) {
		go func() {
			b := store.NewBatch()
			b.SetTitle(session, "In spite of all", true)
			outcomes <- s.Commit(ctx, b)
		}()
	}
	awaitWaiting(s, 2)
	cancel()
	for range cap(outcomes) {
		wantIs(t, <-outcomes, context.Canceled)
	}
	release()
	commit(t, s, func(b *store.Batch) { b.SetModel(session, "next") }) // the writer lives

	ctx, cancel = context.WithCancel(t.Context())
	cancel()
	b := store.NewBatch()
	b.SetTitle(session, "too late", true)
	wantIs(t, s.Commit(ctx, b), context.Canceled)
	if got, _ := s.Session(t.Context(), session); got.Title == "too late" {
		t.Error("a batch of a cancelled caller was committed")
	}
}

func TestClose(t *testing.T) {
	t.Parallel()
	s := open(t)
	var wg sync.WaitGroup
	errs := make([]error, 50)
	for i := range errs {
		wg.Go(func() {
			errs[i] = try(s, func(b *store.Batch) { b.CreateSession(domain.Session{ID: fmt.Sprint(i), CreatedAt: at(i)}, 1) })
		})
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	wg.Wait()
	wantIs(t, try(s, func(b *store.Batch) { b.DeleteSession("1") }), domain.ErrClosed)

	again := openAt(t, s.Path())
	for i, err := range errs {
		_, found := again.Session(t.Context(), fmt.Sprint(i))
		if (err == nil) != (found == nil) {
			t.Errorf("commit %d said %v, reading it back %v", i, err, found)
		}
		if err != nil {
			wantIs(t, err, domain.ErrClosed)
		}
	}
}

// TestCheckpointsBesideTheWriter writes less than makes a commit checkpoint by
// itself, and expects the database file to grow all the same.
func TestCheckpointsBesideTheWriter(t *testing.T) {
	t.Parallel()
	s := open(t)
	session := addSession(t, s)
	for i := 0; fileSize(t, s.Path()) < 1<<20; i++ {
		if i == 60 {
			t.Fatalf("12 MB were committed, %d are in the database file", fileSize(t, s.Path()))
		}
		commit(t, s, func(b *store.Batch) {
			for range 100 {
				b.AddMessage(text(session, domain.RoleUser, words, i))
			}
		})
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if files, _ := filepath.Glob(s.Path() + "-*"); len(files) > 0 {
		t.Errorf("left behind: %v", files)
	}
}
