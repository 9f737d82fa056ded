package daemon_test

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/mixagent/mix/internal/daemon"
	"github.com/mixagent/mix/internal/discovery"
)

// stopping stops the server as a signal does, while the test goes on.
func (s *server) stopping() <-chan struct{} {
	s.stopped = true
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := s.Stop(s.t.Context()); err != nil {
			s.t.Errorf("stop: %v", err)
		}
	}()
	return done
}

// TestStopWaits: a run that ends within the grace ends well; meanwhile nothing
// new is accepted, with a status that clients repeat against the next server.
func TestStopWaits(t *testing.T) {
	t.Parallel()
	s := start(t, daemon.Config{Grace: patience})
	c := s.client()
	open := make(chan struct{})
	id := c.create(object{"model_id": model(t, func(a *answer) {
		select {
		case <-open:
			a.text("In time.")
		case <-a.Done():
		}
	})})
	st := c.stream(id, "")
	c.send(id, "work")
	done := s.stopping()
	body := object{"plan_mode": false, "text": "more"}.String()
	eventually(t, "the server stops taking messages", func() bool {
		resp, err := c.http.Do(c.request("POST", "/api/sessions/"+id+"/messages", body))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusServiceUnavailable
	})
	close(open)
	events := st.until("complete")
	if got := events[len(events)-1].str("content"); got != "In time." || strings.Contains(strings.Join(names(events), " "), "error") {
		t.Errorf("the run ended with %v: %q", names(events), got)
	}
	if rest := st.rest(); len(rest) > 0 && rest[0].name != "user_message_created" {
		t.Errorf("after the end: %v", names(rest))
	}
	within(t, patience, "the server has stopped", done)
	if _, err := os.Stat(filepath.Join(s.cfg.DataDir, "server.lock")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the lockfile is still there: %v", err)
	}
}

// TestStopInterrupts: a run that does not end within the grace is interrupted
// cleanly, in the middle of a tool or of an answer. Subscribers hear of it, the
// history is one that vendors take, and what waited runs on the next server.
func TestStopInterrupts(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("the command is one for a Unix shell")
	}
	s := start(t, daemon.Config{Grace: time.Millisecond})
	c := s.client()
	name := model(t, func(a *answer) {
		switch {
		case strings.HasSuffix(a.Prompt, "tool") && a.Results == nil:
			a.call("Bash", object{"command": "echo $$ > pid; sleep 1000"}.String())
		case strings.HasSuffix(a.Prompt, "talk"):
			a.text("Half an ")
			a.hang()
		default:
			a.text("Fine: " + a.Prompt)
		}
	})
	tool, talk := c.create(object{"permission_mode": "auto", "model_id": name}), c.create(object{"model_id": name})
	toolStream, talkStream := c.stream(tool, ""), c.stream(talk, "")
	c.send(tool, "tool")
	c.send(talk, "talk")
	c.send(talk, "one")
	c.send(talk, "two")
	toolStream.wait("tool_execution_start")
	talkStream.wait("content")
	eventually(t, "the command is up", func() bool { return read(filepath.Join(s.cfg.Dir, "pid")) != "" })

	done := s.stopping()
	for _, st := range []*strictStream{toolStream, talkStream} {
		events := st.rest()
		n := len(events)
		if n < 2 || events[n-2].name != "error" || events[n-2].str("type") != "interrupted" || events[n-1].name != "complete" {
			t.Errorf("the stream ended with %v", names(events))
		}
	}
	within(t, patience, "the server has stopped", done)

	s.run()
	c = s.client()
	eventually(t, "what waited is done", func() bool { return s.Busy() == 0 })
	if list := c.messages(talk); len(list) != 6 || list[1]["assistantResponse"] != "Half an " || list[3]["userInput"] != "Fine: one" || list[5]["userInput"] != "Fine: two" {
		t.Errorf("messages: %v", list)
	}
	call := objects(c.messages(tool)[1]["toolCalls"])[0]
	if text, _ := call["text"].(string); call["state"] != "interrupted" || !strings.Contains(text, "may have had effects") {
		t.Errorf("the call: %v", call)
	}
	for _, id := range []string{tool, talk} {
		st := c.stream(id, "")
		c.send(id, "go on")
		if got := st.wait("complete").str("content"); got != "Fine: go on" {
			t.Errorf("after the restart: %q", got)
		}
	}
}

// TestStopWithStuckReader: a subscriber that does not read, and one who holds a
// request back, do not keep a server from stopping.
func TestStopWithStuckReader(t *testing.T) {
	t.Parallel()
	s := start(t, daemon.Config{})
	c := s.client()
	text := strings.Repeat(strings.Repeat("many words ", 5000), 50) // 2.75 MB
	id := c.create(object{"model_id": model(t, func(a *answer) {
		for rest := text; rest != ""; rest = rest[55_000:] {
			a.text(rest[:55_000])
		}
	})})
	stuck := dial(t, s).(*net.TCPConn)
	if err := stuck.SetReadBuffer(4096); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(stuck, "GET /stream?sessionId=%s HTTP/1.1\r\nHost: localhost\r\n\r\n", id)
	if _, err := stuck.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	held := dial(t, s)
	fmt.Fprintf(held, "POST /api/sessions/%s/messages HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{", id)
	c.send(id, "go")
	eventually(t, "the run ends", func() bool { return s.Busy() == 0 })
	within(t, patience, "the server has stopped", s.stopping())
	s.run()
	if got := s.client().messages(id); len(got) != 2 || got[1]["userInput"] != text {
		t.Errorf("%d messages", len(got))
	}
}

// TestTwoServers: the second one on a data directory is refused, until the
// first has stopped; it leaves the first alone.
func TestTwoServers(t *testing.T) {
	t.Parallel()
	s := start(t, daemon.Config{})
	if _, err := daemon.Start(t.Context(), s.cfg); !errors.Is(err, discovery.ErrLocked) {
		t.Errorf("a second server: %v", err)
	}
	info, err := discovery.Find(t.Context(), s.cfg.DataDir)
	if err != nil || info.URL != s.URL() || info.Token != s.Token() {
		t.Errorf("found %+v, %v", info, err)
	}
	s.stop()
	if _, err := discovery.Find(t.Context(), s.cfg.DataDir); !errors.Is(err, discovery.ErrNoServer) {
		t.Errorf("after the stop: %v", err)
	}
	s.run()
	s.client().create(nil)
}

// TestStartErrors: what keeps a server from starting is said in a way that
// helps, and leaves the data directory free.
func TestStartErrors(t *testing.T) {
	t.Parallel()
	used := start(t, daemon.Config{})
	data := filepath.Join(t.TempDir(), "data")
	for _, tt := range []struct {
		name string
		cfg  daemon.Config
		want string
	}{
		{"address in use", daemon.Config{Addr: strings.TrimPrefix(used.URL(), "http://")}, "--port"},
		{"no address", daemon.Config{Addr: "nonsense"}, "nonsense"},
		{"unknown model", daemon.Config{Addr: "127.0.0.1:0", Model: "nobody/nothing"}, "nobody"},
	} {
		tt.cfg.DataDir, tt.cfg.Dir = data, t.TempDir()
		s, err := daemon.Start(t.Context(), tt.cfg)
		if err == nil {
			err = s.Stop(expired())
			t.Errorf("%s: it started; stopped: %v", tt.name, err)
		} else if !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	start(t, daemon.Config{DataDir: data})
}
