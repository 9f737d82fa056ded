package providertest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/provider"
)

func (w Wire) testRefusals(t *testing.T) {
	common := []Refusal{
		{"unreadable", 418, "teapot", provider.KindBadRequest, "teapot"},
		{"web page", 404, "<html>nginx</html>", provider.KindNotFound, "404"},
		{"gateway", 502, "<html>Bad Gateway</html>", provider.KindOverloaded, "502"},
		{"gateway time-out", 504, "", provider.KindOverloaded, "504"},
		{"too large", 413, "", provider.KindContextTooLong, "413"},
		{"no content", 204, "", provider.KindBadRequest, "204"},
		{"control characters", 400, "a\x1b[31mb\u202ec\nd", provider.KindBadRequest, "a [31mb c d"},
		{"endless", 400, strings.Repeat("x", 1<<20), provider.KindBadRequest, "x…"},
	}
	for _, r := range append(common, w.Refusals...) {
		t.Run(r.Name, func(t *testing.T) {
			p := w.serve(t, func(rw http.ResponseWriter, _ *http.Request) {
				rw.Header().Set("Request-Id", "req_1")
				rw.WriteHeader(r.Status)
				_, _ = io.WriteString(rw, r.Body)
			})
			_, err := Collect(p.Name(), p.Stream(t.Context(), request()))
			var failure *provider.Error
			if !errors.As(err, &failure) {
				t.Fatalf("got %v", err)
			}
			if failure.Kind != r.Kind || failure.Status != r.Status || failure.RequestID != "req_1" {
				t.Errorf("got kind %q, status %d, request %q", failure.Kind, failure.Status, failure.RequestID)
			}
			if !strings.Contains(err.Error(), r.Says) || len(err.Error()) > 1000 {
				t.Errorf("the text does not say %q: %s", r.Says, err)
			}
		})
	}
}

// testErrorsWith200 sends error bodies as if all were well.
func (w Wire) testErrorsWith200(t *testing.T) {
	for _, r := range w.Refusals {
		p := w.serve(t, func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(rw, r.Body)
		})
		_, err := Collect(p.Name(), p.Stream(t.Context(), request()))
		var failure *provider.Error
		if !errors.As(err, &failure) || failure.Kind == provider.KindInvalid || failure.Kind == provider.KindInterrupted {
			t.Errorf("%s: got %v", r.Name, err)
		}
	}
}

func (w Wire) testRetryAfter(t *testing.T) {
	for header, want := range map[string]struct{ least, most time.Duration }{
		"7":   {7 * time.Second, 7 * time.Second},
		"0.5": {500 * time.Millisecond, 500 * time.Millisecond},
		time.Now().Add(time.Hour).UTC().Format(http.TimeFormat): {50 * time.Minute, time.Hour},
		"-1":    {},
		"never": {},
	} {
		p := w.serve(t, func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Retry-After", header)
			rw.WriteHeader(http.StatusTooManyRequests)
		})
		_, err := Collect(p.Name(), p.Stream(t.Context(), request()))
		var failure *provider.Error
		if !errors.As(err, &failure) || failure.RetryAfter < want.least || failure.RetryAfter > want.most {
			t.Errorf("Retry-After %s gives %+v", header, failure)
		}
	}
}

// testSecret lets vendors and addresses echo the key.
func (w Wire) testSecret(t *testing.T) {
	check := func(err error) {
		t.Helper()
		if err == nil {
			t.Error("no error")
		}
		for ; err != nil; err = errors.Unwrap(err) {
			if text := fmt.Sprintf("%v %+v %#v", err, err, err); strings.Contains(text, Key) {
				t.Errorf("the key is in an error: %s", text)
			}
		}
	}
	p := w.serve(t, func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Request-Id", Key)
		rw.WriteHeader(http.StatusUnauthorized)
		_, _ = fmt.Fprintf(rw, `{"error":{"type":"authentication_error","message":"bad key %s!"}}`, Key)
	})
	_, err := Collect(p.Name(), p.Stream(t.Context(), request()))
	check(err)
	for _, base := range []string{
		"http://user:" + Key + "@127.0.0.1:1", "http://127.0.0.1:1/" + Key, "http://127.0.0.1:1/?key=" + Key,
		"http://" + Key + ":x:y/", "ftp://" + Key, "http://%zz" + Key, Key,
	} {
		p := w.New(Setup{BaseURL: base, Key: Key, Client: provider.NewHTTPClient()})
		_, err := Collect(p.Name(), p.Stream(t.Context(), request()))
		check(err)
	}
}

func (w Wire) testRedirect(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("a redirect was followed, with the header %q", r.Header.Get(w.KeyHeader))
	}))
	defer elsewhere.Close()
	p := w.serve(t, func(rw http.ResponseWriter, r *http.Request) {
		http.Redirect(rw, r, elsewhere.URL, http.StatusTemporaryRedirect)
	})
	if _, err := Collect(p.Name(), p.Stream(t.Context(), request())); KindOf(err) != provider.KindNotFound {
		t.Errorf("got %v", err)
	}
}

func (w Wire) testUnreachable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close()
	p := w.New(Setup{BaseURL: "http://" + address, Key: Key, Client: provider.NewHTTPClient()})
	_, err = Collect(p.Name(), p.Stream(t.Context(), request()))
	var failure *provider.Error
	if !errors.As(err, &failure) || failure.Kind != provider.KindNetwork || failure.Err == nil {
		t.Fatalf("got %v", err)
	}
	if failure.Transient() {
		t.Error("a port of this machine that nobody listens on is taken for a passing fault")
	}
}

func (w Wire) testConcurrent(t *testing.T) {
	want := sample()
	p := w.serve(t, func(rw http.ResponseWriter, _ *http.Request) { send(rw, w.Events(want)...) })
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			got, err := Collect(p.Name(), p.Stream(context.Background(), request()))
			if err != nil || got.Text() != want.Text() {
				t.Errorf("got %q, %v", got.Text(), err)
			}
		})
	}
	wg.Wait()
}

func (w Wire) testReuse(t *testing.T) {
	var fresh atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		send(rw, w.Events(sample())...)
	}))
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			fresh.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	client := provider.NewHTTPClient()
	defer client.CloseIdleConnections()
	p := w.New(Setup{BaseURL: server.URL, Key: Key, Client: client})
	for range 5 {
		if _, err := Collect(p.Name(), p.Stream(t.Context(), request())); err != nil {
			t.Fatal(err)
		}
	}
	if n := fresh.Load(); n != 1 {
		t.Errorf("5 calls in a row took %d connections", n)
	}
}

func (w Wire) body(t testing.TB, req *provider.Request) []byte {
	return Body(t, func(c *http.Client) provider.Provider {
		return w.New(Setup{BaseURL: "http://vendor.test", Key: Key, Client: c})
	}, req)
}

// testPrefix shows that each request begins with the one before.
func (w Wire) testPrefix(t *testing.T) {
	req := request()
	vendor := w.New(Setup{BaseURL: "http://vendor.test", Key: Key}).Name()
	before := bytes.TrimSuffix(w.body(t, req), []byte("]}"))
	for turn := range 12 {
		answer := sample()
		message := domain.Message{Role: domain.RoleAssistant, Blocks: answer.Blocks}
		for i := range message.Blocks {
			if b := &message.Blocks[i]; b.Type == domain.BlockReasoning {
				b.Vendor = vendor
			}
		}
		for _, c := range answer.Calls() {
			state := []domain.CallState{domain.CallFinished, domain.CallFailed, domain.CallDenied}[turn%3]
			message.Calls = append(message.Calls, domain.ToolCall{CallID: c.CallID, State: state, Text: fmt.Sprintf("result %d <&>", turn)})
		}
		if turn%4 == 3 { // a turn that ends, and a person who goes on
			message.Blocks = message.Blocks[:2]
			message.Calls = nil
			req.Messages = append(req.Messages, message, domain.Message{
				Role: domain.RoleUser, Blocks: []domain.Block{{Type: domain.BlockText, Text: fmt.Sprintf("Go on, %d.", turn)}},
			})
		} else {
			req.Messages = append(req.Messages, message)
		}
		body := w.body(t, req)
		if !bytes.HasPrefix(body, before) {
			t.Fatalf("turn %d does not begin with the turn before:\n%s\n%s", turn, before, body)
		}
		if !bytes.HasSuffix(body, []byte("]}")) || bytes.Equal(body, before) {
			t.Fatalf("turn %d ends with %q", turn, body[len(body)-10:])
		}
		if again := w.body(t, req); !bytes.Equal(again, body) {
			t.Fatal("the same request gives different bytes")
		}
		before = bytes.TrimSuffix(body, []byte("]}"))
	}
}

// testAnyHistory checks that whatever is stored becomes a request that every
// vendor accepts.
func (w Wire) testAnyHistory(t *testing.T) {
	vendor := w.New(Setup{BaseURL: "http://vendor.test", Key: Key}).Name()
	rapid.Check(t, func(rt *rapid.T) {
		req := &provider.Request{Model: "m", Messages: histories(vendor).Draw(rt, "history")}
		body := w.body(t, req)
		messages, ok := w.History(body)
		if !ok {
			rt.Fatalf("sent what cannot be read back: %s", body)
		}
		ids := map[string]bool{}
		for i, m := range messages {
			if i > 0 && m.Role == messages[i-1].Role && (m.Role != domain.RoleAssistant || len(messages[i-1].Calls) == 0) {
				rt.Fatalf("two messages of %s in a row: %s", m.Role, body)
			}
			answer := Answer{Blocks: m.Blocks}
			calls := answer.Calls()
			if len(m.Calls) != len(calls) {
				rt.Fatalf("%d calls, %d results: %s", len(calls), len(m.Calls), body)
			}
			for j, c := range calls {
				if m.Calls[j].CallID != c.CallID || m.Calls[j].Text == "" {
					rt.Fatalf("call %q has the result %+v: %s", c.CallID, m.Calls[j], body)
				}
				if ids[c.CallID] || len(c.CallID) > 40 || c.CallID == "" || c.Tool == "" {
					rt.Fatalf("call %q of %q: %s", c.CallID, c.Tool, body)
				}
				ids[c.CallID] = true
				var object map[string]any
				if json.Unmarshal([]byte(c.Input), &object) != nil || object == nil {
					rt.Fatalf("input %q: %s", c.Input, body)
				}
			}
		}
	})
}

// histories draws stored histories: whole, broken off, of other vendors.
func histories(vendor string) *rapid.Generator[[]domain.Message] {
	text := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"", " \n", "hello", "\xff\xfe", "\u2028"}))
	id := rapid.SampledFrom([]string{"", "a", "b", "functions.read:0", strings.Repeat("x", 60), "é"})
	name := rapid.SampledFrom([]string{"", "Read", "a b", strings.Repeat("n", 99), "\x00"})
	input := rapid.OneOf(text, rapid.SampledFrom([]string{"{}", `{"a":1}`, `{"a":`, `[1]`, `null`, `{"a":"\ud800"}`, "{\"a\":\"\xff\"}"}))
	block := rapid.Custom(func(t *rapid.T) domain.Block {
		switch rapid.IntRange(0, 4).Draw(t, "type") {
		case 0:
			return domain.Block{
				Type: domain.BlockReasoning, Text: text.Draw(t, "text"), Redacted: rapid.Bool().Draw(t, "redacted"),
				Opaque: text.Draw(t, "opaque"), Vendor: rapid.SampledFrom([]string{vendor, "other", ""}).Draw(t, "vendor"),
			}
		case 1, 2:
			return domain.Block{Type: domain.BlockToolCall, CallID: id.Draw(t, "id"), Tool: name.Draw(t, "tool"), Input: input.Draw(t, "input")}
		default:
			return domain.Block{Type: domain.BlockText, Text: text.Draw(t, "text")}
		}
	})
	message := rapid.Custom(func(t *rapid.T) domain.Message {
		if rapid.Bool().Draw(t, "user") {
			return domain.Message{Role: domain.RoleUser, Blocks: []domain.Block{{Type: domain.BlockText, Text: text.Draw(t, "text")}}}
		}
		m := domain.Message{Role: domain.RoleAssistant, Blocks: rapid.SliceOfN(block, 0, 5).Draw(t, "blocks")}
		for _, b := range m.Blocks {
			if b.Type == domain.BlockToolCall && rapid.Bool().Draw(t, "has a row") {
				m.Calls = append(m.Calls, domain.ToolCall{
					CallID: b.CallID, Text: text.Draw(t, "result"),
					State: rapid.SampledFrom([]domain.CallState{domain.CallFinished, domain.CallStarted, domain.CallDenied, domain.CallInterrupted}).Draw(t, "state"),
				})
			}
		}
		return m
	})
	return rapid.Custom(func(t *rapid.T) []domain.Message {
		first := domain.Message{Role: domain.RoleUser, Blocks: []domain.Block{{Type: domain.BlockText, Text: "go"}}}
		return append([]domain.Message{first}, rapid.SliceOfN(message, 0, 8).Draw(t, "messages")...)
	})
}
