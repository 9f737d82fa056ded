package store_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/store"
)

var words = strings.Repeat("All work and no play makes a dull conversation. ", 40) // about 2 KB

// BenchmarkOpen is what a start pays: opening and closing a database that
// exists.
func BenchmarkOpen(b *testing.B) {
	path := filepath.Join(b.TempDir(), "mix.db")
	if err := openAt(b, path).Close(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		s, err := store.Open(b.Context(), store.Options{Path: path})
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCreate is what the very first start pays.
func BenchmarkCreate(b *testing.B) {
	dir := b.TempDir()
	n := 0
	for b.Loop() {
		n++
		s, err := store.Open(b.Context(), store.Options{Path: filepath.Join(dir, fmt.Sprint(n), "mix.db")})
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkShortLife is the store's part of `mix run`: open, six commits, a few
// reads, close.
func BenchmarkShortLife(b *testing.B) {
	path := filepath.Join(b.TempDir(), "mix.db")
	if err := openAt(b, path).Close(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		s, err := store.Open(b.Context(), store.Options{Path: path})
		if err != nil {
			b.Fatal(err)
		}
		session := addSession(b, s)
		for i := range 5 {
			commit(b, s, func(batch *store.Batch) { batch.AddMessage(text(session, domain.RoleUser, words, i)) })
			if _, err := s.History(b.Context(), session); err != nil {
				b.Fatal(err)
			}
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSync is the yardstick of a commit: a write of two pages and an
// fsync of it, on the same file system.
func BenchmarkSync(b *testing.B) {
	f, err := os.Create(filepath.Join(b.TempDir(), "file"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	page := make([]byte, 8240)
	if _, err := f.Write(make([]byte, 4<<20)); err != nil {
		b.Fatal(err)
	}
	for i := 0; b.Loop(); i++ {
		if _, err := f.WriteAt(page, int64(i%400)*8240); err != nil {
			b.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkAppend commits one message at a time to sessions of different
// lengths; the time has to be the same.
func BenchmarkAppend(b *testing.B) {
	for _, length := range []int{0, 1000, 10000} {
		b.Run(fmt.Sprintf("after=%d", length), func(b *testing.B) {
			s := open(b)
			session := fill(b, s, length)
			for b.Loop() {
				commit(b, s, func(batch *store.Batch) { batch.AddMessage(text(session, domain.RoleUser, words, 1)) })
			}
		})
	}
}

// BenchmarkAppendTogether commits from many sessions at once.
func BenchmarkAppendTogether(b *testing.B) {
	s := open(b)
	session := addSession(b, s)
	b.SetParallelism(50)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			commit(b, s, func(batch *store.Batch) { batch.AddMessage(text(session, domain.RoleUser, words, 1)) })
		}
	})
	stats := s.Stats()
	b.ReportMetric(float64(stats.Batches)/float64(stats.Commits), "batches/commit")
}

// BenchmarkStep is a tool step that asks nobody: two commits.
func BenchmarkStep(b *testing.B) {
	s := open(b)
	session := addSession(b, s)
	for b.Loop() {
		m := text(session, domain.RoleAssistant, words, 1)
		c := call(m, 0)
		c.State = domain.CallStarted
		r := domain.Request{ID: id("request"), SessionID: session, CallID: c.ID, Kind: "permission", Tool: "Bash", CreatedAt: at(1)}
		commit(b, s, func(batch *store.Batch) {
			batch.AddMessage(m)
			batch.AddCalls([]domain.ToolCall{c})
			batch.AddRequest(r)
			batch.AddDecision(domain.Decision{ID: id("decision"), RequestID: r.ID, Outcome: domain.OutcomeAllow, CreatedAt: at(1)})
		})
		c.State, c.Text, c.EndedAt = domain.CallFinished, words, at(2)
		commit(b, s, func(batch *store.Batch) { batch.EndCall(c) })
	}
}

// BenchmarkLast100 reads the last 100 of 10,000 messages, every other one with
// a tool call.
func BenchmarkLast100(b *testing.B) {
	for _, length := range []int{200, 10000} {
		b.Run(fmt.Sprintf("of=%d", length), func(b *testing.B) {
			s := open(b)
			session := fill(b, s, length)
			for b.Loop() {
				m, err := s.Messages(b.Context(), session, store.MessageRange{Limit: 100})
				if err != nil || len(m) != 100 {
					b.Fatal(len(m), err)
				}
			}
		})
	}
}

// fill makes a session with so many messages.
func fill(tb testing.TB, s *store.Store, n int) string {
	tb.Helper()
	session := addSession(tb, s)
	for i := 0; i < n; {
		commit(tb, s, func(b *store.Batch) {
			for ; i < n && b.Len() < 1000; i += 2 {
				b.AddMessage(text(session, domain.RoleUser, words, i))
				m := text(session, domain.RoleAssistant, words, i)
				m.Blocks = append(m.Blocks, domain.Block{Type: domain.BlockToolCall, CallID: "toolu_0", Tool: "Bash", Input: `{"command":"ls"}`})
				c := call(m, 0)
				c.State, c.Text = domain.CallFinished, words
				b.AddMessage(m)
				b.AddCalls([]domain.ToolCall{c})
			}
		})
	}
	return session
}
