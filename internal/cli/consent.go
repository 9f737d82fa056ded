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

	"github.com/mixagent/mix/internal/domain"
	mix "github.com/mixagent/mix/sdk"
)

// consent asks the person at the terminal about the calls that wait, one after
// another. Another client may answer first; the question is then withdrawn.
type consent struct {
	out     io.Writer
	srv     *server
	lines   chan string
	events  chan consentEvent
	done    chan struct{}
	stopped chan struct{}
}

type consentEvent struct {
	ctx      context.Context
	ask      *question
	resolved string
}

// question is a permission event, as far as a person needs it.
type question struct {
	ID, ToolName, Description, Path, Reason, Rule, Diff string
	Params                                              json.RawMessage
	Truncated                                           bool
}

func newConsent(in io.Reader, out io.Writer, srv *server) *consent {
	c := &consent{
		out: out, srv: srv, lines: make(chan string), events: make(chan consentEvent, 64),
		done: make(chan struct{}), stopped: make(chan struct{}),
	}
	// The reader of the terminal cannot be interrupted; it ends with the
	// program, and holds nothing but its line.
	go func() {
		scan := bufio.NewScanner(in)
		for scan.Scan() {
			select {
			case c.lines <- scan.Text():
			case <-c.done:
				return
			}
		}
	}()
	go c.loop()
	return c
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
		var d struct{ ID string }
		if json.Unmarshal(ev.Data, &d) != nil {
			return
		}
		e.resolved = d.ID
	default:
		return
	}
	select {
	case c.events <- e:
	case <-c.done:
	}
}

// loop shows the first question that waits and takes lines as its answer.
func (c *consent) loop() {
	defer close(c.stopped)
	var waiting []consentEvent
	answered := "" // the request that was answered here
	for {
		lines := c.lines
		if len(waiting) == 0 {
			lines = nil
		}
		select {
		case <-c.done:
			return
		case e := <-c.events:
			if e.ask != nil {
				if waiting = append(waiting, e); len(waiting) == 1 {
					c.show(e.ask)
				}
				continue
			}
			for i := range waiting {
				if waiting[i].ask.ID != e.resolved {
					continue
				}
				waiting = append(waiting[:i], waiting[i+1:]...)
				if i == 0 {
					if e.resolved != answered {
						fmt.Fprintln(c.out, "(answered elsewhere)")
					}
					if len(waiting) > 0 {
						c.show(waiting[0].ask)
					}
				}
				break
			}
		case line := <-lines:
			if c.answer(waiting[0], line) {
				answered = waiting[0].ask.ID
			} else {
				c.show(waiting[0].ask)
			}
		}
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
		fmt.Fprintf(c.out, "%s\n", strings.TrimRight(domain.Sanitize(q.Diff), "\n"))
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

// answer sends an answer; false means that the line was none.
func (c *consent) answer(e consentEvent, line string) bool {
	var err error
	switch word := strings.TrimSpace(line); strings.ToLower(word) {
	case "":
		return false
	case "y", "yes":
		err = c.srv.client.Grant(e.ctx, e.ask.ID, mix.Answer{})
	case "a", "always":
		if e.ask.Rule == "" {
			return false
		}
		err = c.srv.client.Grant(e.ctx, e.ask.ID, mix.Answer{Scope: "session", Rule: e.ask.Rule})
	case "n", "no":
		err = c.srv.client.Deny(e.ctx, e.ask.ID, mix.Answer{})
	default:
		err = c.srv.client.Deny(e.ctx, e.ask.ID, mix.Answer{Reason: word})
	}
	if err != nil && !mix.IsNotFound(err) {
		fmt.Fprintf(c.out, "The answer did not arrive: %s\n", domain.SanitizeLine(err.Error()))
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
			fmt.Fprintf(w, "  %s %s\n", label, domain.Visible(line))
		}
	}
}
