package daemon_test

import (
	"bufio"
	"database/sql"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mixagent/mix/internal/daemon"
)

// sendKey sends a message with an Idempotency-Key.
func (c *strictClient) sendKey(session, text, key string) map[string]any {
	c.t.Helper()
	req := c.request("POST", "/api/sessions/"+session+"/messages", object{"plan_mode": false, "text": text}.String())
	req.Header.Set("Idempotency-Key", key)
	return c.do(req, http.StatusAccepted, acceptedSchema.check)
}

// TestIdempotencyKey: the same key gets the first answer, from the next server
// too; another key or session is another message.
func TestIdempotencyKey(t *testing.T) {
	t.Parallel()
	s := start(t, daemon.Config{Model: "demo/echo"})
	c := s.client()
	id, other := c.create(nil), c.create(nil)
	first := c.sendKey(id, "hello", "one")
	same := func(c *strictClient, when string) {
		again := c.sendKey(id, "hello", "one")
		for _, key := range []string{"runId", "messageId", "eventSeq"} {
			if encode(again[key]) != encode(first[key]) || again[key] == nil {
				t.Errorf("%s: %s is %v, was %v", when, key, again[key], first[key])
			}
		}
	}
	same(c, "at once")
	eventually(t, "the run ends", func() bool { return s.Busy() == 0 })
	same(c, "when it is done")
	if c.sendKey(id, "hello", "two")["runId"] == first["runId"] || c.sendKey(other, "hello", "one")["runId"] == first["runId"] {
		t.Error("another key, or the key of another session, was taken for the first")
	}
	s.restart()
	c = s.client()
	same(c, "after a restart")

	req := c.request("POST", "/api/sessions/"+id+"/messages", object{"text": "x"}.String())
	req.Header.Set("Idempotency-Key", strings.Repeat("k", 201))
	c.do(req, http.StatusBadRequest, nil)
}

// TestRepeatedMessage: the same message after a good 202 is meant.
func TestRepeatedMessage(t *testing.T) {
	t.Parallel()
	c := start(t, daemon.Config{Model: "demo/echo"}).client()
	id := c.create(nil)
	st := c.stream(id, "")
	if c.send(id, "again")["runId"] == c.send(id, "again")["runId"] {
		t.Error("two good messages became one")
	}
	st.wait("complete")
	st.wait("complete")
}

// TestLostAcknowledgement: the 202 of a message could not be written. Sent
// again by a client that knows no keys, it is the same message, once.
func TestLostAcknowledgement(t *testing.T) {
	t.Parallel()
	s := start(t, daemon.Config{Model: "demo/echo"})
	c := s.client()
	id := c.create(nil)
	body := object{"plan_mode": false, "text": "hello"}.String()

	// Nothing is committed, and so no 202 is written, while the test holds the
	// database; meanwhile the client goes.
	unlock := lockDatabase(t, filepath.Join(s.cfg.DataDir, "mix.db"))
	conn := dial(t, s).(*net.TCPConn)
	fmt.Fprintf(conn, "POST /api/sessions/%s/messages HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"+
		"Content-Length: %d\r\nExpect: 100-continue\r\n\r\n", id, len(body))
	if line, err := bufio.NewReader(conn).ReadString('\n'); !strings.HasPrefix(line, "HTTP/1.1 100") {
		t.Fatalf("%q, %v", line, err)
	}
	fmt.Fprint(conn, body)
	if err := conn.SetLinger(0); err != nil { // closing resets the connection
		t.Fatal(err)
	}
	conn.Close()
	unlock()
	var list []map[string]any
	eventually(t, "the message is stored and answered", func() bool {
		list = c.messages(id)
		return len(list) == 2 && s.Busy() == 0
	})

	again := c.send(id, "hello")
	if again["messageId"] != list[0]["id"] || again["runId"] != list[0]["runId"] {
		t.Errorf("sent again: %v, was %v", again, list[0])
	}
	if third := c.send(id, "hello"); third["runId"] == again["runId"] {
		t.Error("sent once more after a good 202, it was not taken as a new message")
	}
	eventually(t, "the new run ends", func() bool { return s.Busy() == 0 })
	if n := len(c.messages(id)); n != 4 {
		t.Errorf("%d messages, want 4", n)
	}
}

// TestAcknowledgementsOverRestart: the server cannot know which of its last
// answers arrived. Messages that still wait are the same when sent again.
func TestAcknowledgementsOverRestart(t *testing.T) {
	t.Parallel()
	s := start(t, daemon.Config{})
	c := s.client()
	id := c.create(object{"model_id": model(t, (*answer).hang)})
	c.send(id, "running")
	waiting := c.send(id, "waiting")
	s.restart()
	c = s.client()
	if again := c.send(id, "waiting"); again["runId"] != waiting["runId"] || again["messageId"] != waiting["messageId"] {
		t.Errorf("sent again: %v, was %v", again, waiting)
	}
	if c.send(id, "waiting")["runId"] == waiting["runId"] {
		t.Error("a third copy, after a good 202, is a new message")
	}
	if n := len(c.messages(id)); n != 3 {
		t.Errorf("%d messages, want 3", n)
	}
}

// lockDatabase keeps the server from writing until unlock is called.
func lockDatabase(t *testing.T, path string) (unlock func()) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	do := func(command string) {
		if _, err := conn.ExecContext(t.Context(), command); err != nil {
			t.Fatalf("%s: %v", command, err)
		}
	}
	do("BEGIN IMMEDIATE")
	return func() {
		do("ROLLBACK")
		conn.Close()
		db.Close()
	}
}
