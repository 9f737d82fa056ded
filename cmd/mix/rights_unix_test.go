//go:build unix

package main_test

import (
	"database/sql"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	_ "modernc.org/sqlite" // opens databases as "sqlite"
)

// asOrdinary runs the program as a user that rights hold for: root may do
// everything.
func asOrdinary(t *testing.T, own []string, dir, home string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	cmd := exec.Command(program(t), args...)
	cmd.Dir, cmd.Env = dir, cleanEnv(home)
	if os.Getuid() == 0 {
		const nobody = 65534
		for _, path := range own {
			if err := os.Chmod(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.Lchown(path, nobody, nobody); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Chmod(filepath.Dir(program(t)), 0o755); err != nil {
			t.Fatal(err)
		}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	p := launchCommand(t, cmd)
	return p.wait(), p.out.String(), p.err.String()
}

// TestRights: directories that may not be read or written.
func TestRights(t *testing.T) {
	t.Parallel()
	home, work, closed := t.TempDir(), t.TempDir(), t.TempDir()
	data := filepath.Join(home, "data")
	own := []string{home, work, closed}
	if code, stdout, stderr := asOrdinary(t, own, work, home, "run", "--data-dir", data, "--model", "demo/echo", "hi"); code != 0 {
		t.Fatalf("%d\n%s\n%s", code, stdout, stderr)
	}
	chmod := func(path string, mode os.FileMode) {
		t.Helper()
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	chmod(closed, 0o300)
	for _, args := range [][]string{
		{"run", "--dir", closed, "--model", "demo/echo", "--data-dir", data, "hi"},
		{"serve", "--port", "0", "--dir", closed, "--data-dir", data},
	} {
		code, stdout, stderr := asOrdinary(t, nil, work, home, args...)
		if code != 2 || !strings.Contains(stderr, "name a directory that you can read") {
			t.Errorf("mix %v: %d\n%s\n%s", args, code, stdout, stderr)
		}
	}
	chmod(closed, 0o700)

	chmod(data, 0o500)
	t.Cleanup(func() { chmod(data, 0o700) })
	for _, args := range [][]string{
		{"run", "--model", "demo/echo", "hi"}, {"serve", "--port", "0"}, {"doctor"}, {"sessions", "delete", "x"},
	} {
		code, stdout, stderr := asOrdinary(t, nil, work, home, append(args, "--data-dir", data)...)
		if code != 1 || !strings.Contains(stdout+stderr, data) || !strings.Contains(stdout+stderr, "permission") {
			t.Errorf("mix %v: %d\n%s\n%s", args, code, stdout, stderr)
		}
	}
	chmod(data, 0)
	for _, args := range [][]string{{"sessions", "list"}, {"audit"}, {"doctor"}, {"run", "--model", "demo/echo", "hi"}} {
		code, stdout, stderr := asOrdinary(t, nil, work, home, append(args, "--data-dir", data)...)
		if code != 1 || !strings.Contains(stdout+stderr, data) || !strings.Contains(stdout+stderr, "permission denied") {
			t.Errorf("mix %v: %d\n%s\n%s", args, code, stdout, stderr)
		}
	}
}

// TestNewerDatabase: every command refuses what a newer version wrote, and
// leaves it as it is.
func TestNewerDatabase(t *testing.T) {
	t.Parallel()
	dir, data, env := t.TempDir(), t.TempDir(), cleanEnv(t.TempDir())
	if code, stdout, stderr := run(t, dir, env, "run", "--data-dir", data, "--model", "demo/echo", "hi"); code != 0 {
		t.Fatalf("%d\n%s\n%s", code, stdout, stderr)
	}
	file := filepath.Join(data, "mix.db")
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"run", "--model", "demo/echo", "hi"},
		{"serve", "--port", "0"},
		{"sessions", "list"},
		{"sessions", "show", "x"},
		{"sessions", "export", "x"},
		{"sessions", "delete", "x"},
		{"audit"},
		{"doctor"},
		{"permissions", "explain", "Bash(ls)"},
	} {
		code, stdout, stderr := run(t, dir, env, append(args, "--data-dir", data)...)
		if code != 1 || !strings.Contains(stdout+stderr, "install the version of Mix that wrote it") || !strings.Contains(stdout+stderr, file) {
			t.Errorf("mix %v: %d\n%s\n%s", args, code, stdout, stderr)
		}
	}
}
