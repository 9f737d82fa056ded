package providertest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/provider"
)

// Key is the API key of the suite; no error may hold it.
const Key = "sk-secret-0123456789"

// Wire is an implementation that the suite checks.
type Wire struct {
	New func(Setup) provider.Provider
	// Path is where requests must arrive, KeyHeader the header that must hold
	// the key, perhaps behind another word.
	Path, KeyHeader string
	// KeyEnv is the variable that the error for a missing key must name.
	KeyEnv string
	// Events returns the events of an answer in the wire's form, each with
	// the blank line that ends it; the last is the end mark.
	Events func(*Answer) []string
	// ErrorEvent is an error in the middle of a stream that says "overloaded".
	ErrorEvent string
	// Garbage are events that are not of this wire.
	Garbage []string
	// Refusals are error bodies by status, and what they mean.
	Refusals []Refusal
	// History reads the messages of a request: see [Replayed].
	History func(request []byte) ([]domain.Message, bool)
}

// Setup is how the suite wants a provider.
type Setup struct {
	BaseURL, Key string
	Idle         time.Duration
	Client       *http.Client
}

// Refusal is an answer that says no.
type Refusal struct {
	Name   string
	Status int
	Body   string
	Kind   provider.Kind
	Says   string // a part of the error's text
}

// Run checks everything that every wire must keep to.
func (w Wire) Run(t *testing.T) {
	for name, check := range map[string]func(*testing.T){
		"Answer":             w.testAnswer,
		"Request":            w.testRequest,
		"NoKey":              w.testNoKey,
		"NoModel":            w.testNoModel,
		"CutAtEveryByte":     w.testCuts,
		"Leave":              w.testLeave,
		"Cancel":             w.testCancel,
		"CancelBeforeAnswer": w.testCancelBeforeAnswer,
		"Idle":               w.testIdle,
		"IdleBeforeAnswer":   w.testIdleBeforeAnswer,
		"Garbage":            w.testGarbage,
		"HugeEvent":          w.testHugeEvent,
		"ErrorInStream":      w.testErrorInStream,
		"Refusals":           w.testRefusals,
		"ErrorsWith200":      w.testErrorsWith200,
		"RetryAfter":         w.testRetryAfter,
		"Secret":             w.testSecret,
		"Redirect":           w.testRedirect,
		"Unreachable":        w.testUnreachable,
		"Concurrent":         w.testConcurrent,
		"ConnectionIsReused": w.testReuse,
		"HTTP2":              w.testHTTP2,
		"GrowingHistory":     w.testPrefix,
		"AnyHistory":         w.testAnyHistory,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			check(t)
		})
	}
}

// sample is an answer with everything in it that both wires know.
func sample() *Answer {
	return &Answer{
		Blocks: []domain.Block{
			{Type: domain.BlockReasoning, Text: "Let me “see” \\ \n", Opaque: "c2ln"},
			{Type: domain.BlockText, Text: "I'll look. 🙂\t\"quoted\""},
			{Type: domain.BlockToolCall, CallID: "call_1", Tool: "Read", Input: `{"path":"a\"b"}`},
			{Type: domain.BlockToolCall, CallID: "call_2", Tool: "Bash", Input: `{"command":"ls","n":[1,2]}`},
		},
		Usage: domain.Usage{Input: 11, Output: 7, CacheRead: 5},
		Stop:  domain.FinishToolUse,
	}
}

func request() *provider.Request {
	return &provider.Request{
		SessionID: "session", Model: "model-1", System: "Be brief.", MaxTokens: 1000,
		Tools:    []provider.Tool{{Name: "Read", Description: "Reads.", Schema: json.RawMessage(`{"type":"object"}`)}},
		Messages: []domain.Message{{Role: domain.RoleUser, Blocks: []domain.Block{{Type: domain.BlockText, Text: "What is here?"}}}},
	}
}

// serve starts a server on loopback and returns a provider that talks to it.
func (w Wire) serve(t *testing.T, handler http.HandlerFunc) provider.Provider {
	return w.serveIdle(t, 0, handler)
}

func (w Wire) serveIdle(t *testing.T, idle time.Duration, handler http.HandlerFunc) provider.Provider {
	t.Helper()
	server := httptest.NewServer(handler)
	client := provider.NewHTTPClient()
	t.Cleanup(func() {
		client.CloseIdleConnections()
		server.Close()
	})
	return w.New(Setup{BaseURL: server.URL, Key: Key, Idle: idle, Client: client})
}

// send writes events one by one.
func send(rw http.ResponseWriter, events ...string) {
	rw.Header().Set("Content-Type", "text/event-stream")
	for _, e := range events {
		_, _ = io.WriteString(rw, e)
		rw.(http.Flusher).Flush()
	}
}

func (w Wire) testAnswer(t *testing.T) {
	want := sample()
	p := w.serve(t, func(rw http.ResponseWriter, _ *http.Request) { send(rw, w.Events(want)...) })
	got, err := Collect(p.Name(), p.Stream(t.Context(), request()))
	if err != nil {
		t.Fatal(err)
	}
	got.Deltas = nil
	for i := range got.Blocks {
		got.Blocks[i].Vendor = ""
		if got.Blocks[i].Type == domain.BlockReasoning && got.Blocks[i].Opaque == "" {
			want.Blocks[i].Opaque = "" // not every wire has signatures
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("answer differs (-sent +got):\n%s", diff)
	}
}

func (w Wire) testRequest(t *testing.T) {
	var count atomic.Int32
	p := w.serve(t, func(rw http.ResponseWriter, r *http.Request) {
		count.Add(1)
		body, _ := io.ReadAll(r.Body)
		if r.Method != http.MethodPost || r.URL.Path != w.Path {
			t.Errorf("got %s %s, want POST %s", r.Method, r.URL.Path, w.Path)
		}
		if !strings.HasSuffix(r.Header.Get(w.KeyHeader), Key) {
			t.Errorf("header %s is %q", w.KeyHeader, r.Header.Get(w.KeyHeader))
		}
		if r.Header.Get("Content-Type") != "application/json" || !json.Valid(body) {
			t.Errorf("body of type %q: %s", r.Header.Get("Content-Type"), body)
		}
		if messages, ok := w.History(body); !ok || len(messages) != 1 || messages[0].Text() != "What is here?" {
			t.Errorf("messages %v, %v", messages, ok)
		}
		for _, part := range []string{`"model":"model-1"`, `"stream":true`, `"Be brief."`, `"Reads."`, `{"type":"object"}`, `1000`} {
			if !strings.Contains(string(body), part) {
				t.Errorf("body without %s: %s", part, body)
			}
		}
		send(rw, w.Events(sample())...)
	})
	if _, err := Collect(p.Name(), p.Stream(t.Context(), request())); err != nil || count.Load() != 1 {
		t.Errorf("%d requests, %v", count.Load(), err)
	}
}

func (w Wire) testNoKey(t *testing.T) {
	p := w.New(Setup{BaseURL: "http://vendor.test", Client: Client("", func(io.Reader) io.Reader {
		t.Error("a request was made without a key")
		return strings.NewReader("")
	})})
	_, err := Collect(p.Name(), p.Stream(t.Context(), request()))
	if KindOf(err) != provider.KindAuthentication || !strings.Contains(err.Error(), w.KeyEnv) {
		t.Errorf("got %v", err)
	}
}

func (w Wire) testNoModel(t *testing.T) {
	p := w.New(Setup{BaseURL: "http://vendor.test", Key: Key, Client: Client("", nil)})
	req := request()
	req.Model = ""
	if _, err := Collect(p.Name(), p.Stream(t.Context(), req)); KindOf(err) != provider.KindNotFound {
		t.Errorf("got %v", err)
	}
}

// testCuts breaks a real connection at every byte of an answer.
func (w Wire) testCuts(t *testing.T) {
	stream := strings.Join(w.Events(sample()), "")
	var cut atomic.Int64
	p := w.serve(t, func(rw http.ResponseWriter, _ *http.Request) {
		conn, buf, err := http.NewResponseController(rw).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = conn.Close() }()
		n := int(cut.Load())
		_, _ = fmt.Fprintf(buf, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s", len(stream), stream[:n])
		_ = buf.Flush()
	})
	for n := range stream {
		cut.Store(int64(n))
		if _, err := Collect(p.Name(), p.Stream(t.Context(), request())); KindOf(err) != provider.KindInterrupted {
			t.Fatalf("cut at %d of %d gives %v", n, len(stream), err)
		}
	}
	cut.Store(int64(len(stream)))
	if _, err := Collect(p.Name(), p.Stream(t.Context(), request())); err != nil {
		t.Errorf("an answer with its end mark gives %v", err)
	}
}

func (w Wire) testLeave(t *testing.T) {
	gone := make(chan struct{})
	p := w.serve(t, func(rw http.ResponseWriter, r *http.Request) {
		events := w.Events(sample())
		send(rw, events[:len(events)-1]...)
		<-r.Context().Done()
		close(gone)
	})
	for d, err := range p.Stream(t.Context(), request()) {
		if err != nil {
			t.Fatal(err)
		}
		if d.Kind == provider.DeltaText {
			break
		}
	}
	await(t, gone)
}

func (w Wire) testCancel(t *testing.T) {
	gone := make(chan struct{})
	p := w.serve(t, func(rw http.ResponseWriter, r *http.Request) {
		events := w.Events(sample())
		send(rw, events[:len(events)-1]...)
		<-r.Context().Done()
		close(gone)
	})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var last error
	for d, err := range p.Stream(ctx, request()) {
		if last = err; d.Kind == provider.DeltaToolStart {
			cancel()
		}
	}
	if !errors.Is(last, context.Canceled) {
		t.Errorf("a cancelled call gives %v", last)
	}
	await(t, gone)
}

func (w Wire) testCancelBeforeAnswer(t *testing.T) {
	arrived, gone := make(chan struct{}), make(chan struct{})
	p := w.serve(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		close(arrived)
		<-r.Context().Done()
		close(gone)
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-arrived
		cancel()
	}()
	if _, err := Collect(p.Name(), p.Stream(ctx, request())); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled call gives %v", err)
	}
	await(t, gone)
}

// await waits for the server to see that the client closed the connection.
func await(t *testing.T, gone <-chan struct{}) {
	t.Helper()
	select {
	case <-gone:
	case <-time.After(10 * time.Second):
		t.Error("the connection stayed open")
	}
}

func (w Wire) testIdle(t *testing.T) {
	p := w.serveIdle(t, 50*time.Millisecond, func(rw http.ResponseWriter, r *http.Request) {
		send(rw, w.Events(sample())[:2]...)
		<-r.Context().Done()
	})
	if _, err := Collect(p.Name(), p.Stream(t.Context(), request())); KindOf(err) != provider.KindIdle {
		t.Errorf("silence gives %v", err)
	}
}

func (w Wire) testIdleBeforeAnswer(t *testing.T) {
	p := w.serveIdle(t, 50*time.Millisecond, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	})
	if _, err := Collect(p.Name(), p.Stream(t.Context(), request())); KindOf(err) != provider.KindIdle {
		t.Errorf("silence gives %v", err)
	}
}

func (w Wire) testGarbage(t *testing.T) {
	bodies := map[string]provider.Kind{
		"":                                provider.KindInterrupted,
		"   \n\n":                         provider.KindInterrupted,
		"hello":                           provider.KindInterrupted,
		"data: \n\n":                      provider.KindInterrupted,
		": only comments\n\n":             provider.KindInterrupted,
		"<!DOCTYPE html><html></html>":    provider.KindInvalid,
		"{}":                              provider.KindInvalid,
		"{\"choices\":":                   provider.KindInvalid,
		"data: hello\n\n":                 provider.KindInvalid,
		"data: {\"type\":\n\n":            provider.KindInvalid,
		"data: [1,2]\n\n":                 provider.KindInvalid,
		"data: \"text\"\n\n":              provider.KindInvalid,
		"data: \xff\xfe\x00\n\n":          provider.KindInvalid,
		strings.Repeat("\x00\x1b[2J", 99): provider.KindInterrupted,
	}
	for _, event := range w.Garbage {
		bodies[event] = provider.KindInvalid
	}
	for body, want := range bodies {
		p := w.serve(t, func(rw http.ResponseWriter, _ *http.Request) { send(rw, body) })
		if _, err := Collect(p.Name(), p.Stream(t.Context(), request())); KindOf(err) != want {
			t.Errorf("%.60q gives kind %q, want %q: %v", body, KindOf(err), want, err)
		}
	}
}

func (w Wire) testHugeEvent(t *testing.T) {
	p := w.serve(t, func(rw http.ResponseWriter, _ *http.Request) {
		piece := strings.Repeat("x", 1<<20)
		send(rw, "data: ")
		for range 17 {
			if _, err := io.WriteString(rw, piece); err != nil {
				return
			}
		}
	})
	if _, err := Collect(p.Name(), p.Stream(t.Context(), request())); KindOf(err) != provider.KindInvalid {
		t.Errorf("an event without end gives %v", err)
	}
}

func (w Wire) testErrorInStream(t *testing.T) {
	events := w.Events(sample())
	for n := range events {
		p := w.serve(t, func(rw http.ResponseWriter, _ *http.Request) {
			send(rw, append(events[:n:n], w.ErrorEvent)...)
		})
		_, err := Collect(p.Name(), p.Stream(t.Context(), request()))
		var failure *provider.Error
		if !errors.As(err, &failure) || failure.Kind != provider.KindOverloaded || !failure.Transient() || !strings.Contains(err.Error(), "verloaded") {
			t.Errorf("an error after %d events gives %v", n, err)
		}
	}
}
