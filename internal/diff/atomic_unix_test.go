//go:build unix

package diff_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/mixagent/mix/internal/diff"
)

// childMode makes the test binary a program that writes files in the directory
// that it names; see TestMain.
const childMode = "DIFF_TEST_CHILD"

func TestMain(m *testing.M) {
	mode, dir, isChild := strings.Cut(os.Getenv(childMode), ":")
	if !isChild {
		os.Exit(m.Run())
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		panic(err)
	}
	switch mode {
	case "full":
		// A file may not grow beyond 64 KiB, as on a disk that is full there.
		signal.Ignore(syscall.SIGXFSZ)
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 64 << 10, Max: 64 << 10}); err != nil {
			panic(err)
		}
		err := diff.WriteFile(root, "f.txt", []byte(bigText("n")), 0o644)
		if !errors.Is(err, syscall.EFBIG) {
			panic(fmt.Sprintf("error %v, want %v", err, syscall.EFBIG))
		}
	case "read-only":
		// Root may write everything, so be somebody else.
		if os.Geteuid() == 0 {
			if err := errors.Join(syscall.Setgid(65534), syscall.Setuid(65534)); err != nil {
				panic(err)
			}
		}
		if err := diff.WriteFile(root, "f.txt", []byte("new"), 0o644); !errors.Is(err, os.ErrPermission) {
			panic(fmt.Sprintf("error %v, want %v", err, os.ErrPermission))
		}
	case "forever":
		for i := 0; ; i++ {
			if err := diff.WriteFile(root, "f.txt", []byte(bigText(string(rune('a'+i%26)))), 0o644); err != nil {
				panic(err)
			}
			fmt.Println("written")
		}
	}
	os.Exit(0)
}

func bigText(s string) string { return strings.Repeat(s, 1<<20) }

func child(t *testing.T, mode, dir string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childMode+"="+mode+":"+dir)
	cmd.Stderr = os.Stderr
	return cmd
}

// TestWriteFileDiskFull lets a write fail half-way in another process.
func TestWriteFileDiskFull(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "f.txt"), "old", 0o644)
	if err := child(t, "full", dir).Run(); err != nil {
		t.Fatal(err)
	}
	if got := read(t, filepath.Join(dir, "f.txt")); got != "old" {
		t.Errorf("the old file now has %d bytes", len(got))
	}
	noLeftovers(t, dir, "f.txt")
}

// TestWriteFileReadOnly: the directory would let us replace the file, its own
// permissions do not.
func TestWriteFileReadOnly(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "f.txt"), "old", 0o444)
	if err := child(t, "read-only", dir).Run(); err != nil {
		t.Fatal(err)
	}
	if got := read(t, filepath.Join(dir, "f.txt")); got != "old" {
		t.Errorf("content %q", got)
	}
	noLeftovers(t, dir, "f.txt")
}

// TestWriteFileKilled kills a process that writes all the time: the file is
// always one whole version.
func TestWriteFileKilled(t *testing.T) {
	t.Parallel()
	for i := range 5 {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "f.txt"), bigText("-"), 0o644)
		cmd := child(t, "forever", dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for range i {
			lines.Scan()
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // it says that the process was killed
		got := read(t, filepath.Join(dir, "f.txt"))
		if got != bigText(got[:1]) {
			t.Fatalf("after %d writes the file is a mixture of %d bytes", i, len(got))
		}
	}
}

func TestWriteFileKeepsPermissions(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	root := openRoot(t, dir)
	name := filepath.Join(dir, "f.sh")
	write(t, name, "old", 0o751)
	if os.Geteuid() == 0 {
		if err := os.Chown(name, 12345, 54321); err != nil {
			t.Fatal(err)
		}
	}
	before, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := diff.WriteFile(root, "f.sh", []byte("new"), 0o600); err != nil {
		t.Fatal(err)
	}
	after, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	if after.Mode() != before.Mode() {
		t.Errorf("mode %v, was %v", after.Mode(), before.Mode())
	}
	was, is := before.Sys().(*syscall.Stat_t), after.Sys().(*syscall.Stat_t)
	if was.Uid != is.Uid || was.Gid != is.Gid {
		t.Errorf("owner %d:%d, was %d:%d", is.Uid, is.Gid, was.Uid, was.Gid)
	}
	if was.Ino == is.Ino {
		t.Error("the file was written in place")
	}
}

// TestWriteFileSetuid: as with any write, new content does not inherit the
// right to run as somebody else.
func TestWriteFileSetuid(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "f"), "old", os.ModeSetuid|0o755)
	if err := diff.WriteFile(openRoot(t, dir), "f", []byte("new"), 0o600); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(dir, "f"))
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode() != 0o755 {
		t.Errorf("mode %v", info.Mode())
	}
}
