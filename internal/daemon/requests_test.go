package daemon_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/mixagent/mix/internal/daemon"
	"github.com/mixagent/mix/internal/domain"
)

// TestUnknownIDs: 404 in JSON for everything that names nothing, before any
// header of a stream.
func TestUnknownIDs(t *testing.T) {
	t.Parallel()
	c := start(t, daemon.Config{}).client()
	send := object{"plan_mode": false, "text": "hello"}.String()
	for _, id := range []string{domain.NewID(), "0198c0de", "..%2f..%2fetc", "%00", "x%20y", strings.Repeat("a", 5000)} {
		for _, tt := range []struct{ method, path, body string }{
			{"GET", "/api/sessions/%s", ""},
			{"DELETE", "/api/sessions/%s", ""},
			{"GET", "/api/sessions/%s/messages", ""},
			{"POST", "/api/sessions/%s/messages", send},
			{"POST", "/api/sessions/%s/submit", send},
			{"POST", "/api/sessions/%s/cancel", ""},
			{"GET", "/api/sessions/%s/export", ""},
			{"GET", "/api/sessions/%s/events", ""},
			{"GET", "/api/sessions/%s/requests", ""},
			{"GET", "/stream?sessionId=%s", ""},
			{"POST", "/api/permissions/%s/grant", ""},
			{"POST", "/api/permissions/%s/deny", ""},
		} {
			if kind, _ := c.refused(tt.method, fmt.Sprintf(tt.path, id), tt.body, http.StatusNotFound); kind != "not_found" {
				t.Errorf("%s %s: type %s", tt.method, tt.path, kind)
			}
		}
	}
	if kind, text := c.refused("GET", "/stream", "", http.StatusBadRequest); kind != "validation_error" || !strings.Contains(text, "sessionId") {
		t.Errorf("a stream of nothing: %s: %s", kind, text)
	}
}

// TestRoutes: what no route takes is answered in JSON, and never by a redirect.
func TestRoutes(t *testing.T) {
	t.Parallel()
	c := start(t, daemon.Config{}).client()
	id := c.create(nil)
	for _, tt := range []struct {
		method, path string
		status       int
	}{
		{"GET", "/", http.StatusNotFound},
		{"GET", "/nothing", http.StatusNotFound},
		{"GET", "/api", http.StatusNotFound},
		{"GET", "/api/sessions/", http.StatusNotFound},
		{"POST", "/api/sessions/" + id + "/fork", http.StatusNotFound},
		{"GET", "//api/sessions", http.StatusNotFound},
		{"POST", "//api/sessions", http.StatusNotFound},
		{"GET", "/api//sessions", http.StatusNotFound},
		{"GET", "/api/./sessions", http.StatusNotFound},
		{"DELETE", "/api/sessions/x/../" + id, http.StatusNotFound},
		{"GET", "/health/../api/sessions", http.StatusNotFound},
		{"GET", "/%2e%2e/api/sessions", http.StatusNotFound},
		{"PUT", "/api/sessions", http.StatusMethodNotAllowed},
		{"POST", "/api/sessions/" + id, http.StatusMethodNotAllowed},
		{"GET", "/api/sessions/" + id + "/cancel", http.StatusMethodNotAllowed},
		{"POST", "/stream?sessionId=" + id, http.StatusMethodNotAllowed},
		{"PATCH", "/health", http.StatusMethodNotAllowed},
		{"OPTIONS", "/api/sessions", http.StatusMethodNotAllowed},
		{"TRACE", "/api/sessions", http.StatusMethodNotAllowed},
	} {
		kind, _ := c.refused(tt.method, tt.path, "", tt.status)
		if want := map[int]string{404: "not_found", 405: "bad_request"}[tt.status]; kind != want {
			t.Errorf("%s %s: type %s, want %s", tt.method, tt.path, kind, want)
		}
	}
	resp, err := c.http.Do(c.request("PUT", "/api/sessions", ""))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if got := resp.Header.Get("Allow"); got != "GET, POST" {
		t.Errorf("Allow: %q", got)
	}
}

// TestBodies holds requests that published clients send, and such as nobody
// should, against their answers.
func TestBodies(t *testing.T) {
	t.Parallel()
	c := start(t, daemon.Config{Model: "demo/echo"}).client()
	id := c.create(nil)
	session := func(more string) string {
		return `{"browserMode":"local-browser-service","promptMode":"default","sessionType":"main","title":"t"` + more + `}`
	}
	const bad = http.StatusBadRequest
	for _, tt := range []struct {
		name, path, body string
		status           int
		field            string // that the message has to name
	}{
		{"unknown keys", "/api/sessions", session(`,"colour":{"a":[1]},"x":null`), 201, ""},
		{"callbacks null", "/api/sessions", session(`,"callbacks":null`), 201, ""},
		{"callbacks as Go sends them", "/api/sessions", session(`,"callbacks":[{"bashCommand":"true","bashTimeout":120000,"excludeFromContext":false,"includeFullHistory":false,"subAgentType":"general-purpose","toolName":"*","type":"bash_script"}]`), 201, ""},
		{"no browser mode", "/api/sessions", `{"title":"t"}`, 201, ""},
		{"empty browser mode", "/api/sessions", `{"browserMode":"","title":"t"}`, 201, ""},
		{"remote browser", "/api/sessions", `{"browserMode":"remote-cdp-websocket","cdpUrl":"wss://x/y","title":"t"}`, 201, ""},
		{"long title", "/api/sessions", `{"title":"` + strings.Repeat("ü", 5000) + `"}`, 201, ""},
		{"model of the TypeScript client", "/api/sessions", session(`,"modelId":"echo","provider":"demo"`), 201, ""},

		{"no title", "/api/sessions", `{"browserMode":"local-browser-service"}`, bad, "title"},
		{"blank title", "/api/sessions", `{"title":" \n"}`, bad, "title"},
		{"wrong browser mode", "/api/sessions", `{"title":"t","browserMode":"lynx"}`, bad, "browserMode"},
		{"remote browser without address", "/api/sessions", `{"browserMode":"remote-cdp-websocket","cdpUrl":"http://x","title":"t"}`, bad, "cdpUrl"},
		{"session of a tool", "/api/sessions", `{"title":"t","sessionType":"subagent"}`, bad, "sessionType"},
		{"large system prompt", "/api/sessions", `{"title":"t","promptMode":"append","customSystemPrompt":"` + strings.Repeat("x", 51_201) + `"}`, bad, "customSystemPrompt"},
		{"unknown model", "/api/sessions", session(`,"model_id":"nobody/nothing"`), bad, "model"},
		{"absent directory", "/api/sessions", session(`,"project_path":"/does/not/exist"`), bad, "project_path"},
		{"relative directory", "/api/sessions", session(`,"project_path":"here"`), bad, "project_path"},
		{"bad rule", "/api/sessions", session(`,"allow":["Bash("]`), bad, ""},
		{"title of a wrong kind", "/api/sessions", `{"title":7}`, bad, "title"},
		{"no object", "/api/sessions", `[]`, bad, "body"},
		{"null", "/api/sessions", `null`, bad, "body"},
		{"half", "/api/sessions", `{"title":"t"`, bad, "body"},
		{"two", "/api/sessions", `{"title":"t"}{}`, bad, "body"},

		{"thinking null", "/messages", `{"plan_mode":false,"text":"a","thinking_level":null}`, 202, ""},
		{"thinking", "/messages", `{"text":"b","thinking_level":"medium","max_steps":1,"new":1}`, 202, ""},
		{"blank text", "/messages", `{"plan_mode":false,"text":" \t"}`, bad, "text"},
		{"no text", "/messages", `{}`, bad, "text"},
		{"unknown thinking", "/messages", `{"text":"a","thinking_level":"much"}`, bad, "thinking_level"},
		{"no steps", "/messages", `{"text":"a","max_steps":0}`, bad, "max_steps"},
		{"steps as a fraction", "/messages", `{"text":"a","max_steps":1.5}`, bad, "max_steps"},
		{"text too large", "/messages", `{"text":"` + strings.Repeat("x", 4<<20+1) + `"}`, 413, "file"},
	} {
		path, check := tt.path, sessionSchema.check
		if path == "/messages" {
			path, check = "/api/sessions/"+id+path, acceptedSchema.check
		}
		m := c.call("POST", path, tt.body, tt.status, check)
		if tt.status < 400 {
			continue
		}
		e := m["error"].(map[string]any)
		if text := e["message"].(string); !strings.Contains(text, tt.field) || len(text) > 2000 {
			t.Errorf("%s: the message does not name %q: %s", tt.name, tt.field, text)
		}
		if tt.status == bad && e["type"] != "validation_error" {
			t.Errorf("%s: type %v", tt.name, e["type"])
		}
	}
}

// TestContentType: only JSON may come as a body. A page can send text/plain to
// any server; that a body is missing is no reason to refuse.
func TestContentType(t *testing.T) {
	t.Parallel()
	c := start(t, daemon.Config{Model: "demo/echo"}).client()
	id := c.create(nil)
	body := object{"plan_mode": false, "text": "hello"}.String()
	for _, tt := range []struct {
		contentType string
		status      int
	}{
		{"text/plain", 400},
		{"", 400},
		{"application/x-www-form-urlencoded", 400},
		{"text/plain;application/json", 400},
		{"multipart/form-data; boundary=x", 400},
		{"application/json", 202},
		{"application/json; charset=utf-8", 202},
	} {
		req := c.request("POST", "/api/sessions/"+id+"/messages", body)
		req.Header["Content-Type"] = []string{tt.contentType}
		c.do(req, tt.status, acceptedSchema.check)
	}
	// An answer with a body has to be JSON as well.
	req := c.request("POST", "/api/permissions/"+domain.NewID()+"/grant", "{}")
	req.Header.Set("Content-Type", "text/plain")
	c.do(req, 400, nil)
	req = c.request("POST", "/api/sessions/"+id+"/cancel", "")
	req.Header.Del("Content-Type")
	c.do(req, 200, cancelledSchema.check)
}

// TestLargeBodies: a body that is too large is refused in a way that a client
// in the middle of sending it can read.
func TestLargeBodies(t *testing.T) {
	t.Parallel()
	c := start(t, daemon.Config{}).client()
	id := c.create(nil)
	for _, size := range []int{33 << 20} {
		body := `{"text":"` + strings.Repeat("x", size) + `"}`
		if kind, text := c.refused("POST", "/api/sessions/"+id+"/messages", body, http.StatusRequestEntityTooLarge); kind != "bad_request" || !strings.Contains(text, "larger than") {
			t.Errorf("%d bytes: %s: %s", size, kind, text)
		}
	}
	// The same without a length in front.
	req := c.request("POST", "/api/sessions/"+id+"/messages", "{}")
	req.Body, req.ContentLength = io.NopCloser(io.LimitReader(zeros{}, 20<<20)), -1
	c.do(req, http.StatusRequestEntityTooLarge, nil)
	if n := len(c.messages(id)); n != 0 {
		t.Errorf("%d messages", n)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = '0'
	}
	return len(p), nil
}

// TestHeaders: headers are bounded in size and in time.
func TestHeaders(t *testing.T) {
	t.Parallel()
	s := start(t, daemon.Config{HeaderTimeout: 100 * time.Millisecond})
	c := s.client()
	req := c.request("GET", "/health", "")
	req.Header.Set("X-Large", strings.Repeat("x", 100<<10))
	resp, err := c.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("a header of 100 KiB: status %d", resp.StatusCode)
	}

	conn := dial(t, s)
	fmt.Fprint(conn, "GET /health HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
	rest, err := io.ReadAll(bufio.NewReader(conn)) // until the server has enough of it
	if err != nil || strings.Contains(string(rest), "200 OK") {
		t.Errorf("a client that does not end its headers: %q, %v", rest, err)
	}
}

// TestSlowBodies: who announces a body and does not send it is cut off, also
// where nobody asked for one. A stream has no such limit on its life.
func TestSlowBodies(t *testing.T) {
	t.Parallel()
	s := start(t, daemon.Config{RequestTimeout: 150 * time.Millisecond, Heartbeat: 100 * time.Millisecond})
	c := s.client()
	id := c.create(nil)
	st := c.stream(id, "")
	for _, path := range []string{"/messages", "/cancel", "/nothing"} {
		conn := dial(t, s)
		fmt.Fprintf(conn, "POST /api/sessions/%s%s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{", id, path)
		if _, err := io.ReadAll(conn); err != nil { // until the server has enough of it
			t.Errorf("%s: %v", path, err)
		}
	}
	for range 4 {
		if ev := st.next(); ev.name != "heartbeat" && ev.name != "session_created" {
			t.Errorf("event %s on a silent stream", ev.name)
		}
	}
	c.call("GET", "/api/sessions/"+id, "", http.StatusOK, sessionSchema.check)
}

// dial opens a connection on which a test writes its own HTTP.
func dial(t testing.TB, s *server) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL(), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// TestPages: limit and before read a conversation from its end.
func TestPages(t *testing.T) {
	t.Parallel()
	c := start(t, daemon.Config{Model: "demo/echo"}).client()
	id := c.create(nil)
	st := c.stream(id, "")
	for i := range 3 {
		c.send(id, fmt.Sprint("message ", i))
		st.wait("complete")
	}
	all := c.messages(id)
	page := func(query string) []map[string]any {
		return objects(c.call("GET", "/api/sessions/"+id+"/messages?"+query, "", 200, listOf(messageSchema.check))["list"])
	}
	if last := page("limit=2"); len(last) != 2 || last[0]["id"] != all[4]["id"] || last[1]["id"] != all[5]["id"] {
		t.Errorf("the last two: %v", last)
	}
	if before := page("limit=2&before=" + encode(all[4]["sequence"])); len(before) != 2 || before[1]["id"] != all[3]["id"] {
		t.Errorf("the two before: %v", before)
	}
	for _, query := range []string{"limit=0", "limit=x", "limit=1001", "before=-1", "before=x"} {
		c.refused("GET", "/api/sessions/"+id+"/messages?"+query, "", http.StatusBadRequest)
	}
}
