package mix_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	mix "github.com/mixagent/mix/sdk"
)

// finish reads a stream until a run is complete and returns the events.
func finish(t *testing.T, stream *mix.EventStream, run string) []mix.Event {
	t.Helper()
	defer stream.Close()
	var events []mix.Event
	for ev, err := range stream.All() {
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, ev)
		var d struct{ RunID string }
		if ev.Type == "complete" && json.Unmarshal(ev.Data, &d) == nil && d.RunID == run {
			return events
		}
	}
	t.Fatalf("the stream ended before the run: %v", events)
	return nil
}

// names lists the types of events.
func names(events []mix.Event) string {
	var list []string
	for _, ev := range events {
		list = append(list, ev.Type)
	}
	return strings.Join(list, " ")
}

func create(t *testing.T, m *mix.Mix, spec mix.SessionSpec) mix.Session {
	t.Helper()
	if spec.Title == "" {
		spec.Title = t.Name()
	}
	s, err := m.CreateSession(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestBasicWorkflow creates a session, sends, waits, reads, and deletes.
func TestBasicWorkflow(t *testing.T) {
	t.Parallel()
	m, dir := start(t)
	health, err := m.Health(t.Context())
	if err != nil || health.Status != "ok" || health.Version == "" || health.Instance == "" {
		t.Errorf("%+v, %v", health, err)
	}
	s := create(t, m, mix.SessionSpec{Title: "First", Model: "demo/echo", PermissionMode: "plan"})
	if s.Title != "First" || s.ModelID != "echo" || s.Provider != "demo" || s.PermissionMode != "plan" || s.SessionType != "main" {
		t.Errorf("%+v", s)
	}
	if real, _ := filepath.EvalSymlinks(dir); s.Directory != real {
		t.Errorf("it works in %s, not in %s", s.Directory, real)
	}
	stream, err := m.Submit(t.Context(), s.ID, mix.Prompt{Text: "hello"})
	if err != nil {
		t.Fatal(err)
	}
	if stream.RunID == "" || stream.MessageID == "" {
		t.Errorf("%+v", stream)
	}
	events := finish(t, stream.EventStream, stream.RunID)
	if got := names(events); !strings.HasPrefix(got, "connected user_message_created run") || !strings.HasSuffix(got, "complete") {
		t.Error(got)
	}
	if stream.Next() || stream.Err() != nil {
		t.Error("the stream goes on after its run", stream.Err())
	}
	messages, err := m.Messages(t.Context(), s.ID, mix.Page{})
	if err != nil || len(messages) != 2 {
		t.Fatal(messages, err)
	}
	if q, a := messages[0], messages[1]; q.ID != stream.MessageID || q.Role != "user" || q.UserInput != "hello" || q.Cost != nil ||
		a.Role != "assistant" || a.AssistantResponse != "hello" || a.Seq != 2 || a.RunID != stream.RunID || a.Cost == nil {
		t.Errorf("%+v", messages)
	}
	list, err := m.Sessions(t.Context(), mix.SessionFilter{Directory: s.Directory})
	if err != nil || len(list) != 1 || list[0].ID != s.ID || list[0].FirstUserMessage != "hello" || list[0].UserMessageCount != 1 {
		t.Errorf("%+v, %v", list, err)
	}
	export, err := m.Export(t.Context(), s.ID)
	if err != nil || !json.Valid(export) || !strings.Contains(string(export), "hello") {
		t.Errorf("%s, %v", export, err)
	}
	if err := m.DeleteSession(t.Context(), s.ID); err != nil {
		t.Error(err)
	}
	if _, err := m.Session(t.Context(), s.ID); !mix.IsNotFound(err) {
		t.Errorf("after it was deleted: %v", err)
	}
}

// TestSendThenEvents: who streams from LastEventID misses nothing, however
// late; the same key gives the same answer.
func TestSendThenEvents(t *testing.T) {
	t.Parallel()
	m, _ := start(t)
	s := create(t, m, mix.SessionSpec{Model: "demo/echo"})
	p := mix.Prompt{Text: "hello", IdempotencyKey: "key"}
	sent, err := m.Send(t.Context(), s.ID, p)
	if err != nil || sent.Queued {
		t.Fatalf("%+v, %v", sent, err)
	}
	again, err := m.Send(t.Context(), s.ID, p)
	if err != nil || again.RunID != sent.RunID || again.MessageID != sent.MessageID || again.LastEventID != sent.LastEventID {
		t.Errorf("sent again: %+v, first %+v, %v", again, sent, err)
	}
	var last int64
	for range 2 { // live, then replayed
		stream, err := m.Events(t.Context(), s.ID, mix.EventOptions{LastEventID: &sent.LastEventID})
		if err != nil {
			t.Fatal(err)
		}
		events := finish(t, stream, sent.RunID)
		if got := names(events); !strings.HasPrefix(got, "connected user_message_created run") {
			t.Error(got)
		}
		if last != 0 && stream.LastID() != last {
			t.Errorf("the last number was %d, now %d", last, stream.LastID())
		}
		last = stream.LastID()
	}
	messages, err := m.Messages(t.Context(), s.ID, mix.Page{})
	if err != nil || len(messages) != 2 {
		t.Errorf("%d messages, %v", len(messages), err)
	}
}

func TestPaging(t *testing.T) {
	t.Parallel()
	m, _ := start(t)
	s := create(t, m, mix.SessionSpec{Model: "demo/echo"})
	for _, text := range []string{"a", "b", "c"} {
		stream, err := m.Submit(t.Context(), s.ID, mix.Prompt{Text: text})
		if err != nil {
			t.Fatal(err)
		}
		finish(t, stream.EventStream, stream.RunID)
	}
	var got []string
	page := mix.Page{Limit: 4}
	for {
		messages, err := m.Messages(t.Context(), s.ID, page)
		if err != nil {
			t.Fatal(err)
		}
		if len(messages) == 0 {
			break
		}
		var texts []string
		for _, msg := range messages {
			texts = append(texts, msg.UserInput)
		}
		got = append(got, strings.Join(texts, ""))
		page.BeforeSeq = messages[0].Seq
		if page.BeforeSeq == 1 {
			break
		}
	}
	if strings.Join(got, " ") != "bbcc aa" {
		t.Errorf("pages: %q", got)
	}
	if _, err := m.Messages(t.Context(), s.ID, mix.Page{Limit: 1001}); err == nil {
		t.Error("a page of more than 1000")
	}
}

// permission waits for a request on a stream.
func permission(t *testing.T, stream *mix.EventStream) (id string) {
	t.Helper()
	for stream.Next() {
		if ev := stream.Event(); ev.Type == "permission" {
			var d struct{ ID string }
			if err := json.Unmarshal(ev.Data, &d); err != nil {
				t.Fatal(err)
			}
			return d.ID
		}
	}
	t.Fatalf("nobody was asked: %v", stream.Err())
	return ""
}

// TestAnswers allows with another input, denies with a reason, allows for the
// session, and reads the audit.
func TestAnswers(t *testing.T) {
	t.Parallel()
	m, dir := start(t)
	s := create(t, m, mix.SessionSpec{GrantDirectory: true})
	stream, err := m.Submit(t.Context(), s.ID, mix.Prompt{Approver: true, Text: `[
		{"calls": [{"tool": "Bash", "input": {"command": "touch asked.txt"}}]},
		{"calls": [{"tool": "Bash", "input": {"command": "touch denied.txt"}}]},
		{"calls": [{"tool": "Bash", "input": {"command": "mkdir one"}}]},
		{"calls": [{"tool": "Bash", "input": {"command": "mkdir two"}}]},
		{"text": "done"}]`})
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	if err := m.Grant(t.Context(), permission(t, stream.EventStream), mix.Answer{Input: json.RawMessage(`{"command":"touch edited.txt"}`)}); err != nil {
		t.Fatal(err)
	}
	denied := permission(t, stream.EventStream)
	if err := m.Deny(t.Context(), denied, mix.Answer{Reason: "not now"}); err != nil {
		t.Fatal(err)
	}
	if err := m.Grant(t.Context(), denied, mix.Answer{}); !mix.IsNotFound(err) {
		t.Errorf("an answer that comes too late: %v", err)
	}
	if err := m.Grant(t.Context(), permission(t, stream.EventStream), mix.Answer{Scope: "session", Rule: "Bash(mkdir:*)"}); err != nil {
		t.Fatal(err)
	}
	finish(t, stream.EventStream, stream.RunID) // the fourth asks nobody
	for name, want := range map[string]bool{"asked.txt": false, "edited.txt": true, "denied.txt": false, "one": true, "two": true} {
		if _, err := os.Stat(filepath.Join(dir, name)); (err == nil) != want {
			t.Errorf("%s: %v", name, err)
		}
	}
	rows, err := m.Audit(t.Context(), s.ID, 10)
	if err != nil || len(rows) != 4 {
		t.Fatalf("%+v, %v", rows, err)
	}
	if d := rows[0].Decision; d == nil || d.Outcome != "allow" || d.Rule != "Bash(mkdir:*)" || rows[0].Asked {
		t.Errorf("by a rule: %+v", rows[0])
	}
	if d := rows[2].Decision; d == nil || d.Outcome != "deny" || d.By != "person" || d.Reason != "not now" || !rows[2].Asked {
		t.Errorf("denied: %+v", rows[2])
	}
	if limited, err := m.Audit(t.Context(), "", 1); err != nil || len(limited) != 1 || limited[0].ID != rows[0].ID {
		t.Errorf("the newest of all: %+v, %v", limited, err)
	}
}

func TestExplain(t *testing.T) {
	t.Parallel()
	m, dir := start(t)
	s := create(t, m, mix.SessionSpec{Deny: []string{"Bash(rm:*)"}})
	e, err := m.Explain(t.Context(), s.ID, "Bash(ls && rm a)")
	if err != nil || e.Outcome != "deny" || e.Rule != "Bash(rm:*)" || len(e.Steps) < 2 {
		t.Errorf("%+v, %v", e, err)
	}
	e, err = m.ExplainFor(t.Context(), mix.SessionSpec{Directory: dir, PermissionMode: "auto"}, "Bash(rm a)")
	if err != nil || e.Outcome != "allow" {
		t.Errorf("%+v, %v", e, err)
	}
	if _, err := m.Explain(t.Context(), s.ID, "nonsense("); err == nil {
		t.Error("nonsense was explained")
	}
}

// TestCancel: a client that leaves cancels nothing, Cancel does.
func TestCancel(t *testing.T) {
	t.Parallel()
	m, _ := start(t)
	s := create(t, m, mix.SessionSpec{})
	ctx, leave := context.WithCancel(t.Context())
	stream, err := m.Submit(ctx, s.ID, mix.Prompt{Approver: true, Text: `[{"calls": [{"tool": "Bash", "input": {"command": "touch x"}}]}]`})
	if err != nil {
		t.Fatal(err)
	}
	permission(t, stream.EventStream)
	leave()
	for stream.Next() {
	}
	if stream.Err() == nil {
		t.Error("the stream of an ended context ended well")
	}
	last := stream.LastID()
	back, err := m.Events(t.Context(), s.ID, mix.EventOptions{LastEventID: &last})
	if err != nil {
		t.Fatal(err)
	}
	defer back.Close()
	if err := m.Cancel(t.Context(), s.ID); err != nil {
		t.Fatal(err)
	}
	events := finish(t, back, stream.RunID)
	if !strings.Contains(string(events[len(events)-1].Data), `"state":"cancelled"`) {
		t.Errorf("%s", events[len(events)-1].Data)
	}
	if err := m.Cancel(t.Context(), s.ID); err != nil {
		t.Errorf("of an idle session: %v", err)
	}
}
