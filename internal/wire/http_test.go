package wire_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/wire"
)

var created = time.Date(2026, 2, 14, 20, 1, 24, 500_000_000, time.FixedZone("CET", 3600))

// equalJSON compares an answer with the JSON it must be. The contract's samples
// stand as they are written there; what follows them are our own keys.
func equalJSON(t *testing.T, v any, want string) {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var got, wanted any
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(want), &wanted); err != nil {
		t.Fatalf("the test's own JSON: %v", err)
	}
	if diff := cmp.Diff(wanted, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if strings.Contains(string(data), ":null") {
		t.Errorf("null in %s", data)
	}
}

func TestSessionData(t *testing.T) {
	t.Parallel()
	s := domain.Session{
		ID: "s1", Kind: domain.SessionMain, Title: "t", TitleGiven: true, Directory: "/w", Model: "local/qwen/small",
		BrowserMode: domain.BrowserRemoteCDP, CdpURL: "ws://x",
		Policy:       domain.Policy{Mode: domain.ModePlan, MaxSteps: 3, MaxCostUSD: 2},
		Callbacks:    []domain.Callback{{ToolName: "*", Type: "bash_script", BashCommand: "true"}},
		MessageCount: 3, UserMessages: 2, AssistantMessages: 1, ToolCalls: 4,
		Usage: domain.Usage{Input: 1, Output: 20, CacheRead: 2, CacheWrite: 7}, CostUSD: 0.01,
		FirstUserMessage: "hi", CreatedAt: created, UpdatedAt: created.Add(time.Minute),
		ParentSessionID: "not of a main session",
	}
	equalJSON(t, wire.NewSessionData(&s), `{"id":"s1","title":"t","sessionType":"main","browserMode":"remote-cdp-websocket","cdpUrl":"ws://x",
		"userMessageCount":2,"assistantMessageCount":1,"toolCallCount":4,"promptTokens":10,"completionTokens":20,"cost":0.01,
		"createdAt":"2026-02-14T19:01:24.5Z","firstUserMessage":"hi",
		"callbacks":[{"toolName":"*","type":"bash_script","bashCommand":"true","bashTimeout":120000,"excludeFromContext":false,"includeFullHistory":false,"subAgentType":"general-purpose"}],
		"modelId":"qwen/small","provider":"local",
		"session_id":"s1","project_path":"/w","permissionMode":"plan","titleGiven":true,"messageCount":3,
		"cacheReadTokens":2,"cacheCreationTokens":7,"costUnknown":false,"maxSteps":3,"maxCost":2,"updatedAt":"2026-02-14T19:02:24.5Z"}`)
}

func TestSessionDataOfASubagent(t *testing.T) {
	t.Parallel()
	s := domain.Session{
		ID: "s1", Kind: domain.SessionSubagent, Title: "t", SubagentType: "Explore", ParentSessionID: "s0", ParentToolCallID: "t0",
		BrowserMode: "", CdpURL: "ws://left-over", CreatedAt: created, UpdatedAt: created,
	}
	equalJSON(t, wire.NewSessionData(&s), `{"id":"s1","title":"t","sessionType":"subagent","subagentType":"general-purpose",
		"parentSessionId":"s0","parentToolCallId":"t0","browserMode":"electron-embedded-browser",
		"userMessageCount":0,"assistantMessageCount":0,"toolCallCount":0,"promptTokens":0,"completionTokens":0,"cost":0,
		"createdAt":"2026-02-14T19:01:24.5Z","session_id":"s1","permissionMode":"ask","titleGiven":false,"agentType":"Explore",
		"messageCount":0,"cacheReadTokens":0,"cacheCreationTokens":0,"costUnknown":false,"updatedAt":"2026-02-14T19:01:24.5Z"}`)
}

func TestBackendMessages(t *testing.T) {
	t.Parallel()
	list := []domain.Message{
		{
			ID: "m1", SessionID: "s1", Seq: 1, Role: domain.RoleUser, CreatedAt: created,
			Blocks: []domain.Block{
				{Type: domain.BlockText, Text: "the date", Context: true},
				{Type: domain.BlockText, Text: "hi"},
				{Type: domain.BlockImage, Name: "a.png", MediaType: "image/png", Path: "/secret/a.png"},
			},
		},
		{
			ID: "m2", SessionID: "s1", RunID: "r1", Seq: 2, Role: domain.RoleAssistant, CreatedAt: created, EventSeq: 9,
			Blocks: []domain.Block{{Type: domain.BlockReasoning, Text: "r"}, {Type: domain.BlockText, Text: "y"}, {Type: domain.BlockText, Text: "o"}},
			Calls: []domain.ToolCall{
				{
					ID: "t1", CallID: "vendor", Tool: "mcp_foo", Input: json.RawMessage(`{"a":1} `), State: domain.CallFinished, RequestID: "p1",
					Result: json.RawMessage(`{"ok":true}`), Text: "ok", StartedAt: created, EndedAt: created.Add(time.Second),
				},
				{ID: "t2", Tool: "Bash", Input: json.RawMessage(`{"command`), State: domain.CallAsked},
			},
			Model: "x", ReasoningMillis: 12, FinishReason: domain.FinishToolUse,
			Usage: domain.Usage{Input: 1, Output: 2, CacheRead: 3, CacheWrite: 4, Reasoning: 1}, CostUSD: 0.5,
		},
		{ID: "m3", SessionID: "s1", Role: domain.RoleAssistant, Seq: 3, CostUnknown: true, CostUSD: 1, CreatedAt: created},
		{ID: "m4", SessionID: "s1", Role: domain.RoleUser, CreatedAt: created, Blocks: []domain.Block{{Type: domain.BlockText, Text: "later"}}},
	}
	equalJSON(t, wire.NewMessages(list), `[
		{"id":"m1","sessionId":"s1","role":"user","userInput":"hi",
			"attachments":[{"name":"a.png","mediaType":"image/png"}],"sequence":1,"createdAt":"2026-02-14T19:01:24.5Z"},
		{"id":"m2","sessionId":"s1","role":"assistant","userInput":"yo","assistantResponse":"yo","reasoning":"r","reasoningDuration":12,
			"model":"x","inputTokens":5,"outputTokens":2,"cacheCreationTokens":4,"cacheReadTokens":3,"cost":0.5,
			"toolCalls":[
				{"id":"t1","name":"mcp_foo","input":"{\"a\":1}","type":"tool_use","finished":true,"result":"{\"ok\":true}","isError":false,
					"state":"finished","requestId":"p1","text":"ok","startedAt":"2026-02-14T19:01:24.5Z","endedAt":"2026-02-14T19:01:25.5Z"},
				{"id":"t2","name":"Bash","input":"{}","type":"tool_use","finished":false,"isError":false,"state":"asked"}],
			"runId":"r1","finishReason":"tool_use","sequence":2,"eventSeq":9,"createdAt":"2026-02-14T19:01:24.5Z"},
		{"id":"m3","sessionId":"s1","role":"assistant","userInput":"","inputTokens":0,"outputTokens":0,"cacheCreationTokens":0,"cacheReadTokens":0,
			"sequence":3,"createdAt":"2026-02-14T19:01:24.5Z"},
		{"id":"m4","sessionId":"s1","role":"user","userInput":"later","queued":true,"createdAt":"2026-02-14T19:01:24.5Z"}]`)
}

func TestEmptyListsAreLists(t *testing.T) {
	t.Parallel()
	equalJSON(t, wire.NewSessions(nil), `[]`)
	equalJSON(t, wire.NewMessages(nil), `[]`)
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	run := &domain.Run{ID: "r", SessionID: "s1", MessageID: "m", State: domain.RunQueued, EventSeq: 7}
	equalJSON(t, wire.NewAccepted(run), `{"status":"processing","sessionId":"s1","messageId":"m","runId":"r","eventSeq":7,"queued":true}`)
	equalJSON(t, wire.NewCancelled("s1", true), `{"cancelled":true,"status":"cancelled","sessionId":"s1"}`)
	equalJSON(t, wire.NewCancelled("s1", false), `{"cancelled":false,"status":"idle","sessionId":"s1"}`)
	d := &domain.Decision{RequestID: "p1", Scope: domain.ScopeSession, Rule: "Bash(ls:*)"}
	equalJSON(t, wire.NewGranted(d), `{"granted":true,"status":"granted","id":"p1","message":"The tool call may run.","scope":"session","rule":"Bash(ls:*)"}`)
	equalJSON(t, wire.NewDenied(d), `{"denied":true,"status":"denied","id":"p1","message":"The tool call will not run.","scope":"session","rule":"Bash(ls:*)"}`)
	equalJSON(t, wire.NewHealth("1.0.0", "i", created), `{"status":"ok","timestamp":"2026-02-14T19:01:24.5Z","version":"1.0.0","environment":"",
		"services":{"backend":"healthy","database":"connected"},"instance":"i"}`)
}

func TestAuditRow(t *testing.T) {
	t.Parallel()
	r := &domain.Request{
		ID: "p1", SessionID: "s1", SessionName: "t", RunID: "r1", CallID: "t1", Kind: "permission", Tool: "Bash",
		Capability: domain.CanExecute, Target: "ls", Description: "d", Input: json.RawMessage(`{"command":"ls"}`), Asked: true, Reason: "no rule",
		CreatedAt: created,
	}
	row := `"id":"p1","sessionId":"s1","sessionName":"t","runId":"r1","callId":"t1","kind":"permission","toolName":"Bash","capability":"execute",
		"target":"ls","description":"d","input":{"command":"ls"},"asked":true,"reason":"no rule","createdAt":"2026-02-14T19:01:24.5Z"`
	equalJSON(t, wire.NewAuditRow(r, nil), `{`+row+`}`)
	equalJSON(t, wire.NewAuditRow(r, &domain.Decision{ID: "d", Outcome: domain.OutcomeAllow, By: "rule", Rule: "Bash(ls:*)", Input: json.RawMessage("null"), CreatedAt: created}),
		`{`+row+`,"decision":{"id":"d","outcome":"allow","by":"rule","rule":"Bash(ls:*)","createdAt":"2026-02-14T19:01:24.5Z"}}`)
}

func TestErrors(t *testing.T) {
	t.Parallel()
	equalJSON(t, wire.NewError(404, "session_not_found", "Session with ID 'x' not found"),
		`{"error":{"code":404,"message":"Session with ID 'x' not found","type":"not_found","reason":"session_not_found"}}`)
	for status, want := range map[int]wire.ErrorType{
		400: wire.ErrorBadRequest, 401: wire.ErrorUnauthorized, 403: wire.ErrorUnauthorized, 405: wire.ErrorBadRequest,
		409: wire.ErrorBadRequest, 413: wire.ErrorBadRequest, 500: wire.ErrorInternal, 503: wire.ErrorInternal,
	} {
		if got := wire.NewError(status, "", "x").Error; got.Type != want || got.Code != status {
			t.Errorf("%d: %+v", status, got)
		}
	}
	var req wire.CreateSessionRequest
	var field *wire.FieldError
	if !errors.As(req.Validate(), &field) {
		t.Fatal("no field error")
	}
	equalJSON(t, wire.NewFieldError(field),
		`{"error":{"code":400,"message":"title: is required and must not be empty","type":"validation_error","reason":"invalid_field","field":"title"}}`)
}

func TestExport(t *testing.T) {
	t.Parallel()
	s := &domain.Session{
		ID: "s1", Title: "t", UserMessages: 1, AssistantMessages: 1, ToolCalls: 2, Usage: domain.Usage{Input: 1, Output: 1},
		CostUSD: 0.1, CreatedAt: created, UpdatedAt: created,
	}
	messages := []domain.Message{{
		ID: "m1", Role: domain.RoleAssistant, Model: "x", FinishReason: domain.FinishToolUse, ReasoningMillis: 5,
		CreatedAt: created, UpdatedAt: created,
		Blocks: []domain.Block{{Type: domain.BlockReasoning, Text: "r"}, {Type: domain.BlockText, Text: "c"}},
		Calls: []domain.ToolCall{
			{ID: "t1", Tool: "Bash", Input: json.RawMessage(`{"command":"ls"}`), State: domain.CallFinished, Result: json.RawMessage(`{"output":"out"}`)},
			{ID: "t2", Tool: "Bash", Input: json.RawMessage(`[1]`), State: domain.CallDenied, IsError: true},
		},
	}}
	equalJSON(t, wire.NewExportSession(s, messages), `{"id":"s1","title":"t","sessionType":"main","userMessageCount":1,"assistantMessageCount":1,
		"toolCallCount":2,"promptTokens":1,"completionTokens":1,"cost":0.1,"createdAt":"2026-02-14T19:01:24.5Z","updatedAt":"2026-02-14T19:01:24.5Z",
		"messages":[{"id":"m1","role":"assistant","content":"c","reasoning":"r","reasoningDuration":5,"finishReason":"tool_use","model":"x",
			"createdAt":"2026-02-14T19:01:24.5Z","updatedAt":"2026-02-14T19:01:24.5Z","timestamp":"2026-02-14T19:01:24.5Z",
			"toolCalls":[
				{"id":"t1","name":"Bash","input":"{\"command\":\"ls\"}","inputJson":{"command":"ls"},"type":"tool_use","finished":true,
					"result":"{\"output\":\"out\"}","isError":false,"metadata":"finished"},
				{"id":"t2","name":"Bash","input":"[1]","type":"tool_use","finished":true,"isError":true,"metadata":"denied"}]}]}`)
	equalJSON(t, wire.NewExportSession(s, nil).Messages, `[]`)
}
