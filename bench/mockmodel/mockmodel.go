// Package mockmodel is a model vendor for measurements: a server that speaks
// Chat Completions over loopback and answers at once. What it says is a script,
// a Go function; a prompt names the script that answers it. It does as little
// as it can, so that what is measured is not the mock.
package mockmodel

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// Model is the name to pass as --model.
const Model = "openai/mock"

// Server is a running mock.
type Server struct {
	http     *http.Server
	listener net.Listener
	served   chan error

	mu      sync.Mutex
	scripts map[int]*script
	next    int
	stray   int
}

type script struct {
	answer   func(*Call)
	requests int
}

// Start starts a mock on a free port of loopback.
func Start() (*Server, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for the mock model: %w", err)
	}
	s := &Server{listener: ln, served: make(chan error, 1), scripts: map[int]*script{}, next: 10_000}
	s.http = &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second}
	go func() { s.served <- s.http.Serve(ln) }()
	return s, nil
}

// Close ends the mock and the answers under way.
func (s *Server) Close() error {
	err := s.http.Close()
	if serr := <-s.served; !errors.Is(serr, http.ErrServerClosed) {
		err = errors.Join(err, serr)
	}
	return err
}

// URL is the base URL, as OPENAI_BASE_URL takes it.
func (s *Server) URL() string { return "http://" + s.listener.Addr().String() + "/v1" }

// Env lets Mix use the mock.
func (s *Server) Env() []string {
	return []string{"OPENAI_API_KEY=no-secret", "OPENAI_BASE_URL=" + s.URL()}
}

// Script is an answer that prompts can ask for.
type Script struct {
	// Prompt is what to send to the agent.
	Prompt string
	server *Server
	id     int
}

// Script registers an answer. It is called once for each request, at the same
// time where sessions share the prompt.
func (s *Server) Script(answer func(*Call)) *Script {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next++
	s.scripts[s.next] = &script{answer: answer}
	return &Script{Prompt: marker + strconv.Itoa(s.next), server: s, id: s.next}
}

// Requests is how many requests the script got.
func (p *Script) Requests() int {
	p.server.mu.Lock()
	defer p.server.mu.Unlock()
	return p.server.scripts[p.id].requests
}

// Stray is how many requests named no script.
func (s *Server) Stray() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stray
}

// marker stands before the number of a script in a prompt.
const marker = "script:"

// find returns the script that the last prompt of a request names.
func (s *Server) find(body []byte) (*script, int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := bytes.LastIndex(body, []byte(marker)); i >= 0 {
		digits := body[i+len(marker):]
		end := 0
		for end < len(digits) && digits[end] >= '0' && digits[end] <= '9' {
			end++
		}
		if id, err := strconv.Atoi(string(digits[:end])); err == nil && s.scripts[id] != nil {
			sc := s.scripts[id]
			sc.requests++
			return sc, sc.requests
		}
	}
	s.stray++
	return nil, 0
}

// ServeHTTP answers a request by its script.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	at := time.Now()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	sc, number := s.find(body)
	if sc == nil {
		http.Error(w, `{"error":{"message":"the prompt names no script"}}`, http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	c := &Call{Number: number, At: at, Body: body, Context: r.Context(), w: w, rc: http.NewResponseController(w)}
	sc.answer(c)
}

// Call is a request while it is answered.
type Call struct {
	// Number counts the requests of the script from 1.
	Number int
	// At is when the head of the request had come.
	At      time.Time
	Body    []byte
	Context context.Context

	w   http.ResponseWriter
	rc  *http.ResponseController
	buf []byte
	err error
}

const (
	head = `data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"mock","choices":[{"index":0,"delta":{`
	tail = "},\"finish_reason\":null}]}\n\n"
)

// Text sends a piece of text at once. It must need no escaping in JSON.
func (c *Call) Text(text []byte) error {
	c.Buffer(text)
	return c.Flush()
}

// Buffer adds a piece of text to what the next Flush sends.
func (c *Call) Buffer(text []byte) {
	c.buf = append(c.buf, head+`"content":"`...)
	c.buf = append(c.buf, text...)
	c.buf = append(c.buf, `"`+tail...)
}

// Flush sends what was added.
func (c *Call) Flush() error {
	if c.err == nil {
		_, c.err = c.w.Write(c.buf)
	}
	c.buf = c.buf[:0]
	if c.err == nil {
		c.err = c.rc.Flush()
	}
	return c.err
}

// Finish ends the answer.
func (c *Call) Finish() error { return c.finish("stop") }

// Tool calls a tool with an input in JSON, and ends the answer.
func (c *Call) Tool(name, input string) error {
	c.buf = fmt.Appendf(c.buf, `%s"tool_calls":[{"index":0,"id":"call_%d","type":"function","function":{"name":%q,"arguments":%q}}]%s`,
		head, c.Number, name, input, tail)
	return c.finish("tool_calls")
}

func (c *Call) finish(reason string) error {
	c.buf = append(c.buf, `data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"mock","choices":[{"index":0,"delta":{},"finish_reason":"`...)
	c.buf = append(c.buf, reason...)
	c.buf = append(c.buf, "\"}]}\n\n"...)
	c.buf = append(c.buf, `data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"mock","choices":[],"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}}`+"\n\ndata: [DONE]\n\n"...)
	return c.Flush()
}
