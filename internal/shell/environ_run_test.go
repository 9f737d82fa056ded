//go:build linux || darwin

package shell_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/mixagent/mix/internal/shell"
)

func TestCommandsSeeTheirEnvironment(t *testing.T) {
	t.Parallel()
	base := []string{"PATH=/usr/bin:/bin", "A=1", "GITHUB_TOKEN=no", "LD_PRELOAD=/none.so", "PAGER=less"}
	got := printed(t, "env", func(c *shell.Command) {
		c.Env = append(shell.Environ(base, nil), "A=2", "BASH_ENV=/none", "ENV=/none")
	})
	lines := strings.Split(got, "\n")
	for kv, want := range map[string]bool{
		"A=1": false, "A=2": true, "PAGER=cat": true, "PAGER=less": false,
		"GITHUB_TOKEN=no": false, "LD_PRELOAD=/none.so": false, "BASH_ENV=/none": false, "ENV=/none": false,
	} {
		if slices.Contains(lines, kv) != want {
			t.Errorf("%s is there: %v, want %v", kv, !want, want)
		}
	}
}
