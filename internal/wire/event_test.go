package wire_test

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/wire"
)

// The contract's sample stream, in our own words: every byte counts.
func TestContractEvents(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 2, 14, 19, 1, 24, 0, time.UTC)
	tests := []struct {
		ev   domain.Event
		want string
	}{
		{
			domain.UserMessage{MessageID: "m1", Content: "hi"},
			`{"type":"user_message_created","messageId":"m1","content":"hi"}`,
		},
		{
			domain.Thinking{MessageID: "m2", Content: "hm"},
			`{"type":"thinking","content":"hm","assistantMessageId":"m2"}`,
		},
		{
			domain.Content{MessageID: "m2", Content: "Let me <see> & \"go\"\n"},
			`{"type":"content","content":"Let me <see> & \"go\"\n","assistantMessageId":"m2"}`,
		},
		{
			domain.ToolUse{CallID: "t1", Tool: "Bash", MessageID: "m2"},
			`{"type":"tool_use_start","id":"t1","name":"Bash","assistantMessageId":"m2"}`,
		},
		{
			domain.ToolInput{CallID: "t1", Input: `{"comm`, MessageID: "m2"},
			`{"type":"tool_use_parameter_delta","toolCallId":"t1","input":"{\"comm","assistantMessageId":"m2"}`,
		},
		{
			domain.ToolInputDone{CallID: "t1", Tool: "Bash", Input: `{"command":"ls"}`, MessageID: "m2", ParentToolCallID: "t0"},
			`{"type":"tool_use_parameter_streaming_complete","id":"t1","name":"Bash","input":"{\"command\":\"ls\"}","assistantMessageId":"m2","parentToolCallId":"t0"}`,
		},
		{
			domain.PermissionAsked{
				RequestID: "p1", SessionID: "s1", Tool: "Bash", Description: "Run a command", Action: "execute", Path: "/w",
				Params: json.RawMessage("{\n \"command\": \"ls\" }"), CallID: "t1", Reason: "no rule", Rule: "Bash(ls:*)",
				Diff: "-a\n+b\n", ExpiresAt: at,
			},
			`{"type":"permission","id":"p1","sessionId":"s1","toolName":"Bash","description":"Run a command","action":"execute","path":"/w","params":{"command":"ls"},"callId":"t1","reason":"no rule","rule":"Bash(ls:*)","diff":"-a\n+b\n","expiresAt":"2026-02-14T19:01:24Z"}`,
		},
		{
			domain.PermissionAsked{RequestID: "p1", SessionID: "s1", Tool: "Bash", Params: json.RawMessage(`["not an object"]`)},
			`{"type":"permission","id":"p1","sessionId":"s1","toolName":"Bash","description":"","action":""}`,
		},
		{
			domain.ToolStart{CallID: "t1", Tool: "Bash", Progress: "Executing tool: Bash"},
			`{"type":"tool_execution_start","toolName":"Bash","progress":"Executing tool: Bash","toolCallId":"t1"}`,
		},
		{
			domain.ToolComplete{CallID: "t1", Tool: "Bash", Progress: "Bash finished", Success: true},
			`{"type":"tool_execution_complete","toolName":"Bash","progress":"Bash finished","success":true,"toolCallId":"t1"}`,
		},
		{
			domain.SessionNew{SessionID: "s2", Title: "t", CreatedAt: at},
			`{"type":"session_created","sessionId":"s2","title":"t","createdAt":1771095684}`,
		},
		{
			domain.SessionGone{SessionID: "s2"},
			`{"type":"session_deleted","sessionId":"s2"}`,
		},
		{
			domain.Failure{Message: "Slow down", Type: "rate_limit_error", RetryAfter: time.Minute, Attempt: 1, MaxAttempts: 8},
			`{"error":"Slow down","type":"rate_limit_error","retryAfter":60000,"attempt":1,"maxAttempts":8}`,
		},
		{domain.Failure{Message: "No"}, `{"error":"No"}`},
		{
			domain.Complete{Content: "Done.", MessageID: "m2", Reasoning: "hm", ReasoningMillis: 12, RunID: "r", State: domain.RunDone},
			`{"type":"complete","done":true,"content":"Done.","messageId":"m2","reasoning":"hm","reasoningDuration":12,"runId":"r","state":"done"}`,
		},
		{domain.Complete{}, `{"type":"complete","done":true}`},
	}
	for i, tt := range tests {
		got, last := wire.EncodeEvent([]byte("before"), int64(i+7), tt.ev)
		want := fmt.Sprintf("beforeid: %d\nevent: %s\ndata: %s\n\n", i+7, tt.ev.EventType(), tt.want)
		if diff := cmp.Diff(want, string(got)); diff != "" || last != int64(i+7) {
			t.Errorf("%T: last %d (-want +got):\n%s", tt.ev, last, diff)
		}
		if wire.Own(tt.ev.EventType()) {
			t.Errorf("%T is one of the contract's", tt.ev)
		}
	}
}

func TestOwnEvents(t *testing.T) {
	t.Parallel()
	use := domain.Usage{Input: 1, Output: 2, CacheRead: 3, CacheWrite: 4, Reasoning: 5}
	useJSON := `{"input":1,"output":2,"cacheRead":3,"cacheWrite":4,"reasoning":5}`
	tests := []struct {
		ev   domain.Event
		want string
	}{
		{domain.Output{CallID: "t1", Text: "line\n"}, `{"type":"tool_output","toolCallId":"t1","text":"line\n"}`},
		{
			domain.Result{CallID: "t1", Tool: "Bash", Text: "x", Result: json.RawMessage(`{"exitCode": 0}`), State: domain.CallFinished},
			`{"type":"tool_result","toolCallId":"t1","toolName":"Bash","state":"finished","isError":false,"text":"x","result":{"exitCode":0}}`,
		},
		{
			domain.Result{CallID: "t1", Tool: "Bash", Result: json.RawMessage(`{"broken`), IsError: true, State: domain.CallFailed},
			`{"type":"tool_result","toolCallId":"t1","toolName":"Bash","state":"failed","isError":true,"text":""}`,
		},
		{
			domain.UsageReport{MessageID: "m", Model: "demo", Usage: use, CostUSD: 0.25, SessionUsage: use, SessionCostUSD: 1e-7, CostUnknownInPart: true},
			`{"type":"usage","messageId":"m","model":"demo","usage":` + useJSON + `,"cost":0.25,"costUnknown":false,"sessionUsage":` + useJSON + `,"sessionCost":1e-07,"sessionCostUnknown":true}`,
		},
		{
			domain.UsageReport{CostUSD: math.NaN(), SessionCostUSD: math.Inf(1)},
			`{"type":"usage","model":"","usage":{"input":0,"output":0,"cacheRead":0,"cacheWrite":0,"reasoning":0},"costUnknown":false,"sessionUsage":{"input":0,"output":0,"cacheRead":0,"cacheWrite":0,"reasoning":0},"sessionCostUnknown":false}`,
		},
		{
			domain.Resolved{RequestID: "p", CallID: "t", Outcome: domain.OutcomeDeny, By: "person", Reason: "no"},
			`{"type":"request_resolved","id":"p","outcome":"deny","by":"person","callId":"t","reason":"no"}`,
		},
		{
			domain.RunChanged{RunID: "r", MessageID: "m", State: domain.RunFailed, Reason: "error", Error: "What happened."},
			`{"type":"run","runId":"r","messageId":"m","state":"failed","reason":"error","error":"What happened."}`,
		},
		{domain.QueueChanged{Waiting: []string{"a", "b"}}, `{"type":"queue","count":2,"waiting":["a","b"]}`},
		{domain.QueueChanged{}, `{"type":"queue","count":0,"waiting":[]}`},
		{domain.TitleChanged{Title: "T"}, `{"type":"title","title":"T"}`},
		{domain.ModeChanged{Mode: domain.ModePlan}, `{"type":"mode","mode":"plan"}`},
	}
	for _, tt := range tests {
		got, _ := wire.EncodeEvent(nil, 1, tt.ev)
		want := fmt.Sprintf("id: 1\nevent: %s\ndata: %s\n\n", tt.ev.EventType(), tt.want)
		if diff := cmp.Diff(want, string(got)); diff != "" {
			t.Errorf("%T (-want +got):\n%s", tt.ev, diff)
		}
		if !wire.Own(tt.ev.EventType()) {
			t.Errorf("%T is not one of the contract's", tt.ev)
		}
	}
}

func TestConnectionBlocks(t *testing.T) {
	t.Parallel()
	if got := string(wire.AppendConnected(nil, 41, "s1")); got != "id: 41\nevent: connected\ndata: {\"sessionId\":\"s1\"}\n\n" {
		t.Errorf("connected: %q", got)
	}
	if got := string(wire.AppendHeartbeat(nil, 41)); got != "id: 41\nevent: heartbeat\ndata: {\"type\":\"ping\"}\n\n" {
		t.Errorf("heartbeat: %q", got)
	}
	if wire.Own(wire.EventConnected) || wire.Own(wire.EventHeartbeat) || !wire.Own("anything else") {
		t.Error("wrong about what is the contract's")
	}
}

// decode splits an encoded event and parses each block as strictly as clients.
func decode(t testing.TB, data []byte) []wire.Block {
	t.Helper()
	var out []wire.Block
	for block := range wire.Blocks(data) {
		if len(block) >= wire.MaxBlock {
			t.Fatalf("a block of %d bytes", len(block))
		}
		if !utf8.Valid(block) || strings.ContainsAny(string(block), "\r\u0085\u2028\u2029") {
			t.Fatalf("a block that line readers would split: %q", block)
		}
		b, err := wire.ParseBlock(block)
		if err != nil {
			t.Fatal(err)
		}
		if !json.Valid(b.Data) || b.Data[0] != '{' {
			t.Fatalf("not a JSON object: %.200q", b.Data)
		}
		out = append(out, b)
	}
	return out
}

func field(t testing.TB, b wire.Block, key string) any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(b.Data, &m); err != nil {
		t.Fatal(err)
	}
	return m[key]
}

func TestLongFieldsAreCutAndSaySo(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("wörter\x01\"", 100_000)
	big := func(v any) []byte { b, _ := json.Marshal(v); return b }
	nested := big(map[string]any{"command": long, "n": 1.5, "list": []string{"a", long}})
	numbers := make([]int, 100_000)
	tests := []struct {
		name string
		ev   domain.Event
	}{
		{"user message", domain.UserMessage{MessageID: long, Content: long, ParentToolCallID: long}},
		{"complete", domain.Complete{Content: long, MessageID: long, Reasoning: long, RunID: long, State: domain.RunState(long), Reason: long, ParentToolCallID: long}},
		{"error", domain.Failure{Message: long, Type: long, ParentToolCallID: long}},
		{"tool use", domain.ToolUse{CallID: long, Tool: long, MessageID: long, ParentToolCallID: long}},
		{"input done", domain.ToolInputDone{CallID: long, Tool: long, Input: string(nested), MessageID: long, ParentToolCallID: long}},
		{"input done, not JSON", domain.ToolInputDone{Input: long}},
		{"input done, many parts", domain.ToolInputDone{Input: string(big(map[string]any{"list": numbers}))}},
		{"tool start", domain.ToolStart{CallID: long, Tool: long, Progress: long, ParentToolCallID: long}},
		{"tool complete", domain.ToolComplete{CallID: long, Tool: long, Progress: long, ParentToolCallID: long}},
		{"permission", domain.PermissionAsked{
			RequestID: long, SessionID: long, Tool: long, Description: long, Action: long, Path: long, Params: nested,
			ParentToolCallID: long, CallID: long, Reason: long, Rule: long, Diff: long, ExpiresAt: time.Now(),
		}},
		{"session", domain.SessionNew{SessionID: long, Title: long}},
		{"result", domain.Result{CallID: long, Tool: long, Text: long, Result: nested, State: domain.CallState(long), ParentToolCallID: long}},
		{"result, list", domain.Result{Result: big(numbers)}},
		{"resolved", domain.Resolved{RequestID: long, CallID: long, Outcome: domain.Outcome(long), By: long, Rule: long, Reason: long}},
		{"run", domain.RunChanged{RunID: long, MessageID: long, State: domain.RunState(long), Reason: long, Error: long}},
		{"usage", domain.UsageReport{MessageID: long, Model: long}},
		{"queue", domain.QueueChanged{Waiting: strings.SplitAfter(strings.Repeat(domain.NewID()+",", 5000), ",")}},
	}
	for _, tt := range tests {
		data, last := wire.EncodeEvent(nil, math.MaxInt64, tt.ev)
		blocks := decode(t, data)
		if len(blocks) != 1 || last != math.MaxInt64 {
			t.Errorf("%s: %d blocks, last %d", tt.name, len(blocks), last)
			continue
		}
		if field(t, blocks[0], "truncated") != true {
			t.Errorf("%s: does not say that it was cut", tt.name)
		}
		if in, ok := field(t, blocks[0], "input").(string); ok && json.Valid([]byte(in)) != (tt.name != "input done, not JSON") {
			t.Errorf("%s: input is JSON: %v", tt.name, !json.Valid([]byte(in)))
		}
	}
}

func TestShortenedParamsKeepTheirShape(t *testing.T) {
	t.Parallel()
	raw := `{ "path":"/w/a.go", "content":"` + strings.Repeat(`\ud83d\ude00é\n`, 20_000) + `","n":1e5 }`
	data, _ := wire.EncodeEvent(nil, 1, domain.PermissionAsked{Params: json.RawMessage(raw)})
	params := field(t, decode(t, data)[0], "params").(map[string]any)
	content := params["content"].(string)
	if params["path"] != "/w/a.go" || params["n"] != 1e5 {
		t.Errorf("params %v, %v", params["path"], params["n"])
	}
	if len(content) < 7000 || !strings.HasPrefix(strings.Repeat("😀é\n", 20_000), content) {
		t.Errorf("content was cut to %d bytes, ends with %q", len(content), content[max(0, len(content)-12):])
	}
}

func TestParseBlockRefusesWhatIsNotABlock(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		"", "\n\n", ": ping\n\n", "id: 1\nevent: x\ndata: {}\n", "id: x\nevent: x\ndata: {}\n\n",
		"event: x\nid: 1\ndata: {}\n\n", "id: 1\nevent: x\ndata: {}\ndata: {}\n\n", "id: 1\nevent: x\nretry: 1\ndata: {}\n\n",
	} {
		if b, err := wire.ParseBlock([]byte(s)); err == nil {
			t.Errorf("%q gave %+v", s, b)
		}
	}
}

func TestRenumber(t *testing.T) {
	t.Parallel()
	data, _ := wire.EncodeEvent(nil, 9, domain.Content{Content: "x"})
	want, _ := wire.EncodeEvent(nil, 12345, domain.Content{Content: "x"})
	if got := wire.Renumber(data, 12345); string(got) != string(want) {
		t.Errorf("got %q", got)
	}
}

func TestHotEventsAllocateNothing(t *testing.T) {
	buf := make([]byte, 0, 4096)
	for _, ev := range hot {
		if n := testing.AllocsPerRun(100, func() { buf, _ = wire.EncodeEvent(buf[:0], 1234, ev) }); n > 0 {
			t.Errorf("%T: %v allocations", ev, n)
		}
	}
}

const id = "0193a1b2-0000-7000-8000-000000000000"

var hot = []domain.Event{
	domain.Content{MessageID: id, Content: " a few words of an answer,"},
	domain.Thinking{MessageID: id, Content: " a few \"quoted\" words\n"},
	domain.ToolInput{CallID: id, MessageID: id, Input: `{"file_path":"/w/a.go","old_string":"`},
	domain.Output{CallID: id, Text: strings.Repeat("ok  \tgithub.com/example/package\t0.012s\n", 10)},
}

func BenchmarkEncode(b *testing.B) {
	for _, ev := range hot {
		b.Run(string(ev.EventType()), func(b *testing.B) {
			var buf []byte
			b.ReportAllocs()
			for b.Loop() {
				buf, _ = wire.EncodeEvent(buf[:0], 1234, ev)
			}
			b.SetBytes(int64(len(buf)))
		})
	}
}

// whole is text as JSON carries it: what is not UTF-8 becomes U+FFFD, byte by
// byte.
func whole(s string) string {
	var b strings.Builder
	for _, r := range s {
		b.WriteRune(r)
	}
	return b.String()
}

func FuzzEncodeText(f *testing.F) {
	f.Add("plain", "id", 1)
	f.Add("\x00\x1f\x7f\"\\/<>&\r\n\t\u0085\u2028\u2029\ufffd\xff\xc3(😀", "", 30_000)
	f.Add("é", "p\n", 40_000)
	f.Fuzz(func(t *testing.T, text, id string, repeat int) {
		if n := len(text); n > 0 {
			text = strings.Repeat(text, 1+min(max(repeat, 0), 150_000/n))
		}
		for _, ev := range []struct {
			ev  domain.Event
			key string
		}{
			{domain.Content{MessageID: id, Content: text, ParentToolCallID: id}, "content"},
			{domain.ToolInput{CallID: id, MessageID: id, Input: text}, "input"},
			{domain.Output{CallID: id, Text: text}, "text"},
		} {
			data, last := wire.EncodeEvent(nil, 5, ev.ev)
			var got strings.Builder
			seq := int64(5)
			for _, b := range decode(t, data) {
				if b.Seq != seq || b.Name != ev.ev.EventType() {
					t.Fatalf("block %d %s, want %d %s", b.Seq, b.Name, seq, ev.ev.EventType())
				}
				seq++
				got.WriteString(field(t, b, ev.key).(string))
			}
			if last != seq-1 {
				t.Fatalf("last %d after %d", last, seq-1)
			}
			if got.String() != whole(text) {
				t.Fatalf("%d bytes came back as %d", len(text), got.Len())
			}
		}
	})
}

func FuzzEncodeFields(f *testing.F) {
	f.Add("plain", []byte(`{"a":[1,"\ud83d\ude00",null]}`), 1)
	f.Add("\u2028\xff", []byte(" { \"\\ud800\" : \"\u2028\xff\\n\" } "), 50_000)
	f.Fuzz(func(t *testing.T, s string, raw []byte, repeat int) {
		if n := len(s); n > 0 {
			s = strings.Repeat(s, 1+min(max(repeat, 0), 200_000/n))
		}
		for _, ev := range []domain.Event{
			domain.UserMessage{MessageID: s, Content: s},
			domain.Complete{Content: s, Reasoning: s},
			domain.ToolInputDone{CallID: s, Tool: s, Input: string(raw)},
			domain.ToolInputDone{Input: `{"a":"` + strings.Repeat(`\"é`, min(max(repeat, 0), 50_000)) + `","b":` + string(raw) + `}`},
			domain.PermissionAsked{RequestID: s, Description: s, Diff: s, Params: raw},
			domain.Result{Text: s, Result: raw},
			domain.Failure{Message: s, Type: s},
		} {
			data, _ := wire.EncodeEvent(nil, 5, ev)
			blocks := decode(t, data)
			if len(blocks) != 1 {
				t.Fatalf("%T: %d blocks", ev, len(blocks))
			}
			if e, ok := ev.(domain.ToolInputDone); ok && json.Valid([]byte(e.Input)) {
				if in := field(t, blocks[0], "input").(string); !json.Valid([]byte(in)) {
					t.Fatalf("input was JSON, but came out as %.100q", in)
				}
			}
		}
	})
}
