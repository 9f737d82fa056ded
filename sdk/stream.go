package mix

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"strconv"
)

// maxEvent bounds one event; the server keeps them under 64 KiB.
const maxEvent = 1 << 20

// Event is one event of a session.
type Event struct {
	// ID is the event's number. It strictly increases within a session; the
	// events "connected" and "heartbeat" carry the number to go on from.
	ID   int64           `json:"id"`
	Type string          `json:"event"`
	Data json.RawMessage `json:"data"`
}

// EventStream yields the events of one connection.
type EventStream struct {
	body   io.ReadCloser
	lines  *bufio.Reader
	event  Event
	lastID int64
	err    error
	done   bool
}

func newEventStream(body io.ReadCloser) *EventStream {
	return &EventStream{body: body, lines: bufio.NewReaderSize(body, 16<<10)}
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
		if errors.Is(s.err, io.EOF) {
			s.err = nil
		}
		return false
	}
	s.lastID = s.event.ID
	return true
}

// Event returns the event that Next found.
func (s *EventStream) Event() Event { return s.event }

// LastID is the number to reconnect with: [EventOptions.LastEventID].
func (s *EventStream) LastID() int64 { return s.lastID }

// Err returns what ended the stream; nil where the server closed it.
func (s *EventStream) Err() error { return s.err }

// Close ends the stream.
func (s *EventStream) Close() error { return s.body.Close() }

// All yields the events until the stream ends; an error is yielded last.
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

// read reads lines up to the blank one that ends an event.
func (s *EventStream) read() (Event, error) {
	var ev Event
	var data []byte
	size := 0
	for {
		line, err := s.line()
		if err != nil {
			return Event{}, err
		}
		if size += len(line); size > maxEvent {
			return Event{}, fmt.Errorf("an event is larger than %d bytes", maxEvent)
		}
		if len(line) == 0 {
			if ev.Type == "" && data == nil {
				continue
			}
			ev.Data = data
			return ev, nil
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch string(name) {
		case "id":
			if n, err := strconv.ParseInt(string(value), 10, 64); err == nil {
				ev.ID = n
			}
		case "event":
			ev.Type = string(value)
		case "data":
			if data != nil {
				data = append(data, '\n')
			}
			data = append(data, value...)
		}
	}
}

// line reads one line without its end. It is valid until the next call.
func (s *EventStream) line() ([]byte, error) {
	line, err := s.lines.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		long := append([]byte(nil), line...)
		for errors.Is(err, bufio.ErrBufferFull) && len(long) <= maxEvent {
			line, err = s.lines.ReadSlice('\n')
			long = append(long, line...)
		}
		line = long
	}
	if err != nil {
		return nil, err
	}
	return bytes.TrimRight(line, "\r\n"), nil
}
