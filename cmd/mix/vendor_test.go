package main_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// vendor is a model server that speaks Chat Completions. It is as strict with
// the conversation as real vendors are: roles, and a result for each call
// right behind it.
type vendor struct {
	*httptest.Server
	// answer decides what the model says to a conversation.
	answer func(conversation) reply

	mu       sync.Mutex
	requests int
	problems []string
	bodies   []string
	arrived  chan struct{} // tells of requests
}

// conversation is what a request holds.
type conversation struct {
	Messages []chatMessage
	// Prompt is the last user message, Results the tool results after it.
	Prompt  string
	Results []string
	// Number counts the requests of all conversations.
	Number int
}

type chatMessage struct {
	Role       string          `json:"role"`
	Content    json.RawMessage `json:"content"`
	ToolCallID string          `json:"tool_call_id"`
	ToolCalls  []struct {
		ID       string
		Function struct{ Name, Arguments string }
	} `json:"tool_calls"`
}

// text returns the text of a message, in either form.
func (m chatMessage) text() string {
	var s string
	if json.Unmarshal(m.Content, &s) == nil {
		return s
	}
	var parts []struct{ Text string }
	_ = json.Unmarshal(m.Content, &parts)
	var b strings.Builder
	for _, p := range parts {
		b.WriteString(p.Text)
	}
	return b.String()
}

// reply is one answer: text in pieces, then calls.
type reply struct {
	Pieces []string
	Pause  time.Duration // between two pieces
	Calls  []call
}

type call struct{ Tool, Input string }

func newVendor(t testing.TB, answer func(conversation) reply) *vendor {
	v := &vendor{answer: answer, arrived: make(chan struct{}, 1)}
	v.Server = httptest.NewServer(v)
	t.Cleanup(v.Close)
	return v
}

// env lets the program under test use the vendor.
func (v *vendor) env() []string {
	return []string{"OPENAI_API_KEY=test-key-that-is-no-secret", "OPENAI_BASE_URL=" + v.URL + "/v1"}
}

// waitForRequests waits until n requests have come.
func (v *vendor) waitForRequests(t testing.TB, n int) {
	t.Helper()
	deadline := time.After(patience)
	for {
		v.mu.Lock()
		have := v.requests
		v.mu.Unlock()
		if have >= n {
			return
		}
		select {
		case <-v.arrived:
		case <-deadline:
			t.Fatalf("%d requests came, not %d", have, n)
		}
	}
}

// trouble returns what was wrong with requests.
func (v *vendor) trouble() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return append([]string(nil), v.problems...)
}

// ServeHTTP answers a request.
func (v *vendor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var raw json.RawMessage
	var body struct{ Messages []chatMessage }
	if json.NewDecoder(r.Body).Decode(&raw) != nil || json.Unmarshal(raw, &body) != nil {
		http.Error(w, `{"error":{"message":"bad body"}}`, http.StatusBadRequest)
		return
	}
	v.mu.Lock()
	v.requests++
	c := conversation{Messages: body.Messages, Number: v.requests}
	v.bodies = append(v.bodies, string(raw))
	select {
	case v.arrived <- struct{}{}:
	default:
	}
	if problem := checkConversation(body.Messages); problem != "" {
		v.problems = append(v.problems, problem)
		v.mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, `{"error":{"message":%q,"type":"invalid_request_error"}}`, problem)
		return
	}
	v.mu.Unlock()
	for _, m := range body.Messages {
		switch m.Role {
		case "user":
			c.Prompt, c.Results = m.text(), nil
		case "tool":
			c.Results = append(c.Results, m.text())
		}
	}
	v.stream(w, r, v.answer(c), c.Number)
}

// checkConversation holds the messages against the rules of the vendor.
func checkConversation(messages []chatMessage) string {
	open := map[string]bool{}
	seenUser := false
	for i, m := range messages {
		if m.Role != "tool" && len(open) > 0 {
			return fmt.Sprintf("message %d (%s): tool calls %v have no result", i, m.Role, open)
		}
		switch m.Role {
		case "system", "developer":
			if i != 0 {
				return fmt.Sprintf("message %d: a system message in the middle", i)
			}
		case "user":
			seenUser = true
		case "assistant":
			if !seenUser {
				return fmt.Sprintf("message %d: an assistant message before any user message", i)
			}
			for _, c := range m.ToolCalls {
				if open[c.ID] || c.ID == "" {
					return fmt.Sprintf("message %d: call id %q is empty or used twice", i, c.ID)
				}
				if !json.Valid([]byte(c.Function.Arguments)) {
					return fmt.Sprintf("message %d: the arguments of %s are no JSON", i, c.ID)
				}
				open[c.ID] = true
			}
			if len(m.ToolCalls) == 0 && m.text() == "" {
				return fmt.Sprintf("message %d: an empty assistant message", i)
			}
		case "tool":
			if !open[m.ToolCallID] {
				return fmt.Sprintf("message %d: a result for %q, which was not called", i, m.ToolCallID)
			}
			delete(open, m.ToolCallID)
		default:
			return fmt.Sprintf("message %d: role %q", i, m.Role)
		}
	}
	if len(open) > 0 {
		return fmt.Sprintf("tool calls %v have no result", open)
	}
	return ""
}

// stream sends the reply as the vendor does.
func (v *vendor) stream(w http.ResponseWriter, r *http.Request, a reply, number int) {
	w.Header().Set("Content-Type", "text/event-stream")
	rc := http.NewResponseController(w)
	send := func(delta any, finish any) bool {
		data, _ := json.Marshal(map[string]any{
			"id": fmt.Sprintf("chatcmpl-%d", number), "object": "chat.completion.chunk", "model": "mock",
			"choices": []any{map[string]any{"index": 0, "delta": delta, "finish_reason": finish}},
		})
		_, err := fmt.Fprintf(w, "data: %s\n\n", data)
		return err == nil && rc.Flush() == nil
	}
	for _, p := range a.Pieces {
		if !send(map[string]any{"content": p}, nil) {
			return
		}
		if a.Pause > 0 {
			select {
			case <-time.After(a.Pause):
			case <-r.Context().Done():
				return
			}
		}
	}
	finish := "stop"
	for i, c := range a.Calls {
		finish = "tool_calls"
		if !send(map[string]any{"tool_calls": []any{map[string]any{
			"index": i, "id": fmt.Sprintf("call_%d_%d", number, i), "type": "function",
			"function": map[string]any{"name": c.Tool, "arguments": c.Input},
		}}}, nil) {
			return
		}
	}
	send(map[string]any{}, finish)
	fmt.Fprintf(w, `data: {"id":"x","object":"chat.completion.chunk","model":"mock","choices":[],"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}}`+"\n\n")
	fmt.Fprint(w, "data: [DONE]\n\n")
	_ = rc.Flush()
}
