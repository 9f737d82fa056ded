package main_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// write writes files below a new directory.
func write(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestDemo is a newcomer's first command: no key, no terminal, a strange
// directory, the default mode.
func TestDemo(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{
		"README.md":   "# Lighthouse\n\nKeeps ships off the rocks.\n",
		"lamp.go":     "package lamp\n\n// TODO: turn\nfunc Light() {}\n",
		"docs/use.md": "Use it at night.\n",
	})
	code, stdout, stderr := run(t, dir, cleanEnv(t.TempDir()), "run", "--model", "demo", "--demo-rate", "0", "What is in this project?")
	if code != 0 {
		t.Fatalf("exit code %d\n%s\n%s", code, stdout, stderr)
	}
	for _, want := range []string{"demonstration", "ships off the rocks", "TODO", "ANTHROPIC_API_KEY"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("the answer does not hold %q:\n%s", want, stdout)
		}
	}
}

// TestDefaultModelSaysThatItIsADemo is the same without naming a model.
func TestDefaultModelSaysThatItIsADemo(t *testing.T) {
	t.Parallel()
	code, stdout, stderr := run(t, t.TempDir(), cleanEnv(t.TempDir()), "run", "--demo-rate", "0", "hello")
	if code != 0 || !strings.Contains(stdout, "demonstration") {
		t.Fatalf("exit code %d\n%s\n%s", code, stdout, stderr)
	}
}

// repairer is a model that reads a file, mends it, runs its test and reports.
func repairer(conv conversation) reply {
	switch len(conv.Results) {
	case 0:
		return reply{Pieces: []string{"I look at it. "}, Calls: []call{{"ReadText", `{"file_path":"sum.sh"}`}}}
	case 1:
		return reply{Calls: []call{{"Edit", `{"file_path":"sum.sh","old_string":"$1 - $2","new_string":"$1 + $2"}`}}}
	case 2:
		return reply{Calls: []call{{"Bash", `{"command":"sh test.sh"}`}}}
	}
	return reply{Pieces: []string{"The test says: ", conv.Results[2]}}
}

var broken = map[string]string{
	"sum.sh":  "echo $(($1 - $2))\n",
	"test.sh": "test \"$(sh sum.sh 2 3)\" = 5 && echo passed\n",
}

func TestRunEditsAFileAndRunsItsTest(t *testing.T) {
	t.Parallel()
	dir := write(t, broken)
	v := newVendor(t, repairer)
	env := cleanEnv(t.TempDir(), v.env()...)
	code, stdout, stderr := run(t, dir, env, "run", "--model", "openai/mock", "--format", "json",
		"--allow", "Edit(sum.sh)", "--allow", "Bash(sh test.sh)", "Mend sum.sh")
	if code != 0 {
		t.Fatalf("exit code %d\n%s\n%s\n%v", code, stdout, stderr, v.trouble())
	}
	var out struct {
		SessionID, RunID, Status, Result string
		Usage                            struct{ Input, Output int64 }
		Cost                             *float64
		Denied                           []any
	}
	if err := json.Unmarshal([]byte(stdout), &out); err != nil {
		t.Fatalf("%v\n%s", err, stdout)
	}
	if out.Status != "done" || !strings.Contains(out.Result, "passed") || out.SessionID == "" || out.RunID == "" || len(out.Denied) != 0 {
		t.Errorf("%+v", out)
	}
	if out.Usage.Input != 40 || out.Usage.Output != 20 || out.Cost != nil {
		t.Errorf("usage of four calls of a model without a price: %+v, cost %v", out.Usage, out.Cost)
	}
	if data, _ := os.ReadFile(filepath.Join(dir, "sum.sh")); string(data) != "echo $(($1 + $2))\n" {
		t.Errorf("sum.sh: %q", data)
	}
}

// TestRequestsArePrefixes shows that every request of a session begins with
// the whole request before it, also over a restart and a second prompt.
func TestRequestsArePrefixes(t *testing.T) {
	t.Parallel()
	dir := write(t, broken)
	v := newVendor(t, repairer)
	env := cleanEnv(t.TempDir(), v.env()...)
	args := []string{"run", "--model", "openai/mock", "--permission-mode", "auto", "--format", "json"}
	code, stdout, stderr := run(t, dir, env, append(args, "Mend sum.sh")...)
	if code != 0 {
		t.Fatalf("exit code %d\n%s\n%s", code, stdout, stderr)
	}
	if code, _, stderr = run(t, dir, env, append(args, "-c", "Once more")...); code != 0 {
		t.Fatalf("exit code %d\n%s", code, stderr)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.bodies) < 8 {
		t.Fatalf("only %d requests", len(v.bodies))
	}
	for i := 1; i < len(v.bodies); i++ {
		before := strings.TrimSuffix(v.bodies[i-1], "]}")
		if before == v.bodies[i-1] || !strings.HasPrefix(v.bodies[i], before) {
			t.Errorf("request %d does not begin with request %d:\n%s\n%s", i, i-1, v.bodies[i-1], v.bodies[i])
		}
	}
}

// TestDeniedCallEndsWithThree: nobody can be asked, so the call is denied, the
// model is told, and the exit code says it.
func TestDeniedCallEndsWithThree(t *testing.T) {
	t.Parallel()
	dir := write(t, broken)
	v := newVendor(t, func(conv conversation) reply {
		if len(conv.Results) == 0 {
			return reply{Calls: []call{{"Bash", `{"command":"touch made.txt"}`}}}
		}
		return reply{Pieces: []string{"I was told: " + conv.Results[0]}}
	})
	config := write(t, map[string]string{"config.json": `{"requests":{"expiry":"1s"}}`})
	env := cleanEnv(t.TempDir(), append(v.env(), "MIX_CONFIG_DIR="+config)...)
	code, stdout, stderr := run(t, dir, env, "run", "--model", "openai/mock", "--format", "json", "Make a file")
	if code != 3 || !strings.Contains(stdout, `"denied":[{"tool":"Bash"`) {
		t.Errorf("exit code %d\n%s\n%s", code, stdout, stderr)
	}
	if _, err := os.Stat(filepath.Join(dir, "made.txt")); err == nil {
		t.Error("the command ran")
	}
	code, stdout, stderr = run(t, dir, env, "audit")
	if code != 0 || !strings.Contains(stdout, "touch made.txt") || !strings.Contains(stdout, "expired") {
		t.Errorf("audit: %d\n%s\n%s", code, stdout, stderr)
	}
}

func TestStepCapEndsWithFour(t *testing.T) {
	t.Parallel()
	v := newVendor(t, func(conv conversation) reply {
		return reply{Calls: []call{{"Glob", fmt.Sprintf(`{"pattern":"%d*"}`, conv.Number)}}}
	})
	env := cleanEnv(t.TempDir(), v.env()...)
	code, stdout, stderr := run(t, t.TempDir(), env, "run", "--model", "openai/mock", "--max-steps", "3", "Go on")
	if code != 4 || !strings.Contains(stderr, "cap on steps") || v.requests != 3 {
		t.Errorf("exit code %d after %d requests\n%s\n%s", code, v.requests, stdout, stderr)
	}
}

// TestLoopStops: the same call with the same result, three times in a row,
// and nobody there who could say that it should go on.
func TestLoopStops(t *testing.T) {
	t.Parallel()
	v := newVendor(t, func(conversation) reply { return reply{Calls: []call{{"Glob", `{"pattern":"*"}`}}} })
	code, stdout, stderr := run(t, t.TempDir(), cleanEnv(t.TempDir(), v.env()...), "run", "--model", "openai/mock", "Go on")
	if code != 1 || v.requests != 3 || !strings.Contains(stderr, "Glob was called 3 times in a row") {
		t.Errorf("exit code %d after %d requests\n%s\n%s", code, v.requests, stdout, stderr)
	}
}

// TestBadInput: each mistake ends with a sentence that says what happened and
// what to do.
func TestBadInput(t *testing.T) {
	t.Parallel()
	v := newVendor(t, func(conv conversation) reply {
		if len(conv.Results) > 0 {
			return reply{Pieces: []string{"The tool said: " + conv.Results[0]}}
		}
		switch {
		case strings.HasSuffix(conv.Prompt, "broken json"):
			return reply{Calls: []call{{"ReadText", `{"file_path": "a`}}}
		case strings.HasSuffix(conv.Prompt, "unknown tool"):
			return reply{Calls: []call{{"ReadTexts", `{"file_path":"a"}`}}}
		}
		return reply{Calls: []call{{"Write", `{"file_path":"big.txt","content":"` + strings.Repeat("a", 5<<20) + `"}`}}}
	})
	withVendor := v.env()
	for _, c := range []struct {
		name string
		env  []string
		args []string
		code int
		want string
	}{
		{"empty prompt", nil, []string{"run", " "}, 2, "the prompt is empty"},
		{"unknown provider", nil, []string{"run", "--model", "antropic/x", "hi"}, 1, "Did you mean anthropic"},
		{"unknown model", nil, []string{"run", "--model", "clawd", "hi"}, 1, "unknown model"},
		{"missing key", nil, []string{"run", "--model", "openai/gpt-5", "hi"}, 1, "OPENAI_API_KEY"},
		{"missing directory", nil, []string{"run", "--dir", "/does/not/exist", "hi"}, 2, "no such file"},
		{"unknown flag", nil, []string{"run", "--modell", "demo", "hi"}, 2, "unknown flag"},
		{"unknown command", nil, []string{"rum"}, 2, "unknown command"},
		{"unknown session", nil, []string{"run", "--session", "nope", "hi"}, 2, "mix sessions list"},
		{"bad rule", nil, []string{"run", "--model", "demo", "--allow", "Bash(", "hi"}, 1, "Bash("},
		{"broken json", withVendor, []string{"run", "--model", "openai/mock", "broken json"}, 0, "JSON"},
		{"unknown tool", withVendor, []string{"run", "--model", "openai/mock", "unknown tool"}, 0, "ReadText"},
		{"5 MB of input", withVendor, []string{"run", "--model", "openai/mock", "--permission-mode", "auto", "huge input"}, 0, "the limit is 1048576"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			code, stdout, stderr := run(t, t.TempDir(), cleanEnv(t.TempDir(), c.env...), c.args...)
			if code != c.code || !strings.Contains(stdout+stderr, c.want) {
				t.Errorf("exit code %d, want %d with %q\n%s\n%s", code, c.code, c.want, stdout, stderr)
			}
		})
	}
	t.Cleanup(func() {
		if p := v.trouble(); len(p) > 0 {
			t.Errorf("the vendor refused requests: %v", p)
		}
	})
}

// TestTwoServersOnOneDirectory: the second says who is there.
func TestTwoServersOnOneDirectory(t *testing.T) {
	t.Parallel()
	dir, data, env := t.TempDir(), t.TempDir(), cleanEnv(t.TempDir())
	first := startServer(t, dir, data, env, "--model", "demo/echo")
	code, stdout, stderr := run(t, dir, env, "serve", "--port", "0", "--data-dir", data)
	if code != 1 || !strings.Contains(stderr, fmt.Sprint(first.cmd.Process.Pid)) || !strings.Contains(stderr, first.url) {
		t.Errorf("exit code %d\n%s\n%s", code, stdout, stderr)
	}
	// A run uses the first one.
	code, stdout, stderr = run(t, dir, env, "run", "--data-dir", data, "--model", "demo/echo", "hello there")
	if code != 0 || !strings.Contains(stdout, "hello there") {
		t.Errorf("exit code %d\n%s\n%s", code, stdout, stderr)
	}
	first.stop(t)
}

// TestHostileRepository: a repository whose configuration names programs runs
// none of them, neither for Mix's own look at it nor for commands that count
// as reading.
func TestHostileRepository(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("git"); err != nil {
		skipOrFail(t, "git is not installed")
	}
	dir := write(t, map[string]string{"a.txt": "one\n", ".gitattributes": "*.txt diff=evil filter=evil\n"})
	marks := t.TempDir()
	git := func(args ...string) {
		t.Helper()
		cmd := exec.Command("git", args...)
		cmd.Dir = dir
		cmd.Env = cleanEnv(t.TempDir(), "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@b.c", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@b.c")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	git("init", "-q")
	git("add", ".")
	git("commit", "-q", "-m", "first")
	if err := os.WriteFile(filepath.Join(dir, "a.txt"), []byte("two\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	evil := func(name string) string { return "sh -c 'touch " + filepath.Join(marks, name) + "; cat'" }
	for key, name := range map[string]string{
		"core.fsmonitor": "fsmonitor", "core.pager": "pager", "diff.external": "external", "diff.evil.command": "driver",
		"diff.evil.textconv": "textconv", "filter.evil.clean": "clean", "filter.evil.smudge": "smudge", "pager.log": "pagerlog",
		"pager.diff": "pagerdiff", "gpg.program": "gpg",
	} {
		git("config", key, evil(name))
	}
	git("config", "log.showSignature", "true")
	if err := os.WriteFile(filepath.Join(dir, "a.txt"), []byte("three\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	commands := []string{"git status", "git diff", "git log -p -n 3", "git show", "git blame a.txt"}
	v := newVendor(t, func(conv conversation) reply {
		if n := len(conv.Results); n < len(commands) {
			input, _ := json.Marshal(map[string]string{"command": commands[n]})
			return reply{Calls: []call{{"Bash", string(input)}}}
		}
		return reply{Pieces: []string{"done"}}
	})
	config := write(t, map[string]string{"config.json": `{"requests":{"expiry":"1s"}}`})
	env := cleanEnv(t.TempDir(), append(v.env(), "MIX_CONFIG_DIR="+config)...)
	code, stdout, stderr := run(t, dir, env, "run", "--model", "openai/mock", "Look at it")
	if code != 0 && code != 3 {
		t.Errorf("exit code %d\n%s\n%s", code, stdout, stderr)
	}
	entries, err := os.ReadDir(marks)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		t.Errorf("%s ran", e.Name())
	}
}

// TestProjectCanOnlyDeny: the settings of a repository that nobody vouched for
// may forbid, not allow; with --trust they may do both.
func TestProjectCanOnlyDeny(t *testing.T) {
	t.Parallel()
	files := map[string]string{
		"a.txt": "a\n", "b.txt": "b\n",
		".mix/config.json": `{"permissions":{"allow":["Bash(touch made.txt)"],"deny":["Read(b.txt)"]}}`,
	}
	v := newVendor(t, func(conv conversation) reply {
		if len(conv.Results) > 0 {
			return reply{Pieces: conv.Results}
		}
		return reply{Calls: []call{{"ReadText", `{"file_path":"b.txt"}`}, {"Bash", `{"command":"touch made.txt"}`}}}
	})
	config := write(t, map[string]string{"config.json": `{"requests":{"expiry":"1s"}}`})
	for _, trusted := range []bool{false, true} {
		dir := write(t, files)
		args := []string{"run", "--model", "openai/mock"}
		if trusted {
			args = append(args, "--trust")
		}
		code, stdout, stderr := run(t, dir, cleanEnv(t.TempDir(), append(v.env(), "MIX_CONFIG_DIR="+config)...), append(args, "Go")...)
		if code != 3 {
			t.Errorf("trusted %v: exit code %d\n%s\n%s", trusted, code, stdout, stderr)
		}
		if _, err := os.Stat(filepath.Join(dir, "made.txt")); (err == nil) != trusted {
			t.Errorf("trusted %v: made.txt: %v\n%s\n%s", trusted, err, stdout, stderr)
		}
	}
}
