package mix

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"strconv"
	"sync/atomic"
)

// Event is one event of a session.
type Event struct {
	// ID is the event's number. It strictly increases within a session; the
	// events "connected" and "heartbeat" carry the number to go on from.
	ID   int64           `json:"id"`
	Type string          `json:"event"`
	Data json.RawMessage `json:"data"`
}

// EventStream yields the events of one connection. It belongs to one
// goroutine; only Close may be called from others.
type EventStream struct {
	body   io.ReadCloser
	lines  *lineReader
	event  Event
	lastID int64
	err    error
	done   bool
	closed atomic.Bool
}

func newEventStream(body io.ReadCloser) *EventStream {
	return &EventStream{body: body, lines: newLineReader(body)}
}

// Next waits for the next event and reports whether there is one. After false,
// [EventStream.Err] says why.
func (s *EventStream) Next() bool {
	if s.done {
		return false
	}
	s.event, s.err = s.read()
	if s.err != nil {
		s.done = true
		if errors.Is(s.err, io.EOF) || s.closed.Load() {
			s.err = nil
		}
		return false
	}
	return true
}

// Event returns the event that Next found.
func (s *EventStream) Event() Event { return s.event }

// LastID is the number to reconnect with: [EventOptions.LastEventID]. It is 0
// before the first event.
func (s *EventStream) LastID() int64 { return s.lastID }

// Err returns what ended the stream: nil where the server closed it or Close
// was called, the context's error where that ended, otherwise what is wrong
// with the connection.
func (s *EventStream) Err() error { return s.err }

// Close ends the stream and frees its connection. A Next that waits returns
// false.
func (s *EventStream) Close() error {
	s.closed.Store(true)
	return s.body.Close()
}

// All yields the events until the stream ends; an error is yielded last. It
// does not close the stream.
func (s *EventStream) All() iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		for s.Next() {
			if !yield(s.event, nil) {
				return
			}
		}
		if s.err != nil {
			yield(Event{}, s.err)
		}
	}
}

// read reads lines up to the blank one that ends an event, as the HTML
// standard says ("Interpreting an event stream"): an event without data is
// none, a number holds until the next one, comments and unknown fields are
// skipped, and what is not finished when the stream ends is dropped.
func (s *EventStream) read() (Event, error) {
	var ev Event
	var data []byte
	found := false
	size := 0
	for {
		line, err := s.lines.next()
		if err != nil {
			return Event{}, err
		}
		if len(line) == 0 {
			if found {
				ev.ID, ev.Data = s.lastID, data
				if ev.Type == "" {
					ev.Type = "message"
				}
				return ev, nil
			}
			ev, size = Event{}, 0
			continue
		}
		if size += len(line); size > maxEvent {
			return Event{}, errEventTooLarge
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch string(name) {
		case "id":
			if n, ok := number(value); ok {
				s.lastID = n
			}
		case "event":
			ev.Type = string(value)
		case "data":
			if found {
				data = append(data, '\n')
			}
			data = append(data, value...)
			found = true
		}
	}
}

// number reads the number of an event; an empty one takes the last one back.
func number(value []byte) (int64, bool) {
	if len(value) == 0 {
		return 0, true
	}
	for _, c := range value {
		if c < '0' || c > '9' {
			return 0, false
		}
	}
	n, err := strconv.ParseInt(string(value), 10, 64)
	return n, err == nil
}
