package discovery_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mixagent/mix/internal/discovery"
)

const token = "t0ken-that-nobody-may-see"

func info(url string) discovery.Info {
	return discovery.Info{PID: os.Getpid(), URL: url, Version: "1.2.3", Instance: "one", Token: token}
}

func acquire(t *testing.T, dir string) *discovery.Lock {
	t.Helper()
	l, err := discovery.Acquire(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Release() })
	return l
}

func publish(t *testing.T, l *discovery.Lock, i discovery.Info) {
	t.Helper()
	if err := l.Publish(i); err != nil {
		t.Fatal(err)
	}
}

func TestOneOwner(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := acquire(t, dir)

	_, err := discovery.Acquire(dir)
	var locked *discovery.LockedError
	if !errors.Is(err, discovery.ErrLocked) || !errors.As(err, &locked) || locked.Owner != nil {
		t.Fatalf("before publishing: %v", err)
	}
	publish(t, l, info("http://127.0.0.1:4096"))
	_, err = discovery.Acquire(dir)
	if !errors.As(err, &locked) || locked.Owner == nil || strings.Contains(err.Error(), token) {
		t.Fatalf("after publishing: %v", err)
	}
	for _, want := range []string{dir, "http://127.0.0.1:4096", fmt.Sprint(os.Getpid()), "--data-dir"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not name %s", err, want)
		}
	}
	if err := l.Release(); err != nil {
		t.Fatal(err)
	}
	if err := l.Release(); err != nil {
		t.Errorf("released twice: %v", err)
	}
	if err := l.Publish(info("http://127.0.0.1:1")); err == nil {
		t.Error("published without the lock")
	}
	acquire(t, dir)
}

func TestConcurrentAcquire(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		held int
	)
	for range 16 {
		wg.Go(func() {
			l, err := discovery.Acquire(dir)
			if err != nil {
				if !errors.Is(err, discovery.ErrLocked) {
					t.Error(err)
				}
				return
			}
			mu.Lock()
			held++
			mu.Unlock()
			t.Cleanup(func() { _ = l.Release() })
		})
	}
	wg.Wait()
	if held != 1 {
		t.Errorf("%d hold the lock", held)
	}
}

func TestLockEndsWithItsProcess(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0], "-test.run=^TestHelperHoldsLock$")
	cmd.Env = append(os.Environ(), "MIX_TEST_LOCK_DIR="+dir)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = in.Close() }()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 1)); err != nil { // it holds the lock now
		t.Fatal(err)
	}
	if _, err := discovery.Acquire(dir); !errors.Is(err, discovery.ErrLocked) {
		t.Errorf("while it lives: %v", err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // reports the kill
	if _, err := discovery.Find(t.Context(), dir); !errors.Is(err, discovery.ErrNoServer) || !strings.Contains(err.Error(), "is gone") {
		t.Errorf("found after its death: %v", err)
	}
	acquire(t, dir)
	if _, err := os.Stat(filepath.Join(dir, "server.lock")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what the dead one published is still there: %v", err)
	}
}

// TestHelperHoldsLock is the other process of TestLockEndsWithItsProcess.
func TestHelperHoldsLock(t *testing.T) {
	dir := os.Getenv("MIX_TEST_LOCK_DIR")
	if dir == "" {
		t.SkipNow()
	}
	l, err := discovery.Acquire(dir)
	if err != nil {
		t.Fatal(err)
	}
	publish(t, l, info("http://127.0.0.1:1"))
	fmt.Print("x")
	_, _ = os.Stdin.Read(make([]byte, 1)) // until it is killed
}

func TestDeletedLockFile(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("an open file cannot be deleted there")
	}
	dir := t.TempDir()
	acquire(t, dir)
	if err := os.Remove(filepath.Join(dir, "mix.lock")); err != nil {
		t.Fatal(err)
	}
	// A new file can be locked; what counts is that the next one is excluded.
	acquire(t, dir)
	if _, err := discovery.Acquire(dir); !errors.Is(err, discovery.ErrLocked) {
		t.Errorf("got %v", err)
	}
}

func TestAcquireErrors(t *testing.T) {
	t.Parallel()
	if _, err := discovery.Acquire(filepath.Join(t.TempDir(), "absent")); err == nil || errors.Is(err, discovery.ErrLocked) {
		t.Errorf("absent directory: %v", err)
	}
}

func TestPublishedFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := acquire(t, dir)
	publish(t, l, info("http://127.0.0.1:1"))
	name := filepath.Join(dir, "server.lock")
	stat, err := os.Stat(name)
	if err != nil || runtime.GOOS != "windows" && stat.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", stat.Mode(), err)
	}
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var keys map[string]any
	if err := json.Unmarshal(data, &keys); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"pid", "url", "version", "instance", "token"} {
		if keys[key] == nil {
			t.Errorf("%s is missing in %s", key, data)
		}
	}
	l.Unpublish()
	if _, err := os.Stat(name); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("still there: %v", err)
	}
	if _, err := discovery.Acquire(dir); !errors.Is(err, discovery.ErrLocked) {
		t.Errorf("the lock went with it: %v", err)
	}
	for _, bad := range []discovery.Info{{}, {PID: 1, URL: "ftp://x", Instance: "i", Token: "t"}, {PID: 1, URL: "http://x", Instance: "i"}} {
		if err := l.Publish(bad); err == nil {
			t.Errorf("%+v was published", bad)
		}
	}
}

// healthServer answers like a Mix server of the given instance.
func healthServer(t *testing.T, handler http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	return s
}

func answer(instance string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/health" || r.Header.Get("Authorization") != "Bearer "+token {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		fmt.Fprintf(w, `{"status": "ok", "instance": %q}`, instance)
	}
}

func TestFind(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := discovery.Find(t.Context(), dir); !errors.Is(err, discovery.ErrNoServer) {
		t.Errorf("empty directory: %v", err)
	}
	l := acquire(t, dir)
	want := info(healthServer(t, answer("one")).URL)
	publish(t, l, want)
	got, err := discovery.Find(t.Context(), dir)
	if err != nil || *got != want {
		t.Errorf("got %v, %v", got, err)
	}
	l.Unpublish()
	if _, err := discovery.Find(t.Context(), dir); !errors.Is(err, discovery.ErrNoServer) {
		t.Errorf("unpublished: %v", err)
	}
}

func TestFindRefuses(t *testing.T) {
	t.Parallel()
	elsewhere := healthServer(t, answer("one"))
	tests := []struct {
		name    string
		handler http.HandlerFunc
		want    string
	}{
		{"another instance", answer("two"), "another server answers there"},
		{"not a Mix server", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") }, "does not answer like"},
		{"refused", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(403) }, "status 403"},
		{"redirect", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL+"/health", http.StatusFound)
		}, "status 302"},
	}
	for _, tt := range tests {
		dir := t.TempDir()
		publish(t, acquire(t, dir), info(healthServer(t, tt.handler).URL))
		_, err := discovery.Find(t.Context(), dir)
		if !errors.Is(err, discovery.ErrNoServer) || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), token) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func TestFindDoesNotWait(t *testing.T) {
	t.Parallel()
	silent := make(chan struct{})
	s := healthServer(t, func(http.ResponseWriter, *http.Request) { <-silent })
	t.Cleanup(func() { close(silent) }) // runs before the server closes
	dir := t.TempDir()
	publish(t, acquire(t, dir), info(s.URL))
	if _, err := discovery.Find(t.Context(), dir); !errors.Is(err, discovery.ErrNoServer) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("silent server: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := discovery.Find(ctx, dir); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, discovery.ErrNoServer) {
		t.Errorf("the caller's own deadline: %v", err)
	}
}

func TestFindBrokenFile(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "{", "[]", `{"pid": -1, "url": "http://x", "instance": "i", "token": "t"}`,
		`{"pid": 1, "url": "file:///etc/passwd", "instance": "i", "token": "t"}`,
		`{"pid": 1, "url": "http://127.0.0.1:1", "instance": "", "token": "t"}`,
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "server.lock"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := discovery.Find(t.Context(), dir); !errors.Is(err, discovery.ErrNoServer) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestInfoHidesToken(t *testing.T) {
	t.Parallel()
	var logged strings.Builder
	i := info("http://127.0.0.1:1")
	slog.New(slog.NewTextHandler(&logged, nil)).Info("m", "server", i)
	text := fmt.Sprintf("%v %+v %#v %s", i, &i, i, i) + logged.String()
	if strings.Contains(text, token) || !strings.Contains(text, "http://127.0.0.1:1") {
		t.Errorf("got %s", text)
	}
}

func TestToken(t *testing.T) {
	t.Parallel()
	a, err := discovery.NewToken()
	if err != nil {
		t.Fatal(err)
	}
	b, err := discovery.NewToken()
	if err != nil {
		t.Fatal(err)
	}
	if len(a) != 43 || a == b {
		t.Errorf("tokens %q and %q", a, b)
	}
	if !discovery.EqualToken(a, a) || discovery.EqualToken(a, b) || discovery.EqualToken(a[:42], a) ||
		discovery.EqualToken("", a) || discovery.EqualToken("", "") {
		t.Error("tokens are not compared right")
	}
}

func BenchmarkFind(b *testing.B) {
	dir := b.TempDir()
	l, err := discovery.Acquire(dir)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = l.Release() }()
	s := httptest.NewServer(answer("one"))
	defer s.Close()
	if err := l.Publish(info(s.URL)); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := discovery.Find(b.Context(), dir); err != nil {
			b.Fatal(err)
		}
	}
}
