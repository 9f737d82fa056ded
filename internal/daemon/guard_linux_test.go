package daemon_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/mixagent/mix/internal/daemon"
)

// lockedBuffer is a log that is read while it is written.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// TestNothingTheAgentStartsDrivesTheAgent lets a model of a session in which
// everything is allowed try to answer a question of another session, to start a
// session and to read, with and without the token, by commands that detach
// themselves in every way, over every address.
func TestNothingTheAgentStartsDrivesTheAgent(t *testing.T) {
	t.Parallel()
	var log lockedBuffer
	ip := ownAddress(t)
	s := startWith(t, daemon.Config{Addr: "0.0.0.0:0", Log: &log}, object{"server": object{"allowedHosts": []string{ip}}})
	c := s.client()
	_, port, err := net.SplitHostPort(strings.TrimPrefix(s.URL(), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	loopback, outside := "http://127.0.0.1:"+port, "http://"+net.JoinHostPort(ip, port)

	victim := c.create(nil)
	person := c.events(victim, "", "approver=1")
	c.send(victim, plan(bash("touch broken-in"), step{Text: "Asked."}))
	request := person.wait("permission").str("id")
	grant := "/api/permissions/" + request + "/grant"

	var lines, outputs []string
	answers := 0
	try := func(way string, args ...string) {
		out := fmt.Sprintf("out-%d", len(outputs))
		if strings.HasSuffix(args[2], grant) {
			answers++
		}
		outputs = append(outputs, out)
		lines = append(lines, fmt.Sprintf(way, helperCommand(args...)+"> "+out+".part; mv "+out+".part "+out))
	}
	const direct, session, twice = "%s", "setsid sh -c \"%s\" &", "( ( setsid sh -c \"%s\" & ) & )"
	for _, way := range []string{direct, session, twice} {
		for _, token := range []string{"", s.Token()} {
			try(way, "request", "POST", loopback+grant, token)
			try(way, "request", "POST", loopback+"/api/sessions", token, `{"title":"mine","permission_mode":"auto"}`)
			try(way, "request", "GET", loopback+"/api/sessions/"+victim+"/messages", token)
		}
		try(way, "leave", "POST", loopback+grant, s.Token())
		try(way, "request", "POST", outside+grant, s.Token())
	}
	for _, out := range outputs {
		lines = append(lines, "until test -e "+out+"; do sleep 0.01; done")
	}
	if err := os.WriteFile(filepath.Join(s.cfg.Dir, "try.sh"), []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	agent := c.create(object{"permission_mode": "auto"})
	st := c.stream(agent, "")
	c.send(agent, plan(bash("sh try.sh"), step{Text: "Tried."}))
	if ev := st.wait("tool_execution_complete"); ev.data["success"] != true {
		t.Fatalf("the command: %v", c.messages(agent))
	}
	for i, out := range outputs {
		text, err := os.ReadFile(filepath.Join(s.cfg.Dir, out))
		if got := string(text); err != nil || !strings.HasPrefix(got, "401 ") && !strings.HasPrefix(got, "left") {
			t.Errorf("%s\ngot in: %q, %v", lines[i], got, err)
		}
	}
	// Who left has no answer; what the server said is in its log.
	refused := "method=POST path=" + grant + " status=401"
	eventually(t, "every answer of the agent is refused", func() bool {
		return strings.Count(log.String(), refused) == answers
	})
	// The person's own program is not mistaken for the agent meanwhile.
	fresh := s.client()
	if list := fresh.call("GET", "/api/sessions/"+victim+"/requests", "", 200, listOf(isObject)); len(objects(list["list"])) != 1 {
		t.Errorf("open requests: %v", list)
	}
	if list := fresh.call("GET", "/api/sessions", "", 200, listOf(sessionSchema.check)); len(objects(list["list"])) != 2 {
		t.Errorf("sessions: %v", list)
	}
	fresh.deny(request)
	person.wait("complete")
	if _, err := os.Stat(filepath.Join(s.cfg.Dir, "broken-in")); err == nil {
		t.Error("the command of the question ran")
	}
}

// TestGuardProcesses: other processes of the user need no token, other users
// do, also while commands run and every connection has to be followed home.
func TestGuardProcesses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	url, token := serverProcess(t, dir)
	client := newStrictClient(t, url, transport(t))
	id := client.create(object{"permission_mode": "auto"})
	st := client.stream(id, "")

	check := func(when string) {
		sessions := url + "/api/sessions"
		for _, tt := range []struct {
			who   string
			uid   uint32
			token string
			want  string
		}{
			{"the same user", 0, "", "200"},
			{"the same user with the token", 0, token, "200"},
			{"the same user with a wrong token", 0, token + "x", "401"},
			{"another user", 65534, "", "401"},
			{"another user with the token", 65534, token, "200"},
		} {
			if tt.uid != 0 && os.Getuid() != 0 {
				t.Log("not root: no client can run as another user")
				continue
			}
			cmd := exec.Command("/proc/self/exe", helperName, "request", "GET", sessions, tt.token)
			if tt.uid != 0 {
				cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: tt.uid, Gid: tt.uid}}
				cmd.Dir = "/"
			}
			out, err := cmd.CombinedOutput()
			if err != nil || !strings.HasPrefix(string(out), tt.want+" ") {
				t.Errorf("%s, %s: %q, %v, want %s", when, tt.who, out, err, tt.want)
			}
		}
	}
	check("idle")
	client.send(id, plan(bash("until test -e stop; do sleep 0.01; done"), step{Text: "Over."}))
	st.wait("tool_execution_start")
	check("while a command runs")
	if err := os.WriteFile(filepath.Join(dir, "stop"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	st.wait("complete")
}

// serverProcess starts a server in a process of its own, which is not an
// ancestor of the test's clients.
func serverProcess(t *testing.T, dir string) (url, token string) {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", helperName, "serve", filepath.Join(t.TempDir(), "data"), dir)
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("the server process: %v", err)
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if n, _ := fmt.Sscan(line, &url, &token); n != 2 {
		rest, _ := io.ReadAll(out)
		t.Fatalf("the server process said %q%s, %v", line, rest, err)
	}
	return url, token
}
