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

	calls := []helperCall{{"POST", outside + grant, s.Token(), ""}}
	for _, token := range []string{"", s.Token()} {
		calls = append(calls,
			helperCall{"POST", loopback + grant, token, ""},
			helperCall{"POST", loopback + "/api/sessions", token, `{"title":"mine","permission_mode":"auto"}`},
			helperCall{"GET", loopback + "/api/sessions/" + victim + "/messages", token, ""})
	}
	write(t, filepath.Join(s.cfg.Dir, "calls.json"), encode(calls))
	script := "call() { " + helperCommand("requests", "calls.json") + "> $1.part; " +
		helperCommand("leave", "POST", loopback+grant, s.Token()) + ">> $1.part; mv $1.part $1; }\n" +
		`case $1 in
			direct) call direct;;
			setsid) setsid sh try.sh call setsid;;
			twice) ( ( setsid sh try.sh call twice & ) & );;
			call) call $2;;
		esac
		until test -e ${2:-$1}; do sleep 0.01; done`
	write(t, filepath.Join(s.cfg.Dir, "try.sh"), script)
	ways := []string{"direct", "setsid", "twice"}
	answers := len(ways) * 4 // to the question

	agent := c.create(object{"permission_mode": "auto"})
	st := c.stream(agent, "")
	c.send(agent, plan(bash("for way in direct setsid twice; do sh try.sh $way || exit 1; done"), step{Text: "Tried."}))
	if ev := st.wait("tool_execution_complete"); ev.data["success"] != true {
		t.Fatalf("the command: %v", c.messages(agent))
	}
	for _, way := range ways {
		text, err := os.ReadFile(filepath.Join(s.cfg.Dir, way))
		said := strings.Split(strings.TrimSpace(string(text)), "\n")
		if err != nil || len(said) != len(calls)+1 {
			t.Fatalf("%s: %q, %v", way, said, err)
		}
		for i, call := range calls {
			if !strings.HasPrefix(said[i], "401 ") {
				t.Errorf("%s, %v got in: %s", way, call, said[i])
			}
		}
	}
	if strings.Contains(log.String(), s.Token()) {
		t.Error("the token is in the log")
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
		for _, tt := range []struct {
			who    string
			uid    uint32
			tokens []string
			want   []string
		}{
			{"the same user", 0, []string{"", token, token + "x"}, []string{"200", "200", "401"}},
			{"another user", 65534, []string{"", token}, []string{"401", "200"}},
		} {
			if tt.uid != 0 && os.Getuid() != 0 {
				t.Log("not root: no client can run as another user")
				continue
			}
			var calls []helperCall
			for _, token := range tt.tokens {
				calls = append(calls, helperCall{"GET", url + "/api/sessions", token, ""})
			}
			cmd := exec.Command("/proc/self/exe", helperName, "requests", "-")
			cmd.Stdin, cmd.Dir = strings.NewReader(encode(calls)), "/"
			if tt.uid != 0 {
				cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: tt.uid, Gid: tt.uid}}
			}
			out, err := cmd.Output()
			for i, line := range strings.Split(strings.TrimSpace(string(out)), "\n") {
				if err != nil || i >= len(tt.want) || !strings.HasPrefix(line, tt.want[i]+" ") {
					t.Errorf("%s, %s, request %d: %q, %v, want %v", when, tt.who, i, line, err, tt.want)
				}
			}
		}
	}
	check("idle")
	client.send(id, plan(bash("until test -e stop; do sleep 0.01; done"), step{Text: "Over."}))
	st.wait("tool_execution_start")
	check("while a command runs")
	write(t, filepath.Join(dir, "stop"), "")
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
