package anthropic_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/provider"
	"github.com/mixagent/mix/internal/provider/anthropic"
	"github.com/mixagent/mix/internal/provider/providertest"
)

var replayed = providertest.Replayed{
	Suffix: "api.anthropic.com/v1/messages",
	New: func(c *http.Client) provider.Provider {
		return anthropic.New(anthropic.Options{APIKey: "key", Client: c})
	},
	History: history,
	EndMark: `data: {"type":"message_stop"`,
	MayEnd:  func(string) bool { return false },
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

type contentJSON struct {
	Type      string          `json:"type"`
	Text      string          `json:"text"`
	Thinking  string          `json:"thinking"`
	Signature string          `json:"signature"`
	Data      string          `json:"data"`
	ID        string          `json:"id"`
	Name      string          `json:"name"`
	Input     json.RawMessage `json:"input"`
	ToolUseID string          `json:"tool_use_id"`
	Content   json.RawMessage `json:"content"`
	IsError   bool            `json:"is_error"`
}

// contents reads a list of content, or a string that stands for one.
func contents(raw json.RawMessage) []contentJSON {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return []contentJSON{{Type: "text", Text: text}}
	}
	var list []contentJSON
	if json.Unmarshal(raw, &list) != nil {
		return []contentJSON{{Type: "unreadable"}}
	}
	return list
}

// history reads the messages of a request.
func history(request []byte) (messages []domain.Message, ok bool) {
	var body struct {
		Messages []struct {
			Role    domain.Role     `json:"role"`
			Content json.RawMessage `json:"content"`
		} `json:"messages"`
	}
	if json.Unmarshal(request, &body) != nil {
		return nil, false
	}
	for _, m := range body.Messages {
		out := domain.Message{Role: m.Role}
		for _, c := range contents(m.Content) {
			switch c.Type {
			case "text":
				if strings.TrimSpace(c.Text) != "" {
					out.Blocks = append(out.Blocks, domain.Block{Type: domain.BlockText, Text: c.Text})
				}
			case "thinking":
				out.Blocks = append(out.Blocks, domain.Block{Type: domain.BlockReasoning, Text: c.Thinking, Opaque: c.Signature, Vendor: "anthropic"})
			case "redacted_thinking":
				out.Blocks = append(out.Blocks, domain.Block{Type: domain.BlockReasoning, Opaque: c.Data, Redacted: true, Vendor: "anthropic"})
			case "tool_use":
				out.Blocks = append(out.Blocks, domain.Block{Type: domain.BlockToolCall, CallID: c.ID, Tool: c.Name, Input: string(c.Input)})
			case "tool_result":
				row, ok := resultRow(&c)
				if !ok {
					return nil, false
				}
				last := &messages[len(messages)-1]
				last.Calls = append(last.Calls, row)
			default:
				return nil, false
			}
		}
		if len(out.Blocks) > 0 {
			messages = append(messages, out)
		}
	}
	return messages, true
}

func resultRow(c *contentJSON) (domain.ToolCall, bool) {
	row := domain.ToolCall{CallID: c.ToolUseID, State: domain.CallFinished, IsError: c.IsError}
	if c.IsError {
		row.State = domain.CallFailed
	}
	for _, part := range contents(c.Content) {
		if part.Type != "text" {
			return row, false
		}
		row.Text += part.Text
	}
	return row, true
}
