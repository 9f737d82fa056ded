package budgets

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
)

// tail reads an event stream for as little as a client can, so that what it
// shows is the server.
type tail struct {
	body  io.ReadCloser
	lines *bufio.Reader
	// Of the event that next found. Data is valid until the next call.
	id   int64
	name []byte
	data []byte
}

// follow opens the own stream of a session; with after < 0 from now on.
func (s *server) follow(ctx context.Context, client *http.Client, session string, after int64) (*tail, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/api/sessions/"+session+"/events", nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+s.token)
	if after >= 0 {
		req.Header.Set("Last-Event-ID", strconv.FormatInt(after, 10))
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		resp.Body.Close()
		return nil, fmt.Errorf("the event stream answered %s", resp.Status)
	}
	t := &tail{body: resp.Body, lines: bufio.NewReaderSize(resp.Body, 4<<10)}
	if err := t.next(); err != nil || string(t.name) != "connected" {
		resp.Body.Close()
		return nil, fmt.Errorf("the event stream began with %q: %w", t.name, err)
	}
	return t, nil
}

// next waits for the next event.
func (t *tail) next() error {
	t.id, t.name, t.data = 0, t.name[:0], t.data[:0]
	for {
		line, err := t.lines.ReadSlice('\n')
		long := errors.Is(err, bufio.ErrBufferFull) // only data is
		for errors.Is(err, bufio.ErrBufferFull) {
			t.data = append(t.data, line...)
			line, err = t.lines.ReadSlice('\n')
		}
		if err != nil {
			return err
		}
		switch {
		case long:
			t.data = append(t.data, line...)
		case len(line) == 1:
			if len(t.name) > 0 {
				return nil
			}
		case bytes.HasPrefix(line, idField):
			if t.id, err = strconv.ParseInt(string(line[len(idField):len(line)-1]), 10, 64); err != nil {
				return fmt.Errorf("the number of an event: %w", err)
			}
		case bytes.HasPrefix(line, eventField):
			t.name = append(t.name, line[len(eventField):len(line)-1]...)
		default:
			t.data = append(t.data, line...)
		}
	}
}

var (
	idField    = []byte("id: ")
	eventField = []byte("event: ")
)

// until reads up to the end of a run and gives each event to see.
func (t *tail) until(see func() error) error {
	for {
		if err := t.next(); err != nil {
			return fmt.Errorf("the event stream ended early: %w", err)
		}
		if see != nil {
			if err := see(); err != nil {
				return err
			}
		}
		switch string(t.name) {
		case "complete":
			return nil
		case "error":
			return fmt.Errorf("the run failed: %s", t.data)
		}
	}
}

func (t *tail) close() { t.body.Close() }

// streamClient returns a client for many streams at once, and a function that
// ends its connections.
func streamClient() (*http.Client, func()) {
	t := &http.Transport{MaxIdleConnsPerHost: 4, DisableCompression: true}
	return &http.Client{Transport: t}, t.CloseIdleConnections
}
