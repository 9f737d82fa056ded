package wire

import (
	"encoding/json"
	"math"
	"strconv"

	"github.com/mixagent/mix/internal/domain"
)

// object builds one SSE block around one JSON object. Keys are passed as they
// are written, quotes and colon included, so that a reader finds the contract's
// spelling and the encoder copies it.
type object struct {
	buf   []byte
	empty bool // no key yet
	cut   bool // something was left out
}

// begin starts a block that is appended to dst.
func begin(dst []byte, seq int64, name domain.EventType) object {
	dst = append(dst, "id: "...)
	dst = strconv.AppendInt(dst, seq, 10)
	dst = append(dst, "\nevent: "...)
	dst = append(dst, name...)
	return object{buf: append(dst, "\ndata: {"...), empty: true}
}

// typed starts a block whose "type" is its name, as nearly all have.
func typed(dst []byte, seq int64, name domain.EventType) object {
	o := begin(dst, seq, name)
	o.buf = append(o.buf, `"type":"`...)
	o.buf = append(o.buf, name...)
	o.buf = append(o.buf, '"')
	o.empty = false
	return o
}

// end closes the block and returns everything.
func (o *object) end() []byte {
	if o.cut {
		o.literal(`"truncated":true`)
	}
	return append(o.buf, "}\n\n"...)
}

// literal appends what is valid between two commas.
func (o *object) literal(s string) {
	if !o.empty {
		o.buf = append(o.buf, ',')
	}
	o.empty = false
	o.buf = append(o.buf, s...)
}

// text appends a string of at most limit encoded bytes.
func (o *object) text(key, s string, limit int) {
	o.literal(key)
	o.quoted(s, limit)
}

func (o *object) quoted(s string, limit int) {
	o.buf = append(o.buf, '"')
	var n int
	o.buf, n = appendEscaped(o.buf, s, len(o.buf)+limit)
	o.cut = o.cut || n < len(s)
	o.buf = append(o.buf, '"')
}

// optional is text for a key that is left out when it is empty.
func (o *object) optional(key, s string, limit int) {
	if s != "" {
		o.text(key, s, limit)
	}
}

func (o *object) number(key string, n int64) {
	o.literal(key)
	o.buf = strconv.AppendInt(o.buf, n, 10)
}

// positive is number for a key that is left out when it is not above zero.
func (o *object) positive(key string, n int64) {
	if n > 0 {
		o.number(key, n)
	}
}

func (o *object) decimal(key string, f float64) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return // JSON has no word for it
	}
	o.literal(key)
	o.buf = strconv.AppendFloat(o.buf, f, 'g', -1, 64)
}

func (o *object) flag(key string, v bool) {
	o.literal(key)
	o.buf = strconv.AppendBool(o.buf, v)
}

// json appends a JSON value of at most limit bytes. What is not JSON is left
// out.
func (o *object) json(key string, raw []byte, limit int) {
	if !json.Valid(raw) {
		return
	}
	o.literal(key)
	short, cut := shortenJSON(raw, func(b []byte) bool { return len(b) <= limit })
	o.buf = append(o.buf, short...)
	o.cut = o.cut || cut
}

// jsonText appends a string that holds JSON, or what a model took for JSON.
// When it must be shortened, JSON stays JSON.
func (o *object) jsonText(key, s string, limit int) {
	o.literal(key)
	mark := len(o.buf)
	var n int
	o.buf, n = appendEscaped(append(o.buf, '"'), s, mark+limit)
	if n < len(s) {
		o.cut = true
		if raw := []byte(s); json.Valid(raw) {
			short, _ := shortenJSON(raw, func(b []byte) bool {
				var taken int
				o.buf, taken = appendEscaped(append(o.buf[:mark], '"'), string(b), mark+limit)
				return taken == len(b)
			})
			o.buf, _ = appendEscaped(append(o.buf[:mark], '"'), string(short), mark+limit)
		}
	}
	o.buf = append(o.buf, '"')
}

func (o *object) usage(key string, u domain.Usage) {
	o.literal(key)
	o.buf = append(o.buf, '{')
	o.empty = true
	o.number(`"input":`, u.Input)
	o.number(`"output":`, u.Output)
	o.number(`"cacheRead":`, u.CacheRead)
	o.number(`"cacheWrite":`, u.CacheWrite)
	o.number(`"reasoning":`, u.Reasoning)
	o.buf = append(o.buf, '}')
}
