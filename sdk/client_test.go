package mix_test

import (
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

	mix "github.com/mixagent/mix/sdk"
)

// recorder is a server that notes what it is asked.
type recorder struct {
	*httptest.Server
	mu       sync.Mutex
	requests []recorded
}

type recorded struct {
	line   string // METHOD URI
	header http.Header
	body   string
}

// record starts a server that answers everything with status and body.
func record(t *testing.T, status int, body string) *recorder {
	t.Helper()
	r := &recorder{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		data, _ := io.ReadAll(req.Body)
		r.mu.Lock()
		r.requests = append(r.requests, recorded{req.Method + " " + req.RequestURI, req.Header, string(data)})
		r.mu.Unlock()
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(r.Close)
	return r
}

// calls are all methods, each with the request that it has to send.
var calls = []struct {
	want string
	do   func(context.Context, *mix.Mix) error
	body string
}{
	{"POST /api/sessions", func(ctx context.Context, m *mix.Mix) error {
		_, err := m.CreateSession(ctx, mix.SessionSpec{Title: "T", Directory: "/w", Model: "demo/echo", PermissionMode: "plan", Allow: []string{"a"}, Deny: []string{"b"}, Trust: true, MaxSteps: 3, MaxCost: 0.5, GrantDirectory: true})
		return err
	}, `{"title":"T","project_path":"/w","model_id":"demo/echo","permission_mode":"plan","allow":["a"],"deny":["b"],"trust":true,"max_steps":3,"max_cost":0.5,"grant_directory":true}`},
	{"GET /api/sessions?directory=%2Fw+x&limit=3", func(ctx context.Context, m *mix.Mix) error {
		_, err := m.Sessions(ctx, mix.SessionFilter{Directory: "/w x", Limit: 3})
		return err
	}, ""},
	{"GET /api/sessions", func(ctx context.Context, m *mix.Mix) error {
		_, err := m.Sessions(ctx, mix.SessionFilter{})
		return err
	}, ""},
	{"GET /api/sessions/s", func(ctx context.Context, m *mix.Mix) error { _, err := m.Session(ctx, "s"); return err }, ""},
	{"GET /api/sessions/a%2Fb%3Fc%25", func(ctx context.Context, m *mix.Mix) error { _, err := m.Session(ctx, "a/b?c%"); return err }, ""},
	{"DELETE /api/sessions/s", func(ctx context.Context, m *mix.Mix) error { return m.DeleteSession(ctx, "s") }, ""},
	{"GET /api/sessions/s/messages?before=7&limit=5", func(ctx context.Context, m *mix.Mix) error {
		_, err := m.Messages(ctx, "s", mix.Page{Limit: 5, BeforeSeq: 7})
		return err
	}, ""},
	{"GET /api/sessions/s/export", func(ctx context.Context, m *mix.Mix) error { _, err := m.Export(ctx, "s"); return err }, ""},
	{"POST /api/sessions/s/messages", func(ctx context.Context, m *mix.Mix) error {
		_, err := m.Send(ctx, "s", mix.Prompt{Text: "hi", PlanMode: true, ThinkingLevel: "medium", MaxSteps: 2})
		return err
	}, `{"text":"hi","plan_mode":true,"thinking_level":"medium","max_steps":2}`},
	{"POST /api/sessions/s/submit?approver=1", func(ctx context.Context, m *mix.Mix) error {
		stream, err := m.Submit(ctx, "s", mix.Prompt{Text: "hi", Approver: true})
		return closing(stream, err)
	}, `{"text":"hi"}`},
	{"GET /api/sessions/s/events?approver=1", func(ctx context.Context, m *mix.Mix) error {
		stream, err := m.Events(ctx, "s", mix.EventOptions{Approver: true})
		return closing(stream, err)
	}, ""},
	{"POST /api/sessions/s/cancel", func(ctx context.Context, m *mix.Mix) error { return m.Cancel(ctx, "s") }, ""},
	{"POST /api/permissions/p/grant", func(ctx context.Context, m *mix.Mix) error {
		return m.Grant(ctx, "p", mix.Answer{Scope: "session", Rule: "Bash(ls:*)", Input: json.RawMessage(`{"a":1}`)})
	}, `{"scope":"session","rule":"Bash(ls:*)","input":{"a":1}}`},
	{"POST /api/permissions/p/deny", func(ctx context.Context, m *mix.Mix) error {
		return m.Deny(ctx, "p", mix.Answer{Reason: "no"})
	}, `{"reason":"no"}`},
	{"GET /api/audit?limit=9&session=s", func(ctx context.Context, m *mix.Mix) error { _, err := m.Audit(ctx, "s", 9); return err }, ""},
	{"POST /api/sessions/s/explain", func(ctx context.Context, m *mix.Mix) error {
		_, err := m.Explain(ctx, "s", "Bash(ls)")
		return err
	}, `{"call":"Bash(ls)"}`},
	{"POST /api/permissions/explain", func(ctx context.Context, m *mix.Mix) error {
		_, err := m.ExplainFor(ctx, mix.SessionSpec{PermissionMode: "auto"}, "Bash(ls)")
		return err
	}, `{"call":"Bash(ls)","session":{"permission_mode":"auto"}}`},
	{"GET /health", func(ctx context.Context, m *mix.Mix) error { _, err := m.Health(ctx); return err }, ""},
}

func closing(stream io.Closer, err error) error {
	if err != nil {
		return err
	}
	return stream.Close()
}

// TestRequests checks every byte that matters of every request.
func TestRequests(t *testing.T) {
	t.Parallel()
	keys := map[string]bool{}
	for _, c := range calls {
		answer := "{}"
		if strings.Contains(c.want, "limit=") || c.want == "GET /api/sessions" {
			answer = "[]"
		}
		srv := record(t, http.StatusOK, answer)
		m := mix.New(srv.URL+"/", mix.WithToken("secret"))
		if err := c.do(t.Context(), m); err != nil {
			t.Errorf("%s: %v", c.want, err)
			continue
		}
		got := srv.requests[0]
		if got.line != c.want || got.body != c.body {
			t.Errorf("got %s %s\nwant %s %s", got.line, got.body, c.want, c.body)
		}
		if got.header.Get("Authorization") != "Bearer secret" {
			t.Errorf("%s: no token", c.want)
		}
		if (got.header.Get("Content-Type") == "application/json") != (c.body != "") {
			t.Errorf("%s: content type %q", c.want, got.header.Get("Content-Type"))
		}
		key := got.header.Get("Idempotency-Key")
		if post := strings.HasPrefix(c.want, "POST"); post != (key != "") || keys[key] && post {
			t.Errorf("%s: idempotency key %q", c.want, key)
		}
		keys[key] = true
	}
}

// TestIdempotencyKeyIsTheCallers: a prompt is sent again with its own key.
func TestIdempotencyKeyIsTheCallers(t *testing.T) {
	t.Parallel()
	srv := record(t, http.StatusOK, "{}")
	m := mix.New(srv.URL)
	p := mix.Prompt{Text: "hi", IdempotencyKey: "mine"}
	stream, err := m.Submit(t.Context(), "s", p)
	if err != nil {
		t.Fatal(err)
	}
	stream.Close()
	if _, err := m.Send(t.Context(), "s", p); err != nil {
		t.Fatal(err)
	}
	for _, r := range srv.requests {
		if key := r.header.Get("Idempotency-Key"); key != "mine" {
			t.Errorf("%s: %q", r.line, key)
		}
		if auth, ok := r.header["Authorization"]; ok {
			t.Errorf("a token that nobody gave: %q", auth)
		}
	}
}

func TestLastEventID(t *testing.T) {
	t.Parallel()
	srv := record(t, http.StatusOK, "")
	zero, some := int64(0), int64(42)
	for i, tt := range []struct {
		last *int64
		want []string
	}{{nil, nil}, {&zero, []string{"0"}}, {&some, []string{"42"}}} {
		stream, err := mix.New(srv.URL).Events(t.Context(), "s", mix.EventOptions{LastEventID: tt.last})
		if err != nil {
			t.Fatal(err)
		}
		stream.Close()
		if got := srv.requests[i].header["Last-Event-Id"]; fmt.Sprint(got) != fmt.Sprint(tt.want) {
			t.Errorf("got %v, want %v", got, tt.want)
		}
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, body string
		status     int
		want       mix.APIError
		text       string
	}{
		{
			"the server's", `{"error":{"code":409,"message":"The queue is full.","type":"bad_request","reason":"queue_full"}}`, 409,
			mix.APIError{StatusCode: 409, Type: "bad_request", Message: "The queue is full.", Reason: "queue_full"},
			"The queue is full.",
		},
		{
			"of a field", `{"error":{"code":400,"message":"text: is empty","type":"validation_error","reason":"invalid_field","field":"text"}}`, 400,
			mix.APIError{StatusCode: 400, Type: "validation_error", Message: "text: is empty", Reason: "invalid_field", Field: "text"},
			"text: is empty",
		},
		{"not the server's", "<html>Bad gateway</html>", 502, mix.APIError{StatusCode: 502}, "the server answered 502 Bad Gateway"},
		{"empty", "", 404, mix.APIError{StatusCode: 404}, "the server answered 404 Not Found"},
		{"cut", `{"error":{"mess`, 500, mix.APIError{StatusCode: 500}, "the server answered 500 Internal Server Error"},
		{"huge", `{"error":{"message":"` + strings.Repeat("x", 1<<20) + `"}}`, 500, mix.APIError{StatusCode: 500}, "the server answered 500 Internal Server Error"},
		{"another shape", `{"error":"no"}`, 500, mix.APIError{StatusCode: 500}, "the server answered 500 Internal Server Error"},
		{"no such status", "", 599, mix.APIError{StatusCode: 599}, "the server answered 599 "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			srv := record(t, tt.status, tt.body)
			for _, c := range calls {
				err := c.do(t.Context(), mix.New(srv.URL))
				var got *mix.APIError
				if !errors.As(err, &got) || *got != tt.want || err.Error() != tt.text {
					t.Errorf("%s: %#v", c.want, err)
				}
				if mix.IsNotFound(err) != (tt.status == 404) {
					t.Errorf("%s: IsNotFound is wrong about %v", c.want, err)
				}
			}
		})
	}
}

// TestNoServer: an answer that is none, and nobody who answers.
func TestNoServer(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := "http://" + l.Addr().String()
	l.Close()
	page := record(t, http.StatusOK, "<html>")
	for _, tt := range []struct{ url, want string }{
		{nobody, "reach the Mix server"},
		{page.URL, "decode the answer to GET /api/sessions/s"},
		{"http://bad host", "make the request"},
	} {
		_, err := mix.New(tt.url, mix.WithToken("secret")).Session(t.Context(), "s")
		var api *mix.APIError
		if err == nil || errors.As(err, &api) || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", tt.url, err)
		}
	}
	if mix.IsNotFound(nil) {
		t.Error("no error is no missing thing")
	}
}

// TestContextEnds: every call ends with its context.
func TestContextEnds(t *testing.T) {
	t.Parallel()
	reached := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // only then the server sees that a client leaves
		reached <- struct{}{}
		<-r.Context().Done()
	}))
	t.Cleanup(srv.Close)
	for _, c := range calls {
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			<-reached
			cancel()
		}()
		if err := c.do(ctx, mix.New(srv.URL)); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", c.want, err)
		}
		cancel()
	}
}

// TestConnectionsAreUsedAgain: every answer is read to its end, and Close
// gives the connection of a stream back.
func TestConnectionsAreUsedAgain(t *testing.T) {
	t.Parallel()
	var opened, open atomic.Int64
	gone := make(chan struct{}, 1)
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/events") {
			_, _ = io.WriteString(w, "data: x\n\n")
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
			gone <- struct{}{}
			return
		}
		// An answer in several pieces, with something behind the JSON.
		_, _ = io.WriteString(w, "[")
		_ = http.NewResponseController(w).Flush()
		_, _ = io.WriteString(w, "]\n\n\n")
	}))
	srv.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		switch s {
		case http.StateNew:
			opened.Add(1)
			open.Add(1)
		case http.StateClosed:
			open.Add(-1)
		}
	}
	srv.Start()
	t.Cleanup(srv.Close)
	m := mix.New(srv.URL, mix.WithClient(srv.Client()))
	for range 20 {
		if _, err := m.Sessions(t.Context(), mix.SessionFilter{}); err != nil {
			t.Fatal(err)
		}
		if err := m.Cancel(t.Context(), "s"); err != nil {
			t.Fatal(err)
		}
	}
	if n := opened.Load(); n != 1 {
		t.Errorf("%d connections for 40 calls, one after another", n)
	}
	stream, err := m.Events(t.Context(), "s", mix.EventOptions{})
	if err != nil || !stream.Next() {
		t.Fatal(err)
	}
	if err := stream.Close(); err != nil {
		t.Fatal(err)
	}
	<-gone // the server saw it
}

// TestConcurrentUse is for the race detector.
func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	srv := record(t, http.StatusOK, "{}")
	m := mix.New(srv.URL)
	var wg sync.WaitGroup
	for range 4 {
		for _, c := range calls {
			wg.Go(func() { _ = c.do(t.Context(), m) })
		}
	}
	wg.Wait()
}
