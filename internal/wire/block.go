package wire

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"strconv"

	"github.com/mixagent/mix/internal/domain"
)

// MaxBlock bounds an SSE block, framing included: each has fewer bytes.
// Published Go clients silently end the stream at 65,536.
const MaxBlock = 60 << 10

// The two events that belong to a connection and not to a session's log.
const (
	EventConnected domain.EventType = "connected"
	EventHeartbeat domain.EventType = "heartbeat"
)

// Own reports whether an event is known to Mix's own clients only, so that the
// contract's stream must leave it out.
func Own(t domain.EventType) bool {
	switch t {
	case EventConnected, EventHeartbeat, domain.EventNotification,
		domain.EventUserMessage, domain.EventThinking, domain.EventContent,
		domain.EventToolUse, domain.EventToolInput, domain.EventToolInputDone,
		domain.EventToolStart, domain.EventToolComplete, domain.EventPermission,
		domain.EventComplete, domain.EventError,
		domain.EventSessionNew, domain.EventSessionGone:
		return false
	}
	return true
}

// AppendConnected appends the first block of every stream. position is the
// number after which the stream goes on; it is no number of the log's own.
func AppendConnected(dst []byte, position int64, session string) []byte {
	b := begin(dst, position, EventConnected)
	b.text(`"sessionId":`, session, maxShort)
	return b.end()
}

// AppendHeartbeat appends a block that only shows that the stream lives.
// position must not be ahead of what the connection was sent.
func AppendHeartbeat(dst []byte, position int64) []byte {
	b := begin(dst, position, EventHeartbeat)
	b.literal(`"type":"ping"`)
	return b.end()
}

// Block is a decoded SSE block. Data is the JSON and shares memory with what
// was parsed.
type Block struct {
	Seq  int64
	Name domain.EventType
	Data []byte
}

// ErrBlock is what [ParseBlock] returns for bytes that [EncodeEvent] does not
// make.
var ErrBlock = errors.New("malformed event block")

var blockEnd = []byte("\n\n")

// ParseBlock reads one complete block in the form that this package writes.
func ParseBlock(block []byte) (Block, error) {
	rest, ok := bytes.CutSuffix(block, blockEnd)
	if !ok {
		return Block{}, fmt.Errorf("%w: no blank line at its end", ErrBlock)
	}
	var b Block
	id, rest, ok1 := bytes.Cut(rest, []byte("\nevent: "))
	name, data, ok2 := bytes.Cut(rest, []byte("\ndata: "))
	number, ok3 := bytes.CutPrefix(id, []byte("id: "))
	if !ok1 || !ok2 || !ok3 || bytes.IndexByte(data, '\n') >= 0 || bytes.IndexByte(name, '\n') >= 0 {
		return Block{}, fmt.Errorf("%w: not the lines id, event and data", ErrBlock)
	}
	seq, err := strconv.ParseInt(string(number), 10, 64)
	if err != nil {
		return Block{}, fmt.Errorf("%w: id %q", ErrBlock, number)
	}
	b.Seq, b.Name, b.Data = seq, domain.EventType(name), data
	return b, nil
}

// Renumber returns a copy of a block that [EncodeEvent] made, with another
// number.
func Renumber(block []byte, seq int64) []byte {
	out := make([]byte, 0, len(block)+len("9223372036854775807"))
	out = strconv.AppendInt(append(out, "id: "...), seq, 10)
	if n := bytes.IndexByte(block, '\n'); n >= 0 {
		out = append(out, block[n:]...)
	}
	return out
}

// Blocks yields the complete blocks that data is made of, in order. What
// follows the last blank line comes last, so that a torn end is an error of
// [ParseBlock] and not lost.
func Blocks(data []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for len(data) > 0 {
			n := bytes.Index(data, blockEnd)
			if n < 0 {
				yield(data)
				return
			}
			n += len(blockEnd)
			if !yield(data[:n:n]) {
				return
			}
			data = data[n:]
		}
	}
}
