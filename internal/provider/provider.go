package provider

import (
	"context"
	"encoding/json"
	"iter"

	"github.com/mixagent/mix/internal/domain"
)

// Provider streams one answer of a model.
type Provider interface {
	// Name is the vendor's name, the part of a model name before the slash.
	Name() string
	// Stream sends req and yields the answer. The first error is the last
	// thing yielded. The iterator may be used once.
	Stream(ctx context.Context, req *Request) iter.Seq2[Delta, error]
}

// Request is one call of a model. Its history starts with a user message and
// alternates; every tool call in it has an ended row in Message.Calls.
type Request struct {
	SessionID string // for vendors that route or cache by conversation
	Model     string // without the provider's name
	System    string
	Tools     []Tool
	Messages  []domain.Message
	// MaxTokens bounds the answer; 0 means the vendor's usual bound.
	MaxTokens int
	Effort    domain.Effort

	// OnRetry, where set, is called by [Retrying] before it waits.
	OnRetry func(Retry)
}

// Tool is a tool as a model sees it. Schema is a JSON schema of type object.
type Tool struct {
	Name        string
	Description string
	Schema      json.RawMessage
}

// DeltaKind says what a [Delta] carries.
type DeltaKind uint8

// The kinds of delta.
const (
	DeltaText      DeltaKind = iota + 1 // Text
	DeltaReasoning                      // Text
	DeltaSignature                      // Text: opaque, belongs to the reasoning before it
	DeltaRedacted                       // Text: opaque reasoning that nobody can read
	DeltaToolStart                      // Index, ID, Name
	DeltaToolInput                      // Index, Text: next piece of the input's JSON
	DeltaToolEnd                        // Index
	DeltaUsage                          // Usage: totals so far; a later one replaces an earlier one
	DeltaStop                           // Stop; always the last delta
)

// Delta is one piece of an answer. It is a plain value so that a stream costs
// no allocation beyond its text.
type Delta struct {
	Kind DeltaKind
	// Index tells parallel tool calls apart; it is stable within the answer.
	Index int
	Text  string
	ID    string
	Name  string
	Usage domain.Usage
	Stop  domain.FinishReason
}
