package openai

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/provider"
	"github.com/mixagent/mix/internal/provider/jsonwire"
)

// doneMark is the data of the event that ends a stream.
const doneMark = "[DONE]"

// decoder turns the chunks of one answer into deltas.
type decoder struct {
	body  *provider.Body
	yield func(provider.Delta, error) bool
	left  bool // the loop over the stream was left
	done  bool // the end mark was seen

	scan    jsonwire.Scanner
	calls   calls
	refused bool
	stop    domain.FinishReason // "" until the finish reason came
}

func (d *decoder) emit(delta provider.Delta) {
	if !d.left && !d.yield(delta, nil) {
		d.left = true
	}
}

// frame takes the data of one event.
func (d *decoder) frame(data []byte) error {
	if p, ok := d.fastChunk(data); ok && d.fastPiece(&p) {
		return nil
	}
	switch string(bytes.TrimSpace(data)) {
	case "":
		return nil
	case doneMark:
		d.finish()
		d.done = true
		return nil
	}
	return d.slowFrame(data)
}

func (d *decoder) text(reasoning, content string) {
	if reasoning != "" {
		d.emit(provider.Delta{Kind: provider.DeltaReasoning, Text: reasoning})
	}
	if content != "" {
		d.emit(provider.Delta{Kind: provider.DeltaText, Text: content})
	}
}

// fastPiece takes what [decoder.fastChunk] read. It reports false for a piece of
// a call that did not begin.
func (d *decoder) fastPiece(p *piece) bool {
	var c *call
	if p.hasCall {
		if c = d.calls.at(p.index); c == nil {
			return false
		}
	}
	d.text(p.reasoning, p.content)
	if c != nil {
		d.argue(c, p.arguments)
	}
	return true
}

func (d *decoder) argue(c *call, text string) {
	if text == "" {
		return
	}
	if !c.started {
		c.waiting += text
		return
	}
	c.input = true
	d.emit(provider.Delta{Kind: provider.DeltaToolInput, Index: c.place, Text: text})
}

// begin tells of a call, once its name is known.
func (d *decoder) begin(c *call) {
	c.started = true
	d.emit(provider.Delta{Kind: provider.DeltaToolStart, Index: c.place, ID: c.id, Name: c.name})
	d.argue(c, c.waiting)
	c.waiting = ""
}

// finish ends the answer.
func (d *decoder) finish() {
	for i := range d.calls {
		c := &d.calls[i]
		if !c.started {
			d.begin(c)
		}
		if !c.input {
			d.argue(c, "{}")
		}
		d.emit(provider.Delta{Kind: provider.DeltaToolEnd, Index: c.place})
	}
	stop := d.stop
	switch {
	case d.refused:
		stop = domain.FinishRefusal
	case len(d.calls) > 0 && (stop == "" || stop == domain.FinishEndTurn || stop == domain.FinishUnknown):
		stop = domain.FinishToolUse
	case stop == "":
		stop = domain.FinishUnknown
	}
	d.emit(provider.Delta{Kind: provider.DeltaStop, Stop: stop})
}

// chunkJSON is every field of a chunk that counts.
type chunkJSON struct {
	Choices []choiceJSON    `json:"choices"`
	Usage   *usageJSON      `json:"usage"`
	Groq    *groqJSON       `json:"x_groq"`
	Error   json.RawMessage `json:"error"`
}

type groqJSON struct {
	Usage *usageJSON `json:"usage"`
}

type choiceJSON struct {
	Index        int        `json:"index"`
	Delta        deltaJSON  `json:"delta"`
	Message      *deltaJSON `json:"message"` // of an answer that is no stream
	FinishReason string     `json:"finish_reason"`
	Usage        *usageJSON `json:"usage"`
}

type deltaJSON struct {
	Content          contentJSON `json:"content"`
	ReasoningContent contentJSON `json:"reasoning_content"`
	Reasoning        contentJSON `json:"reasoning"`
	Refusal          string      `json:"refusal"`
	ToolCalls        []callJSON  `json:"tool_calls"`
}

type callJSON struct {
	Index    *int   `json:"index"`
	ID       string `json:"id"`
	Function struct {
		Name      string        `json:"name"`
		Arguments argumentsJSON `json:"arguments"`
	} `json:"function"`
}

// contentJSON is text, null, or a list of parts with text.
type contentJSON struct{ text, reasoning string }

// UnmarshalJSON implements [json.Unmarshaler].
func (c *contentJSON) UnmarshalJSON(data []byte) error {
	*c = contentJSON{}
	if json.Unmarshal(data, &c.text) == nil {
		return nil
	}
	var parts []struct {
		Text     string      `json:"text"`
		Thinking contentJSON `json:"thinking"`
	}
	if json.Unmarshal(data, &parts) != nil {
		return nil // an object that only its vendor knows: not text
	}
	for _, p := range parts {
		c.text += p.Text
		c.reasoning += p.Thinking.text
	}
	return nil
}

// argumentsJSON is text that holds an object, or the object itself.
type argumentsJSON string

// UnmarshalJSON implements [json.Unmarshaler].
func (a *argumentsJSON) UnmarshalJSON(data []byte) error {
	var text string
	if json.Unmarshal(data, &text) != nil {
		text = string(data)
	}
	*a = argumentsJSON(text)
	return nil
}

// slowFrame reads any chunk.
func (d *decoder) slowFrame(data []byte) error {
	var c chunkJSON
	if err := json.Unmarshal(data, &c); err != nil {
		return d.body.Fail(provider.KindInvalid, "a chunk that is not the JSON of this wire")
	}
	if hasError(c.Error) {
		return d.body.Report(data)
	}
	if len(c.Choices) == 0 && c.Usage == nil && c.Groq == nil {
		return d.bareReport(data)
	}
	for i := range c.Choices {
		if c.Choices[i].Index != 0 {
			continue // one answer was asked for
		}
		if err := d.choice(&c.Choices[i]); err != nil {
			return err
		}
	}
	if c.Groq != nil {
		d.count(c.Groq.Usage)
	}
	d.count(c.Usage)
	return nil
}

// bareReport takes a chunk without content: some servers send their errors
// without the "error" around them, some send chunks of no consequence.
func (d *decoder) bareReport(data []byte) error {
	if report, ok := provider.ParseReport(data); ok && report.Message != "" {
		return d.body.Report(data)
	}
	return nil
}

func hasError(raw json.RawMessage) bool {
	switch string(raw) {
	case "", "null", `""`, "{}", "false":
		return false
	}
	return true
}

func (d *decoder) choice(c *choiceJSON) error {
	delta := &c.Delta
	if c.Message != nil {
		delta = c.Message
	}
	reasoning := delta.ReasoningContent.text
	if reasoning == "" {
		reasoning = delta.Reasoning.text
	}
	d.text(reasoning+delta.Content.reasoning, delta.Content.text)
	if delta.Refusal != "" {
		d.refused = true
		d.text("", delta.Refusal)
	}
	for i := range delta.ToolCalls {
		d.call(&delta.ToolCalls[i])
	}
	d.count(c.Usage)
	switch c.FinishReason {
	case "":
	case "error":
		return d.body.Fail(provider.KindInterrupted, "the vendor ended it with an error that it did not name")
	default:
		d.stop = finishReason(c.FinishReason)
	}
	return nil
}

// call takes a tool call, or a piece of one.
func (d *decoder) call(j *callJSON) {
	c := d.calls.find(j)
	if c == nil {
		c = d.calls.add(j)
	}
	if !c.started && j.Function.Name != "" {
		c.name = j.Function.Name
		d.begin(c)
	}
	d.argue(c, string(j.Function.Arguments))
}

// finishReason maps a finish reason of the wire.
func finishReason(s string) domain.FinishReason {
	switch strings.ToLower(s) {
	case "stop", "end_turn", "eos":
		return domain.FinishEndTurn
	case "tool_calls", "tool_use", "function_call":
		return domain.FinishToolUse
	case "length", "max_tokens", "model_length":
		return domain.FinishMaxTokens
	case "content_filter", "refusal", "safety":
		return domain.FinishRefusal
	}
	return domain.FinishUnknown
}
