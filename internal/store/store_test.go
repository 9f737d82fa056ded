package store_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/store"
)

// at is a time of the test calendar: n seconds after an arbitrary start.
func at(n int) time.Time {
	return time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC).Add(time.Duration(n) * time.Second)
}

func open(tb testing.TB) *store.Store {
	tb.Helper()
	return openAt(tb, filepath.Join(tb.TempDir(), "data", "mix.db"))
}

func openAt(tb testing.TB, path string) *store.Store {
	tb.Helper()
	s, err := store.Open(tb.Context(), store.Options{Path: path, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	return s
}

func commit(tb testing.TB, s *store.Store, fill func(*store.Batch)) {
	tb.Helper()
	if err := try(s, fill); err != nil {
		tb.Fatal(err)
	}
}

func try(s *store.Store, fill func(*store.Batch)) error {
	b := store.NewBatch()
	fill(b)
	return s.Commit(context.Background(), b)
}

func wantIs(tb testing.TB, err, target error) {
	tb.Helper()
	if !errors.Is(err, target) {
		tb.Errorf("error = %v, want one that is %q", err, target)
	}
}

func wantEqual(tb testing.TB, got, want any) {
	tb.Helper()
	if d := cmp.Diff(want, got); d != "" {
		tb.Errorf("(-want +got)\n%s", d)
	}
}

var serial atomic.Int64

// id returns an identifier that sorts after those before.
func id(kind string) string { return fmt.Sprintf("%s-%06d", kind, serial.Add(1)) }

func addSession(tb testing.TB, s *store.Store) string {
	tb.Helper()
	sess := domain.Session{ID: id("session"), Kind: domain.SessionMain, Directory: "/work", Model: "demo/demo", CreatedAt: at(0), UpdatedAt: at(0)}
	commit(tb, s, func(b *store.Batch) { b.CreateSession(sess, 4096) })
	return sess.ID
}

func text(session string, role domain.Role, words string, second int) domain.Message {
	return domain.Message{
		ID: id("message"), SessionID: session, Role: role,
		Blocks:    []domain.Block{{Type: domain.BlockText, Text: words}},
		CreatedAt: at(second), UpdatedAt: at(second),
	}
}

func call(m domain.Message, place int) domain.ToolCall {
	return domain.ToolCall{
		ID: id("call"), CallID: fmt.Sprintf("toolu_%d", place), SessionID: m.SessionID, RunID: m.RunID, MessageID: m.ID,
		Index: place, Tool: "Bash", Input: json.RawMessage(`{"command":"ls"}`), State: domain.CallProposed, CreatedAt: m.CreatedAt,
	}
}

// addCall stores a message with one call in the given state.
func addCall(tb testing.TB, s *store.Store, session string, state domain.CallState) domain.ToolCall {
	tb.Helper()
	m := text(session, domain.RoleAssistant, "Let me look.", 1)
	c := call(m, 0)
	c.State = state
	commit(tb, s, func(b *store.Batch) {
		b.AddMessage(m)
		b.AddCalls([]domain.ToolCall{c})
	})
	return c
}

// rawDB opens the file beside the store, as another program would.
func rawDB(tb testing.TB, path string) *sql.DB {
	tb.Helper()
	pool, err := sql.Open("sqlite", "file:"+filepath.ToSlash(path)+"?_pragma=busy_timeout(5000)&_pragma=foreign_keys(1)")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { pool.Close() })
	return pool
}
