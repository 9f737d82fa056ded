package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mixagent/mix/internal/config"
)

// instructions returns path, relative to root, and text of what was found.
func instructions(t *testing.T, root, dir string) [][2]string {
	t.Helper()
	found, err := config.Instructions(dir)
	if err != nil {
		t.Error(err)
	}
	var got [][2]string
	for _, in := range found {
		rel, err := filepath.Rel(root, in.Path)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, [2]string{filepath.ToSlash(rel), in.Text})
	}
	return got
}

func TestInstructionsNearestFirst(t *testing.T) {
	t.Parallel()
	above := t.TempDir()
	root := filepath.Join(above, "repo")
	write(t, filepath.Join(above, "AGENTS.md"), "not of this repository")
	write(t, filepath.Join(root, ".git"), "gitdir: elsewhere") // a worktree
	write(t, filepath.Join(root, "AGENTS.md"), "top")
	write(t, filepath.Join(root, "CLAUDE.md"), "not read: AGENTS.md is there")
	write(t, filepath.Join(root, "a", "CLAUDE.md"), "middle")
	write(t, filepath.Join(root, "a", "b", "AGENTS.md"), "  \n")
	write(t, filepath.Join(root, "a", "b", "c", "AGENTS.md"), "near")
	got := instructions(t, root, filepath.Join(root, "a", "b", "c"))
	want := [][2]string{{"a/b/c/AGENTS.md", "near"}, {"a/CLAUDE.md", "middle"}, {"AGENTS.md", "top"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestInstructionsOutsideOfRepository(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	write(t, filepath.Join(root, "AGENTS.md"), "above")
	write(t, filepath.Join(root, "sub", "AGENTS.md"), "here")
	got := instructions(t, root, filepath.Join(root, "sub"))
	if diff := cmp.Diff([][2]string{{"sub/AGENTS.md", "here"}}, got); diff != "" {
		t.Error(diff)
	}
	if _, err := config.Instructions(filepath.Join(root, "absent")); err == nil {
		t.Error("an absent directory is no error")
	}
}

func TestInstructionsAreBounded(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	write(t, filepath.Join(root, ".git", "HEAD"), "")
	dir := root
	for range 6 {
		write(t, filepath.Join(dir, "AGENTS.md"), strings.Repeat("x", 70_000))
		dir = filepath.Join(dir, "d")
	}
	found, err := config.Instructions(filepath.Dir(dir))
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for i, in := range found {
		total += len(in.Text)
		if !in.Cut || !strings.Contains(in.Text, "[cut: this file has 70000 bytes, the first ") {
			t.Errorf("%d is not marked as cut: %s", i, in.Text[max(0, len(in.Text)-80):])
		}
	}
	if n := strings.Count(found[0].Text, "x"); n != 64<<10 {
		t.Errorf("%d bytes of the first", n)
	}
	if total > 256<<10+1000 || len(found) > 5 {
		t.Errorf("%d bytes in %d files", total, len(found))
	}
}

func TestInstructionsHideNothing(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	write(t, filepath.Join(root, "AGENTS.md"), "Be kind.\U000e0042\U000e0065\u202e\x1b[8mhidden\x1b[0m\xff\n")
	got := instructions(t, root, root)
	if diff := cmp.Diff([][2]string{{"AGENTS.md", "Be kind.hidden\n"}}, got); diff != "" {
		t.Error(diff)
	}
}

func TestInstructionsStayInTheRepository(t *testing.T) {
	t.Parallel()
	outside := filepath.Join(t.TempDir(), "id_ed25519")
	write(t, outside, "PRIVATE KEY")
	root := t.TempDir()
	write(t, filepath.Join(root, ".git", "HEAD"), "")
	write(t, filepath.Join(root, "docs", "rules.md"), "rules")
	if err := os.Symlink(filepath.Join("docs", "rules.md"), filepath.Join(root, "AGENTS.md")); err != nil {
		t.Skip("no symbolic links here:", err)
	}
	sub := filepath.Join(root, "sub")
	write(t, filepath.Join(sub, "file"), "")
	if err := os.Symlink(outside, filepath.Join(sub, "AGENTS.md")); err != nil {
		t.Fatal(err)
	}
	found, err := config.Instructions(sub)
	if err == nil {
		t.Error("a link that leads out of the repository is no error")
	}
	if len(found) != 1 || found[0].Text != "rules" {
		t.Errorf("got %+v", found)
	}
	// The same for settings, whose errors would quote the file.
	if err := os.MkdirAll(filepath.Join(root, ".mix"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(root, ".mix", "config.json")); err != nil {
		t.Fatal(err)
	}
	if _, err := mustLoad(t, "", config.Flags{}).Project(root, true); err == nil || strings.Contains(err.Error(), "PRIVATE") {
		t.Errorf("settings: %v", err)
	}
}
