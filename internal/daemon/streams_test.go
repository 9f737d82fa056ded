package daemon_test

import (
	"fmt"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/mixagent/mix/internal/daemon"
)

// TestStreamResume: whoever comes back with the last number gets what is
// missing, byte for byte, from memory and after a restart from disk.
func TestStreamResume(t *testing.T) {
	t.Parallel()
	s := start(t, daemon.Config{})
	c := s.client()
	id := c.create(object{"permission_mode": "auto"})
	live := c.events(id, "", "")
	c.send(id, plan(
		step{Reasoning: "Let me see.", Text: "I run something and tell.", Calls: []toolCall{{"Bash", object{"command": "echo hello"}}}},
		step{Text: "It said hello, which is what it was told to say."},
	))
	seen := blocks(live.until("complete"))

	replay := func(c *strictClient, when string) []strictEvent {
		whole := c.events(id, "0", "").until("complete")
		if got := blocks(whole); !strings.HasSuffix(got, seen) {
			t.Errorf("%s: a replay differs from what was seen:\n%s\n---\n%s", when, got, seen)
		}
		for i, ev := range whole[:len(whole)-1] {
			rest := c.events(id, strconv.FormatInt(ev.id, 10), "").until("complete")
			if got, want := blocks(rest), blocks(whole[i+1:]); got != want {
				t.Errorf("%s, after event %d:\n%s\n---\n%s", when, ev.id, got, want)
			}
		}
		var theirs []strictEvent
		for _, ev := range whole {
			if eventSchemas[ev.name] != nil {
				theirs = append(theirs, ev)
			}
		}
		if got := blocks(c.stream(id, "0").until("complete")); got != blocks(theirs) {
			t.Errorf("%s: the contract's stream is not the own one without own events:\n%s", when, got)
		}
		return whole
	}
	before := replay(c, "from memory")
	s.restart()
	c = s.client()
	if after := replay(c, "from disk"); blocks(after) != blocks(before) {
		t.Errorf("a restart changed the log:\n%s\n---\n%s", blocks(after), blocks(before))
	}
	// The numbers go on behind the old ones.
	last := before[len(before)-1].id
	next := c.events(id, strconv.FormatInt(last, 10), "")
	c.send(id, plan(step{Text: "More."}))
	if ev := next.next(); ev.name != "user_message_created" || ev.id <= last {
		t.Errorf("after the restart: %+v", ev)
	}
	if got := joined(next.until("complete"), "content", "content"); got != "More." {
		t.Errorf("after the restart: %q", got)
	}
}

// TestStreamReconnects: a client that loses its connection all the time, and
// once the server, ends up with the same as one that never did.
func TestStreamReconnects(t *testing.T) {
	t.Parallel()
	s := start(t, daemon.Config{})
	pieces := make(chan struct{})
	c := s.client()
	id := c.create(object{"model_id": model(t, func(a *answer) {
		for i := 0; ; i++ {
			select {
			case <-pieces:
				a.text(fmt.Sprintf("piece %d, ", i))
			case <-a.Done():
				return
			}
		}
	})})
	first := c.stream(id, "")
	c.send(id, "go")
	events := first.until("user_message_created")
	first.close()
	resume := func() *strictStream {
		return c.stream(id, strconv.FormatInt(events[len(events)-1].id, 10))
	}
	for i := range 12 {
		pieces <- struct{}{}
		pieces <- struct{}{}
		st := resume()
		for range 1 + i%2 { // now and then one behind
			events = append(events, st.next())
		}
		st.close()
	}
	s.restart()
	c = s.client()
	st := resume()
	events = append(events, st.until("complete")...)
	if last := events[len(events)-2]; last.name != "error" || last.str("type") != "interrupted" {
		t.Errorf("before the end: %s %v", last.name, last.data)
	}
	whole := c.stream(id, strconv.FormatInt(events[0].id, 10)).until("complete")
	if got, want := blocks(events[1:]), blocks(whole); got != want {
		t.Errorf("the pieces:\n%s\n---\nthe whole:\n%s", got, want)
	}
	want := ""
	for i := range 24 {
		want += fmt.Sprintf("piece %d, ", i)
	}
	if got := joined(events, "content", "content"); got != want {
		t.Errorf("the text: %q", got)
	}
	if got := c.messages(id)[1]["assistantResponse"]; got != want {
		t.Errorf("the message: %q", got)
	}
}

// TestStreamPositions: without a number that was given out, a client gets what
// comes and nothing old.
func TestStreamPositions(t *testing.T) {
	t.Parallel()
	c := start(t, daemon.Config{}).client()
	id := c.create(nil)
	first := c.stream(id, "")
	c.send(id, plan(step{Text: "Old."}))
	first.wait("complete")
	var streams []*strictStream
	for _, last := range []string{"", "abc", "-5", "1e3", "7 ", "999999999", "18446744073709551616", "9223372036854775807"} {
		streams = append(streams, c.stream(id, last))
	}
	c.send(id, plan(step{Text: "New."}))
	want := blocks(first.until("complete"))
	for i, st := range streams {
		if got := blocks(st.until("complete")); got != want {
			t.Errorf("stream %d:\n%s\nwant\n%s", i, got, want)
		}
	}
}

// TestSubmit streams exactly one run and ends, for a prompt that waits after
// that has had its turn.
func TestSubmit(t *testing.T) {
	t.Parallel()
	s := start(t, daemon.Config{})
	c := s.client()
	open := make(chan struct{})
	id := c.create(object{"model_id": model(t, func(a *answer) {
		if strings.HasSuffix(a.Prompt, "wait") {
			<-open
		}
		a.text("re: " + a.Prompt)
	})})
	events := c.submit(id, "first", "").rest()
	if events[0].name != "user_message_created" || events[0].str("content") != "first" ||
		strings.Count(strings.Join(names(events), " "), "complete") != 1 || events[len(events)-1].name != "complete" {
		t.Errorf("one run: %v", names(events))
	}
	slow := c.submit(id, "wait", "key-1")
	slow.wait("user_message_created")
	queued := c.submit(id, "queued", "key-2")
	again := c.submit(id, "wait", "key-1") // the same prompt, not a third
	close(open)
	one := blocks(slow.rest())
	if got := blocks(again.rest()); !strings.HasSuffix(got, one) {
		t.Errorf("the same key:\n%s\n---\n%s", got, one)
	}
	if events := queued.rest(); !strings.HasSuffix(events[len(events)-1].str("content"), "re: queued") {
		t.Errorf("the waiting one ended with %v", events[len(events)-1].data)
	}
	// The run is over; who asks again gets it again, also from the next server.
	s.restart()
	c = s.client()
	late := c.submit(id, "wait", "key-1").rest()
	if !strings.HasSuffix(blocks(late), one) {
		t.Errorf("the same key later:\n%s\n---\n%s", blocks(late), one)
	}
	if n := len(c.messages(id)); n != 6 {
		t.Errorf("%d messages, want 3 with their answers", n)
	}
}

// TestStreamsLeaveNothing: subscribers that do not read, or are half gone, do
// not hold the agent up, and when they go nothing of them is left. It is not
// parallel, since it counts what the process has.
func TestStreamsLeaveNothing(t *testing.T) {
	s := start(t, daemon.Config{})
	c := s.client()
	text := strings.Repeat(strings.Repeat("many words ", 5000), 50) // 2.75 MB
	id := c.create(object{"model_id": model(t, func(a *answer) {
		for rest := text; rest != ""; rest = rest[55_000:] {
			a.text(rest[:55_000])
		}
	})})
	http11 := "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n"
	// One run before the count, so that all is there that stays.
	c.send(id, "warm up")
	eventually(t, "the first run ends", func() bool { return s.Busy() == 0 })
	goroutines, sockets := runtime.NumGoroutine(), openSockets(t)

	var conns []*net.TCPConn
	for i := range 15 {
		conn := dial(t, s).(*net.TCPConn)
		if err := conn.SetReadBuffer(4096); err != nil {
			t.Fatal(err)
		}
		path := []string{"/stream?sessionId=" + id, "/api/sessions/" + id + "/events"}[i%2]
		fmt.Fprintf(conn, http11, path)
		one := make([]byte, 1)
		if _, err := conn.Read(one); err != nil { // the stream has begun
			t.Fatal(err)
		}
		conns = append(conns, conn)
	}
	reader := c.stream(id, "")
	c.send(id, "go")
	if got := joined(reader.until("complete"), "content", "content"); got != text {
		t.Error("the one that reads did not get the text")
	}
	reader.close()
	for i, conn := range conns {
		switch i % 3 {
		case 0:
			conn.Close()
		case 1: // as a machine that crashed
			if err := conn.SetLinger(0); err != nil {
				t.Fatal(err)
			}
			conn.Close()
		case 2: // half of it
			if err := conn.CloseWrite(); err != nil {
				t.Fatal(err)
			}
		}
	}
	c.http.CloseIdleConnections()
	for i, conn := range conns {
		if i%3 == 2 {
			conn.Close()
		}
	}
	eventually(t, "nothing of the subscribers is left", func() bool {
		return runtime.NumGoroutine() <= goroutines && openSockets(t) <= sockets
	})
}

// openSockets counts the sockets of this process, where the system tells.
func openSockets(t *testing.T) int {
	t.Helper()
	if runtime.GOOS != "linux" {
		return 0
	}
	const dir = "/proc/self/fd/"
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, e := range list {
		if link, err := os.Readlink(dir + e.Name()); err == nil && strings.HasPrefix(link, "socket:") {
			n++
		}
	}
	return n
}
