package tools

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/mixagent/mix/internal/shell"
)

// Bounds of the look at a repository before a session's first message.
const (
	gitPatience = 500 * time.Millisecond
	gitLines    = 20
)

// RepositoryState describes the repository around dir for the model: branch and
// what is changed. Reading a repository must not run what the repository brings,
// so git gets an environment that switches its helpers off, and a slow repository
// is left alone.
func RepositoryState(ctx context.Context, dir string) string {
	if !insideRepository(dir) {
		return "Git: not a repository\n"
	}
	git, err := exec.LookPath("git")
	if err != nil {
		return "Git: a repository, but the git program is not installed\n"
	}
	env := shell.Environ(os.Environ(), nil)
	safe, err := shell.GitSafe(dir, "git status", env)
	if err != nil {
		return "Git: a repository; its state was not read, since its configuration runs programs\n"
	}
	ctx, cancel := context.WithTimeout(ctx, gitPatience)
	defer cancel()
	cmd := exec.CommandContext(ctx, git, "status", "--porcelain=v1", "--branch", "--untracked-files=normal")
	cmd.Dir = dir
	cmd.Env = append(env, safe...)
	cmd.WaitDelay = 100 * time.Millisecond
	out, err := cmd.Output()
	if err != nil {
		return "Git: a repository; its state could not be read in time\n"
	}
	lines := oneLineEach(strings.Split(strings.TrimRight(string(out), "\n"), "\n"))
	var b strings.Builder
	fmt.Fprintf(&b, "Git branch: %s\n", strings.TrimPrefix(lines[0], "## "))
	changed := lines[1:]
	if len(changed) == 0 {
		b.WriteString("Git: nothing changed\n")
		return b.String()
	}
	fmt.Fprintf(&b, "Git: %d changed or new files\n", len(changed))
	for i, line := range changed {
		if i == gitLines {
			fmt.Fprintf(&b, "  (and %d more)\n", len(changed)-gitLines)
			break
		}
		fmt.Fprintf(&b, "  %s\n", line)
	}
	return b.String()
}

// insideRepository reports whether dir or a directory above it holds .git.
func insideRepository(dir string) bool {
	for {
		if _, err := os.Lstat(filepath.Join(dir, ".git")); err == nil {
			return true
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return false
		}
		dir = parent
	}
}
