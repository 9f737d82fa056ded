package wire

import (
	"fmt"
	"time"

	"github.com/mixagent/mix/internal/domain"
)

// Bounds of fields in encoded bytes. The bounds of the fields of one event add
// up to less than [MaxBlock]. Identifiers of Mix have 36 bytes; what others
// name (models, vendors' tools) may be longer, but not without end.
const (
	maxShort  = 256
	maxLine   = 2 << 10  // titles, reasons, rules, paths
	maxText   = 8 << 10  // errors, descriptions
	maxDetail = 14 << 10 // diffs, reasoning
	maxInput  = 24 << 10 // parameters, results
	maxWhole  = 40 << 10 // the longest text of an event
)

// EncodeEvent appends the SSE blocks of ev to dst. The first has the number
// seq, each further one the next number; last is the number of the last. Only
// streamed text (Content, Thinking, ToolInput, Output) takes more than one.
// It panics on a type that is not one of [domain]'s events, as only a mistake
// in this program can cause it.
func EncodeEvent(dst []byte, seq int64, ev domain.Event) (_ []byte, last int64) {
	switch e := ev.(type) {
	case domain.Content:
		return appendPieces(dst, seq, piece{
			name: domain.EventContent, textKey: `"content":`, text: e.Content,
			messageID: e.MessageID, parent: e.ParentToolCallID,
		})
	case domain.Thinking:
		return appendPieces(dst, seq, piece{
			name: domain.EventThinking, textKey: `"content":`, text: e.Content,
			messageID: e.MessageID, parent: e.ParentToolCallID,
		})
	case domain.ToolInput:
		return appendPieces(dst, seq, piece{
			name: domain.EventToolInput, callID: e.CallID, textKey: `"input":`, text: e.Input,
			messageID: e.MessageID, parent: e.ParentToolCallID,
		})
	case domain.Output:
		return appendPieces(dst, seq, piece{
			name: domain.EventOutput, callID: e.CallID, textKey: `"text":`, text: e.Text,
			parent: e.ParentToolCallID,
		})
	}
	o := typed(dst, seq, ev.EventType())
	switch e := ev.(type) {
	case domain.ToolUse, domain.ToolInputDone, domain.ToolStart, domain.ToolComplete, domain.Result:
		o.toolEvent(e)
	case domain.PermissionAsked:
		o.permission(&e)
	case domain.Resolved:
		o.resolved(&e)
	case domain.Complete:
		o.complete(&e)
	case domain.Failure:
		// The one event of the contract whose "type" is not its name.
		o = begin(dst, seq, domain.EventError)
		o.failure(&e)
	case domain.UsageReport:
		o.usageReport(&e)
	default:
		o.sessionEvent(e)
	}
	return o.end(), seq
}

// piece is an event whose text may be of any length and goes on in the next.
type piece struct {
	name      domain.EventType
	callID    string // of events that have one
	textKey   string
	text      string
	messageID string
	parent    string
}

// pieceTail is what may follow the text: two identifiers with their keys.
const pieceTail = 2*maxShort + 128

func appendPieces(dst []byte, seq int64, p piece) (_ []byte, last int64) {
	for {
		limit := len(dst) + MaxBlock - pieceTail
		o := typed(dst, seq, p.name)
		o.optional(`"toolCallId":`, p.callID, maxShort)
		o.literal(p.textKey)
		o.buf = append(o.buf, '"')
		var n int
		o.buf, n = appendEscaped(o.buf, p.text, limit)
		o.buf = append(o.buf, '"')
		o.optional(`"assistantMessageId":`, p.messageID, maxShort)
		o.optional(`"parentToolCallId":`, p.parent, maxShort)
		dst = o.end()
		if n == len(p.text) {
			return dst, seq
		}
		p.text = p.text[n:]
		seq++
	}
}

// toolEvent writes the steps of a tool call. The contract names the call "id"
// and "name" in some of them, "toolCallId" and "toolName" in others.
func (o *object) toolEvent(ev domain.Event) {
	var parent string
	switch e := ev.(type) {
	case domain.ToolUse:
		o.text(`"id":`, e.CallID, maxShort)
		o.text(`"name":`, e.Tool, maxShort)
		o.optional(`"assistantMessageId":`, e.MessageID, maxShort)
		parent = e.ParentToolCallID
	case domain.ToolInputDone:
		o.text(`"id":`, e.CallID, maxShort)
		o.text(`"name":`, e.Tool, maxShort)
		o.jsonText(`"input":`, e.Input, maxWhole)
		o.optional(`"assistantMessageId":`, e.MessageID, maxShort)
		parent = e.ParentToolCallID
	case domain.ToolStart:
		o.text(`"toolName":`, e.Tool, maxShort)
		o.text(`"progress":`, e.Progress, maxLine)
		o.text(`"toolCallId":`, e.CallID, maxShort)
		parent = e.ParentToolCallID
	case domain.ToolComplete:
		o.text(`"toolName":`, e.Tool, maxShort)
		o.text(`"progress":`, e.Progress, maxLine)
		o.flag(`"success":`, e.Success)
		o.text(`"toolCallId":`, e.CallID, maxShort)
		parent = e.ParentToolCallID
	case domain.Result:
		o.text(`"toolCallId":`, e.CallID, maxShort)
		o.text(`"toolName":`, e.Tool, maxShort)
		o.text(`"state":`, string(e.State), maxShort)
		o.flag(`"isError":`, e.IsError)
		o.text(`"text":`, e.Text, maxInput)
		o.json(`"result":`, e.Result, maxInput)
		parent = e.ParentToolCallID
	}
	o.optional(`"parentToolCallId":`, parent, maxShort)
}

func (o *object) permission(e *domain.PermissionAsked) {
	o.text(`"id":`, e.RequestID, maxShort)
	o.text(`"sessionId":`, e.SessionID, maxShort)
	o.text(`"toolName":`, e.Tool, maxShort)
	o.text(`"description":`, e.Description, maxText)
	o.text(`"action":`, e.Action, maxShort)
	o.optional(`"path":`, e.Path, maxLine)
	if isObject(e.Params) { // anything else ends a published client's stream
		o.json(`"params":`, e.Params, maxInput)
	}
	o.optional(`"parentToolCallId":`, e.ParentToolCallID, maxShort)
	o.optional(`"callId":`, e.CallID, maxShort)
	o.optional(`"reason":`, e.Reason, maxLine)
	o.optional(`"rule":`, e.Rule, maxLine)
	o.optional(`"diff":`, e.Diff, maxDetail)
	if !e.ExpiresAt.IsZero() {
		o.text(`"expiresAt":`, e.ExpiresAt.UTC().Format(time.RFC3339Nano), maxShort)
	}
}

func (o *object) resolved(e *domain.Resolved) {
	o.text(`"id":`, e.RequestID, maxShort)
	o.text(`"outcome":`, string(e.Outcome), maxShort)
	o.text(`"by":`, e.By, maxShort)
	o.optional(`"callId":`, e.CallID, maxShort)
	o.optional(`"rule":`, e.Rule, maxLine)
	o.optional(`"reason":`, e.Reason, maxText)
}

func (o *object) complete(e *domain.Complete) {
	o.flag(`"done":`, true)
	o.optional(`"content":`, e.Content, maxWhole)
	o.optional(`"messageId":`, e.MessageID, maxShort)
	o.optional(`"reasoning":`, e.Reasoning, maxDetail)
	o.positive(`"reasoningDuration":`, e.ReasoningMillis)
	o.optional(`"parentToolCallId":`, e.ParentToolCallID, maxShort)
	o.optional(`"runId":`, e.RunID, maxShort)
	o.optional(`"state":`, string(e.State), maxShort)
	o.optional(`"reason":`, e.Reason, maxLine)
}

func (o *object) failure(e *domain.Failure) {
	o.text(`"error":`, e.Message, maxText)
	o.optional(`"type":`, e.Type, maxShort)
	o.positive(`"retryAfter":`, e.RetryAfter.Milliseconds())
	o.positive(`"attempt":`, int64(e.Attempt))
	o.positive(`"maxAttempts":`, int64(e.MaxAttempts))
	o.optional(`"parentToolCallId":`, e.ParentToolCallID, maxShort)
}

func (o *object) usageReport(e *domain.UsageReport) {
	o.optional(`"messageId":`, e.MessageID, maxShort)
	o.text(`"model":`, e.Model, maxShort)
	o.usage(`"usage":`, e.Usage)
	o.decimal(`"cost":`, e.CostUSD)
	o.flag(`"costUnknown":`, e.CostUnknown)
	o.usage(`"sessionUsage":`, e.SessionUsage)
	o.decimal(`"sessionCost":`, e.SessionCostUSD)
	o.flag(`"sessionCostUnknown":`, e.CostUnknownInPart)
}

// sessionEvent writes what happened to the session and its messages.
func (o *object) sessionEvent(ev domain.Event) {
	switch e := ev.(type) {
	case domain.UserMessage:
		o.text(`"messageId":`, e.MessageID, maxShort)
		o.text(`"content":`, e.Content, maxWhole)
		o.optional(`"parentToolCallId":`, e.ParentToolCallID, maxShort)
	case domain.SessionNew:
		o.text(`"sessionId":`, e.SessionID, maxShort)
		o.text(`"title":`, e.Title, maxLine)
		o.number(`"createdAt":`, e.CreatedAt.Unix())
	case domain.SessionGone:
		o.text(`"sessionId":`, e.SessionID, maxShort)
	case domain.RunChanged:
		o.text(`"runId":`, e.RunID, maxShort)
		o.optional(`"messageId":`, e.MessageID, maxShort)
		o.text(`"state":`, string(e.State), maxShort)
		o.optional(`"reason":`, e.Reason, maxLine)
		o.optional(`"error":`, e.Error, maxText)
	case domain.QueueChanged:
		o.waiting(e.Waiting)
	case domain.TitleChanged:
		o.text(`"title":`, e.Title, maxLine)
	case domain.ModeChanged:
		o.text(`"mode":`, string(e.Mode), maxShort)
	default:
		panic(fmt.Sprintf("wire: no encoding for the event %T", ev))
	}
}

// maxWaiting bounds how many waiting messages an event names; it always gives
// their number.
const maxWaiting = 100

func (o *object) waiting(ids []string) {
	o.number(`"count":`, int64(len(ids)))
	o.literal(`"waiting":[`)
	o.empty = true
	for _, id := range ids[:min(len(ids), maxWaiting)] {
		o.literal("")
		o.quoted(id, maxShort)
	}
	o.buf = append(o.buf, ']')
	o.empty = false
	o.cut = o.cut || len(ids) > maxWaiting
}
