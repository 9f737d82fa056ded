package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/store"
)

// TestDiskFull fills a real, small file system, and makes room again.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=4m"); err != nil {
		t.Skipf("a small file system cannot be mounted here (%v); run as root", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	s, err := store.Open(t.Context(), store.Options{Path: filepath.Join(dir, "mix.db"), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	session := addSession(t, s)
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	acknowledged := fillUp(t, s, session)
	err = try(s, func(b *store.Batch) { b.AddMessage(text(session, domain.RoleUser, strings.Repeat(words, 30), 1)) })
	wantIs(t, err, store.ErrDiskFull)
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	commit(t, s, func(b *store.Batch) { b.AddMessage(text(session, domain.RoleUser, "there is room again", 1)) })
	got, err := s.Session(t.Context(), session)
	if err != nil || got.MessageCount != acknowledged+1 {
		t.Errorf("%d messages (%v), want the %d that were acknowledged", got.MessageCount, err, acknowledged+1)
	}
}

// fillUp commits until the disk is full, and returns how many commits were
// acknowledged.
func fillUp(t *testing.T, s *store.Store, session string) (n int64) {
	t.Helper()
	for ; n < 10_000; n++ {
		err := try(s, func(b *store.Batch) { b.AddMessage(text(session, domain.RoleUser, strings.Repeat(words, 30), 1)) })
		if err != nil {
			wantIs(t, err, store.ErrDiskFull)
			return n
		}
	}
	t.Fatal("the disk is never full")
	return n
}

// TestFileSizeLimit lets a process meet a limit on the size of its files, which
// SQLite sees as an error of the disk.
func TestFileSizeLimit(t *testing.T) {
	t.Parallel()
	cmd := child(t, "limited disk", filepath.Join(t.TempDir(), "mix.db"))
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		t.Errorf("%v: %s", err, &out)
	}
}

func commitOnLimitedDisk(path string) error {
	signal.Ignore(syscall.SIGXFSZ)
	s, err := store.Open(context.Background(), store.Options{Path: path, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	if err := try(s, func(b *store.Batch) { b.CreateSession(domain.Session{ID: "s"}, 1) }); err != nil {
		return err
	}
	big := func(b *store.Batch) { b.AddMessage(text("s", domain.RoleUser, strings.Repeat(words, 300), 1)) }
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &old); err != nil {
		return err
	}
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: 512 << 10, Max: old.Max}); err != nil {
		return err
	}
	if err := try(s, big); !errors.Is(err, store.ErrDisk) && !errors.Is(err, store.ErrDiskFull) {
		return fmt.Errorf("beyond the limit: %w", err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &old); err != nil {
		return err
	}
	if err := try(s, big); err != nil {
		return fmt.Errorf("with the limit gone: %w", err)
	}
	return s.Close()
}
