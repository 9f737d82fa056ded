package api

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/eventlog"
	"github.com/mixagent/mix/internal/wire"
)

// writePatience is how long one write to a subscriber may take. A stream has
// no other limit on its life.
const writePatience = 60 * time.Second

// fromNow is the position of a subscriber that wants only what comes.
const fromNow = -1

// contractStream serves GET /stream: the 16 events of the contract.
func (a *API) contractStream(w http.ResponseWriter, r *http.Request) error {
	id := r.URL.Query().Get("sessionId")
	if id == "" {
		return invalid("sessionId", "is required: GET /stream?sessionId=ID")
	}
	return a.stream(w, r, id, false)
}

// ownStream serves GET /api/sessions/{id}/events: the contract's events and
// Mix's own, in the same numbering.
func (a *API) ownStream(w http.ResponseWriter, r *http.Request) error {
	return a.stream(w, r, r.PathValue("id"), true)
}

func (a *API) stream(w http.ResponseWriter, r *http.Request, id string, own bool) error {
	if !domain.ValidID(id) {
		return notFound("session", id)
	}
	if err := a.known(r, id); err != nil {
		return err
	}
	cur, err := a.o.Log.Subscribe(r.Context(), id, position(r))
	if err != nil {
		return sessionError(id, err)
	}
	defer cur.Close()
	detach := a.o.Gate.Attach(id, isApprover(r))
	defer detach()

	out := newStreamWriter(w, own)
	if err := out.write(wire.AppendConnected(nil, cur.Position(), id)); err != nil {
		return nil // gone already
	}
	a.follow(r.Context(), cur, out, nil)
	return nil
}

// known says whether there is such a session. It is kept out of stream, so
// that the session is not on the stack for as long as the stream is open.
//
//go:noinline
func (a *API) known(r *http.Request, id string) error {
	_, err := a.o.Store.Session(r.Context(), id)
	return sessionError(id, err)
}

// isApprover reports whether the client says that a person can answer there.
func isApprover(r *http.Request) bool {
	switch r.URL.Query().Get("approver") {
	case "1", "true":
		return true
	}
	return false
}

// position reads where a client wants to go on. Without a number, or with one
// that is none, it gets what comes from now on.
func position(r *http.Request) int64 {
	n, err := strconv.ParseInt(r.Header.Get("Last-Event-ID"), 10, 64)
	if err != nil || n < 0 {
		return fromNow
	}
	return n
}

// follow sends what the cursor yields until the client or the session is gone,
// or until last says that a block was the last one. A stream of which nothing
// was sent for the time of a heartbeat gets one, also while the session is busy
// with events that this client does not know.
func (a *API) follow(ctx context.Context, cur *eventlog.Cursor, out *streamWriter, last func([]byte) bool) {
	quiet := time.NewTimer(a.o.Heartbeat)
	defer quiet.Stop()
	for {
		records, err := cur.NextOrIdle(ctx, quiet.C)
		switch {
		case errors.Is(err, eventlog.ErrIdle):
			if time.Since(out.sent) >= a.o.Heartbeat && out.write(wire.AppendHeartbeat(nil, cur.Position())) != nil {
				return
			}
			quiet.Reset(max(a.o.Heartbeat-time.Since(out.sent), time.Millisecond))
			continue
		case err != nil:
			if !errors.Is(err, io.EOF) && ctx.Err() == nil {
				a.o.Logger.Error("a stream ended early", "error", err)
			}
			return
		}
		end, added := false, false
		for i := range records {
			if records[i].Own && !out.own {
				continue
			}
			out.add(records[i].Block)
			added = true
			if last != nil && last(records[i].Block) {
				end = true
				break
			}
		}
		if added && out.flush() != nil || end {
			return
		}
	}
}

// streamWriter writes blocks to one subscriber.
type streamWriter struct {
	w   http.ResponseWriter
	rc  *http.ResponseController
	own bool
	// sent is when something was last sent.
	sent time.Time
	err  error
	// extended is when the deadline of writes was last moved.
	extended time.Time
}

func newStreamWriter(w http.ResponseWriter, own bool) *streamWriter {
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-cache")
	h.Set("Connection", "keep-alive")
	h.Set("X-Accel-Buffering", "no")
	h.Set("X-Content-Type-Options", "nosniff")
	rc := http.NewResponseController(w)
	// The server's limit is on sending a request, and would end the stream.
	_ = rc.SetReadDeadline(time.Time{})
	w.WriteHeader(http.StatusOK)
	return &streamWriter{w: w, rc: rc, own: own}
}

// add writes a block without flushing.
func (s *streamWriter) add(block []byte) {
	s.extend(time.Now())
	if s.err == nil {
		_, s.err = s.w.Write(block)
	}
}

// flush sends what was added.
func (s *streamWriter) flush() error {
	s.sent = time.Now()
	s.extend(s.sent)
	if s.err == nil {
		s.err = s.rc.Flush()
	}
	return s.err
}

// extend gives the next write its time, give or take a second: moving the
// deadline for every block would cost more than writing it.
func (s *streamWriter) extend(now time.Time) {
	if s.err != nil || now.Sub(s.extended) < time.Second {
		return
	}
	s.err = s.rc.SetWriteDeadline(now.Add(writePatience))
	s.extended = now
}

func (s *streamWriter) write(block []byte) error {
	s.add(block)
	return s.flush()
}

// endsRun returns a function that recognises the complete event of a run.
func endsRun(runID string) func([]byte) bool {
	mark := []byte("\nevent: " + string(domain.EventComplete) + "\n")
	run := []byte(`"runId":"` + runID + `"`)
	return func(block []byte) bool {
		return bytes.Contains(block[:min(len(block), 64)], mark) && bytes.Contains(block, run)
	}
}
