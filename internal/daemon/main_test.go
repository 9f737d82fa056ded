package daemon_test

import (
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/mixagent/mix/internal/daemon"
)

// TestMain gives the tests an environment of their own: no credential of the
// person who runs them, no settings, and a vendor on loopback. The program is
// also its own helper, for clients that have to be processes.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == helperName {
		os.Exit(helper(os.Args[2:]))
	}
	os.Exit(inOwnWorld(m))
}

func inOwnWorld(m *testing.M) int {
	world, err := os.MkdirTemp("", "mix-daemon-test")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(world)
	for _, kv := range os.Environ() {
		name, _, _ := strings.Cut(kv, "=")
		if strings.HasPrefix(name, "MIX_") && name != "MIX_TEST_REQUIRE" || strings.HasSuffix(name, "_API_KEY") || strings.HasSuffix(name, "_BASE_URL") {
			os.Unsetenv(name)
		}
	}
	for name, dir := range map[string]string{"HOME": "home", "XDG_CACHE_HOME": "cache"} {
		os.Setenv(name, filepath.Join(world, dir))
		if err := os.MkdirAll(filepath.Join(world, dir), 0o700); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	// The race detector would let every helper wait a second before it ends.
	os.Setenv("GORACE", "atexit_sleep_ms=0 "+os.Getenv("GORACE"))
	// The tests wait more than they work.
	flag.Parse()
	if err := flag.Set("test.parallel", "8"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	models.start()
	os.Setenv("OPENAI_API_KEY", "test-key-that-is-no-secret")
	os.Setenv("OPENAI_BASE_URL", models.URL+"/v1")

	code := m.Run()
	models.Close()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// startLock guards the one variable of the environment that differs between
// servers.
var startLock sync.Mutex

// server is a server under test, in this process.
type server struct {
	*daemon.Server
	t       testing.TB
	cfg     daemon.Config
	config  string // directory of the settings
	stopped bool
}

// start starts a server in directories of its own and stops it with the test.
// Fields of cfg that are not set get values for tests.
func start(t testing.TB, cfg daemon.Config) *server {
	t.Helper()
	return startWith(t, cfg, object{})
}

// startWith is start with settings.
func startWith(t testing.TB, cfg daemon.Config, settings object) *server {
	t.Helper()
	s := &server{t: t, cfg: cfg, config: t.TempDir()}
	if s.cfg.DataDir == "" {
		s.cfg.DataDir = filepath.Join(t.TempDir(), "data")
	}
	if s.cfg.Dir == "" {
		s.cfg.Dir = t.TempDir()
	}
	if s.cfg.Addr == "" {
		s.cfg.Addr = "127.0.0.1:0"
	}
	if s.cfg.Model == "" {
		s.cfg.Model = "demo/steps"
	}
	if runtime.GOOS != "linux" && settings["server"] == nil {
		settings["server"] = object{"trustLoopback": true} // published clients send no token
	}
	write(t, filepath.Join(s.config, "config.json"), settings.String())
	s.run()
	t.Cleanup(s.stop)
	return s
}

// run starts the server, also for another time on the same data.
func (s *server) run() {
	s.t.Helper()
	startLock.Lock()
	defer startLock.Unlock()
	os.Setenv("MIX_CONFIG_DIR", s.config)
	srv, err := daemon.Start(s.t.Context(), s.cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	s.Server, s.stopped = srv, false
}

// stop stops the server as a person who does not want to wait.
func (s *server) stop() {
	if s.stopped {
		return
	}
	s.stopped = true
	if err := s.Stop(expired()); err != nil {
		s.t.Errorf("stop: %v", err)
	}
}

// restart stops the server and starts another one on the same data.
func (s *server) restart() {
	s.t.Helper()
	s.stop()
	s.run()
}

// client returns a client that is as strict as the published ones.
func (s *server) client() *strictClient {
	s.t.Helper()
	return newStrictClient(s.t, s.URL(), transport(s.t))
}

// transport makes connections of its own, which end with the test.
func transport(t testing.TB) *http.Transport {
	tr := &http.Transport{DisableCompression: true}
	t.Cleanup(tr.CloseIdleConnections)
	return tr
}

// write writes a file and returns its name.
func write(t testing.TB, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// read returns the text of a file, "" where there is none.
func read(path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return string(data)
}

// skipOrFail skips a test that needs something this machine does not have.
// MIX_TEST_REQUIRE makes it a failure, for machines that should have all.
func skipOrFail(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("MIX_TEST_REQUIRE") != "" {
		t.Fatal(why)
	}
	t.Skip(why)
}
