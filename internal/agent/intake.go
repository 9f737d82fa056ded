package agent

import (
	"slices"
	"strings"
	"time"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/provider"
	"github.com/mixagent/mix/internal/tools"
)

// quietRetry is the longest wait for a first retry that goes unannounced.
const quietRetry = 2 * time.Second

// intake turns the deltas of one answer into events, at once, and into the
// message that they add up to.
type intake struct {
	s       *Service
	session string
	vendor  string
	msg     *domain.Message

	text  strings.Builder // of the block being written
	kind  domain.BlockType
	calls map[int]*openCall // the latest of each index of the deltas
	order []*openCall

	reasoningSince time.Time
}

// openCall is a tool call whose input is still arriving.
type openCall struct {
	id, callID, tool string
	input            strings.Builder
	row, block       int // indexes into msg.Calls and msg.Blocks
	ended            bool
}

func newIntake(s *Service, session, run, model, vendor string) *intake {
	now := s.now()
	return &intake{
		s: s, session: session, vendor: vendor, calls: make(map[int]*openCall),
		msg: &domain.Message{
			ID: domain.NewID(), SessionID: session, RunID: run, Role: domain.RoleAssistant,
			Model: model, CreatedAt: now, UpdatedAt: now,
		},
	}
}

// take adds one delta.
func (in *intake) take(d provider.Delta) {
	switch d.Kind {
	case provider.DeltaText:
		in.write(domain.BlockText, d.Text)
		in.s.o.Log.Append(in.session, domain.Content{MessageID: in.msg.ID, Content: d.Text})
	case provider.DeltaReasoning:
		in.write(domain.BlockReasoning, d.Text)
		in.s.o.Log.Append(in.session, domain.Thinking{MessageID: in.msg.ID, Content: d.Text})
	case provider.DeltaSignature:
		in.sign(d.Text)
	case provider.DeltaRedacted:
		in.closeBlock()
		in.msg.Blocks = append(in.msg.Blocks, domain.Block{
			Type: domain.BlockReasoning, Redacted: true, Opaque: d.Text, Vendor: in.vendor,
		})
	case provider.DeltaToolStart:
		in.startCall(d)
	case provider.DeltaToolInput:
		in.addInput(d)
	case provider.DeltaToolEnd:
		in.endCall(in.calls[d.Index])
	case provider.DeltaUsage:
		in.msg.Usage = d.Usage
	case provider.DeltaStop:
		in.msg.FinishReason = d.Stop
	}
}

// write appends to the block being written, or begins the next one.
func (in *intake) write(kind domain.BlockType, text string) {
	if in.kind != kind {
		in.closeBlock()
		in.kind = kind
		if kind == domain.BlockReasoning {
			in.reasoningSince = in.s.o.Now()
		}
	}
	in.text.WriteString(text)
}

// closeBlock moves the text that was written into its block.
func (in *intake) closeBlock() {
	if in.kind == "" {
		return
	}
	// Valid, so that what is sent now is what is sent after it was stored.
	b := domain.Block{Type: in.kind, Text: strings.ToValidUTF8(in.text.String(), "\uFFFD")}
	if in.kind == domain.BlockReasoning {
		b.Vendor = in.vendor
		in.msg.ReasoningMillis += in.s.o.Now().Sub(in.reasoningSince).Milliseconds()
	}
	if b.Text != "" {
		in.msg.Blocks = append(in.msg.Blocks, b)
	}
	in.text.Reset()
	in.kind = ""
}

// sign puts a signature on the reasoning that was being written; without any,
// it stands for reasoning that the vendor does not show.
func (in *intake) sign(opaque string) {
	shown := in.kind == domain.BlockReasoning && in.text.Len() > 0
	in.closeBlock()
	if shown {
		in.msg.Blocks[len(in.msg.Blocks)-1].Opaque = opaque
		return
	}
	in.msg.Blocks = append(in.msg.Blocks, domain.Block{Type: domain.BlockReasoning, Opaque: opaque, Vendor: in.vendor})
}

func (in *intake) startCall(d provider.Delta) {
	in.closeBlock()
	in.endCall(in.calls[d.Index])
	d.Name = strings.ToValidUTF8(d.Name, "?")
	c := &openCall{
		id: domain.NewID(), callID: in.uniqueCallID(d.ID), tool: d.Name, row: len(in.msg.Calls), block: len(in.msg.Blocks),
	}
	in.calls[d.Index] = c
	in.order = append(in.order, c)
	in.msg.Blocks = append(in.msg.Blocks, domain.Block{Type: domain.BlockToolCall, CallID: c.callID, Tool: d.Name})
	in.msg.Calls = append(in.msg.Calls, domain.ToolCall{
		ID: c.id, CallID: c.callID, SessionID: in.session, RunID: in.msg.RunID, MessageID: in.msg.ID,
		Index: len(in.msg.Calls), Tool: d.Name, State: domain.CallProposed, CreatedAt: in.s.now(),
	})
	in.s.o.Log.Append(in.session, domain.ToolUse{CallID: c.id, Tool: d.Name, MessageID: in.msg.ID})
}

// uniqueCallID gives a call an identifier of its own where the vendor sent
// none, or one that another call of the answer has.
func (in *intake) uniqueCallID(id string) string {
	id = strings.ToValidUTF8(id, "?")
	for _, c := range in.order {
		if c.callID == id {
			id = ""
			break
		}
	}
	if id == "" {
		return provider.NewCallID()
	}
	return id
}

func (in *intake) addInput(d provider.Delta) {
	c := in.calls[d.Index]
	if c == nil || c.ended {
		return
	}
	if c.input.Len() > tools.DefaultMaxInput {
		return
	}
	c.input.WriteString(d.Text)
	in.s.o.Log.Append(in.session, domain.ToolInput{CallID: c.id, Input: d.Text, MessageID: in.msg.ID})
}

// endCall settles the input of a call. Of one that is too large no more is kept
// than the executor needs to refuse it, and the conversation keeps none, so
// that it weighs on neither memory nor later requests.
func (in *intake) endCall(c *openCall) {
	if c == nil || c.ended {
		return
	}
	c.ended = true
	input := strings.ToValidUTF8(strings.TrimSpace(c.input.String()), "\uFFFD")
	if input == "" {
		input = "{}"
	}
	in.msg.Calls[c.row].Input = []byte(input[:min(len(input), tools.DefaultMaxInput+1)])
	if len(input) > tools.DefaultMaxInput {
		input = "{}"
	}
	in.msg.Blocks[c.block].Input = input
	in.s.o.Log.Append(in.session, domain.ToolInputDone{CallID: c.id, Tool: c.tool, Input: input, MessageID: in.msg.ID})
}

// settle closes what is still open when the answer has ended, well or not.
func (in *intake) settle() {
	in.closeBlock()
	if in.msg.FinishReason != "" {
		for _, c := range in.order {
			in.endCall(c)
		}
	}
	in.msg.UpdatedAt = in.s.now()
}

// complete settles an answer that has its end. A model that refuses calls no
// tools; and an answer without a word would leave people without any and
// vendors with a turn that they do not take back.
func (in *intake) complete() {
	in.settle()
	m := in.msg
	if m.FinishReason == domain.FinishRefusal {
		m.Calls = nil
		m.Blocks = slices.DeleteFunc(m.Blocks, func(b domain.Block) bool { return b.Type == domain.BlockToolCall })
	}
	if len(m.Calls) > 0 || strings.TrimSpace(m.Text()) != "" {
		return
	}
	text := "(The model gave an empty answer.)"
	switch m.FinishReason {
	case domain.FinishRefusal:
		text = "(The model refused to answer.)"
	case domain.FinishMaxTokens:
		text = "(The answer reached its limit of tokens before its first word.)"
	}
	in.take(provider.Delta{Kind: provider.DeltaText, Text: text})
	in.closeBlock()
}
