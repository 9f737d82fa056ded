package agent

import (
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
	calls map[int]*openCall // by the delta's index

	reasoningSince time.Time
}

// openCall is a tool call whose input is still arriving.
type openCall struct {
	id, callID, tool string
	input            strings.Builder
	block            int // index into msg.Blocks
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
	b := domain.Block{Type: in.kind, Text: in.text.String()}
	if in.kind == domain.BlockReasoning {
		b.Vendor = in.vendor
		in.msg.ReasoningMillis += in.s.o.Now().Sub(in.reasoningSince).Milliseconds()
	}
	in.msg.Blocks = append(in.msg.Blocks, b)
	in.text.Reset()
	in.kind = ""
}

// sign puts a signature on the reasoning block before it.
func (in *intake) sign(opaque string) {
	if in.kind == domain.BlockReasoning || in.kind == domain.BlockText {
		in.closeBlock()
	}
	if n := len(in.msg.Blocks); n > 0 && in.msg.Blocks[n-1].Type == domain.BlockReasoning {
		in.msg.Blocks[n-1].Opaque += opaque
		return
	}
	in.msg.Blocks = append(in.msg.Blocks, domain.Block{Type: domain.BlockReasoning, Opaque: opaque, Vendor: in.vendor})
}

func (in *intake) startCall(d provider.Delta) {
	in.closeBlock()
	c := &openCall{id: domain.NewID(), callID: in.uniqueCallID(d.ID), tool: d.Name, block: len(in.msg.Blocks)}
	in.calls[d.Index] = c
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
	for _, c := range in.calls {
		if c.callID == id {
			id = ""
			break
		}
	}
	if id == "" {
		return "call_" + strings.ReplaceAll(domain.NewID(), "-", "")
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
	input := strings.TrimSpace(c.input.String())
	if input == "" {
		input = "{}"
	}
	for i := range in.msg.Calls {
		if in.msg.Calls[i].ID == c.id {
			in.msg.Calls[i].Input = []byte(input)
		}
	}
	if len(input) > tools.DefaultMaxInput {
		input = "{}"
	}
	in.msg.Blocks[c.block].Input = input
	in.s.o.Log.Append(in.session, domain.ToolInputDone{CallID: c.id, Tool: c.tool, Input: input, MessageID: in.msg.ID})
}

// settle closes what is still open when the answer has ended.
func (in *intake) settle() {
	in.closeBlock()
	if in.msg.FinishReason != "" {
		for _, c := range in.calls {
			in.endCall(c)
		}
	}
	in.msg.UpdatedAt = in.s.now()
}
