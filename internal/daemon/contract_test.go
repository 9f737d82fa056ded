package daemon_test

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mixagent/mix/internal/daemon"
)

// TestContractSession goes the whole way of a published client: stream first,
// then the message, then everything that can be asked about the session.
func TestContractSession(t *testing.T) {
	t.Parallel()
	s := start(t, daemon.Config{})
	c := s.client()
	c.call("GET", "/health", "", http.StatusOK, healthSchema.check)
	if list := c.call("GET", "/api/sessions?includeSubagents=false", "", http.StatusOK, listOf(sessionSchema.check)); len(objects(list["list"])) != 0 {
		t.Errorf("sessions before the first: %v", list)
	}
	dir := filepath.Join(s.cfg.Dir)
	if err := os.WriteFile(filepath.Join(dir, "notes.txt"), []byte("one\ntwo\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	id := c.create(object{"permission_mode": "auto"})
	st := c.stream(id, "")

	c.send(id, plan(
		step{Reasoning: "Look first.", Text: "I look.", Calls: []toolCall{
			{"ReadText", object{"file_path": filepath.Join(dir, "notes.txt")}}, {"Bash", object{"command": "echo out; exit 3"}},
		}},
		step{Text: "Done <&>\u2028."},
	))
	events := st.until("complete")
	want := []string{
		"user_message_created", "thinking", "content",
		"tool_use_start", "tool_use_parameter_delta", "tool_use_parameter_streaming_complete",
		"tool_use_start", "tool_use_parameter_delta", "tool_use_parameter_streaming_complete",
		"tool_execution_start", "tool_execution_complete", "content", "complete",
	}
	got := slices.DeleteFunc(names(events), func(name string) bool {
		return name == "tool_execution_start" || name == "tool_execution_complete"
	})
	if strings.Join(got, " ") != strings.Join(slices.DeleteFunc(slices.Clone(want), func(name string) bool {
		return name == "tool_execution_start" || name == "tool_execution_complete"
	}), " ") {
		t.Errorf("events: %v", names(events))
	}
	starts, ends := 0, 0
	for _, ev := range events {
		switch ev.name {
		case "tool_execution_start":
			starts++
		case "tool_execution_complete":
			ends++
			if want := ev.str("toolName") == "ReadText"; ev.data["success"] != want {
				t.Errorf("%s: success %v", ev.str("toolName"), ev.data["success"])
			}
		}
	}
	if starts != 2 || ends != 2 {
		t.Errorf("%d tools started, %d ended", starts, ends)
	}
	last := events[len(events)-1]
	if last.data["done"] != true || last.str("content") != "Done <&>\u2028." || last.str("messageId") == "" {
		t.Errorf("complete: %v", last.data)
	}

	// The stream stays open for the next message.
	c.send(id, plan(step{Text: "Again."}))
	if ev := st.wait("complete"); ev.str("content") != "Again." {
		t.Errorf("second complete: %v", ev.data)
	}
	checkMessages(t, c.messages(id))
	checkDocuments(t, c, id)

	c.call("DELETE", "/api/sessions/"+id, "", http.StatusNoContent, nil)
	if rest := st.rest(); len(rest) != 1 || rest[0].name != "session_deleted" || rest[0].str("sessionId") != id {
		t.Errorf("after the delete: %+v", rest)
	}
	c.refused("DELETE", "/api/sessions/"+id, "", http.StatusNotFound)
	c.refused("GET", "/stream?sessionId="+id, "", http.StatusNotFound)
}

// checkMessages looks at what TestContractSession left.
func checkMessages(t *testing.T, list []map[string]any) {
	t.Helper()
	var roles []string
	for _, m := range list {
		roles = append(roles, m["role"].(string))
		if m["role"] == "assistant" && m["userInput"] != m["assistantResponse"] {
			t.Errorf("the text is not in both keys: %v", m)
		}
	}
	if strings.Join(roles, " ") != "user assistant assistant user assistant" {
		t.Fatalf("roles: %v", roles)
	}
	calls := objects(list[1]["toolCalls"])
	if len(calls) != 2 || calls[0]["name"] != "ReadText" || calls[0]["isError"] != false || calls[0]["finished"] != true ||
		!strings.Contains(calls[0]["result"].(string), "two") {
		t.Errorf("first call: %v", calls)
	}
	if calls[1]["name"] != "Bash" || !strings.Contains(calls[1]["result"].(string), `"exitCode":3`) {
		t.Errorf("second call: %v", calls[1])
	}
	if list[1]["reasoning"] != "Look first." || list[2]["assistantResponse"] != "Done <&>\u2028." {
		t.Errorf("answers: %v, %v", list[1], list[2])
	}
}

// checkDocuments looks at the other views of that session.
func checkDocuments(t *testing.T, c *strictClient, id string) {
	t.Helper()
	got := c.call("GET", "/api/sessions/"+id, "", http.StatusOK, sessionSchema.check)
	for key, want := range map[string]string{
		"title": "My First Session", "browserMode": "electron-embedded-browser", "sessionType": "main",
	} {
		if got[key] != want {
			t.Errorf("session: %s is %v", key, got[key])
		}
	}
	if n := encode([]any{got["userMessageCount"], got["assistantMessageCount"], got["toolCallCount"]}); n != "[2,3,2]" {
		t.Errorf("counts: %s", n)
	}
	list := objects(c.call("GET", "/api/sessions", "", http.StatusOK, listOf(sessionSchema.check))["list"])
	if len(list) != 1 || list[0]["id"] != id {
		t.Errorf("list: %v", list)
	}
	export := c.call("GET", "/api/sessions/"+id+"/export", "", http.StatusOK, exportSchema.check)
	if n := len(objects(export["messages"])); n != 5 {
		t.Errorf("the export has %d messages", n)
	}
	resp, err := c.http.Do(c.request("GET", "/api/sessions/"+id+"/export", ""))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if got := resp.Header.Get("Content-Disposition"); got != "attachment; filename=session_"+id+"_transcript.json" {
		t.Errorf("export: Content-Disposition %q", got)
	}
}

// TestContractFailingRun: error, then complete; the stream and the session go
// on.
func TestContractFailingRun(t *testing.T) {
	t.Parallel()
	c := start(t, daemon.Config{}).client()
	id := c.create(nil)
	st := c.stream(id, "")
	c.send(id, "this is no plan")
	events := st.until("complete")
	if got := strings.Join(names(events), " "); got != "user_message_created error complete" {
		t.Fatalf("events: %s", got)
	}
	if failure := events[1]; failure.str("error") == "" || failure.data["attempt"] != nil {
		t.Errorf("error: %v", failure.data)
	}
	c.send(id, plan(step{Text: "Well."}))
	if ev := st.wait("complete"); ev.str("content") != "Well." {
		t.Errorf("complete: %v", ev.data)
	}
}

// TestContractVendorErrors: a vendor that refuses is an error event of the
// right type, never a status that clients retry.
func TestContractVendorErrors(t *testing.T) {
	t.Parallel()
	c := start(t, daemon.Config{}).client()
	for _, tt := range []struct {
		status     int
		kind, text string
	}{
		{http.StatusUnauthorized, "authentication_error", "OPENAI_API_KEY"},
		{http.StatusBadRequest, "invalid_request_error", "no such thing"},
	} {
		id := c.create(object{"model_id": model(t, func(a *answer) { a.fail(tt.status, "no such thing") })})
		st := c.stream(id, "")
		c.send(id, "hello")
		events := st.until("complete")
		failure := events[len(events)-2]
		if failure.name != "error" || failure.str("type") != tt.kind || !strings.Contains(failure.str("error"), tt.text) {
			t.Errorf("status %d: %s %v", tt.status, failure.name, failure.data)
		}
	}
}

// TestContractRetryAnnouncement: a wait that people notice is announced by an
// error event with its attempt, and the run goes on to a good end.
func TestContractRetryAnnouncement(t *testing.T) {
	t.Parallel()
	c := start(t, daemon.Config{}).client()
	first := true
	id := c.create(object{"model_id": model(t, func(a *answer) {
		if first {
			first = false
			a.w.Header().Set("Retry-After", "2")
			a.fail(http.StatusTooManyRequests, "slow down")
			return
		}
		a.text("There.")
	})})
	st := c.stream(id, "")
	c.send(id, "hello")
	events := st.until("complete")
	if got := strings.Join(names(events), " "); got != "user_message_created error content complete" {
		t.Fatalf("events: %s", got)
	}
	if got := encode([]any{events[1].str("type"), events[1].data["attempt"], events[1].data["maxAttempts"]}); got != `["rate_limit_error",1,8]` {
		t.Errorf("announcement: %v", events[1].data)
	}
	if wait := events[1].data["retryAfter"]; wait == nil || len(encode(wait)) != 4 {
		t.Errorf("retryAfter %v is not 2 s in milliseconds", wait)
	}
}

// TestContractReasoning: reasoning of a vendor is on the stream, in complete
// and in the messages.
func TestContractReasoning(t *testing.T) {
	t.Parallel()
	c := start(t, daemon.Config{}).client()
	id := c.create(object{"model_id": model(t, func(a *answer) {
		a.reason("hm ")
		a.reason("so")
		a.text("Yes.")
	})})
	st := c.stream(id, "")
	c.send(id, "hello")
	events := st.until("complete")
	if got := joined(events, "thinking", "content"); got != "hm so" {
		t.Errorf("thinking: %q", got)
	}
	if last := events[len(events)-1]; last.str("reasoning") != "hm so" || last.str("content") != "Yes." {
		t.Errorf("complete: %v", last.data)
	}
	if m := c.messages(id)[1]; m["reasoning"] != "hm so" || encode(m["inputTokens"]) != "10" || encode(m["outputTokens"]) != "5" {
		t.Errorf("message: %v", m)
	}
}

// TestContractCancel: running and idle, and twice.
func TestContractCancel(t *testing.T) {
	t.Parallel()
	c := start(t, daemon.Config{}).client()
	began := make(chan struct{})
	id := c.create(object{"model_id": model(t, func(a *answer) { a.text("Half a"); close(began); a.hang() })})
	if c.cancel(id) {
		t.Error("something was cancelled in an idle session")
	}
	st := c.stream(id, "")
	c.send(id, "hello")
	within(t, patience, "the model is asked", began)
	st.wait("content")
	if !c.cancel(id) || c.cancel(id) {
		t.Error("cancelled must be true once")
	}
	events := st.until("complete")
	if got := strings.Join(names(events), " "); got != "complete" || events[0].str("content") != "Half a" {
		t.Errorf("events: %s %v", got, events[len(events)-1].data)
	}
	list := c.messages(id)
	if len(list) != 2 || list[1]["assistantResponse"] != "Half a" {
		t.Errorf("messages: %v", list)
	}
}

// TestContractPermission: a client that knows only the contract is asked, and
// answers by grant and by deny.
func TestContractPermission(t *testing.T) {
	t.Parallel()
	c := start(t, daemon.Config{}).client()
	for _, tt := range []struct {
		name    string
		answer  func(string)
		success bool
	}{{"grant", c.grant, true}, {"deny", c.deny, false}} {
		id := c.create(nil)
		st := c.stream(id, "")
		c.send(id, plan(bash("touch made"), step{Text: "So."}))
		ask := st.wait("permission")
		if ask.str("sessionId") != id || ask.str("toolName") != "Bash" || ask.str("action") != "execute" ||
			encode(ask.data["params"]) != `{"command":"touch made"}` {
			t.Errorf("permission: %v", ask.data)
		}
		tt.answer(ask.str("id"))
		tt.answer(ask.str("id")) // published clients retry
		events := st.until("complete")
		done := slices.IndexFunc(events, func(ev strictEvent) bool { return ev.name == "tool_execution_complete" })
		if done < 0 || events[done].data["success"] != tt.success {
			t.Errorf("%s: %v", tt.name, names(events))
		}
		if last := events[len(events)-1]; last.str("content") != "So." {
			t.Errorf("%s: the run did not go on: %v", tt.name, last.data)
		}
	}
}

// TestContractQueue: a message is accepted at once while another runs, until
// too many wait; that is a conflict and nothing that clients retry.
func TestContractQueue(t *testing.T) {
	t.Parallel()
	s := startWith(t, daemon.Config{}, object{"queue": object{"limit": 2}})
	c := s.client()
	open := make(chan struct{})
	id := c.create(object{"model_id": model(t, func(a *answer) {
		select {
		case <-open:
			a.text("re: " + a.Prompt)
		case <-a.Done():
		}
	})})
	st := c.stream(id, "")
	for _, text := range []string{"one", "two", "three"} {
		c.send(id, text)
	}
	body := object{"plan_mode": false, "text": "four"}.String()
	if kind, text := c.refused("POST", "/api/sessions/"+id+"/messages", body, http.StatusConflict); kind != "bad_request" || !strings.Contains(text, "queue") {
		t.Errorf("a full queue: %s: %s", kind, text)
	}
	if n := len(c.messages(id)); n != 3 {
		t.Errorf("%d messages while two wait", n)
	}
	close(open)
	for _, want := range []string{"one", "two", "three"} {
		if ev := st.wait("complete"); !strings.HasSuffix(ev.str("content"), want) {
			t.Errorf("complete: %v, want the answer to %s", ev.data, want)
		}
	}
}

// TestContractCancelEmptiesQueue: what waits is cancelled too, and stays in the
// conversation.
func TestContractCancelEmptiesQueue(t *testing.T) {
	t.Parallel()
	c := start(t, daemon.Config{}).client()
	id := c.create(object{"model_id": model(t, (*answer).hang)})
	st := c.stream(id, "")
	c.send(id, "one")
	c.send(id, "two")
	if !c.cancel(id) {
		t.Error("nothing was cancelled")
	}
	st.wait("complete")
	st.wait("complete")
	for i, m := range c.messages(id) {
		if m["userInput"] != []string{"one", "two"}[i] {
			t.Errorf("message %d: %v", i, m)
		}
	}
}

// TestContractHeartbeats: signs of life are real events, also while a session
// is busy with events that the contract does not know.
func TestContractHeartbeats(t *testing.T) {
	t.Parallel()
	// Longer than the time between two pieces of a command's output.
	s := start(t, daemon.Config{Heartbeat: 200 * time.Millisecond})
	c := s.client()
	id := c.create(object{"permission_mode": "auto"})
	quiet := c.stream(id, "")
	for range 2 {
		if ev := quiet.next(); ev.name != "heartbeat" && ev.name != "session_created" {
			t.Errorf("event %s on a silent stream", ev.name)
		}
	}
	c.send(id, plan(bash("while test ! -e stop; do echo tick; sleep 0.005; done"), step{Text: "Over."}))
	quiet.wait("tool_execution_start")
	for range 2 {
		if ev := quiet.next(); ev.name != "heartbeat" {
			t.Errorf("event %s while a command prints", ev.name)
		}
	}
	if err := os.WriteFile(filepath.Join(s.cfg.Dir, "stop"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	quiet.wait("complete")
}

// TestContractLargeThings: nothing that is said makes a block of 64 KiB, and
// what is cut in an event is whole in the messages.
func TestContractLargeThings(t *testing.T) {
	t.Parallel()
	c := start(t, daemon.Config{}).client()

	text := strings.Repeat("<\x01\"\\é\u2028😀 ", 300<<10/18)
	id := c.create(object{"model_id": says(t, text)})
	st := c.stream(id, "")
	c.send(id, "hello")
	events := st.until("complete")
	if joined(events, "content", "content") != text {
		t.Error("the pieces of a large answer do not add up to it")
	}
	last := events[len(events)-1]
	if cut := last.str("content"); last.data["truncated"] != true || !strings.HasPrefix(text, cut) || len(cut) < 1000 {
		t.Errorf("complete has %d bytes of text, truncated: %v", len(last.str("content")), last.data["truncated"])
	}
	if m := c.messages(id); m[1]["assistantResponse"] != text {
		t.Error("the message is not the whole answer")
	}

	prompt := strings.Repeat("long prompt ", 20_000)
	id = c.create(object{"model_id": says(t, "ok")})
	st = c.stream(id, "")
	c.send(id, prompt)
	st.wait("complete")
	if m := c.messages(id); m[0]["userInput"] != prompt {
		t.Error("the message is not the whole prompt")
	}
}

// TestContractHugeToolInput: a model writes 5 MB into a call. It gets an error
// it can read, subscribers get whole blocks, and the conversation stays usable.
func TestContractHugeToolInput(t *testing.T) {
	t.Parallel()
	c := start(t, daemon.Config{}).client()
	piece := strings.Repeat("x", 50_000)
	id := c.create(object{"permission_mode": "auto", "model_id": model(t, func(a *answer) {
		if a.Results == nil {
			input := []string{`{"file_path":"a","content":"`}
			for range 100 {
				input = append(input, piece)
			}
			a.call("Write", append(input, `"}`)...)
			return
		}
		a.text(a.Results[0])
	})})
	st := c.stream(id, "")
	c.send(id, "write")
	events := st.until("complete")
	if last := events[len(events)-1]; !strings.Contains(last.str("content"), "large") {
		t.Errorf("the model read %q", last.str("content"))
	}
	c.messages(id)
	c.call("GET", "/api/sessions/"+id+"/export", "", http.StatusOK, exportSchema.check)
}
