package providertest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/provider"
)

func (w Wire) body(t testing.TB, req *provider.Request) []byte {
	return Body(t, func(c *http.Client) provider.Provider {
		return w.New(Setup{BaseURL: "http://vendor.test", Key: Key, Client: c})
	}, req)
}

// testPrefix shows that each request begins with the one before.
func (w Wire) testPrefix(t *testing.T) {
	req := request()
	vendor := w.New(Setup{BaseURL: "http://vendor.test", Key: Key}).Name()
	before := bytes.TrimSuffix(w.body(t, req), []byte("]}"))
	for turn := range 12 {
		answer := sample()
		message := domain.Message{Role: domain.RoleAssistant, Blocks: answer.Blocks}
		for i := range message.Blocks {
			if b := &message.Blocks[i]; b.Type == domain.BlockReasoning {
				b.Vendor = vendor
			}
		}
		for _, c := range answer.Calls() {
			state := []domain.CallState{domain.CallFinished, domain.CallFailed, domain.CallDenied}[turn%3]
			message.Calls = append(message.Calls, domain.ToolCall{CallID: c.CallID, State: state, Text: fmt.Sprintf("result %d <&>", turn)})
		}
		if turn%4 == 3 { // a turn that ends, and a person who goes on
			message.Blocks = message.Blocks[:2]
			message.Calls = nil
			req.Messages = append(req.Messages, message, domain.Message{
				Role: domain.RoleUser, Blocks: []domain.Block{{Type: domain.BlockText, Text: fmt.Sprintf("Go on, %d.", turn)}},
			})
		} else {
			req.Messages = append(req.Messages, message)
		}
		body := w.body(t, req)
		if !bytes.HasPrefix(body, before) {
			t.Fatalf("turn %d does not begin with the turn before:\n%s\n%s", turn, before, body)
		}
		if !bytes.HasSuffix(body, []byte("]}")) || bytes.Equal(body, before) {
			t.Fatalf("turn %d ends with %q", turn, body[len(body)-10:])
		}
		if again := w.body(t, req); !bytes.Equal(again, body) {
			t.Fatal("the same request gives different bytes")
		}
		before = bytes.TrimSuffix(body, []byte("]}"))
	}
}

// testAnyHistory checks that whatever is stored becomes a request that every
// vendor accepts.
func (w Wire) testAnyHistory(t *testing.T) {
	vendor := w.New(Setup{BaseURL: "http://vendor.test", Key: Key}).Name()
	rapid.Check(t, func(rt *rapid.T) {
		req := &provider.Request{Model: "m", Messages: histories(vendor).Draw(rt, "history")}
		body := w.body(t, req)
		messages, ok := w.History(body)
		if !ok {
			rt.Fatalf("sent what cannot be read back: %s", body)
		}
		ids := map[string]bool{}
		for i, m := range messages {
			if i > 0 && m.Role == messages[i-1].Role && (m.Role != domain.RoleAssistant || len(messages[i-1].Calls) == 0) {
				rt.Fatalf("two messages of %s in a row: %s", m.Role, body)
			}
			answer := Answer{Blocks: m.Blocks}
			calls := answer.Calls()
			if len(m.Calls) != len(calls) {
				rt.Fatalf("%d calls, %d results: %s", len(calls), len(m.Calls), body)
			}
			for j, c := range calls {
				if m.Calls[j].CallID != c.CallID || m.Calls[j].Text == "" {
					rt.Fatalf("call %q has the result %+v: %s", c.CallID, m.Calls[j], body)
				}
				if ids[c.CallID] || len(c.CallID) > 40 || c.CallID == "" || c.Tool == "" {
					rt.Fatalf("call %q of %q: %s", c.CallID, c.Tool, body)
				}
				ids[c.CallID] = true
				var object map[string]any
				if json.Unmarshal([]byte(c.Input), &object) != nil || object == nil {
					rt.Fatalf("input %q: %s", c.Input, body)
				}
			}
		}
	})
}

// histories draws stored histories: whole, broken off, of other vendors.
func histories(vendor string) *rapid.Generator[[]domain.Message] {
	text := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"", " \n", "hello", "\xff\xfe", "\u2028"}))
	id := rapid.SampledFrom([]string{"", "a", "b", "functions.read:0", strings.Repeat("x", 60), "é"})
	name := rapid.SampledFrom([]string{"", "Read", "a b", strings.Repeat("n", 99), "\x00"})
	input := rapid.OneOf(text, rapid.SampledFrom([]string{"{}", `{"a":1}`, `{"a":`, `[1]`, `null`, `{"a":"\ud800"}`, "{\"a\":\"\xff\"}"}))
	block := rapid.Custom(func(t *rapid.T) domain.Block {
		switch rapid.IntRange(0, 4).Draw(t, "type") {
		case 0:
			return domain.Block{
				Type: domain.BlockReasoning, Text: text.Draw(t, "text"), Redacted: rapid.Bool().Draw(t, "redacted"),
				Opaque: text.Draw(t, "opaque"), Vendor: rapid.SampledFrom([]string{vendor, "other", ""}).Draw(t, "vendor"),
			}
		case 1, 2:
			return domain.Block{Type: domain.BlockToolCall, CallID: id.Draw(t, "id"), Tool: name.Draw(t, "tool"), Input: input.Draw(t, "input")}
		default:
			return domain.Block{Type: domain.BlockText, Text: text.Draw(t, "text")}
		}
	})
	message := rapid.Custom(func(t *rapid.T) domain.Message {
		if rapid.Bool().Draw(t, "user") {
			return domain.Message{Role: domain.RoleUser, Blocks: []domain.Block{{Type: domain.BlockText, Text: text.Draw(t, "text")}}}
		}
		m := domain.Message{Role: domain.RoleAssistant, Blocks: rapid.SliceOfN(block, 0, 5).Draw(t, "blocks")}
		for _, b := range m.Blocks {
			if b.Type == domain.BlockToolCall && rapid.Bool().Draw(t, "has a row") {
				m.Calls = append(m.Calls, domain.ToolCall{
					CallID: b.CallID, Text: text.Draw(t, "result"),
					State: rapid.SampledFrom([]domain.CallState{domain.CallFinished, domain.CallStarted, domain.CallDenied, domain.CallInterrupted}).Draw(t, "state"),
				})
			}
		}
		return m
	})
	return rapid.Custom(func(t *rapid.T) []domain.Message {
		first := domain.Message{Role: domain.RoleUser, Blocks: []domain.Block{{Type: domain.BlockText, Text: "go"}}}
		return append([]domain.Message{first}, rapid.SliceOfN(message, 0, 8).Draw(t, "messages")...)
	})
}
