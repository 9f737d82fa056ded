package openai

import (
	"strconv"
	"strings"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/provider"
	"github.com/mixagent/mix/internal/provider/jsonwire"
)

// appendRequest appends the body of a call. Its last bytes are "]}".
func (o *Options) appendRequest(b []byte, req *provider.Request) []byte {
	turns := provider.Turns(provider.Shape{Vendor: o.Name, AnyID: true}, req.Messages)
	b = append(b, `{"model":`...)
	b = jsonwire.AppendString(b, req.Model)
	b = append(b, `,"stream":true,"stream_options":{"include_usage":true}`...)
	if req.MaxTokens > 0 {
		b = append(b, `,"`...)
		b = append(b, o.MaxTokensField...)
		b = append(b, `":`...)
		b = strconv.AppendInt(b, int64(req.MaxTokens), 10)
	}
	b = appendEffort(b, o.Effort(req.Model, req.Effort))
	if o.CacheKey && req.SessionID != "" {
		b = append(b, `,"prompt_cache_key":`...)
		b = jsonwire.AppendString(b, req.SessionID)
	}
	b = appendTools(b, req.Tools)
	b = append(b, `,"messages":[`...)
	start := len(b)
	if strings.TrimSpace(req.System) != "" {
		b = append(b, `{"role":"system","content":`...)
		b = jsonwire.AppendString(b, req.System)
		b = append(b, `},`...)
	}
	for i := range turns {
		if turns[i].Role == domain.RoleAssistant {
			b = o.appendAssistant(b, turns[i].Parts)
		} else {
			b = appendUser(b, &turns[i])
		}
	}
	if len(b) > start {
		b = b[:len(b)-1] // the comma behind the last message
	}
	return append(b, `]}`...)
}

func appendEffort(b []byte, e Effort) []byte {
	switch {
	case e.Level == "":
		return b
	case e.Object:
		b = append(b, `,"reasoning":{"effort":`...)
		b = jsonwire.AppendString(b, e.Level)
		return append(b, '}')
	default:
		b = append(b, `,"reasoning_effort":`...)
		return jsonwire.AppendString(b, e.Level)
	}
}

func appendTools(b []byte, tools []provider.Tool) []byte {
	if len(tools) == 0 {
		return b
	}
	b = append(b, `,"tools":[`...)
	for i, t := range tools {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"type":"function","function":{"name":`...)
		b = jsonwire.AppendString(b, t.Name)
		b = append(b, `,"description":`...)
		b = jsonwire.AppendString(b, t.Description)
		b = append(b, `,"parameters":`...)
		b = jsonwire.AppendObject(b, string(t.Schema))
		b = append(b, `}}`...)
	}
	return append(b, ']')
}

// appendUser appends a message for each result, and one for a person's words,
// each with a comma behind it. The wire has no mark for a failed call, so the
// text says it.
func appendUser(b []byte, t *provider.Turn) []byte {
	for i := range t.Results {
		r := &t.Results[i]
		b = append(b, `{"role":"tool","tool_call_id":`...)
		b = jsonwire.AppendString(b, r.CallID)
		b = append(b, `,"content":`...)
		text := r.Text
		if r.IsError && !strings.HasPrefix(text, "Error") {
			text = "Error: " + text
		}
		b = jsonwire.AppendString(b, text)
		b = append(b, `},`...)
	}
	if len(t.Texts) > 0 {
		b = append(b, `{"role":"user","content":`...)
		b = jsonwire.AppendString(b, strings.Join(t.Texts, "\n\n"))
		b = append(b, `},`...)
	}
	return b
}

// appendAssistant appends one message with a comma behind it. Its text comes
// before its calls, whatever their order was: the wire knows no other.
func (o *Options) appendAssistant(b []byte, parts []provider.Part) []byte {
	var texts, reasoning []string
	calls := 0
	for i := range parts {
		switch p := &parts[i]; {
		case p.Reasoning != nil:
			reasoning = append(reasoning, p.Reasoning.Text)
		case p.CallID != "":
			calls++
		default:
			texts = append(texts, p.Text)
		}
	}
	b = append(b, `{"role":"assistant","content":`...)
	if len(texts) > 0 {
		b = jsonwire.AppendString(b, strings.Join(texts, ""))
	} else {
		b = append(b, `null`...)
	}
	if text := strings.Join(reasoning, ""); o.ReasoningField != "" && text != "" {
		b = append(b, `,"`...)
		b = append(b, o.ReasoningField...)
		b = append(b, `":`...)
		b = jsonwire.AppendString(b, text)
	}
	if calls > 0 {
		b = append(b, `,"tool_calls":[`...)
		for i := range parts {
			if p := &parts[i]; p.CallID != "" {
				b = appendCall(b, p)
			}
		}
		b[len(b)-1] = ']'
	}
	return append(b, `},`...)
}

// appendCall appends a tool call with a comma behind it.
func appendCall(b []byte, p *provider.Part) []byte {
	b = append(b, `{"id":`...)
	b = jsonwire.AppendString(b, p.CallID)
	b = append(b, `,"type":"function","function":{"name":`...)
	b = jsonwire.AppendString(b, p.Tool)
	b = append(b, `,"arguments":`...)
	b = jsonwire.AppendString(b, string(jsonwire.AppendObject(nil, p.Input)))
	return append(b, `}},`...)
}

// EffortByModel sends the effort to models that are known to reason, and to no
// others: those refuse it.
func EffortByModel(model string, e domain.Effort) Effort {
	if i := strings.LastIndexByte(model, '/'); i >= 0 {
		model = model[i+1:]
	}
	for _, prefix := range []string{"o1", "o3", "o4", "gpt-5", "gpt-6", "gpt-oss", "grok-3-mini", "glm-4.5", "glm-4.6", "glm-4.7", "glm-5"} {
		if strings.HasPrefix(model, prefix) && !strings.HasPrefix(model, "gpt-5-chat") {
			return Effort{Level: effortLevel(e)}
		}
	}
	return Effort{}
}

func effortLevel(e domain.Effort) string {
	switch e {
	case domain.EffortBasic:
		return "low"
	case domain.EffortMedium:
		return "medium"
	case domain.EffortMaximum:
		return "high"
	}
	return ""
}
