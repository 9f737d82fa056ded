package anthropic_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/provider"
	"github.com/mixagent/mix/internal/provider/providertest"
)

func say(role domain.Role, text string) domain.Message {
	return domain.Message{Role: role, Blocks: []domain.Block{{Type: domain.BlockText, Text: text}}}
}

func TestRequestBytes(t *testing.T) {
	t.Parallel()
	got := providertest.Body(t, replayed.New, &provider.Request{
		Model: "claude-sonnet-4-5", System: "Be\nbrief.", MaxTokens: 100, Effort: domain.EffortBasic,
		Tools: []provider.Tool{
			{Name: "Read", Description: "Reads <a file>.", Schema: json.RawMessage(`{"type":"object","properties":{"path":{"type":"string"}}}`)},
			{Name: "Bash", Description: "Runs.", Schema: json.RawMessage(`{"type":"object"}`)},
		},
		Messages: []domain.Message{
			say(domain.RoleUser, "Hi"),
			{
				Role: domain.RoleAssistant,
				Blocks: []domain.Block{
					{Type: domain.BlockReasoning, Text: "Hm", Opaque: "c2ln", Vendor: "anthropic"},
					{Type: domain.BlockReasoning, Opaque: "ZGF0YQ", Redacted: true, Vendor: "anthropic"},
					{Type: domain.BlockReasoning, Text: "unsigned", Vendor: "anthropic"},
					{Type: domain.BlockText, Text: "I look."},
					{Type: domain.BlockToolCall, CallID: "t1", Tool: "Read", Input: `{"path": "a"}`},
					{Type: domain.BlockToolCall, CallID: "t2", Tool: "Bash", Input: `{"broken`},
				},
				Calls: []domain.ToolCall{{CallID: "t1", State: domain.CallFinished, Text: "é"}, {CallID: "t2", State: domain.CallDenied, Text: "No."}},
			},
			say(domain.RoleUser, "Go on"),
		},
	})
	want := `{"model":"claude-sonnet-4-5","max_tokens":4100,"stream":true,"thinking":{"type":"enabled","budget_tokens":4000},` +
		`"system":[{"type":"text","text":"Be\nbrief.","cache_control":{"type":"ephemeral"}}],` +
		`"tools":[{"name":"Read","description":"Reads <a file>.","input_schema":{"type":"object","properties":{"path":{"type":"string"}}}},` +
		`{"name":"Bash","description":"Runs.","input_schema":{"type":"object"},"cache_control":{"type":"ephemeral"}}],` +
		`"messages":[{"role":"user","content":[{"type":"text","text":"Hi"}]},` +
		`{"role":"assistant","content":[{"type":"thinking","thinking":"Hm","signature":"c2ln"},{"type":"redacted_thinking","data":"ZGF0YQ"},{"type":"text","text":"I look."},` +
		`{"type":"tool_use","id":"t1","name":"Read","input":{"path": "a"}},{"type":"tool_use","id":"t2","name":"Bash","input":{}}]},` +
		`{"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":"é"},{"type":"tool_result","tool_use_id":"t2","content":"No.","is_error":true},{"type":"text","text":"Go on"}]}]}`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("body differs (-want +got):\n%s", diff)
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		model     string
		answer    int
		effort    domain.Effort
		maxTokens int
		budget    int
	}{
		{"claude-sonnet-4-5", 0, domain.EffortDefault, 32_000, 0},
		{"claude-sonnet-4-5", 0, domain.EffortOff, 32_000, 0},
		{"claude-sonnet-4-5", 0, domain.EffortBasic, 36_000, 4_000},
		{"claude-sonnet-4-5", 0, domain.EffortMedium, 42_000, 10_000},
		{"claude-sonnet-4-5", 0, domain.EffortMaximum, 63_999, 31_999},
		{"claude-sonnet-4-5", 10, domain.EffortMaximum, 32_009, 31_999},
		{"claude-sonnet-4-5", 1_000_000, domain.EffortMaximum, 64_000, 31_999},
		{"claude-opus-4-1", 0, domain.EffortMaximum, 32_000, 30_976},
		{"claude-3-5-haiku-20241022", 0, domain.EffortMaximum, 8_192, 0},
		{"claude-3-opus-20240229", 0, domain.EffortOff, 4_096, 0},
		{"kimi-k2", 500, domain.EffortOff, 500, 0},
	} {
		body := providertest.Body(t, replayed.New, &provider.Request{
			Model: tt.model, MaxTokens: tt.answer, Effort: tt.effort, Messages: []domain.Message{say(domain.RoleUser, "Hi")},
		})
		var got struct {
			MaxTokens int `json:"max_tokens"`
			Thinking  struct {
				Budget int `json:"budget_tokens"`
			} `json:"thinking"`
		}
		if err := json.Unmarshal(body, &got); err != nil {
			t.Fatal(err)
		}
		if got.MaxTokens != tt.maxTokens || got.Thinking.Budget != tt.budget {
			t.Errorf("%s %d %s: %d tokens, budget %d, want %d and %d", tt.model, tt.answer, tt.effort, got.MaxTokens, got.Thinking.Budget, tt.maxTokens, tt.budget)
		}
		if got.Thinking.Budget > 0 && got.MaxTokens <= got.Thinking.Budget {
			t.Errorf("%s: %d tokens do not exceed the budget %d", tt.model, got.MaxTokens, got.Thinking.Budget)
		}
	}
}

// TestNoThinkingInTheMiddle checks that effort does not make a call fail that
// goes on with the tool calls of a turn without reasoning.
func TestNoThinkingInTheMiddle(t *testing.T) {
	t.Parallel()
	call := domain.Block{Type: domain.BlockToolCall, CallID: "t1", Tool: "Read", Input: "{}"}
	signed := domain.Block{Type: domain.BlockReasoning, Text: "Hm", Opaque: "c2ln", Vendor: "anthropic"}
	other := domain.Block{Type: domain.BlockReasoning, Text: "Hm", Opaque: "c2ln", Vendor: "other"}
	row := domain.ToolCall{CallID: "t1", State: domain.CallFinished, Text: "x"}
	for name, tt := range map[string]struct {
		blocks []domain.Block
		more   []domain.Message
		want   bool
	}{
		"own reasoning":     {[]domain.Block{signed, call}, nil, true},
		"none":              {[]domain.Block{call}, nil, false},
		"another vendor's":  {[]domain.Block{other, call}, nil, false},
		"not the last turn": {[]domain.Block{call}, []domain.Message{say(domain.RoleAssistant, "Done"), say(domain.RoleUser, "More")}, true},
	} {
		messages := append([]domain.Message{say(domain.RoleUser, "Hi"), {Role: domain.RoleAssistant, Blocks: tt.blocks, Calls: []domain.ToolCall{row}}}, tt.more...)
		body := string(providertest.Body(t, replayed.New, &provider.Request{Model: "claude-sonnet-4-5", Effort: domain.EffortMedium, Messages: messages}))
		if got := strings.Contains(body, `"budget_tokens"`); got != tt.want {
			t.Errorf("%s: reasoning is %v, want %v", name, got, tt.want)
		}
	}
}
