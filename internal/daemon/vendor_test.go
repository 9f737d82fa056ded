package daemon_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// models is a vendor that speaks Chat Completions. Every test brings models of
// its own to it, so that tests do not meet.
var models vendor

type vendor struct {
	*httptest.Server
	mu     sync.Mutex
	known  map[string]func(*answer)
	number int
}

func (v *vendor) start() {
	v.known = map[string]func(*answer){}
	v.Server = httptest.NewServer(v)
}

// model adds a model and returns its full name. Each call to it is answered by
// do, in a goroutine of the vendor's server.
func model(t testing.TB, do func(*answer)) string {
	models.mu.Lock()
	defer models.mu.Unlock()
	models.number++
	name := fmt.Sprintf("mock-%d", models.number)
	models.known[name] = do
	t.Cleanup(func() {
		models.mu.Lock()
		defer models.mu.Unlock()
		delete(models.known, name)
	})
	return "openai/" + name
}

// says is a model that always gives the same answer.
func says(t testing.TB, text string) string {
	return model(t, func(a *answer) { a.text(text) })
}

// chatMessage is a message as the vendor gets it.
type chatMessage struct {
	Role       string          `json:"role"`
	Content    json.RawMessage `json:"content"`
	ToolCallID string          `json:"tool_call_id"`
	ToolCalls  []struct {
		ID       string
		Function struct{ Name, Arguments string }
	} `json:"tool_calls"`
}

// string returns the text of a message, in either form.
func (m chatMessage) string() string {
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

// answer is one call to a model, and what it says. Where nothing else was said
// it ends its turn when the function that makes it returns.
type answer struct {
	context.Context // ends when Mix hangs up
	// Prompt is the last user message, Results the tool results after it,
	// Whole everything that was sent.
	Prompt  string
	Results []string
	Whole   []chatMessage

	w      http.ResponseWriter
	calls  int
	failed bool
}

// ServeHTTP answers a call to a model.
func (v *vendor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Model    string
		Messages []chatMessage
	}
	err := json.NewDecoder(r.Body).Decode(&body)
	v.mu.Lock()
	do := v.known[body.Model]
	v.mu.Unlock()
	a := &answer{Context: r.Context(), w: w, Whole: body.Messages}
	if problem := checkConversation(body.Messages); err != nil || do == nil || problem != "" {
		a.fail(http.StatusBadRequest, fmt.Sprint("model ", body.Model, ": ", problem, err))
		return
	}
	for _, m := range body.Messages {
		switch m.Role {
		case "user":
			a.Prompt, a.Results = m.string(), nil
		case "tool":
			a.Results = append(a.Results, m.string())
		}
	}
	if do(a); a.failed || r.Context().Err() != nil {
		return
	}
	finish := "stop"
	if a.calls > 0 {
		finish = "tool_calls"
	}
	a.send(map[string]any{}, finish)
	a.line(`{"id":"x","object":"chat.completion.chunk","model":"mock","choices":[],"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}}`)
	a.line("[DONE]")
}

// text streams a piece of text.
func (a *answer) text(s string) { a.send(map[string]any{"content": s}, nil) }

// reason streams a piece of reasoning.
func (a *answer) reason(s string) { a.send(map[string]any{"reasoning_content": s}, nil) }

// call streams a tool call, its input in pieces.
func (a *answer) call(tool string, input ...string) {
	function := map[string]any{"name": tool}
	for i, piece := range input {
		function["arguments"] = piece
		c := map[string]any{"index": a.calls, "function": function}
		if i == 0 {
			c["id"], c["type"] = fmt.Sprintf("call_%d_%d", len(a.Whole), a.calls), "function"
		}
		a.send(map[string]any{"tool_calls": []any{c}}, nil)
		function = map[string]any{}
	}
	a.calls++
}

// fail answers with an error in place of an answer.
func (a *answer) fail(status int, message string) {
	a.failed = true
	a.w.Header().Set("Content-Type", "application/json")
	a.w.WriteHeader(status)
	fmt.Fprintf(a.w, `{"error":{"message":%q,"type":"mock_error"}}`, message)
}

// hang says nothing more until Mix hangs up.
func (a *answer) hang() { <-a.Done() }

func (a *answer) send(delta, finish any) {
	data, err := json.Marshal(map[string]any{
		"id": "chatcmpl-1", "object": "chat.completion.chunk", "model": "mock",
		"choices": []any{map[string]any{"index": 0, "delta": delta, "finish_reason": finish}},
	})
	if err != nil {
		panic(err)
	}
	a.line(string(data))
}

func (a *answer) line(data string) {
	a.w.Header().Set("Content-Type", "text/event-stream")
	fmt.Fprintf(a.w, "data: %s\n\n", data)
	_ = http.NewResponseController(a.w).Flush()
}

// checkConversation holds the messages against the rules of the vendor: every
// call has its result right behind it, and nothing is empty.
func checkConversation(messages []chatMessage) string {
	open := map[string]bool{}
	for i, m := range messages {
		if m.Role != "tool" && len(open) > 0 {
			return fmt.Sprintf("message %d (%s): calls %v have no result", i, m.Role, open)
		}
		switch m.Role {
		case "system", "developer":
			if i != 0 {
				return fmt.Sprintf("message %d: a system message in the middle", i)
			}
		case "user":
		case "assistant":
			for _, c := range m.ToolCalls {
				if open[c.ID] || c.ID == "" || !json.Valid([]byte(c.Function.Arguments)) {
					return fmt.Sprintf("message %d: call %q: empty or used twice, or its arguments are no JSON", i, c.ID)
				}
				open[c.ID] = true
			}
			if len(m.ToolCalls) == 0 && m.string() == "" {
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
		return fmt.Sprintf("calls %v have no result", open)
	}
	return ""
}
