package providertest

import (
	"errors"
	"iter"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/provider"
)

// Answer is what a whole stream amounts to.
type Answer struct {
	Blocks []domain.Block
	Usage  domain.Usage
	Stop   domain.FinishReason
	Deltas []provider.Delta
}

// Text returns the answer's text.
func (a *Answer) Text() string {
	m := domain.Message{Blocks: a.Blocks}
	return m.Text()
}

// Reasoning returns the answer's readable reasoning.
func (a *Answer) Reasoning() string {
	m := domain.Message{Blocks: a.Blocks}
	return m.Reasoning()
}

// Calls returns the answer's tool calls.
func (a *Answer) Calls() []domain.Block {
	var calls []domain.Block
	for _, b := range a.Blocks {
		if b.Type == domain.BlockToolCall {
			calls = append(calls, b)
		}
	}
	return calls
}

// Collect reads a stream to its end, and checks on the way what every stream
// must keep to. It returns what came, and the stream's error.
func Collect(vendor string, stream iter.Seq2[provider.Delta, error]) (*Answer, error) {
	c := collector{vendor: vendor, calls: map[int]int{}, ended: map[int]bool{}}
	for d, err := range stream {
		if c.err != nil {
			return &c.answer, errors.New("the stream went on after its error")
		}
		if c.err = err; err != nil {
			continue
		}
		if broken := c.add(d); broken != "" {
			return &c.answer, errors.New("the stream broke a rule: " + broken)
		}
	}
	if c.err == nil && c.answer.Stop == "" {
		return &c.answer, errors.New("the stream ended with neither stop nor error")
	}
	if c.err == nil && len(c.ended) != len(c.calls) {
		return &c.answer, errors.New("a tool call was not ended")
	}
	return &c.answer, c.err
}

type collector struct {
	vendor string
	answer Answer
	err    error
	calls  map[int]int // index of the call to place of its block
	ended  map[int]bool
}

// last returns the last block where it is of the type, or a new one.
func (c *collector) last(t domain.BlockType, fresh bool) *domain.Block {
	a := &c.answer
	if n := len(a.Blocks); fresh || n == 0 || a.Blocks[n-1].Type != t {
		b := domain.Block{Type: t}
		if t == domain.BlockReasoning {
			b.Vendor = c.vendor
		}
		a.Blocks = append(a.Blocks, b)
	}
	return &a.Blocks[len(a.Blocks)-1]
}

// signed reports whether the last block is reasoning that is whole.
func (c *collector) signed() bool {
	n := len(c.answer.Blocks)
	return n > 0 && c.answer.Blocks[n-1].Opaque != ""
}

// add takes one delta and returns the rule that it breaks, or "".
func (c *collector) add(d provider.Delta) string {
	a := &c.answer
	a.Deltas = append(a.Deltas, d)
	if a.Stop != "" {
		return "a delta came after the stop"
	}
	switch d.Kind {
	case provider.DeltaText:
		c.last(domain.BlockText, false).Text += d.Text
	case provider.DeltaReasoning:
		c.last(domain.BlockReasoning, c.signed()).Text += d.Text
	case provider.DeltaSignature:
		c.last(domain.BlockReasoning, false).Opaque += d.Text
	case provider.DeltaRedacted:
		b := c.last(domain.BlockReasoning, true)
		b.Opaque, b.Redacted = d.Text, true
	case provider.DeltaToolStart, provider.DeltaToolInput, provider.DeltaToolEnd:
		return c.tool(d)
	case provider.DeltaUsage:
		a.Usage = d.Usage
		if u := d.Usage; min(u.Input, u.Output, u.CacheRead, u.CacheWrite, u.Reasoning) < 0 || u.Reasoning > u.Output {
			return "usage makes no sense"
		}
	case provider.DeltaStop:
		a.Stop = d.Stop
		if d.Stop == "" {
			return "a stop without a reason"
		}
	default:
		return "a delta of no kind"
	}
	if needsText := d.Kind <= provider.DeltaRedacted; needsText && d.Text == "" {
		return "a delta without text"
	}
	return ""
}

func (c *collector) tool(d provider.Delta) string {
	at, known := c.calls[d.Index]
	if d.Kind == provider.DeltaToolStart {
		if known || d.Index != len(c.calls) {
			return "tool calls are not numbered from 0"
		}
		if d.ID == "" {
			return "a tool call without identifier"
		}
		for _, b := range c.answer.Calls() {
			if b.CallID == d.ID {
				return "an identifier came twice"
			}
		}
		c.calls[d.Index] = len(c.answer.Blocks)
		b := c.last(domain.BlockToolCall, true)
		b.CallID, b.Tool = d.ID, d.Name
		return ""
	}
	if !known || c.ended[d.Index] {
		return "a piece of a tool call that is not open"
	}
	b := &c.answer.Blocks[at]
	if d.Kind == provider.DeltaToolInput {
		b.Input += d.Text
		return ""
	}
	c.ended[d.Index] = true
	if b.Input == "" {
		return "a tool call ended without input"
	}
	return ""
}
