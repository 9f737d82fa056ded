package main_test

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// startMock starts aimock, a model server by others, with fixtures and returns
// its address.
func startMock(t *testing.T, fixtures any) string {
	t.Helper()
	path, err := exec.LookPath("llmock")
	if err != nil {
		skipOrFail(t, "llmock is not installed; get it with: npm install @copilotkit/aimock@1.43.0")
	}
	data, err := json.Marshal(map[string]any{"fixtures": fixtures})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "fixtures.json")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	_, port, _ := net.SplitHostPort(addr)
	cmd := exec.Command(path, "-p", port, "-f", file, "--chunk-size", "7", "--log-level", "warn")
	log := &lockedBuffer{}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	url := "http://" + addr
	deadline := time.Now().Add(20 * time.Second)
	for {
		resp, err := http.Get(url + "/v1/models")
		if err == nil {
			resp.Body.Close()
			return url
		}
		if time.Now().After(deadline) {
			t.Fatalf("llmock did not start: %v\n%s", err, log.String())
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-t.Context().Done():
			t.Fatal("the test ended")
		}
	}
}

// TestAgainstAnIndependentModelServer edits a file, runs its test through Bash
// and reports, over both wires.
func TestAgainstAnIndependentModelServer(t *testing.T) {
	t.Parallel()
	tool := func(turn int, name string, input map[string]any) map[string]any {
		return map[string]any{
			"match":    map[string]any{"userMessage": "Mend sum.sh", "turnIndex": turn},
			"response": map[string]any{"toolCalls": []any{map[string]any{"id": fmt.Sprintf("call_%d", turn), "name": name, "arguments": input}}},
		}
	}
	url := startMock(t, []any{
		tool(0, "ReadText", map[string]any{"file_path": "sum.sh"}),
		tool(1, "Edit", map[string]any{"file_path": "sum.sh", "old_string": "$1 - $2", "new_string": "$1 + $2"}),
		tool(2, "Bash", map[string]any{"command": "sh test.sh"}),
		map[string]any{
			"match":    map[string]any{"userMessage": "Mend sum.sh", "turnIndex": 3},
			"response": map[string]any{"content": "I mended sum.sh; its test has passed."},
		},
	})
	for _, c := range []struct {
		model string
		env   []string
	}{
		{"openai/gpt-5", []string{"OPENAI_API_KEY=test-key", "OPENAI_BASE_URL=" + url + "/v1"}},
		{"anthropic/claude-sonnet-4-5", []string{"ANTHROPIC_API_KEY=test-key", "ANTHROPIC_BASE_URL=" + url}},
	} {
		t.Run(c.model, func(t *testing.T) {
			t.Parallel()
			dir := write(t, broken)
			env := cleanEnv(t.TempDir(), c.env...)
			code, stdout, stderr := run(t, dir, env, "run", "--model", c.model,
				"--allow", "Edit(sum.sh)", "--allow", "Bash(sh test.sh)", "Mend sum.sh")
			if code != 0 || !strings.Contains(stdout, "its test has passed") {
				t.Fatalf("exit code %d\n%s\n%s", code, stdout, stderr)
			}
			if data, _ := os.ReadFile(filepath.Join(dir, "sum.sh")); string(data) != "echo $(($1 + $2))\n" {
				t.Errorf("sum.sh: %q", data)
			}
			_, stdout, _ = run(t, dir, env, "sessions", "list", "--format", "json")
			var sessions []struct{ ID string }
			if err := json.Unmarshal([]byte(stdout), &sessions); err != nil || len(sessions) != 1 {
				t.Fatalf("%v\n%s", err, stdout)
			}
			_, stdout, _ = run(t, dir, env, "sessions", "show", sessions[0].ID)
			if !strings.Contains(stdout, "sh test.sh (finished)") {
				t.Errorf("the session does not show the finished command:\n%s", stdout)
			}
		})
	}
}
