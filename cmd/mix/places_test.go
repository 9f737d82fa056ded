package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// TestDemoEverywhere: a newcomer's first command works wherever it is typed.
func TestDemoEverywhere(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	tests := map[string]func(t *testing.T) string{
		"an empty directory": func(t *testing.T) string { return t.TempDir() },
		"a repository": func(t *testing.T) string {
			if _, err := exec.LookPath("git"); err != nil {
				skipOrFail(t, "git is not installed")
			}
			dir := write(t, map[string]string{"a.txt": "one\n"})
			for _, args := range [][]string{{"init", "-q"}, {"add", "."}, {"-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-q", "-m", "The first commit"}} {
				cmd := exec.Command("git", args...)
				cmd.Dir, cmd.Env = dir, cleanEnv(t.TempDir())
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("git %v: %v\n%s", args, err, out)
				}
			}
			return dir
		},
		"a .env": func(t *testing.T) string {
			return write(t, map[string]string{".env": "ANTHROPIC_API_KEY=not-to-be-read\nTODO=not-to-be-read\n", "a.txt": "a\n"})
		},
		"the home directory": func(t *testing.T) string {
			if err := os.WriteFile(filepath.Join(home, "letter.txt"), []byte("TODO: not-to-be-read\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			return home
		},
		"the root": func(*testing.T) string { return filepath.VolumeName(home) + string(filepath.Separator) },
		"10,000 files": func(t *testing.T) string {
			dir := t.TempDir()
			for i := range 100 {
				sub := filepath.Join(dir, fmt.Sprint(i))
				if err := os.Mkdir(sub, 0o700); err != nil {
					t.Fatal(err)
				}
				for j := range 100 {
					if err := os.WriteFile(filepath.Join(sub, fmt.Sprintf("%d.go", j)), []byte("package x // TODO\n"), 0o600); err != nil {
						t.Fatal(err)
					}
				}
			}
			return dir
		},
	}
	for name, make := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := home
			if name != "the home directory" {
				h = t.TempDir()
			}
			code, stdout, stderr := run(t, make(t), cleanEnv(h), "run", "--model", "demo", "--demo-rate", "0", "What is in this project?")
			if code != 0 || !strings.Contains(stdout, "demonstration model") {
				t.Errorf("exit code %d\n%s\n%s", code, stdout, stderr)
			}
			if strings.Contains(stdout+stderr, "not-to-be-read") {
				t.Errorf("it read what is nobody's business:\n%s\n%s", stdout, stderr)
			}
			if len(stdout) > 20_000 {
				t.Errorf("%d bytes are no short report", len(stdout))
			}
		})
	}
}

// TestHomeIsNotContinued: a session that was begun in the home directory has a
// directory of its own, so -c does not find it; the sentence says how to.
func TestHomeIsNotContinued(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	env := cleanEnv(home)
	if code, stdout, stderr := run(t, home, env, "run", "--model", "demo/echo", "hi"); code != 0 {
		t.Fatalf("%d\n%s\n%s", code, stdout, stderr)
	}
	code, _, stderr := run(t, home, env, "run", "-c", "more")
	if code != 2 || !strings.Contains(stderr, "with --session") {
		t.Errorf("%d\n%s", code, stderr)
	}
}

// TestSettings writes and reads settings, and finds mistakes in them.
func TestSettings(t *testing.T) {
	t.Parallel()
	env := cleanEnv(t.TempDir())
	mixConfig := func(args ...string) (int, string, string) {
		t.Helper()
		return run(t, t.TempDir(), env, append([]string{"config"}, args...)...)
	}
	_, path, _ := mixConfig("path")
	path = strings.TrimSpace(path)
	if _, err := os.Stat(path); !os.IsNotExist(err) || !filepath.IsAbs(path) {
		t.Errorf("%q: %v", path, err)
	}
	if code, stdout, stderr := mixConfig("get", "permissionMode"); code != 0 || stdout != "\"ask\"\n" || stderr != "(from default)\n" {
		t.Errorf("%d %q %q", code, stdout, stderr)
	}
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"set", "permissionMode", "auto"}, 0, ""},
		{[]string{"set", "permissions.allow", `["Bash(go test:*)"]`}, 0, ""},
		{[]string{"set", "maxSteps", "7"}, 0, ""},
		{[]string{"set", "permissionMode", "yolo"}, 1, "must be one of"},
		{[]string{"set", "maxSteps", "many"}, 1, "maxSteps"},
		{[]string{"set", "nonsense", "1"}, 2, "unknown key"},
		{[]string{"get", "permissionMode"}, 0, "\"auto\"\n"},
		{[]string{"get", "permissions.allow"}, 0, "Bash(go test:*)"},
		{[]string{"get", "maxSteps"}, 0, "7\n"},
	} {
		code, stdout, stderr := mixConfig(c.args...)
		if code != c.code || !strings.Contains(stdout+stderr, c.want) {
			t.Errorf("mix config %v: %d\n%s\n%s", c.args, code, stdout, stderr)
		}
	}
	if code, stdout, _ := mixConfig("get", "maxSteps"); code != 0 || stdout != "7\n" {
		t.Errorf("a refused value left its mark: %s", stdout)
	}
	if err := os.WriteFile(path, []byte("{\n  \"modle\": \"demo\"\n}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"run", "--model", "demo/echo", "hi"}, {"serve", "--port", "0"}, {"config", "get", "model"}, {"doctor"}} {
		code, stdout, stderr := run(t, t.TempDir(), env, args...)
		if code != 1 || !strings.Contains(stdout+stderr, path+":2") || !strings.Contains(stdout+stderr, "modle") {
			t.Errorf("mix %v: %d\n%s\n%s", args, code, stdout, stderr)
		}
	}
}

// TestWithoutHome: there is no place for anything, and that is said.
func TestWithoutHome(t *testing.T) {
	t.Parallel()
	env := []string{"PATH=" + os.Getenv("PATH")}
	if runtime.GOOS == "windows" {
		t.Skip("there is always a home directory")
	}
	for _, args := range [][]string{{"run", "--model", "demo", "hi"}, {"sessions", "list"}, {"audit"}, {"doctor"}, {"config", "path"}, {"serve"}} {
		code, stdout, stderr := run(t, t.TempDir(), env, args...)
		if code != 1 || !strings.Contains(stdout+stderr, "set MIX_DATA_DIR") {
			t.Errorf("mix %v: %d\n%s\n%s", args, code, stdout, stderr)
		}
	}
}

// TestDaemon listens on the port that it is known for.
func TestDaemon(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	p := launch(t, t.TempDir(), cleanEnv(t.TempDir()), "-daemon", "-data-dir", data, "-model", "demo/echo")
	if !p.out.comes("\n", 1) {
		p.wait()
		if strings.Contains(p.err.String(), "address already in use") {
			skipOrFail(t, "port 4096 is taken")
		}
		t.Fatal(p.err.String())
	}
	if p.out.String() != "mix listening on http://127.0.0.1:4096\n" {
		t.Errorf("%s\n%s", p.out, p.err)
	}
	if code, stdout, stderr := run(t, t.TempDir(), cleanEnv(t.TempDir()), "run", "--data-dir", data, "hi"); code != 0 || stdout != "hi\n" {
		t.Errorf("%d\n%s\n%s", code, stdout, stderr)
	}
}
