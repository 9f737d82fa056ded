package main_test

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	mix "github.com/mixagent/mix/sdk"
)

// zeros never ends.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// TestFullDisk fills the disk under a running server: a prompt is refused with
// a sentence, nothing is lost, and with room again the session goes on.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	disk := t.TempDir()
	if err := unix.Mount("tmpfs", disk, "tmpfs", 0, "size=4m"); err != nil {
		skipOrFail(t, "a small file system cannot be mounted here ("+err.Error()+"); run as root")
	}
	t.Cleanup(func() {
		if err := unix.Unmount(disk, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	data := filepath.Join(disk, "data")
	env := cleanEnv(t.TempDir())
	s := startServer(t, t.TempDir(), data, env, "--model", "demo/echo", "--demo-rate", "0")
	session, err := s.client.CreateSession(t.Context(), mix.SessionSpec{Title: "full"})
	if err != nil {
		t.Fatal(err)
	}
	if answer := ask(t, s, session.ID, "before"); answer != "done" {
		t.Fatalf("before the disk is full: %s", answer)
	}
	ballast := filepath.Join(disk, "ballast")
	f, err := os.Create(ballast)
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.Copy(f, zeros{})
	f.Close()
	if err == nil {
		t.Fatal("the disk does not fill up")
	}
	_, err = s.client.Send(t.Context(), session.ID, mix.Prompt{Text: strings.Repeat("while it is full ", 100)})
	if err == nil || !strings.Contains(err.Error(), "disk is full") {
		t.Errorf("while the disk is full: %v", err)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	if answer := ask(t, s, session.ID, "after"); answer != "done" {
		t.Errorf("with room again: %s", answer)
	}
	s.kill()
	s = startServer(t, t.TempDir(), data, env, "--model", "demo/echo", "--demo-rate", "0")
	messages, err := s.client.Messages(t.Context(), session.ID, mix.Page{})
	if err != nil || len(messages) != 4 || messages[0].UserInput != "before" || messages[2].UserInput != "after" {
		t.Errorf("%v, %+v", err, messages)
	}
	s.stop(t)
}

// ask sends a prompt and returns how its run ended.
func ask(t *testing.T, s *serverProc, session, text string) string {
	t.Helper()
	run, err := s.client.Submit(t.Context(), session, mix.Prompt{Text: text})
	if err != nil {
		return err.Error()
	}
	defer run.Close()
	for ev, err := range run.All() {
		if err != nil {
			return err.Error()
		}
		if ev.Type == "complete" && strings.Contains(string(ev.Data), `"state":"done"`) {
			return "done"
		}
	}
	return "the stream ended without a complete event"
}
