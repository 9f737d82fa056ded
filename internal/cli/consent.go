package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/mixagent/mix/internal/domain"
	mix "github.com/mixagent/mix/sdk"
)

// consent asks the person at the terminal about the calls that wait, one after
// another. Another client may answer first; the question is then withdrawn.
type consent struct {
	out     io.Writer
	srv     *server
	lines   chan line
	events  chan consentEvent
	done    chan struct{}
	stopped chan struct{}
}

// line is what was typed, and when it was read.
type line struct {
	text string
	at   time.Time
}

// maxTyped bounds the lines that may wait; more are dropped.
const maxTyped = 256

type consentEvent struct {
	ctx      context.Context
	ask      *question
	resolved resolution
}

// resolution says that a request needs no answer any more.
type resolution struct{ ID, Outcome, By string }

// question is a permission event, as far as a person needs it.
type question struct {
	ID, ToolName, Description, Path, Reason, Rule, Diff string
	Params                                              json.RawMessage
	Truncated                                           bool
}

func newConsent(in io.Reader, out io.Writer, srv *server) *consent {
	c := &consent{
		out: out, srv: srv, lines: make(chan line, maxTyped), events: make(chan consentEvent, 64),
		done: make(chan struct{}), stopped: make(chan struct{}),
	}
	// The reader of the terminal cannot be interrupted; it ends with the
	// program, and holds nothing but its line.
	go c.readLines(in)
	go c.loop()
	return c
}

// readLines reads what is typed, also while nothing is asked: a line counts as
// an answer only when it was typed after its question was shown.
func (c *consent) readLines(in io.Reader) {
	defer close(c.lines)
	scan := bufio.NewScanner(in)
	for scan.Scan() {
		select {
		case c.lines <- line{scan.Text(), time.Now()}:
		default:
		}
	}
}

func (c *consent) close() {
	close(c.done)
	<-c.stopped
}

// event takes note of what concerns requests.
func (c *consent) event(ctx context.Context, ev mix.Event) {
	e := consentEvent{ctx: ctx}
	switch ev.Type {
	case "permission":
		e.ask = &question{}
		if json.Unmarshal(ev.Data, e.ask) != nil {
			return
		}
	case "request_resolved":
		if json.Unmarshal(ev.Data, &e.resolved) != nil {
			return
		}
	default:
		return
	}
	select {
	case c.events <- e:
	case <-c.done:
	}
}

// loop asks the questions that wait.
func (c *consent) loop() {
	defer close(c.stopped)
	a := asking{c: c}
	lines := c.lines
	for {
		select {
		case <-c.done:
			return
		case e := <-c.events:
			a.take(e)
		case l, ok := <-lines:
			if !ok {
				lines = nil // a closed channel is always ready
				a.closed = true
				a.next()
				continue
			}
			a.typed(l)
		}
	}
}

// asking is the state of the questions.
type asking struct {
	c        *consent
	waiting  []consentEvent
	shown    time.Time // when the first that waits was shown
	answered bool      // the first that waits was answered here
	closed   bool      // nobody can type any more
}

// take adds or withdraws a question.
func (a *asking) take(e consentEvent) {
	if e.ask != nil {
		// After a reconnection a question may come again.
		if slices.ContainsFunc(a.waiting, func(w consentEvent) bool { return w.ask.ID == e.ask.ID }) {
			return
		}
		if a.waiting = append(a.waiting, e); len(a.waiting) == 1 {
			a.next()
		}
		return
	}
	i := slices.IndexFunc(a.waiting, func(w consentEvent) bool { return w.ask.ID == e.resolved.ID })
	if i < 0 {
		return
	}
	a.waiting = slices.Delete(a.waiting, i, i+1)
	if i > 0 {
		return
	}
	switch r := e.resolved; {
	case a.answered:
	case r.By == "person":
		fmt.Fprintf(a.c.out, "(answered elsewhere: %s)\n", domain.SanitizeLine(r.Outcome))
	default:
		fmt.Fprintf(a.c.out, "(no answer is needed any more: %s)\n", domain.SanitizeLine(r.Outcome))
	}
	a.answered = false
	a.next()
}

// next shows the first question that waits. Where nobody can type any more it
// is denied: nothing else would end the waiting.
func (a *asking) next() {
	if len(a.waiting) == 0 || a.answered {
		return
	}
	e := a.waiting[0]
	a.shown = time.Now() // before it is shown: a quick answer must not count as older
	a.c.show(e.ask)
	if a.closed {
		fmt.Fprintln(a.c.out, "no (the terminal's input has ended)")
		a.answered = a.c.send(e, func(client *mix.Mix) error {
			return client.Deny(e.ctx, e.ask.ID, mix.Answer{Reason: "the input of the terminal has ended, so nobody can answer"})
		})
	}
}

// typed takes a line as the answer to the question that is shown. What was
// typed before it was shown was not meant for it.
func (a *asking) typed(l line) {
	if len(a.waiting) == 0 || a.answered || !l.at.After(a.shown) {
		return
	}
	if a.answered = a.c.answer(a.waiting[0], l.text); !a.answered {
		a.next()
	}
}

// show prints a question. Nothing of it may be hidden: what a terminal would
// not show is written out.
func (c *consent) show(q *question) {
	fmt.Fprintf(c.out, "\n%s: %s\n", domain.Visible(q.ToolName), domain.Visible(q.Description))
	if q.Path != "" {
		fmt.Fprintf(c.out, "  where: %s\n", domain.Visible(q.Path))
	}
	if len(q.Params) > 0 {
		showInput(c.out, q.Params)
	}
	if q.Truncated {
		fmt.Fprintln(c.out, "  (this is too long to be shown whole)")
	}
	if q.Diff != "" {
		for line := range strings.Lines(q.Diff) {
			fmt.Fprintf(c.out, "  %s\n", visibleLine(strings.TrimSuffix(line, "\n")))
		}
	}
	if q.Reason != "" {
		fmt.Fprintf(c.out, "  asked because: %s\n", domain.Visible(q.Reason))
	}
	always := ""
	if q.Rule != "" {
		always = fmt.Sprintf(", a = always in this session (%s)", domain.Visible(q.Rule))
	}
	fmt.Fprintf(c.out, "Allow? y = yes, n = no%s; anything else says no and tells the model why: ", always)
}

// visibleLine is [domain.Visible] for a line of text that may be indented with
// tabs.
func visibleLine(s string) string {
	parts := strings.Split(s, "\t")
	for i := range parts {
		parts[i] = domain.Visible(parts[i])
	}
	return strings.Join(parts, "\t")
}

// answer sends an answer; false means that the line was none.
func (c *consent) answer(e consentEvent, text string) bool {
	id, a := e.ask.ID, mix.Answer{}
	allow := false
	switch word := strings.TrimSpace(text); strings.ToLower(word) {
	case "":
		return false
	case "y", "yes":
		allow = true
	case "a", "always":
		if e.ask.Rule == "" {
			return false
		}
		allow, a = true, mix.Answer{Scope: "session", Rule: e.ask.Rule}
	case "n", "no":
	default:
		a.Reason = word
	}
	return c.send(e, func(client *mix.Mix) error {
		if allow {
			return client.Grant(e.ctx, id, a)
		}
		return client.Deny(e.ctx, id, a)
	})
}

// send sends an answer and reports whether the question is settled. One that
// is not there any more was answered elsewhere.
func (c *consent) send(e consentEvent, call func(*mix.Mix) error) bool {
	err := call(c.srv.api())
	if mix.IsNotFound(err) {
		fmt.Fprintln(c.out, "(too late: this was decided already)")
		return true
	}
	if err != nil {
		if e.ctx.Err() == nil {
			fmt.Fprintf(c.out, "The answer did not arrive: %s\n", domain.SanitizeLine(err.Error()))
		}
		return false
	}
	return true
}

// showInput prints the whole input: a command on the lines that it has, other
// fields one a line.
func showInput(w io.Writer, params json.RawMessage) {
	var fields map[string]json.RawMessage
	if json.Unmarshal(params, &fields) != nil {
		fmt.Fprintf(w, "  input: %s\n", domain.Visible(string(params)))
		return
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		var text string
		if json.Unmarshal(fields[name], &text) != nil {
			text = string(fields[name])
		}
		for i, line := range strings.Split(strings.TrimRight(text, "\n"), "\n") {
			label := domain.Visible(name) + ":"
			if i > 0 {
				label = strings.Repeat(" ", len(label))
			}
			fmt.Fprintf(w, "  %s %s\n", label, visibleLine(line))
		}
	}
}
