package daemon_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

// patience bounds every wait of a test that passes.
const patience = time.Minute

// strictClient is as strict as the strictest of the published clients: a
// missing required key, a null for an optional one, a stranger in an
// enumeration, a status or a content type that is not the documented one, and
// anything in a stream but complete blocks of the sixteen events fails the
// test. It sends what the published Go client sends.
type strictClient struct {
	t    testing.TB
	ctx  context.Context
	base string
	http *http.Client
}

func newStrictClient(t testing.TB, base string, transport *http.Transport) *strictClient {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return &strictClient{t: t, ctx: ctx, base: base, http: &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// request makes a request like the published Go client's. One without a body
// has no Content-Type either.
func (c *strictClient) request(method, path, body string) *http.Request {
	c.t.Helper()
	var r io.Reader
	if body != "" {
		r = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(c.ctx, method, c.base+path, r)
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "speakeasy-sdk/go 0.2.2 2.823.1 1.0.0 github.com/recreate-run/mix-go-sdk")
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	return req
}

// call sends a request and holds the answer against status and check, or an
// error's schema. A list comes back under the key "list".
func (c *strictClient) call(method, path, body string, status int, check kind) map[string]any {
	c.t.Helper()
	return c.do(c.request(method, path, body), status, check)
}

func (c *strictClient) do(req *http.Request, status int, check kind) map[string]any {
	c.t.Helper()
	what := req.Method + " " + req.URL.Path
	resp, err := c.http.Do(req)
	if err != nil {
		c.t.Fatalf("%s: %v", what, err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatalf("%s: %v", what, err)
	}
	if resp.StatusCode != status {
		c.t.Fatalf("%s: status %d, want %d: %s", what, resp.StatusCode, status, data)
	}
	if status == http.StatusNoContent {
		if len(data) > 0 {
			c.t.Fatalf("%s: a body with status 204: %s", what, data)
		}
		return nil
	}
	if ct := resp.Header.Get("Content-Type"); ct != "application/json" {
		c.t.Fatalf("%s: content type %q", what, ct)
	}
	v, err := decodeStrict(data)
	if err != nil {
		c.t.Fatalf("%s: %v: %s", what, err, data)
	}
	if status >= 400 {
		check = errorSchema.check
	}
	if err := check(v); err != nil {
		c.t.Fatalf("%s: %v: %s", what, err, data)
	}
	m, ok := v.(map[string]any)
	if !ok {
		return map[string]any{"list": v}
	}
	if e, ok := m["error"].(map[string]any); ok && e["code"].(json.Number).String() != strconv.Itoa(status) {
		c.t.Fatalf("%s: error code %v with status %d", what, e["code"], status)
	}
	return m
}

// refused sends a request that must fail, and returns type and message of the
// error.
func (c *strictClient) refused(method, path, body string, status int) (kind, message string) {
	c.t.Helper()
	e := c.call(method, path, body, status, nil)["error"].(map[string]any)
	return e["type"].(string), e["message"].(string)
}

// object is a JSON object that is sent.
type object map[string]any

func (o object) String() string { return encode(o) }

// encode returns JSON like that of the published Go client.
func encode(v any) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(err)
	}
	return strings.TrimSpace(b.String())
}

// create creates a session with the body of the published Go client, and what
// else more says, and returns its identifier.
func (c *strictClient) create(more object) string {
	c.t.Helper()
	body := object{
		"browserMode": "electron-embedded-browser", "promptMode": "default", "sessionType": "main", "title": "My First Session",
	}
	for key, value := range more {
		body[key] = value
	}
	return c.call("POST", "/api/sessions", body.String(), http.StatusCreated, sessionSchema.check)["id"].(string)
}

// send sends a message with the body of the published Go client.
func (c *strictClient) send(session, text string) map[string]any {
	c.t.Helper()
	body := object{"plan_mode": false, "text": text}
	m := c.call("POST", "/api/sessions/"+session+"/messages", body.String(), http.StatusAccepted, acceptedSchema.check)
	if m["sessionId"] != session {
		c.t.Fatalf("accepted for session %v, sent to %s", m["sessionId"], session)
	}
	return m
}

// messages returns the messages of a session.
func (c *strictClient) messages(session string) []map[string]any {
	c.t.Helper()
	m := c.call("GET", "/api/sessions/"+session+"/messages", "", http.StatusOK, listOf(messageSchema.check))
	return objects(m["list"])
}

// audit returns the rows of the audit trail of a session, newest first.
func (c *strictClient) audit(session string) []map[string]any {
	c.t.Helper()
	return objects(c.call("GET", "/api/audit?session="+session, "", http.StatusOK, listOf(isObject))["list"])
}

func (c *strictClient) cancel(session string) bool {
	c.t.Helper()
	return c.call("POST", "/api/sessions/"+session+"/cancel", "", http.StatusOK, cancelledSchema.check)["cancelled"].(bool)
}

func (c *strictClient) grant(request string) {
	c.t.Helper()
	c.call("POST", "/api/permissions/"+request+"/grant", "", http.StatusOK, grantedSchema.check)
}

func (c *strictClient) deny(request string) {
	c.t.Helper()
	c.call("POST", "/api/permissions/"+request+"/deny", "", http.StatusOK, deniedSchema.check)
}

// objects is a decoded list of objects.
func objects(list any) []map[string]any {
	var out []map[string]any
	for _, v := range list.([]any) {
		out = append(out, v.(map[string]any))
	}
	return out
}

// step is one answer of the model demo/steps.
type step struct {
	Reasoning string     `json:"reasoning,omitempty"`
	Text      string     `json:"text,omitempty"`
	Calls     []toolCall `json:"calls,omitempty"`
}

type toolCall struct {
	Tool  string `json:"tool"`
	Input any    `json:"input"`
}

// plan is a prompt for demo/steps.
func plan(steps ...step) string { return encode(steps) }

// bash is a step with one call of Bash.
func bash(command string) step {
	return step{Calls: []toolCall{{"Bash", object{"command": command}}}}
}

// expired is a context for those who do not want to wait.
func expired() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// eventually waits until a condition holds that nothing announces.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("did not happen: %s", what)
		}
	}
}

// within waits for a channel to be closed.
func within(t testing.TB, limit time.Duration, what string, c <-chan struct{}) {
	t.Helper()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-c:
	case <-timer.C:
		t.Fatalf("not within %s: %s", limit, what)
	}
}
