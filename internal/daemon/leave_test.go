package daemon_test

import (
	"fmt"
	"net/http"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mixagent/mix/internal/daemon"
)

// TestLeavingCancelsNothing: every client goes in the middle of a run, in the
// middle of a tool, and while a message waits. All of it is done all the same.
func TestLeavingCancelsNothing(t *testing.T) {
	t.Parallel()
	s := start(t, daemon.Config{})
	c := s.client()
	halfway, open := make(chan struct{}), make(chan struct{})
	id := c.create(object{"permission_mode": "auto", "model_id": model(t, func(a *answer) {
		switch {
		case strings.HasSuffix(a.Prompt, "and then"):
			a.text("Then this.")
		case a.Results != nil:
			a.text("Written.")
		default:
			a.text("Half ")
			close(halfway)
			select {
			case <-open:
			case <-a.Done():
			}
			a.text("and whole.")
			a.call("Bash", object{"command": "until test -e go; do sleep 0.01; done; echo done > made"}.String())
		}
	})})
	clients := []*strictStream{c.stream(id, ""), c.events(id, "", "approver=1"), c.submit(id, "work", "")}
	other := s.client()
	clients = append(clients, other.stream(id, ""))
	other.send(id, "and then")
	within(t, patience, "the model speaks", halfway)
	clients[0].wait("content")
	for _, st := range clients {
		st.close()
	}
	close(open)

	// Back for a moment, to see it at its tool; and gone again.
	back := s.client()
	st := back.stream(id, "0")
	st.wait("tool_execution_start")
	st.close()
	write(t, filepath.Join(s.cfg.Dir, "go"), "")
	eventually(t, "all is done", func() bool { return s.Busy() == 0 })
	list := back.messages(id)
	if len(list) != 5 {
		t.Fatalf("%d messages: %v", len(list), list)
	}
	for i, want := range []string{"work", "Half and whole.", "Written.", "and then", "Then this."} {
		if list[i]["userInput"] != want {
			t.Errorf("message %d is %q, want %q", i, list[i]["userInput"], want)
		}
	}
	if call := objects(list[1]["toolCalls"])[0]; call["state"] != "finished" || call["isError"] != false {
		t.Errorf("the call: %v", call)
	}
}

// TestLeavingDuringCancel: who asks to cancel and does not wait for the answer
// has cancelled all the same, also what waits.
func TestLeavingDuringCancel(t *testing.T) {
	t.Parallel()
	s := start(t, daemon.Config{})
	c := s.client()
	id := c.create(object{"permission_mode": "auto"})
	st := c.events(id, "", "")
	write(t, filepath.Join(s.cfg.Dir, "stay.sh"), "trap '' TERM; echo > up; while :; do sleep 1000; done")
	c.send(id, plan(bash("sh stay.sh")))
	c.send(id, plan(step{Text: "Never."}))
	eventually(t, "the command is up", func() bool { return read(filepath.Join(s.cfg.Dir, "up")) != "" })
	conn := dial(t, s)
	fmt.Fprintf(conn, "POST /api/sessions/%s/cancel HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", id)
	for encode(st.wait("queue").data["count"]) != "0" { // it has begun, and waits for the command
	}
	conn.Close()
	st.wait("complete")
	st.wait("complete")
	s.restart()
	c = s.client()
	for _, m := range c.messages(id) {
		if m["queued"] == true || m["userInput"] == "Never." {
			t.Errorf("a cancelled message came back: %v", m)
		}
	}
	if s.Busy() != 0 {
		t.Error("a cancelled message is worked on")
	}
}

// TestCancelReachesTheVendor: the model's connection is closed within a second.
func TestCancelReachesTheVendor(t *testing.T) {
	t.Parallel()
	c := start(t, daemon.Config{}).client()
	up, gone := make(chan struct{}, 1), make(chan struct{}, 1)
	id := c.create(object{"model_id": model(t, func(a *answer) {
		a.text("I ")
		up <- struct{}{}
		a.hang()
		gone <- struct{}{}
	})})
	withinASecond(t, func() time.Duration {
		c.send(id, "talk")
		<-up
		began := time.Now()
		if !c.cancel(id) {
			t.Fatal("nothing was cancelled")
		}
		<-gone
		return time.Since(began)
	})
}

// TestCancelReachesDescendants: a command, what it started, and what detached
// itself in every way are gone within a second.
func TestCancelReachesDescendants(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("the command is one for a Unix shell")
	}
	s := start(t, daemon.Config{})
	c := s.client()
	id := c.create(object{"permission_mode": "auto"})
	st := c.stream(id, "")
	write(t, filepath.Join(s.cfg.Dir, "start.sh"), `rm -f pid-*
		sleep 1001 & echo $! > pid-child
		trap '' TERM
		(sleep 1002 & echo $! > pid-orphan)
		if command -v setsid > /dev/null; then
			setsid sh -c 'echo $$ > pid-session; exec sleep 1003' &
			( ( setsid sh -c 'trap "" TERM HUP; echo $$ > pid-twice; while :; do sleep 1004; done' & ) & )
		else
			echo 0 > pid-session; echo 0 > pid-twice
		fi
		echo $$ > pid-shell
		while :; do sleep 1005; done`)
	files := []string{"pid-child", "pid-orphan", "pid-session", "pid-twice", "pid-shell"}
	withinASecond(t, func() time.Duration {
		c.send(id, plan(bash("sh start.sh")))
		st.wait("tool_execution_start")
		var pids []int
		eventually(t, "all processes are up", func() bool {
			pids = pids[:0]
			for _, name := range files {
				if pid, err := strconv.Atoi(strings.TrimSpace(read(filepath.Join(s.cfg.Dir, name)))); err == nil {
					pids = append(pids, pid)
				}
			}
			return len(pids) == len(files)
		})
		began := time.Now()
		if !c.cancel(id) {
			t.Fatal("nothing was cancelled")
		}
		took := time.Since(began)
		for i, pid := range pids {
			if pid > 0 && processRuns(pid) {
				t.Errorf("%s runs on after the cancel", files[i])
			}
		}
		st.wait("complete")
		return took
	})
	if call := objects(c.messages(id)[1]["toolCalls"])[0]; call["isError"] != true || call["finished"] != true {
		t.Errorf("the call: %v", call)
	}
	c.call("POST", "/api/sessions/"+id+"/messages", object{"text": plan(step{Text: "Fine."})}.String(), http.StatusAccepted, acceptedSchema.check)
	if got := st.wait("complete").str("content"); got != "Fine." {
		t.Errorf("after the cancel: %q", got)
	}
}

// withinASecond tries a few times, since the machine may be busy with something
// else for a while.
func withinASecond(t *testing.T, try func() time.Duration) {
	t.Helper()
	var took []time.Duration
	for range 3 {
		took = append(took, try())
		if took[len(took)-1] < time.Second {
			return
		}
	}
	t.Errorf("cancelling took %v", took)
}
