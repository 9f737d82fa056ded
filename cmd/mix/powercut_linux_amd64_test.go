package main_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	mix "github.com/mixagent/mix/sdk"
)

// defaultCalls is at how many write and sync calls the server is killed, one
// after another; MIX_TEST_CALLS sets another number.
const defaultCalls = 30

// TestPowerCut kills a server at each of its first write and sync calls of one
// scripted run, throws away what was not synced, as a power cut does, and
// looks for every message whose 202 had begun to leave the server.
func TestPowerCut(t *testing.T) {
	t.Parallel()
	if why := canTrace(t); why != "" {
		skipOrFail(t, why)
	}
	calls := defaultCalls
	if s := os.Getenv("MIX_TEST_CALLS"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		calls = n
	}
	whole := cutPower(t, 0)
	if whole.acked != scriptedPrompts {
		t.Fatalf("the undisturbed run acknowledged %d prompts, not %d:\n%s", whole.acked, scriptedPrompts, strings.Join(whole.log, "\n"))
	}
	// Calls before the first acknowledgement matter as much: they must leave a
	// data directory that opens. All calls are covered, evenly where there are
	// more than asked for.
	acked := 0
	step := max(1, whole.calls/calls)
	for k := 1; k <= whole.calls; k += step {
		cut := cutPower(t, k)
		if cut.acked > 0 {
			acked++
		}
	}
	if acked == 0 {
		t.Error("no power cut came after an acknowledgement: the test shows nothing")
	}
}

const scriptedPrompts = 3

// cutPower runs the script, cuts the power at call k, and checks what is left.
func cutPower(t *testing.T, k int) *tracer {
	t.Helper()
	dir, home := t.TempDir(), t.TempDir()
	tr := &tracer{killAt: k, dataDir: t.TempDir(), shadow: t.TempDir()}
	if err := os.Chmod(tr.shadow, 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program(t), "serve", "--port", "0", "--data-dir", tr.dataDir, "--dir", dir, "--model", "demo/echo", "--demo-rate", "0")
	cmd.Dir, cmd.Env = dir, cleanEnv(home, "GOMAXPROCS=2")
	log := &lockedBuffer{}
	cmd.Stderr = log
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	done, started := make(chan error, 1), make(chan error, 1)
	go func() { done <- tr.run(cmd, started) }()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	texts := script(t, bufio.NewReader(out), tr.dataDir, func() { _ = cmd.Process.Kill() })
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	out.Close()
	checkAfterCut(t, k, tr, dir, home, texts)
	return tr
}

// script is what the client does; it ends when the server does. It returns the
// texts in the order in which it sent them.
func script(t *testing.T, out *bufio.Reader, dataDir string, end func()) []string {
	t.Helper()
	defer end()
	line, err := out.ReadString('\n')
	url, ok := strings.CutPrefix(strings.TrimSpace(line), "mix listening on ")
	if err != nil || !ok {
		return nil
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	client := mix.New(url)
	s, err := client.CreateSession(ctx, mix.SessionSpec{Title: "power cut"})
	if err != nil {
		return nil
	}
	zero := int64(0)
	events, err := client.Events(ctx, s.ID, mix.EventOptions{LastEventID: &zero})
	if err != nil {
		return nil
	}
	defer events.Close()
	var texts []string
	for i := range scriptedPrompts {
		text := fmt.Sprintf("prompt number %d", i)
		texts = append(texts, text)
		if _, err := client.Send(ctx, s.ID, mix.Prompt{Text: text}); err != nil {
			return texts
		}
		for events.Next() && events.Event().Type != "complete" {
			continue
		}
	}
	return texts
}

// checkAfterCut starts a server on what the power cut left.
func checkAfterCut(t *testing.T, k int, tr *tracer, dir, home string, texts []string) {
	t.Helper()
	s := startServer(t, dir, tr.shadow, cleanEnv(home), "--model", "demo/echo", "--demo-rate", "0")
	defer s.kill()
	sessions, err := s.client.Sessions(t.Context(), mix.SessionFilter{})
	if err != nil {
		t.Fatal(err)
	}
	have := map[string]bool{}
	for _, sess := range sessions {
		messages, err := s.client.Messages(t.Context(), sess.ID, mix.Page{})
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range messages {
			if m.Role == "user" {
				have[m.UserInput] = true
			}
		}
	}
	for i := range tr.acked {
		if !have[texts[i]] {
			t.Errorf("power cut at call %d: %q was acknowledged and is not on disk; the last calls were:\n%s",
				k, texts[i], strings.Join(tr.log[max(0, len(tr.log)-15):], "\n"))
		}
	}
}
