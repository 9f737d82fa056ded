package store_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/store"
)

func ids(messages []domain.Message) []string {
	out := make([]string, len(messages))
	for i := range messages {
		out[i] = messages[i].ID
	}
	return out
}

func TestMessageComesBackAsItWas(t *testing.T) {
	t.Parallel()
	s := open(t)
	for name, blocks := range map[string][]domain.Block{
		"text":             {{Type: domain.BlockText, Text: "Hello, <b>world</b> & \x00 \u202e ñ"}},
		"empty text":       {{Type: domain.BlockText}},
		"context":          {{Type: domain.BlockText, Text: "Today is Friday.", Context: true}},
		"two texts":        {{Type: domain.BlockText, Text: "It is Friday.", Context: true}, {Type: domain.BlockText, Text: "Hi\u2028<>"}},
		"reasoning":        {{Type: domain.BlockReasoning, Text: "hmm", Opaque: "c2ln", Vendor: "anthropic"}, {Type: domain.BlockReasoning, Opaque: "x", Redacted: true}},
		"call, bad input":  {{Type: domain.BlockToolCall, CallID: "toolu_1", Tool: "Bash", Input: `{"command":`}},
		"image and a file": {{Type: domain.BlockImage, MediaType: "image/png", Name: "a.png", Path: "a.png"}, {Type: domain.BlockFile, Name: "b"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			session := addSession(t, s)
			want := domain.Message{
				ID: id("message"), SessionID: session, RunID: "run", Role: domain.RoleAssistant, Blocks: blocks,
				Model: "demo/demo", FinishReason: domain.FinishToolUse, ReasoningMillis: 1500,
				Usage:   domain.Usage{Input: 1, Output: 2, CacheRead: 3, CacheWrite: 4, Reasoning: 1},
				CostUSD: 0.25, CostUnknown: true, EventSeq: 17, CreatedAt: at(1), UpdatedAt: at(2),
			}
			commit(t, s, func(b *store.Batch) { b.AddMessage(want) })
			want.Seq = 1
			got, err := s.History(t.Context(), session)
			if err != nil {
				t.Fatal(err)
			}
			wantEqual(t, got, []domain.Message{want})
		})
	}
}

func TestContentType(t *testing.T) {
	t.Parallel()
	s := open(t)
	session := addSession(t, s)
	plain := text(session, domain.RoleUser, "hello", 1)
	context := text(session, domain.RoleUser, "hello", 1)
	context.Blocks[0].Context = true
	commit(t, s, func(b *store.Batch) { b.AddMessage(plain); b.AddMessage(context) })
	raw := rawDB(t, s.Path())
	for message, want := range map[string][2]string{
		plain.ID:   {"text", "hello"},
		context.ID: {"blocks", `[{"type":"text","text":"hello","context":true}]`},
	} {
		var got [2]string
		if err := raw.QueryRow("SELECT content_type, content FROM messages WHERE id = ?", message).Scan(&got[0], &got[1]); err != nil {
			t.Fatal(err)
		}
		wantEqual(t, got, want)
	}
}

func TestSessionCounters(t *testing.T) {
	t.Parallel()
	s := open(t)
	session := addSession(t, s)
	question := text(session, domain.RoleUser, "What is this?", 1)
	question.Blocks = slices.Insert(question.Blocks, 0, domain.Block{Type: domain.BlockText, Text: "It is Friday.", Context: true})
	answer := text(session, domain.RoleAssistant, "A store.", 9)
	answer.Usage = domain.Usage{Input: 10, Output: 5, CacheRead: 3, CacheWrite: 2, Reasoning: 1}
	answer.CostUSD = 0.5
	unpriced := text(session, domain.RoleAssistant, "Really.", 3)
	unpriced.Usage, unpriced.CostUnknown = domain.Usage{Input: 1}, true
	commit(t, s, func(b *store.Batch) {
		b.AddMessage(question)
		b.AddMessage(answer)
		b.AddCalls([]domain.ToolCall{call(answer, 0), call(answer, 1)})
		b.AddMessage(text(session, domain.RoleUser, "Sure?", 2))
		b.AddMessage(unpriced)
		b.AddCalls([]domain.ToolCall{call(unpriced, 0)})
	})
	got, err := s.Session(t.Context(), session)
	if err != nil {
		t.Fatal(err)
	}
	wantEqual(t, got, domain.Session{
		ID: session, Kind: domain.SessionMain, Directory: "/work", Model: "demo/demo",
		FirstUserMessage: "What is this?", MessageCount: 4, UserMessages: 2, AssistantMessages: 2, ToolCalls: 3,
		Usage:   domain.Usage{Input: 11, Output: 5, CacheRead: 3, CacheWrite: 2, Reasoning: 1},
		CostUSD: 0.5, CostUnknown: true, CreatedAt: at(0), UpdatedAt: at(9),
	})
	var total int64
	if err := rawDB(t, s.Path()).QueryRow("SELECT total_tokens FROM sessions").Scan(&total); err != nil || total != 21 {
		t.Errorf("total_tokens = %d (%v), want 21", total, err)
	}
}

func TestMessagePages(t *testing.T) {
	t.Parallel()
	s := open(t)
	session, other := addSession(t, s), addSession(t, s)
	var all []string
	for i := range 10 {
		m := text(session, domain.RoleUser, fmt.Sprint(i), 1) // one second: only the sequence orders them
		all = append(all, m.ID)
		commit(t, s, func(b *store.Batch) {
			b.AddMessage(m)
			b.AddMessage(text(other, domain.RoleUser, "else", i))
		})
	}
	queued := text(session, domain.RoleUser, "later", 0)
	commit(t, s, func(b *store.Batch) { b.QueueMessage(queued) })
	for name, test := range map[string]struct {
		r    store.MessageRange
		want []string
	}{
		"all":           {store.MessageRange{}, all},
		"with queued":   {store.MessageRange{Queued: true}, append(slices.Clone(all), queued.ID)},
		"last 3":        {store.MessageRange{Limit: 3}, all[7:]},
		"3 before 8":    {store.MessageRange{Limit: 3, BeforeSeq: 8}, all[4:7]},
		"before 3":      {store.MessageRange{BeforeSeq: 3}, all[:2]},
		"before all":    {store.MessageRange{BeforeSeq: 1, Limit: 5}, []string{}},
		"more than are": {store.MessageRange{Limit: 50}, all},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := s.Messages(t.Context(), session, test.r)
			if err != nil {
				t.Fatal(err)
			}
			wantEqual(t, ids(got), test.want)
		})
	}
}

func TestCallsAreJoined(t *testing.T) {
	t.Parallel()
	s := open(t)
	session := addSession(t, s)
	var want []domain.Message
	for i := range 4 {
		m := text(session, domain.RoleAssistant, fmt.Sprint(i), i)
		m.EventSeq = int64(10 * (4 - i)) // against the order of the sequence
		for place := range i {
			m.Calls = append(m.Calls, call(m, place))
		}
		commit(t, s, func(b *store.Batch) { b.AddMessage(m); b.AddCalls(m.Calls) })
		m.Seq = int64(i + 1)
		want = append(want, m)
	}
	addCall(t, s, addSession(t, s), domain.CallProposed) // of another session
	got, err := s.History(t.Context(), session)
	if err != nil {
		t.Fatal(err)
	}
	wantEqual(t, got, want)
	if got, err = s.Messages(t.Context(), session, store.MessageRange{Limit: 2, BeforeSeq: 4}); err != nil {
		t.Fatal(err)
	}
	wantEqual(t, got, want[1:3])
	if got, err = s.MessagesByEvent(t.Context(), session, 10, 30); err != nil {
		t.Fatal(err)
	}
	wantEqual(t, got, []domain.Message{want[2], want[1]})
}

func TestQueue(t *testing.T) {
	t.Parallel()
	s := open(t)
	session := addSession(t, s)
	first, second, third := text(session, domain.RoleUser, "first", 1), text(session, domain.RoleUser, "second", 2), text(session, domain.RoleUser, "third", 3)
	answer := text(session, domain.RoleAssistant, "answer", 4)
	commit(t, s, func(b *store.Batch) { b.QueueMessage(first) })
	commit(t, s, func(b *store.Batch) { b.QueueMessage(second); b.QueueMessage(third) })
	commit(t, s, func(b *store.Batch) { b.AddMessage(answer) })

	waiting, err := s.QueuedMessages(t.Context(), session)
	if err != nil {
		t.Fatal(err)
	}
	wantEqual(t, ids(waiting), []string{first.ID, second.ID, third.ID})
	if got, _ := s.Session(t.Context(), session); got.MessageCount != 1 || got.UserMessages != 0 || got.FirstUserMessage != "first" {
		t.Errorf("a session with queued messages: %+v", got)
	}
	commit(t, s, func(b *store.Batch) { b.PlaceMessage(second.ID); b.DeleteQueued(first.ID) })
	commit(t, s, func(b *store.Batch) { b.PlaceMessage(third.ID) })
	placed, err := s.Messages(t.Context(), session, store.MessageRange{Queued: true})
	if err != nil {
		t.Fatal(err)
	}
	wantEqual(t, ids(placed), []string{answer.ID, second.ID, third.ID})
	if placed[2].Seq != 3 {
		t.Errorf("the last message has place %d, want 3", placed[2].Seq)
	}
	if got, _ := s.Session(t.Context(), session); got.MessageCount != 3 || got.UserMessages != 2 {
		t.Errorf("a session with placed messages: %+v", got)
	}
	wantIs(t, try(s, func(b *store.Batch) { b.PlaceMessage(third.ID) }), domain.ErrConflict)
	wantIs(t, try(s, func(b *store.Batch) { b.DeleteQueued(third.ID) }), domain.ErrConflict)
	wantIs(t, try(s, func(b *store.Batch) { b.PlaceMessage(first.ID) }), domain.ErrNotFound)
}

func TestMessageHistory(t *testing.T) {
	t.Parallel()
	s := open(t)
	a, b := addSession(t, s), addSession(t, s)
	var want []string
	for i := range 60 {
		m := text([]string{a, b}[i%2], domain.RoleUser, "question", i)
		want = append(want, m.ID)
		commit(t, s, func(batch *store.Batch) {
			batch.AddMessage(m)
			batch.AddMessage(text(m.SessionID, domain.RoleAssistant, "answer", i))
		})
	}
	slices.Reverse(want)
	commit(t, s, func(batch *store.Batch) { batch.QueueMessage(text(a, domain.RoleUser, "later", 99)) })
	for _, test := range []struct{ limit, offset, from, to int }{{0, 0, 0, 50}, {3, 0, 0, 3}, {3, 2, 2, 5}, {10, 55, 55, 60}, {100, -1, 0, 60}} {
		got, err := s.MessageHistory(t.Context(), test.limit, test.offset)
		if err != nil {
			t.Fatal(err)
		}
		wantEqual(t, ids(got), want[test.from:test.to])
	}
}

func TestSequenceUnderConcurrency(t *testing.T) {
	t.Parallel()
	s := open(t)
	session := addSession(t, s)
	const writers, each = 8, 25
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for i := range each {
				m := text(session, domain.RoleUser, "go", i)
				if i%3 > 0 {
					if err := try(s, func(b *store.Batch) { b.AddMessage(m) }); err != nil {
						t.Error(err)
					}
					continue
				}
				if err := try(s, func(b *store.Batch) { b.QueueMessage(m) }); err != nil {
					t.Error(err)
				}
				if err := try(s, func(b *store.Batch) { b.PlaceMessage(m.ID) }); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	messages, err := s.History(t.Context(), session)
	if err != nil || len(messages) != writers*each {
		t.Fatalf("%d messages, %v", len(messages), err)
	}
	for i := range messages {
		if messages[i].Seq != int64(i+1) {
			t.Fatalf("message %d has place %d", i, messages[i].Seq)
		}
	}
}

// TestCountersAgreeWithRows does what callers may do, in any order, and
// compares the counters of the session with the rows of its messages.
func TestCountersAgreeWithRows(t *testing.T) {
	t.Parallel()
	s := open(t)
	rapid.Check(t, func(r *rapid.T) {
		session := addSession(t, s)
		var queued []string
		var want domain.Session
		for range rapid.IntRange(1, 12).Draw(r, "steps") {
			m := text(session, rapid.SampledFrom([]domain.Role{domain.RoleUser, domain.RoleAssistant}).Draw(r, "role"), "x", 1)
			var fail error
			err := try(s, func(b *store.Batch) {
				switch rapid.SampledFrom([]string{"add", "queue", "place", "delete", "fail"}).Draw(r, "step") {
				case "add":
					m.Usage.Output = int64(rapid.IntRange(0, 9).Draw(r, "tokens"))
					m.Calls = make([]domain.ToolCall, rapid.IntRange(0, 2).Draw(r, "calls"))
					for i := range m.Calls {
						m.Calls[i] = call(m, i)
					}
					b.AddMessage(m)
					b.AddCalls(m.Calls)
					want.ToolCalls += int64(len(m.Calls))
					want.Usage.Output += m.Usage.Output
				case "queue":
					m.Role = domain.RoleUser
					b.QueueMessage(m)
					queued = append(queued, m.ID)
				case "place":
					if len(queued) > 0 {
						b.PlaceMessage(queued[0])
						queued = queued[1:]
					}
				case "delete":
					if len(queued) > 0 {
						b.DeleteQueued(queued[len(queued)-1])
						queued = queued[:len(queued)-1]
					}
				case "fail":
					b.AddMessage(m)
					b.PlaceMessage("unknown")
					fail = domain.ErrNotFound
				}
			})
			if (err != nil) != (fail != nil) {
				r.Fatal(err)
			}
		}
		got, err := s.Session(t.Context(), session)
		if err != nil {
			r.Fatal(err)
		}
		messages, err := s.History(t.Context(), session)
		if err != nil {
			r.Fatal(err)
		}
		calls := 0
		var users, assistants int64
		for _, m := range messages {
			calls += len(m.Calls)
			if m.Role == domain.RoleUser {
				users++
			} else {
				assistants++
			}
		}
		if got.MessageCount != int64(len(messages)) || got.UserMessages != users || got.AssistantMessages != assistants ||
			got.ToolCalls != int64(calls) || got.ToolCalls != want.ToolCalls || got.Usage != want.Usage {
			r.Fatalf("the session counts %+v, its rows are %d messages, %d of users, with %d calls", got, len(messages), users, calls)
		}
	})
}
