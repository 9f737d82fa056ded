package daemon_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// strictEvent is one event of a stream.
type strictEvent struct {
	id   int64
	name string
	data map[string]any
	raw  string // the whole block
}

func (e strictEvent) str(key string) string {
	s, _ := e.data[key].(string)
	return s
}

// strictStream reads a stream and fails at the first thing that would end a
// published client's.
type strictStream struct {
	t    testing.TB
	body io.ReadCloser
	r    *bufio.Reader
	last int64
	own  bool // other events than the sixteen are expected
}

// stream opens the contract's stream.
func (c *strictClient) stream(session, lastEventID string) *strictStream {
	c.t.Helper()
	return c.open(c.request("GET", "/stream?sessionId="+session, ""), session, lastEventID, false)
}

// events opens the session's own stream; query may say approver=1.
func (c *strictClient) events(session, lastEventID, query string) *strictStream {
	c.t.Helper()
	return c.open(c.request("GET", "/api/sessions/"+session+"/events?"+query, ""), session, lastEventID, true)
}

// submit sends a prompt and streams its run. key, where not "", is the
// Idempotency-Key.
func (c *strictClient) submit(session, text, key string) *strictStream {
	c.t.Helper()
	req := c.request("POST", "/api/sessions/"+session+"/submit", object{"plan_mode": false, "text": text}.String())
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	return c.open(req, session, "", true)
}

func (c *strictClient) open(req *http.Request, session, lastEventID string, own bool) *strictStream {
	c.t.Helper()
	req.Header.Set("Accept", "text/event-stream")
	if lastEventID != "" {
		req.Header.Set("Last-Event-ID", lastEventID)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/event-stream" ||
		resp.Header.Get("Cache-Control") != "no-cache" || resp.Header.Get("Content-Encoding") != "" {
		data, _ := io.ReadAll(io.LimitReader(resp.Body, 1000))
		resp.Body.Close()
		c.t.Fatalf("%s: %d %v %s", req.URL.Path, resp.StatusCode, resp.Header, data)
	}
	s := &strictStream{t: c.t, body: resp.Body, r: bufio.NewReader(resp.Body), last: -1, own: own}
	c.t.Cleanup(s.close)
	if first := s.next(); first.name != "connected" || first.str("sessionId") != session {
		c.t.Fatalf("first event: %+v", first)
	}
	return s
}

func (s *strictStream) close() { s.body.Close() }

// next returns the next event.
func (s *strictStream) next() strictEvent {
	s.t.Helper()
	ev, err := s.read()
	if err != nil {
		s.t.Fatalf("stream: %v", err)
	}
	return ev
}

// until returns the events up to and including the first with the name,
// without heartbeats.
func (s *strictStream) until(name string) []strictEvent {
	s.t.Helper()
	var out []strictEvent
	for {
		ev, err := s.read()
		if err != nil {
			s.t.Fatalf("stream: %v; waiting for %s after %v", err, name, names(out))
		}
		if ev.name != "heartbeat" {
			out = append(out, ev)
		}
		if ev.name == name {
			return out
		}
	}
}

// wait returns the first event with the name.
func (s *strictStream) wait(name string) strictEvent {
	s.t.Helper()
	events := s.until(name)
	return events[len(events)-1]
}

// rest returns what comes until the stream ends, which it must do between two
// blocks.
func (s *strictStream) rest() []strictEvent {
	s.t.Helper()
	var out []strictEvent
	for {
		ev, err := s.read()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			s.t.Fatalf("stream: %v", err)
		}
		if ev.name != "heartbeat" {
			out = append(out, ev)
		}
	}
}

// read returns the next event, or [io.EOF] where the stream ends between two
// blocks.
func (s *strictStream) read() (strictEvent, error) {
	fields := map[string][]string{}
	var raw strings.Builder
	for {
		line, err := s.r.ReadString('\n')
		if errors.Is(err, io.EOF) && raw.Len() == 0 && line == "" {
			return strictEvent{}, io.EOF
		}
		if err != nil {
			return strictEvent{}, fmt.Errorf("ended in the middle of a block: %v", err)
		}
		if raw.WriteString(line); raw.Len() >= 65_536 {
			return strictEvent{}, errors.New("a block of 65,536 bytes or more")
		}
		if strings.HasSuffix(line, "\r\n") {
			return strictEvent{}, errors.New("a line ends in CR LF")
		}
		line = strings.TrimSuffix(line, "\n")
		if line == "" {
			break
		}
		name, value, ok := strings.Cut(line, ": ")
		if !ok || !slices.Contains([]string{"id", "event", "data", "retry"}, name) {
			return strictEvent{}, fmt.Errorf("line %q", line)
		}
		fields[name] = append(fields[name], value)
	}
	for _, name := range []string{"id", "event", "data"} {
		if len(fields[name]) != 1 {
			return strictEvent{}, fmt.Errorf("a block with %d lines of %s: %v", len(fields[name]), name, fields)
		}
	}
	for _, retry := range fields["retry"] {
		if _, err := strconv.ParseUint(retry, 10, 31); err != nil {
			return strictEvent{}, fmt.Errorf("retry %q: %w", retry, err)
		}
	}
	ev, err := s.check(fields["id"][0], fields["event"][0], fields["data"][0])
	ev.raw = raw.String()
	return ev, err
}

func (s *strictStream) check(id, name, data string) (strictEvent, error) {
	schema, known := eventSchemas[name]
	if !known && !s.own {
		return strictEvent{}, fmt.Errorf("unknown event %q", name)
	}
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		return strictEvent{}, fmt.Errorf("id %q: %w", id, err)
	}
	v, err := decodeStrict([]byte(data))
	if err != nil {
		return strictEvent{}, fmt.Errorf("%s: %w: %s", name, err, data)
	}
	if err := schema.check(v); err != nil {
		return strictEvent{}, fmt.Errorf("%s: %w: %s", name, err, data)
	}
	if name == "connected" || name == "heartbeat" {
		// Their number is the position to resume from.
		if n < s.last {
			return strictEvent{}, fmt.Errorf("%s goes back from %d to %d", name, s.last, n)
		}
	} else if n <= s.last {
		return strictEvent{}, fmt.Errorf("%s has number %d after %d", name, n, s.last)
	}
	s.last = n
	return strictEvent{id: n, name: name, data: v.(map[string]any)}, nil
}

// names are the names of events, equal ones in a row once.
func names(events []strictEvent) []string {
	var out []string
	for _, ev := range events {
		if len(out) == 0 || out[len(out)-1] != ev.name {
			out = append(out, ev.name)
		}
	}
	return out
}

// joined is the text of all events with the name.
func joined(events []strictEvent, name, key string) string {
	var b strings.Builder
	for _, ev := range events {
		if ev.name == name {
			b.WriteString(ev.str(key))
		}
	}
	return b.String()
}

// blocks are the events as they were sent, without what belongs to the
// connection.
func blocks(events []strictEvent) string {
	var b strings.Builder
	for _, ev := range events {
		if ev.name != "connected" && ev.name != "heartbeat" {
			b.WriteString(ev.raw)
		}
	}
	return b.String()
}
