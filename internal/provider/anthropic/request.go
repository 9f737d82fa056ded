package anthropic

import (
	"strconv"
	"strings"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/provider"
	"github.com/mixagent/mix/internal/provider/jsonwire"
)

// breakpoint ends a part of the request that is worth keeping in the vendor's
// prompt cache.
const breakpoint = `,"cache_control":{"type":"ephemeral"}`

// appendRequest appends the body of a call. Its last bytes are "]}".
func appendRequest(b []byte, vendor string, req *provider.Request) []byte {
	turns := provider.Turns(provider.Shape{Vendor: vendor}, req.Messages)
	maxTokens, budget := limits(req.Model, req.MaxTokens, req.Effort)
	if budget > 0 && !mayThink(turns) {
		maxTokens, budget = maxTokens-budget, 0
	}
	b = append(b, `{"model":`...)
	b = jsonwire.AppendString(b, req.Model)
	b = append(b, `,"max_tokens":`...)
	b = strconv.AppendInt(b, int64(maxTokens), 10)
	b = append(b, `,"stream":true`...)
	if budget > 0 {
		b = append(b, `,"thinking":{"type":"enabled","budget_tokens":`...)
		b = strconv.AppendInt(b, int64(budget), 10)
		b = append(b, '}')
	}
	if strings.TrimSpace(req.System) != "" {
		b = append(b, `,"system":[{"type":"text","text":`...)
		b = jsonwire.AppendString(b, req.System)
		b = append(b, breakpoint...)
		b = append(b, `}]`...)
	}
	b = appendTools(b, req.Tools)
	b = append(b, `,"messages":[`...)
	for i := range turns {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendTurn(b, &turns[i])
	}
	return append(b, `]}`...)
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
		b = append(b, `{"name":`...)
		b = jsonwire.AppendString(b, t.Name)
		b = append(b, `,"description":`...)
		b = jsonwire.AppendString(b, t.Description)
		b = append(b, `,"input_schema":`...)
		b = jsonwire.AppendObject(b, string(t.Schema))
		if i == len(tools)-1 {
			b = append(b, breakpoint...)
		}
		b = append(b, '}')
	}
	return append(b, ']')
}

func appendTurn(b []byte, t *provider.Turn) []byte {
	b = append(b, `{"role":"`...)
	b = append(b, t.Role...)
	b = append(b, `","content":[`...)
	start := len(b)
	next := func() {
		if len(b) > start {
			b = append(b, ',')
		}
	}
	for i := range t.Results {
		next()
		b = appendResult(b, &t.Results[i])
	}
	for _, text := range t.Texts {
		next()
		b = appendText(b, text)
	}
	for i := range t.Parts {
		if p := &t.Parts[i]; p.Reasoning == nil || p.Reasoning.Opaque != "" {
			next()
			b = appendPart(b, p)
		}
	}
	return append(b, `]}`...)
}

func appendText(b []byte, text string) []byte {
	b = append(b, `{"type":"text","text":`...)
	b = jsonwire.AppendString(b, text)
	return append(b, '}')
}

func appendResult(b []byte, r *provider.ToolResult) []byte {
	b = append(b, `{"type":"tool_result","tool_use_id":`...)
	b = jsonwire.AppendString(b, r.CallID)
	b = append(b, `,"content":`...)
	b = jsonwire.AppendString(b, r.Text)
	if r.IsError {
		b = append(b, `,"is_error":true`...)
	}
	return append(b, '}')
}

func appendPart(b []byte, p *provider.Part) []byte {
	switch {
	case p.Reasoning == nil && p.CallID == "":
		return appendText(b, p.Text)
	case p.Reasoning == nil:
		b = append(b, `{"type":"tool_use","id":`...)
		b = jsonwire.AppendString(b, p.CallID)
		b = append(b, `,"name":`...)
		b = jsonwire.AppendString(b, p.Tool)
		b = append(b, `,"input":`...)
		b = jsonwire.AppendObject(b, p.Input)
	case p.Reasoning.Redacted:
		b = append(b, `{"type":"redacted_thinking","data":`...)
		b = jsonwire.AppendString(b, p.Reasoning.Opaque)
	default:
		b = append(b, `{"type":"thinking","thinking":`...)
		b = jsonwire.AppendString(b, p.Reasoning.Text)
		b = append(b, `,"signature":`...)
		b = jsonwire.AppendString(b, p.Reasoning.Opaque)
	}
	return append(b, '}')
}

// mayThink reports whether the vendor accepts a call with reasoning: while it
// works through tool calls, the turn that made them must begin with reasoning.
// It does not where that was off, or another vendor's, at the time.
func mayThink(turns []provider.Turn) bool {
	n := len(turns)
	if n < 2 || len(turns[n-1].Results) == 0 {
		return true
	}
	first := turns[n-2].Parts[0].Reasoning
	return first != nil && first.Opaque != ""
}

const (
	usualAnswer = 32_000
	// leastAnswer is what reasoning leaves for the answer, in tokens.
	leastAnswer = 1024
	leastBudget = 1024 // the vendor's
)

// limits returns the bound of the whole output and the part of it that is for
// reasoning, in tokens. The vendor counts reasoning as output, so the answer's
// bound and the budget add up, as far as the model goes.
func limits(model string, answer int, effort domain.Effort) (maxTokens, budget int) {
	most, thinks := modelLimits(model)
	if answer <= 0 {
		answer = usualAnswer
	}
	answer = min(answer, most)
	if budget = budgetOf(effort); budget == 0 || !thinks {
		return answer, 0
	}
	maxTokens = min(answer+budget, most)
	budget = min(budget, maxTokens-min(answer, leastAnswer))
	if budget < leastBudget {
		return answer, 0
	}
	return maxTokens, budget
}

func budgetOf(effort domain.Effort) int {
	switch effort {
	case domain.EffortBasic:
		return 4_000
	case domain.EffortMedium:
		return 10_000
	case domain.EffortMaximum:
		return 31_999
	default:
		return 0
	}
}

// modelLimits returns how many tokens a model may write, and whether it can
// reason. Source: the vendor's model overview; models not named there are
// taken for new ones.
func modelLimits(model string) (most int, thinks bool) {
	for _, m := range []struct {
		prefix string
		most   int
		thinks bool
	}{
		{"claude-3-7", 64_000, true},
		{"claude-3-5", 8_192, false},
		{"claude-3", 4_096, false},
		{"claude-2", 4_096, false},
		{"claude-opus-4-20", 32_000, true},
		{"claude-opus-4-0", 32_000, true},
		{"claude-opus-4-1", 32_000, true},
	} {
		if strings.HasPrefix(model, m.prefix) {
			return m.most, m.thinks
		}
	}
	return 64_000, true
}
