package tools

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/mixagent/mix/internal/domain"
)

// maxResult bounds the JSON of a result, in bytes. Tools stay far below; what
// does not is replaced, since half of a JSON text is of no use.
const maxResult = 1 << 20

// failure is the result of a call that has none of its own.
type failure struct {
	Error string `json:"error"`
}

// fail ends a call that could not be run or did not get far enough to start.
func (r *round) fail(c *call, err error) { r.close(c, domain.CallFailed, "Error: "+err.Error()) }

// deny ends a call that was not allowed.
func (r *round) deny(c *call, text string) { r.close(c, domain.CallDenied, text) }

// interrupt ends a call that the end of the run kept from starting.
func (r *round) interrupt(c *call) {
	r.close(c, domain.CallInterrupted, "The run was cancelled before this call could start: it was not run.")
}

func (r *round) close(c *call, state domain.CallState, text string) {
	c.State, c.IsError = state, true
	c.Text = r.text(c, text)
	c.Result = r.result(c, nil)
}

// text is what the model reads of a call: nothing in it can drive a terminal,
// hide or disguise itself, wherever the tool has it from.
func (r *round) text(c *call, s string) string {
	return cutText(domain.Sanitize(join(c.note, s)), r.o.MaxText)
}

// result is the JSON of what a tool returned, or of the text where it returned
// nothing. It also takes the time: it is the last thing before the commit.
func (r *round) result(c *call, v any) json.RawMessage {
	c.EndedAt = r.o.Now()
	if v != nil {
		out, err := json.Marshal(v)
		switch {
		case err != nil:
			r.o.Logger.Error("a tool's result is not JSON", "tool", c.Tool, "call", c.ID, "error", err)
		case len(out) > maxResult:
			r.o.Logger.Error("a tool's result is too large", "tool", c.Tool, "call", c.ID, "bytes", len(out))
		default:
			return out
		}
	}
	if !c.IsError {
		return json.RawMessage("{}")
	}
	out, err := json.Marshal(failure{Error: cutText(c.Text, 10_000)})
	if err != nil {
		return json.RawMessage("{}")
	}
	return out
}

// because says which rule decided and why, as the end of a sentence.
func because(rule, reason string) string {
	var b strings.Builder
	if rule != "" {
		b.WriteString(" by " + rule)
	}
	if reason != "" {
		b.WriteString(": " + strings.TrimSuffix(reason, "."))
	}
	b.WriteByte('.')
	return b.String()
}

// join puts two texts below each other, with an empty line between them.
func join(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return strings.TrimSuffix(a, "\n") + "\n\n" + b
}

// oneLine is [domain.Sanitize] for what has to stay one line of a listing, such
// as a file name or a line of a file: what would begin another shows as "⏎".
func oneLine(s string) string {
	return strings.ReplaceAll(domain.Sanitize(s), "\n", "⏎")
}

// oneLineEach is oneLine of each.
func oneLineEach(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = oneLine(s)
	}
	return out
}

// cutText keeps the head and the tail of a text of more than limit characters
// and says in between how many are missing.
func cutText(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	n := utf8.RuneCountInString(s)
	if n <= limit {
		return s
	}
	head, tail := headLen(s, limit/2), tailLen(s, limit-limit/2)
	return fmt.Sprintf("%s\n[… %d characters left out …]\n%s", s[:head], n-limit, s[len(s)-tail:])
}

// headLen is the length in bytes of the first n characters of s, tailLen of
// the last.
func headLen(s string, n int) int {
	i := 0
	for ; n > 0 && i < len(s); n-- {
		_, size := utf8.DecodeRuneInString(s[i:])
		i += size
	}
	return i
}

func tailLen(s string, n int) int {
	i := len(s)
	for ; n > 0 && i > 0; n-- {
		_, size := utf8.DecodeLastRuneInString(s[:i])
		i -= size
	}
	return len(s) - i
}
