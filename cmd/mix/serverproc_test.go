package main_test

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	mix "github.com/mixagent/mix/sdk"
)

// serverProc is a real server in a process of its own.
type serverProc struct {
	cmd    *exec.Cmd
	client *mix.Mix
	url    string
	log    *lockedBuffer
}

// startServer starts `mix serve` and waits for its ready line.
func startServer(t testing.TB, dir, dataDir string, env []string, flags ...string) *serverProc {
	t.Helper()
	args := append([]string{"serve", "--port", "0", "--data-dir", dataDir, "--dir", dir}, flags...)
	s := &serverProc{cmd: exec.Command(program(t), args...), log: &lockedBuffer{}}
	s.cmd.Dir, s.cmd.Env, s.cmd.Stderr = dir, env, s.log
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.kill() })
	line, err := bufio.NewReader(out).ReadString('\n')
	url, ok := strings.CutPrefix(strings.TrimSpace(line), "mix listening on ")
	if err != nil || !ok {
		s.kill()
		t.Fatalf("the server did not become ready: %q, %v\n%s", line, err, s.log.String())
	}
	s.url = url
	s.client = mix.New(url, mix.WithToken(lockToken(t, dataDir)))
	return s
}

// lockFile is what a running server tells of itself.
type lockFile struct {
	PID                           int
	URL, Version, Instance, Token string
}

func readLock(t testing.TB, dataDir string) lockFile {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dataDir, "server.lock"))
	if err != nil {
		t.Fatal(err)
	}
	var info lockFile
	if err := json.Unmarshal(data, &info); err != nil {
		t.Fatal(err)
	}
	return info
}

// lockToken reads the token of the running server.
func lockToken(t testing.TB, dataDir string) string {
	t.Helper()
	return readLock(t, dataDir).Token
}

// kill ends the process as a crash does. It may be called twice.
func (s *serverProc) kill() {
	if s.cmd.ProcessState == nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
	}
}

// stop ends the process as a person does.
func (s *serverProc) stop(t testing.TB) {
	t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Wait(); err != nil {
		t.Fatalf("the server ended with %v\n%s", err, s.log.String())
	}
}
