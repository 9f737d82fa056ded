package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/mixagent/mix/internal/cli"
	"github.com/mixagent/mix/internal/daemon"
	mix "github.com/mixagent/mix/sdk"
)

// TestMain gives the tests a home of their own: no settings and no keys of the
// person who runs them.
func TestMain(m *testing.M) {
	os.Exit(inOwnHome(m))
}

func inOwnHome(m *testing.M) int {
	home, err := os.MkdirTemp("", "mix-cli-test")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(home)
	for _, kv := range os.Environ() {
		name, _, _ := strings.Cut(kv, "=")
		if strings.HasPrefix(name, "MIX_") || strings.HasPrefix(name, "XDG_") || strings.HasSuffix(name, "_API_KEY") || strings.HasSuffix(name, "_BASE_URL") {
			os.Unsetenv(name)
		}
	}
	os.Setenv("HOME", home)
	os.Setenv("MIX_CONFIG_DIR", filepath.Join(home, "config"))
	code := m.Run()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// result is what a person sees of a command.
type result struct {
	code     int
	out, err string
}

func (r result) String() string {
	return fmt.Sprintf("exit code %d\n--- standard output\n%s--- standard error\n%s", r.code, r.out, r.err)
}

// mixWith runs a command with an input.
func mixWith(t testing.TB, in io.Reader, args ...string) result {
	t.Helper()
	var out, errOut bytes.Buffer
	code := cli.Main(t.Context(), args, in, &out, &errOut)
	return result{code, out.String(), errOut.String()}
}

// place is a data directory and a directory to work in.
type place struct {
	t         testing.TB
	data, dir string
}

func newPlace(t testing.TB) *place {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return &place{t: t, data: filepath.Join(t.TempDir(), "data"), dir: dir}
}

// mix runs a command on the place's data.
func (p *place) mix(args ...string) result {
	p.t.Helper()
	return mixWith(p.t, strings.NewReader(""), append(args, "--data-dir", p.data)...)
}

// run runs a prompt in the place.
func (p *place) run(prompt string, flags ...string) result {
	p.t.Helper()
	args := append([]string{"run", "--dir", p.dir, "--model", "demo/steps", "--demo-rate", "0"}, flags...)
	return p.mix(append(args, prompt)...)
}

// serve starts a server on the place's data, in this process, and returns a
// client of it.
func (p *place) serve() *mix.Mix {
	p.t.Helper()
	srv, err := daemon.Start(p.t.Context(), daemon.Config{DataDir: p.data, Dir: p.dir, Addr: "127.0.0.1:0", Model: "demo/steps"})
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() {
		now, cancel := context.WithCancel(context.Background())
		cancel()
		if err := srv.Stop(now); err != nil {
			p.t.Error(err)
		}
	})
	return mix.New(srv.URL(), mix.WithToken(srv.Token()))
}

// sessions lists what the place has.
func (p *place) sessions() []mix.Session {
	p.t.Helper()
	r := p.mix("sessions", "list", "--format", "json")
	var list []mix.Session
	if err := json.Unmarshal([]byte(r.out), &list); err != nil {
		p.t.Fatalf("%v\n%s", err, r)
	}
	return list
}

// Steps that demo/steps plays.
const (
	sayDone    = `[{"text":"All is well.\n"}]`
	writeFile  = `[{"text":"I write. ","calls":[{"tool":"Bash","input":{"command":"touch made.txt"}}]},{"text":"It is written."}]`
	readFile   = `[{"calls":[{"tool":"ReadText","input":{"file_path":"given.txt"}}]},{"text":"I have read it."}]`
	readAbsent = `[{"calls":[{"tool":"ReadText","input":{"file_path":"absent.txt"}}]},{"text":"It is not there."}]`
)

// volatile is what differs from run to run.
var volatile = []struct {
	re   *regexp.Regexp
	with string
}{
	{regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`), "ID"},
	{regexp.MustCompile(`"id":\d+,"event"`), `"id":N,"event"`},
	{regexp.MustCompile(`\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?Z?`), "TIME"},
	{regexp.MustCompile(` in \d+(\.\d+)?m?s\b`), ""},
	{regexp.MustCompile(`This call was denied by [^"\n]*`), "DENIED"},
	{regexp.MustCompile(`(demo did not accept the request: )[^"\n]*`), "${1}REASON"},
}

// steady replaces it.
func (p *place) steady(s string) string {
	s = strings.ReplaceAll(strings.ReplaceAll(s, p.dir, "DIR"), p.data, "DATA")
	for _, v := range volatile {
		s = v.re.ReplaceAllString(s, v.with)
	}
	return s
}

// lockedBuffer is written while others read it.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
