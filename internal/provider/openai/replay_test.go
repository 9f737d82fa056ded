package openai_test

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/provider"
	"github.com/mixagent/mix/internal/provider/openai"
	"github.com/mixagent/mix/internal/provider/providertest"
)

var finished = regexp.MustCompile(`(?m)^data: .*"finish_reason": ?"[a-z_]+".*\n\n`)

var replayed = providertest.Replayed{
	Suffix: "/chat/completions",
	New: func(c *http.Client) provider.Provider {
		return openai.New(openai.Options{Name: "vendor", BaseURL: "http://vendor.test/v1", ReasoningField: "reasoning_content", Client: c})
	},
	History:   history,
	Whole:     true,
	Forgotten: []string{"TestOpenAICompatibleCommon/avian-kimi/multi_tool_streaming.yaml"},
	EndMark:   "data: [DONE]",
	MayEnd:    finished.MatchString,
}

func TestReplay(t *testing.T) {
	t.Parallel()
	providertest.Replay(t, replayed)
}

func TestReplayRequests(t *testing.T) {
	t.Parallel()
	providertest.ReplayRequests(t, replayed)
}

func TestReplayCuts(t *testing.T) {
	t.Parallel()
	providertest.ReplayCuts(t, replayed)
}

// words reads content: text, or a list of texts. It reports false where it
// holds anything else.
func words(raw json.RawMessage) (string, bool) {
	var text string
	if len(raw) == 0 || json.Unmarshal(raw, &text) == nil {
		return text, true
	}
	var parts []struct {
		Type string `json:"type"`
		Text string `json:"text"`
	}
	if json.Unmarshal(raw, &parts) != nil {
		return "", false
	}
	for _, p := range parts {
		if p.Type != "text" {
			return "", false
		}
		text += p.Text
	}
	return text, true
}

type messageJSON struct {
	Role             string          `json:"role"`
	Content          json.RawMessage `json:"content"`
	ReasoningContent string          `json:"reasoning_content"`
	Reasoning        string          `json:"reasoning"`
	ToolCallID       string          `json:"tool_call_id"`
	ToolCalls        []struct {
		ID       string `json:"id"`
		Type     string `json:"type"`
		Function struct {
			Name      string `json:"name"`
			Arguments string `json:"arguments"`
		} `json:"function"`
	} `json:"tool_calls"`
}

// history reads the messages of a request.
func history(request []byte) (messages []domain.Message, ok bool) {
	var body struct {
		Messages []messageJSON `json:"messages"`
	}
	if json.Unmarshal(request, &body) != nil {
		return nil, false
	}
	for i := range body.Messages {
		m := &body.Messages[i]
		text, ok := words(m.Content)
		if !ok {
			return nil, false
		}
		switch m.Role {
		case "system", "developer":
		case "tool":
			last := &messages[len(messages)-1]
			last.Calls = append(last.Calls, domain.ToolCall{CallID: m.ToolCallID, State: domain.CallFinished, Text: text})
		default:
			messages = append(messages, message(m, text))
		}
	}
	return messages, true
}

func message(m *messageJSON, text string) domain.Message {
	out := domain.Message{Role: domain.Role(m.Role)}
	if reasoning := m.ReasoningContent + m.Reasoning; reasoning != "" {
		out.Blocks = append(out.Blocks, domain.Block{Type: domain.BlockReasoning, Text: reasoning, Vendor: "vendor"})
	}
	if strings.TrimSpace(text) != "" {
		out.Blocks = append(out.Blocks, domain.Block{Type: domain.BlockText, Text: text})
	}
	for _, c := range m.ToolCalls {
		out.Blocks = append(out.Blocks, domain.Block{Type: domain.BlockToolCall, CallID: c.ID, Tool: c.Function.Name, Input: c.Function.Arguments})
	}
	return out
}
