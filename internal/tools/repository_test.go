package tools_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/mixagent/mix/internal/tools"
)

func TestRepositoryState(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("git"); err != nil {
		if os.Getenv("MIX_TEST_REQUIRE") != "" {
			t.Fatal("git is not installed")
		}
		t.Skip("git is not installed")
	}
	p := newPlace(t, nil)
	if got := tools.RepositoryState(t.Context(), p.dir); got != "Git: not a repository\n" {
		t.Error(got)
	}
	if out, err := exec.Command("git", "-C", p.dir, "init", "-q", "-b", "trunk").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	got := tools.RepositoryState(t.Context(), p.dir)
	if !strings.Contains(got, "trunk") || !strings.Contains(got, "Git: nothing changed") {
		t.Error(got)
	}
	p.write("sub/dir/file", "x")
	must(t, exec.Command("git", "-C", p.dir, "config", "core.fsmonitor", "touch "+p.path("ran")).Run())
	got = tools.RepositoryState(t.Context(), p.path("sub/dir"))
	if !strings.Contains(got, "Git: 1 changed or new files\n  ?? ") {
		t.Error(got)
	}
	if _, err := os.Lstat(p.path("ran")); err == nil {
		t.Error("the repository's program ran")
	}
}
