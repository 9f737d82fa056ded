package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/mixagent/mix/internal/domain"
	mix "github.com/mixagent/mix/sdk"
)

// printer shows the events of a run as they come, and its end.
type printer interface {
	event(mix.Event)
	// notice shows a sentence about the run itself.
	notice(string)
	end(*summary)
	// failed returns the first error of writing the output.
	failed() error
}

// jsonPrinter writes JSON lines: the events too, or only what the run came to.
type jsonPrinter struct {
	out, notes io.Writer
	stream     bool
	err        error
}

func (p *jsonPrinter) event(ev mix.Event) {
	if p.stream {
		p.line(ev)
	}
}

func (p *jsonPrinter) notice(text string) { fmt.Fprintln(p.notes, text) }

func (p *jsonPrinter) end(s *summary) {
	if !p.stream {
		p.line(s)
		return
	}
	p.line(struct {
		Type string `json:"type"`
		*summary
	}{"result", s})
}

func (p *jsonPrinter) failed() error { return p.err }

func (p *jsonPrinter) line(v any) {
	data, err := json.Marshal(v)
	if err == nil {
		_, err = p.out.Write(append(escapeJSON(data), '\n'))
	}
	if p.err == nil && err != nil {
		p.err = fmt.Errorf("write the output: %w", err)
	}
}

// textPrinter writes the answer to standard output and what happens besides
// to standard error. Nothing reaches a terminal unsanitised: the text is the
// model's, and what tools print is anybody's.
type textPrinter struct {
	out, err io.Writer
	clean    domain.Sanitizer
	calls    map[string]string // what each call does, by its identifier
	open     bool              // the last line of out has no end yet
	message  string            // the answer that is being written
	broken   error
}

func newTextPrinter(out, err io.Writer) *textPrinter {
	return &textPrinter{out: out, err: err, calls: make(map[string]string)}
}

func (p *textPrinter) event(ev mix.Event) {
	var d struct {
		AssistantMessageID, Content, ID, Name, Input, ToolCallID, Text, Error, ParentToolCallID string
		IsError                                                                                 bool
		Attempt, MaxAttempts                                                                    int
		RetryAfter                                                                              int64
	}
	if json.Unmarshal(ev.Data, &d) != nil {
		return
	}
	switch ev.Type {
	case "content":
		if d.ParentToolCallID != "" {
			return // what a sub-agent says is not the answer
		}
		if p.message != "" && p.message != d.AssistantMessageID {
			p.endAnswer()
			p.text("\n") // one answer is a paragraph apart from the next
		}
		p.message = d.AssistantMessageID
		p.text(string(p.clean.Append(nil, d.Content)))
	case "tool_use_parameter_streaming_complete":
		p.calls[d.ID] = d.Name + " " + inputLine(d.Input)
	case "tool_execution_start":
		p.note("• %s", p.calls[d.ToolCallID])
	case "tool_result":
		if d.IsError {
			p.note("✗ %s: %s", p.calls[d.ToolCallID], firstLine(d.Text))
		}
	case "error":
		if d.Attempt > 0 {
			p.note("! %s (attempt %d of %d, again in %.1f s)", firstLine(d.Error), d.Attempt, d.MaxAttempts, float64(d.RetryAfter)/1000)
			return
		}
		p.note("! %s", d.Error)
	}
}

func (p *textPrinter) notice(text string) { p.note("%s", text) }

func (p *textPrinter) failed() error { return p.broken }

func (p *textPrinter) end(s *summary) {
	p.endAnswer()
	switch s.Reason {
	case "max_steps":
		p.note("Stopped at the cap on steps; send another message to go on, or raise --max-steps.")
	case "max_cost":
		p.note("Stopped at the cap on cost; raise --max-cost to go on.")
	case "max_tokens":
		p.note("The answer was cut at the model's limit; ask it to go on.")
	case "refusal":
		p.note("The model refused to go on.")
	}
	if total := s.Usage.Input + s.Usage.CacheRead + s.Usage.CacheWrite + s.Usage.Output; total > 0 {
		cost := "cost unknown"
		if s.Cost != nil {
			cost = fmt.Sprintf("$%.4f", *s.Cost)
		}
		p.note("%s · %d tokens in, %d out · %s", s.model, total-s.Usage.Output, s.Usage.Output, cost)
	}
}

// text writes a piece of the answer.
func (p *textPrinter) text(s string) {
	if s == "" {
		return
	}
	_, err := io.WriteString(p.out, s)
	if p.broken == nil && err != nil {
		p.broken = fmt.Errorf("write the answer: %w", err)
	}
	p.open = !strings.HasSuffix(s, "\n")
}

func (p *textPrinter) endLine() {
	if p.open {
		p.text("\n")
	}
}

// endAnswer ends what the model says: an escape sequence that it left open
// takes nothing of what follows.
func (p *textPrinter) endAnswer() {
	p.text(string(p.clean.Flush(nil)))
	p.endLine()
}

// note writes a line to standard error.
func (p *textPrinter) note(format string, args ...any) {
	p.endLine()
	for i, a := range args {
		if s, ok := a.(string); ok {
			args[i] = domain.SanitizeLine(s)
		}
	}
	fmt.Fprintf(p.err, format+"\n", args...)
}

// maxInputLine bounds what is shown of a call, in runes.
const maxInputLine = 120

// inputLine shows a call's input on one line: its one telling field where
// there is one, otherwise the JSON.
func inputLine(input string) string {
	var fields map[string]any
	if json.Unmarshal([]byte(input), &fields) == nil {
		for _, name := range []string{"command", "file_path", "pattern", "url", "query", "description"} {
			if s, ok := fields[name].(string); ok && s != "" {
				return shorten(s)
			}
		}
	}
	return shorten(input)
}

func shorten(s string) string {
	if utf8.RuneCountInString(s) <= maxInputLine {
		return s
	}
	return string([]rune(s)[:maxInputLine-1]) + "…"
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return shorten(line)
}
