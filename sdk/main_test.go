package mix_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/mixagent/mix/internal/daemon"
	mix "github.com/mixagent/mix/sdk"
)

// TestMain gives the tests a home of their own: no settings and no keys of the
// person who runs them.
func TestMain(m *testing.M) {
	os.Exit(inOwnHome(m))
}

func inOwnHome(m *testing.M) int {
	home, err := os.MkdirTemp("", "mix-sdk-test")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(home)
	for name, value := range map[string]string{
		"HOME": home, "MIX_CONFIG_DIR": filepath.Join(home, "config"), "MIX_TOKEN": "", "MIX_MODEL": "", "MIX_DATA_DIR": "",
	} {
		os.Setenv(name, value)
	}
	return m.Run()
}

// serve starts a real server whose model plays the steps that a prompt lists.
// The function it returns stops the server.
func serve(ctx context.Context, dataDir, dir string) (*daemon.Server, func() error) {
	srv, err := daemon.Start(ctx, daemon.Config{DataDir: dataDir, Dir: dir, Addr: "127.0.0.1:0", Model: "demo/steps"})
	if err != nil {
		panic(err)
	}
	return srv, func() error {
		now, cancel := context.WithCancel(ctx)
		cancel() // work that is under way is interrupted at once
		return srv.Stop(now)
	}
}

// start is serve for tests. It returns a client and the session's directory.
func start(t *testing.T) (*mix.Mix, string) {
	t.Helper()
	dir := t.TempDir()
	srv, stop := serve(context.WithoutCancel(t.Context()), filepath.Join(t.TempDir(), "data"), dir)
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	return mix.New(srv.URL(), mix.WithToken(srv.Token())), dir
}
