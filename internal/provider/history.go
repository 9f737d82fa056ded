package provider

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/mixagent/mix/internal/domain"
)

// Turn is a message as vendors want to see it. Turns alternate between user
// and assistant, and none is empty.
type Turn struct {
	Role domain.Role
	// Results answer the calls of the turn before, all of them and in order.
	// Only a user's turn has them; they come before its Texts.
	Results []ToolResult
	Texts   []string
	// Parts are an assistant's turn.
	Parts []Part
}

// Shape is where vendors differ in what they accept.
type Shape struct {
	// Vendor gets back the reasoning that it made.
	Vendor string
	// AnyID allows every character in identifiers of calls. Models that were
	// trained to read their own identifiers do worse with others.
	AnyID bool
}

// ToolResult is what a call returned.
type ToolResult struct {
	CallID  string
	Text    string
	IsError bool
}

// Part is one piece of an assistant's turn: exactly one field group counts.
type Part struct {
	Text      string
	Reasoning *domain.Block // belongs to the vendor; Opaque or Text is there
	CallID    string        // of a tool call
	Tool      string
	Input     string // as the model wrote it, perhaps invalid
}

// What stands for results that do not exist.
const (
	interruptedText = "The call was interrupted and its result is unknown. It may have had effects."
	emptyText       = "(no output)"
)

// Turns gives a stored history the shape that every vendor accepts, whichever
// vendor's model wrote it and wherever it broke off:
//
//   - neighbours of one role are one turn, and turns without content are left
//     out, as are blank texts;
//   - the results of an assistant's calls follow at once, in the order of the
//     calls; a call that never ended has a result that says so;
//   - only reasoning of the shape's vendor stays;
//   - identifiers and names of tools have only the characters, and the length,
//     that the vendor allows, and no identifier occurs twice.
//
// Turns of a longer history begin with the turns of a shorter one, as long as
// the shorter one ended with a message that was answered.
func Turns(shape Shape, messages []domain.Message) []Turn {
	h := history{shape: shape, used: map[string]int{}}
	for i := range messages {
		m := &messages[i]
		if m.Role == domain.RoleAssistant {
			h.assistant(m)
		} else {
			h.user(m)
		}
	}
	return h.turns
}

type history struct {
	shape Shape
	turns []Turn
	used  map[string]int // identifiers so far, and how often
}

// turn returns the turn that content of the role goes to.
func (h *history) turn(role domain.Role) *Turn {
	if n := len(h.turns); n == 0 || h.turns[n-1].Role != role {
		h.turns = append(h.turns, Turn{Role: role})
	}
	return &h.turns[len(h.turns)-1]
}

func (h *history) user(m *domain.Message) {
	for i := range m.Blocks {
		if text := userText(&m.Blocks[i]); strings.TrimSpace(text) != "" {
			t := h.turn(domain.RoleUser)
			t.Texts = append(t.Texts, text)
		}
	}
}

// userText is a block of a person in words.
func userText(b *domain.Block) string {
	switch b.Type {
	case domain.BlockText:
		return b.Text
	case domain.BlockImage, domain.BlockFile:
		return "[attached " + string(b.Type) + ": " + strings.TrimSpace(b.Name+" "+b.Path) + "]"
	default:
		return ""
	}
}

func (h *history) assistant(m *domain.Message) {
	var parts []Part
	var results []ToolResult
	for i := range m.Blocks {
		b := &m.Blocks[i]
		switch b.Type {
		case domain.BlockText:
			if strings.TrimSpace(b.Text) != "" {
				parts = append(parts, Part{Text: b.Text})
			}
		case domain.BlockReasoning:
			if b.Vendor == h.shape.Vendor && (b.Opaque != "" || b.Text != "") {
				parts = append(parts, Part{Reasoning: b})
			}
		case domain.BlockToolCall:
			id := h.callID(b.CallID)
			parts = append(parts, Part{CallID: id, Tool: toolName(b.Tool), Input: b.Input})
			results = append(results, result(id, rowOf(m, b, len(results))))
		}
	}
	// Reasoning that led to nothing is left out: vendors refuse a turn that
	// ends with it.
	for len(parts) > 0 && parts[len(parts)-1].Reasoning != nil {
		parts = parts[:len(parts)-1]
	}
	if len(parts) == 0 {
		return
	}
	t := h.turn(domain.RoleAssistant)
	t.Parts = append(t.Parts, parts...)
	if len(results) > 0 {
		h.turn(domain.RoleUser).Results = results
	}
}

// rowOf returns the journal row of the n-th call of m, or nil.
func rowOf(m *domain.Message, b *domain.Block, n int) *domain.ToolCall {
	if n < len(m.Calls) && m.Calls[n].CallID == b.CallID {
		return &m.Calls[n]
	}
	return m.Call(b.CallID)
}

func result(id string, row *domain.ToolCall) ToolResult {
	if row == nil || !row.State.Ended() {
		return ToolResult{CallID: id, Text: interruptedText, IsError: true}
	}
	r := ToolResult{CallID: id, Text: row.Text, IsError: row.IsError || row.State != domain.CallFinished}
	if strings.TrimSpace(r.Text) == "" {
		r.Text = emptyText
	}
	return r
}

// maxName and maxCallID are the smallest bounds of any vendor, in bytes
// (OpenAI's: 64 for names, 40 for identifiers).
const (
	maxName   = 64
	maxCallID = 40
)

// callID returns an identifier that the vendor accepts and that is new in
// this history. What was fine stays as it is; the same history gives the same
// identifiers.
func (h *history) callID(id string) string {
	if id == "" || len(id) > maxCallID || (!h.shape.AnyID && clean(id) != id) {
		sum := sha256.Sum256([]byte(id))
		id = "call_" + hex.EncodeToString(sum[:12])
	}
	unique := id
	for h.used[unique] > 0 {
		h.used[id]++
		suffix := "_" + strconv.Itoa(h.used[id])
		unique = id[:min(len(id), maxCallID-len(suffix))] + suffix
	}
	h.used[unique]++
	return unique
}

// NewCallID returns an identifier for a tool call that came without one.
func NewCallID() string { return "call_" + strings.ToLower(rand.Text()[:24]) }

// toolName returns a name that every vendor accepts. Models invent names.
func toolName(name string) string {
	name = clean(name)
	if name == "" {
		return "unknown"
	}
	return name[:min(len(name), maxName)]
}

// clean replaces every byte that vendors do not allow in names.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '_', r == '-':
			return r
		}
		return '_'
	}, s)
}
