package store_test

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/store"
)

// child starts the test binary again.
func child(t *testing.T, name, path string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childKey+"="+name, "STORE_TEST_PATH="+path)
	cmd.Stderr = os.Stderr
	return cmd
}

// commitForever commits from several goroutines and prints the identifier of
// each message once its commit is acknowledged.
func commitForever(path string) error {
	s, err := store.Open(context.Background(), store.Options{Path: path, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	session := domain.Session{ID: fmt.Sprint("session of ", os.Getpid()), CreatedAt: at(0)}
	if err := try(s, func(b *store.Batch) { b.CreateSession(session, 1) }); err != nil {
		return err
	}
	var wg sync.WaitGroup
	var out sync.Mutex
	for worker := range 4 {
		wg.Go(func() {
			for i := 0; ; i++ {
				m := text(session.ID, domain.RoleUser, strings.Repeat("x", i%3000), i)
				m.ID = fmt.Sprintf("%d-%d-%d", os.Getpid(), worker, i)
				r := request(session.ID)
				r.ID = "request " + m.ID
				if err := try(s, func(b *store.Batch) { b.AddMessage(m); b.AddRequest(r) }); err != nil {
					fmt.Fprintln(os.Stderr, err)
					return
				}
				out.Lock()
				fmt.Println(m.ID) // one write call, unbuffered
				out.Unlock()
			}
		})
	}
	wg.Wait()
	return nil
}

// TestAcknowledgedCommitsSurviveKill kills a process that commits, and looks
// for everything it said was on disk.
func TestAcknowledgedCommitsSurviveKill(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "mix.db")
	acknowledged := map[string]bool{}
	for round := range 10 {
		cmd := child(t, "commit", path)
		pipe, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(pipe)
		for n := 0; lines.Scan(); n++ {
			acknowledged[lines.Text()] = true
			if n == 7+round*37 {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := cmd.Wait(); err == nil {
			t.Fatal("the child ended by itself")
		}

		// Reading comes first: it has to find its way through what the kill left.
		ro, err := store.Open(t.Context(), store.Options{Path: path, ReadOnly: true})
		if err != nil {
			t.Fatal(err)
		}
		if sessions, err := ro.Sessions(t.Context(), store.SessionFilter{}); err != nil || len(sessions) != round+1 {
			t.Errorf("read-only: %d sessions, %v", len(sessions), err)
		}
		if err := ro.Close(); err != nil {
			t.Error(err)
		}
		s := openAt(t, path)
		sessions, err := s.Sessions(t.Context(), store.SessionFilter{})
		if err != nil || len(sessions) != round+1 {
			t.Fatalf("%d sessions, %v", len(sessions), err)
		}
		found := map[string]bool{}
		for _, session := range sessions {
			messages, err := s.History(t.Context(), session.ID)
			if err != nil {
				t.Fatal(err)
			}
			if int64(len(messages)) != session.MessageCount {
				t.Errorf("session counts %d messages and has %d", session.MessageCount, len(messages))
			}
			for _, m := range messages {
				found[m.ID] = true
			}
		}
		for message := range acknowledged {
			if !found[message] {
				t.Fatalf("round %d: message %s was acknowledged and is lost", round, message)
			}
		}
		if n, err := s.VerifyAudit(t.Context()); err != nil || n != int64(len(found)) {
			t.Errorf("audit of %d rows for %d messages, %v", n, len(found), err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if len(acknowledged) < 1000 {
		t.Errorf("only %d commits were acknowledged", len(acknowledged))
	}
}

// holdWriteLock takes the database's write lock, says so, and gives it back
// when its standard input ends.
func holdWriteLock(path string) error {
	pool, err := sql.Open("sqlite", path)
	if err != nil {
		return err
	}
	conn, err := pool.Conn(context.Background())
	if err != nil {
		return err
	}
	if _, err := conn.ExecContext(context.Background(), "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	fmt.Println("held")
	_, err = io.Copy(io.Discard, os.Stdin)
	if err == nil {
		_, err = conn.ExecContext(context.Background(), "ROLLBACK")
	}
	return err
}

// hold starts a process that holds the write lock until release is called.
func hold(t *testing.T, path string) (release func()) {
	t.Helper()
	cmd := child(t, "hold", path)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "held\n" {
		t.Fatalf("the child said %q, %v", line, err)
	}
	var once sync.Once
	release = func() {
		once.Do(func() {
			in.Close()
			if err := cmd.Wait(); err != nil {
				t.Error(err)
			}
		})
	}
	t.Cleanup(release)
	return release
}

func TestReadersDoNotWaitForAnotherProcess(t *testing.T) {
	t.Parallel()
	s := open(t)
	session := addSession(t, s)
	hold(t, s.Path())
	if _, err := s.Session(t.Context(), session); err != nil {
		t.Error(err)
	}
}

func TestSecondWriterGetsAClearError(t *testing.T) {
	t.Parallel()
	s, err := store.Open(t.Context(), store.Options{
		Path: filepath.Join(t.TempDir(), "mix.db"), BusyTimeout: 50 * time.Millisecond, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	release := hold(t, s.Path())
	err = try(s, func(b *store.Batch) { b.CreateSession(domain.Session{ID: "s"}, 1) })
	wantIs(t, err, store.ErrBusy)
	release()
	commit(t, s, func(b *store.Batch) { b.CreateSession(domain.Session{ID: "s"}, 1) })
}
