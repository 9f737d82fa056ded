package anthropic

import (
	"encoding/json"
	"errors"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/provider"
	"github.com/mixagent/mix/internal/provider/jsonwire"
)

// decoder turns the frames of one answer into deltas.
type decoder struct {
	body  *provider.Body
	yield func(provider.Delta, error) bool
	left  bool // the loop over the stream was left
	done  bool // the end mark was seen

	scan   jsonwire.Scanner
	blocks []block
	calls  int
	usage  domain.Usage
	stop   domain.FinishReason
}

// block is a content block that began.
type block struct {
	index int // the wire's
	call  int // place among the tool calls, -1 where it is none
	open  bool
	input bool   // a piece of the tool call's input was sent
	whole string // the input that came with the block's start
}

func (d *decoder) emit(delta provider.Delta) {
	if !d.left && !d.yield(delta, nil) {
		d.left = true
	}
}

// frame takes the data of one event. Its type is in the data as well as in the
// event's name, which servers that resemble the vendor's leave out.
func (d *decoder) frame(data []byte) error {
	if len(data) == 0 {
		return nil
	}
	if index, kind, text, ok := d.fastDelta(data); ok {
		return d.piece(index, kind, text)
	}
	return d.slowFrame(data)
}

// pieceKind is what a content_block_delta carries.
type pieceKind uint8

const (
	pieceOther pieceKind = iota
	pieceText
	pieceThinking
	pieceInput
	pieceSignature
)

func pieceKindOf(name []byte) pieceKind {
	switch string(name) {
	case "text_delta":
		return pieceText
	case "thinking_delta":
		return pieceThinking
	case "input_json_delta":
		return pieceInput
	case "signature_delta":
		return pieceSignature
	}
	return pieceOther
}

// fastDelta reads a common content_block_delta. It reports false for every
// other frame.
func (d *decoder) fastDelta(data []byte) (index int, kind pieceKind, text string, ok bool) {
	s := &d.scan
	s.Reset(data)
	index, known := -1, false
	var holds pieceKind
	for s.Object(); s.More(); {
		switch string(s.Key()) {
		case "type":
			if known = string(s.Plain()) == "content_block_delta"; !known {
				return 0, 0, "", false
			}
		case "index":
			index = s.Int()
		case "delta":
			if kind != pieceOther {
				return 0, 0, "", false
			}
			kind, holds, text = fastPiece(s)
		default:
			s.Skip()
		}
	}
	ok = s.End() && known && index >= 0 && kind != pieceOther && kind == holds
	return index, kind, text, ok
}

// fastPiece reads the object below "delta": its kind as it says itself, and the
// kind that the name of its text stands for.
func fastPiece(s *jsonwire.Scanner) (kind, holds pieceKind, text string) {
	for s.Object(); s.More(); {
		key := s.Key()
		field := pieceOther
		switch string(key) {
		case "type":
			kind = pieceKindOf(s.Plain())
			continue
		case "text":
			field = pieceText
		case "thinking":
			field = pieceThinking
		case "partial_json":
			field = pieceInput
		case "signature":
			field = pieceSignature
		}
		if field == pieceOther || holds != pieceOther {
			s.Fail()
			return pieceOther, pieceOther, ""
		}
		holds, text = field, s.Text()
	}
	return kind, holds, text
}

// piece takes a piece of a content block.
func (d *decoder) piece(index int, kind pieceKind, text string) error {
	if text == "" {
		return nil
	}
	switch kind {
	case pieceText:
		d.emit(provider.Delta{Kind: provider.DeltaText, Text: text})
	case pieceThinking:
		d.emit(provider.Delta{Kind: provider.DeltaReasoning, Text: text})
	case pieceSignature:
		d.emit(provider.Delta{Kind: provider.DeltaSignature, Text: text})
	case pieceInput:
		b := d.block(index)
		if b == nil || !b.open {
			return d.body.Fail(provider.KindInvalid, "a piece of a tool call that did not begin")
		}
		if b.call >= 0 {
			b.input = true
			d.emit(provider.Delta{Kind: provider.DeltaToolInput, Index: b.call, Text: text})
		}
	}
	return nil
}

func (d *decoder) block(index int) *block {
	for i := len(d.blocks) - 1; i >= 0; i-- {
		if d.blocks[i].index == index {
			return &d.blocks[i]
		}
	}
	return nil
}

// frameJSON is every field of every event that counts.
type frameJSON struct {
	Type    string `json:"type"`
	Index   int    `json:"index"`
	Message struct {
		Usage usageJSON `json:"usage"`
	} `json:"message"`
	Block struct {
		Type      string          `json:"type"`
		Text      string          `json:"text"`
		Thinking  string          `json:"thinking"`
		Signature string          `json:"signature"`
		Data      string          `json:"data"`
		ID        string          `json:"id"`
		Name      string          `json:"name"`
		Input     json.RawMessage `json:"input"`
	} `json:"content_block"`
	Delta struct {
		Type        string `json:"type"`
		Text        string `json:"text"`
		Thinking    string `json:"thinking"`
		PartialJSON string `json:"partial_json"`
		Signature   string `json:"signature"`
		StopReason  string `json:"stop_reason"`
	} `json:"delta"`
	Usage usageJSON `json:"usage"`
}

// usageJSON counts tokens; a count that is absent keeps its earlier value.
type usageJSON struct {
	Input      *int64 `json:"input_tokens"`
	Output     *int64 `json:"output_tokens"`
	CacheWrite *int64 `json:"cache_creation_input_tokens"`
	CacheRead  *int64 `json:"cache_read_input_tokens"`
}

// slowFrame reads any frame. Types that are not known are skipped: the vendor
// announces that it will add some.
func (d *decoder) slowFrame(data []byte) error {
	var f frameJSON
	if err := json.Unmarshal(data, &f); err != nil {
		if unknown(err, f.Type) {
			return nil
		}
		return d.body.Fail(provider.KindInvalid, "an event that is not the JSON of this wire")
	}
	switch f.Type {
	case "message_start":
		d.count(f.Message.Usage)
	case "content_block_start":
		d.blockStart(&f)
	case "content_block_delta":
		kind := pieceKindOf([]byte(f.Delta.Type))
		texts := [...]string{"", f.Delta.Text, f.Delta.Thinking, f.Delta.PartialJSON, f.Delta.Signature}
		return d.piece(f.Index, kind, texts[kind])
	case "content_block_stop":
		d.blockStop(d.block(f.Index))
	case "message_delta":
		if f.Delta.StopReason != "" {
			d.stop = finishReason(f.Delta.StopReason)
		}
		d.count(f.Usage)
	case "message_stop":
		d.messageStop()
	case "error":
		return d.body.Report(data)
	}
	return nil
}

// unknown reports whether a frame could not be read because it is of a type that
// is not known, and has other fields under our names.
func unknown(err error, kind string) bool {
	var mismatch *json.UnmarshalTypeError
	if !errors.As(err, &mismatch) {
		return false
	}
	switch kind {
	case "", "message_start", "content_block_start", "content_block_delta", "content_block_stop", "message_delta", "message_stop", "error":
		return false
	}
	return true
}

func (d *decoder) count(u usageJSON) {
	set := func(to *int64, from *int64) bool {
		if from == nil {
			return false
		}
		*to = max(*from, 0)
		return true
	}
	a := set(&d.usage.Input, u.Input)
	b := set(&d.usage.Output, u.Output)
	c := set(&d.usage.CacheWrite, u.CacheWrite)
	e := set(&d.usage.CacheRead, u.CacheRead)
	if a || b || c || e {
		d.emit(provider.Delta{Kind: provider.DeltaUsage, Usage: d.usage})
	}
}

func (d *decoder) blockStart(f *frameJSON) {
	b := block{index: f.Index, call: -1, open: true}
	switch f.Block.Type {
	case "text":
		_ = d.piece(f.Index, pieceText, f.Block.Text)
	case "thinking":
		_ = d.piece(f.Index, pieceThinking, f.Block.Thinking)
		_ = d.piece(f.Index, pieceSignature, f.Block.Signature)
	case "redacted_thinking":
		if f.Block.Data != "" {
			d.emit(provider.Delta{Kind: provider.DeltaRedacted, Text: f.Block.Data})
		}
	case "tool_use":
		b.call = d.calls
		b.whole = string(f.Block.Input)
		d.calls++
		id := f.Block.ID
		if id == "" {
			id = provider.NewCallID()
		}
		d.emit(provider.Delta{Kind: provider.DeltaToolStart, Index: b.call, ID: id, Name: f.Block.Name})
	}
	d.blocks = append(d.blocks, b)
}

// blockStop ends a block. A tool call whose input was not sent in pieces had it
// with its start; servers that resemble the vendor's do so.
func (d *decoder) blockStop(b *block) {
	if b == nil || !b.open {
		return
	}
	b.open = false
	if b.call < 0 {
		return
	}
	if !b.input {
		whole := b.whole
		if whole == "" || whole == "null" {
			whole = "{}"
		}
		d.emit(provider.Delta{Kind: provider.DeltaToolInput, Index: b.call, Text: whole})
	}
	d.emit(provider.Delta{Kind: provider.DeltaToolEnd, Index: b.call})
}

func (d *decoder) messageStop() {
	for i := range d.blocks {
		d.blockStop(&d.blocks[i])
	}
	if d.stop == "" {
		d.stop = domain.FinishUnknown
	}
	d.emit(provider.Delta{Kind: provider.DeltaStop, Stop: d.stop})
	d.done = true
}

// finishReason maps a stop reason of the wire.
func finishReason(s string) domain.FinishReason {
	switch s {
	case "end_turn", "stop_sequence":
		return domain.FinishEndTurn
	case "tool_use":
		return domain.FinishToolUse
	case "max_tokens", "model_context_window_exceeded":
		return domain.FinishMaxTokens
	case "refusal":
		return domain.FinishRefusal
	}
	return domain.FinishUnknown
}
