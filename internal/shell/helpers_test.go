//go:build linux || darwin

package shell_test

import (
	"context"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/mixagent/mix/internal/shell"
)

// notParent in the environment keeps the test process from being the parent of
// orphans.
const notParent = "SHELL_TEST_NOT_PARENT"

// TestMain makes the test process what the server is: the parent of orphans.
func TestMain(m *testing.M) {
	if os.Getenv(notParent) == "" {
		if err := shell.Subreaper(); err != nil {
			panic(err)
		}
	}
	// Most of these tests wait for processes most of the time.
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// run runs line in an empty directory with the environment commands get.
func run(t testing.TB, ctx context.Context, line string, change ...func(*shell.Command)) shell.Result {
	t.Helper()
	c := shell.Command{Line: line, Dir: t.TempDir(), Env: shell.Environ(os.Environ(), nil)}
	for _, f := range change {
		f(&c)
	}
	res, err := shell.Run(ctx, c)
	if err != nil {
		t.Fatalf("Run(%q): %v", line, err)
	}
	return res
}

// printed is the output of line, which must succeed.
func printed(t *testing.T, line string, change ...func(*shell.Command)) string {
	t.Helper()
	res := run(t, t.Context(), line, change...)
	if res.ExitCode != 0 {
		t.Fatalf("%q ended with %d:\n%s", line, res.ExitCode, res.Output)
	}
	return strings.TrimSpace(res.Output)
}

func env(kv ...string) func(*shell.Command) {
	return func(c *shell.Command) { c.Env = append(c.Env, kv...) }
}
