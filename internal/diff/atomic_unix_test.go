//go:build unix

package diff_test

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
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
		err := replace(root, "f.txt", bigText("n"))
		if !errors.Is(err, syscall.EFBIG) {
			panic(fmt.Sprintf("error %v, want %v", err, syscall.EFBIG))
		}
		if _, err := diff.CreateFile(root, "new", []byte(bigText("n")), 0o644); !errors.Is(err, syscall.EFBIG) {
			panic(fmt.Sprintf("error %v, want %v", err, syscall.EFBIG))
		}
	case "read-only":
		becomeNobody()
		if err := replace(root, "f.txt", "new"); !errors.Is(err, os.ErrPermission) {
			panic(fmt.Sprintf("error %v, want %v", err, os.ErrPermission))
		}
	case "search only":
		becomeNobody()
		for _, err := range []error{second(diff.CreateFile(root, "new", []byte("new"), 0o644)), replace(root, "f.txt", "new")} {
			if sync := (*diff.SyncError)(nil); !errors.As(err, &sync) {
				panic(fmt.Sprintf("error %v", err))
			}
		}
	case "group":
		becomeNobody()
		if err := replace(root, "f.txt", "new"); err != nil {
			panic(err)
		}
	case "forever":
		for i := 0; ; i++ {
			if err := replace(root, "f.txt", bigText(string(rune('a'+i%26)))); err != nil {
				panic(err)
			}
			fmt.Println("written")
		}
	}
	os.Exit(0)
}

func second(_ fs.FileInfo, err error) error { return err }

// becomeNobody gives up the rights of root, who may write everything.
func becomeNobody() {
	if os.Geteuid() != 0 {
		return
	}
	if err := errors.Join(syscall.Setgroups(nil), syscall.Setgid(nobody), syscall.Setuid(nobody)); err != nil {
		panic(err)
	}
}

const nobody = 65534

func bigText(s string) string { return strings.Repeat(s, 1<<20) }

func child(t *testing.T, mode, dir string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childMode+"="+mode+":"+dir)
	cmd.Stderr = os.Stderr
	return cmd
}

// TestReplaceFileDiskFull lets a write fail half-way in another process.
func TestReplaceFileDiskFull(t *testing.T) {
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

// TestReplaceFileReadOnly: the directory would let us replace the file, its own
// permissions do not.
func TestReplaceFileReadOnly(t *testing.T) {
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

// TestReplaceFileKilled kills a process that writes all the time: the file is
// always one whole version.
func TestReplaceFileKilled(t *testing.T) {
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

func TestReplaceFileKeepsPermissions(t *testing.T) {
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
	if err := replace(root, "f.sh", "new"); err != nil {
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

// TestReplaceFileSetuid: as with any write, new content does not inherit the
// right to run as somebody else.
func TestReplaceFileSetuid(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "f"), "old", os.ModeSetuid|0o755)
	if err := replace(openRoot(t, dir), "f", "new"); err != nil {
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

// TestReplaceFileGroup: the group of a file that cannot be kept gives its rights
// to nobody else, and one that can be kept is.
func TestReplaceFileGroup(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("needs root, to make files of others")
	}
	for gid, want := range map[int]fs.FileMode{54321: 0o644, nobody: 0o664} {
		dir := t.TempDir()
		name := filepath.Join(dir, "f.txt")
		write(t, name, "old", 0o664)
		if err := errors.Join(os.Chown(name, nobody, gid), os.Chown(dir, nobody, nobody)); err != nil {
			t.Fatal(err)
		}
		if err := child(t, "group", dir).Run(); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != want || info.Sys().(*syscall.Stat_t).Gid != nobody {
			t.Errorf("group %d: mode %v, want %v; %+v", gid, info.Mode(), want, info.Sys())
		}
	}
}

// TestDirectoryCannotBeRead: a directory that may be searched and changed but
// not read cannot be forced to the disk.
func TestDirectoryCannotBeRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "f.txt"), "old", 0o666)
	if err := os.Chmod(dir, 0o333); err != nil {
		t.Fatal(err)
	}
	if err := child(t, "search only", dir).Run(); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if got := read(t, filepath.Join(dir, "f.txt")); got != "new" {
		t.Errorf("content %q", got)
	}
	noLeftovers(t, dir, "f.txt", "new")
}

// TestPipeInItsPlace: a pipe that nobody reads hangs nobody.
func TestPipeInItsPlace(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	name := filepath.Join(dir, "f")
	write(t, name, "old", 0o644)
	old, err := os.Lstat(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Remove(name), syscall.Mkfifo(name, 0o600)); err != nil {
		t.Fatal(err)
	}
	if _, err := diff.ReplaceFile(openRoot(t, dir), "f", []byte("new"), old); !errors.Is(err, diff.ErrReplaced) {
		t.Errorf("error %v", err)
	}
	noLeftovers(t, dir, "f")
}
