package permission_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/permission"
)

func TestResolve(t *testing.T) {
	t.Parallel()
	unixPaths(t)
	dir := project(t)
	base := filepath.Dir(dir)
	if err := os.Symlink("loop", filepath.Join(dir, "loop")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/nowhere/at/all", filepath.Join(dir, "dangling")); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"go.mod":                     dir + "/go.mod",
		".":                          dir,
		"./src//a.go":                dir + "/src/a.go",
		"src/../go.mod":              dir + "/go.mod",
		"..":                         base,
		"../app-old/x":               base + "/app-old/x",
		"out/secret":                 base + "/outside/secret",
		"leak":                       base + "/outside/secret",
		"here":                       dir + "/src/deep",
		"here/..":                    dir + "/src",  // after the link, as the kernel does
		"here/../../out/../app":      base + "/app", // through two links
		"missing/x/y":                dir + "/missing/x/y",
		"missing/../leak":            base + "/outside/secret",
		"go.mod/x":                   dir + "/go.mod/x",
		"dangling":                   "/nowhere/at/all",
		"dangling/x":                 "/nowhere/at/all/x",
		dir + "/src/a.go":            dir + "/src/a.go",
		"/":                          "/",
		"../../../../../../../../..": "/",
	} {
		if got, err := permission.Resolve(dir, path); err != nil || got != want {
			t.Errorf("Resolve(%q) = %q, %v, want %q", path, got, err, want)
		}
	}
	for _, bad := range []string{"", "a\x00b", "loop", "loop/x"} {
		if got, err := permission.Resolve(dir, bad); err == nil {
			t.Errorf("Resolve(%q) = %q", bad, got)
		}
	}
	if _, err := permission.Resolve("relative", "x"); err == nil {
		t.Error("a relative directory is accepted")
	}
}

// A rule that allows means the place that its words name, not what a link that
// the agent made points to; a rule that denies means both.
func TestRulesAndLinks(t *testing.T) {
	t.Parallel()
	unixPaths(t)
	dir := project(t)
	base := filepath.Dir(dir)
	if err := os.Symlink(filepath.Join(base, "outside"), filepath.Join(base, "alias")); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		allow, deny string
		path        string
		want        domain.Outcome
	}{
		{"Edit(out/**)", "", "out/secret", ""},
		{"Edit(" + dir + "/out/**)", "", "out/secret", ""},
		{"Edit(" + base + "/outside/**)", "", "out/secret", domain.OutcomeAllow},
		{"Edit(" + base + "/alias/**)", "", base + "/outside/x", domain.OutcomeAllow},
		{"*", "Edit(out/**)", "out/secret", domain.OutcomeDeny},
		{"*", "Edit(out/**)", base + "/outside/secret", domain.OutcomeDeny},
		{"*", "Edit(" + base + "/alias)", base + "/outside/secret", domain.OutcomeDeny},
		{"*", "Edit(leak)", base + "/outside/secret", domain.OutcomeDeny},
	} {
		s := subject(domain.ModeAsk)
		s.Directory = dir
		var deny []string
		if row.deny != "" {
			deny = []string{row.deny}
		}
		g := newGate(t, &memory{}, mustRules(t, []string{row.allow}, nil, deny))
		if e := g.Explain(t.Context(), s, mustCall(t, "Edit("+row.path+")", dir)); e.Verdict.Outcome != row.want {
			t.Errorf("allow %s, deny %s, %s: want %s\n%s", row.allow, row.deny, row.path, word(row.want), e)
		}
	}
}
