//go:build unix

package tools_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/mixagent/mix/internal/tools"
)

// TestSwapBetweenPlanAndRun: whatever takes the place of the file or of its
// directory after the permission, nothing outside of it is read or written.
func TestSwapBetweenPlanAndRun(t *testing.T) {
	t.Parallel()
	swaps := map[string]func(t *testing.T, p place, secret string){
		"file by link": func(t *testing.T, p place, secret string) {
			must(t, os.Remove(p.path("d/f")))
			must(t, os.Symlink(filepath.Join(secret, "f"), p.path("d/f")))
		},
		"file by hard link": func(t *testing.T, p place, secret string) {
			must(t, os.Remove(p.path("d/f")))
			must(t, os.Link(filepath.Join(secret, "f"), p.path("d/f")))
		},
		"directory by link": func(t *testing.T, p place, secret string) {
			must(t, os.Rename(p.path("d"), p.path("e")))
			must(t, os.Symlink(secret, p.path("d")))
		},
		"directory by link within the project": func(t *testing.T, p place, secret string) {
			must(t, os.Rename(secret, p.path("s")))
			must(t, os.Rename(p.path("d"), p.path("e")))
			must(t, os.Symlink("s", p.path("d")))
		},
		"file by pipe": func(t *testing.T, p place, _ string) {
			must(t, os.Remove(p.path("d/f")))
			must(t, syscall.Mkfifo(p.path("d/f"), 0o600))
		},
	}
	calls := map[string]struct {
		tool tools.Tool
		in   args
	}{
		"ReadText": {tools.ReadText(), args{"file_path": "d/f"}},
		"Edit":     {tools.Edit(), args{"file_path": "d/f", "old_string": "public", "new_string": "mine"}},
		"Write":    {tools.Write(), args{"file_path": "d/f", "content": "mine"}},
		"create":   {tools.Write(), args{"file_path": "d/new", "content": "mine"}},
		"Grep":     {tools.Grep(), args{"pattern": "secret", "path": "d", "output_mode": "content"}},
	}
	for swapName, swap := range swaps {
		for name, c := range calls {
			if name == "create" && !strings.HasPrefix(swapName, "directory") || name == "Grep" && swapName != "directory by link" {
				continue // that is no swap of what was judged
			}
			t.Run(swapName+" "+name, func(t *testing.T) {
				t.Parallel()
				p := newPlace(t, map[string]string{"d/f": "public\n"})
				secret := filepath.Join(filepath.Dir(p.dir), "secret")
				must(t, os.Mkdir(secret, 0o755))
				must(t, os.WriteFile(filepath.Join(secret, "f"), []byte("secret\n"), 0o644))
				p.seen("d/f")
				plan, err := p.plan(c.tool, c.in)
				must(t, err)
				swap(t, p, secret)
				out, err := plan.Run(context.Background(), &p.env)
				if err == nil || strings.Contains(out.Text, "secret") {
					t.Errorf("%q, %v", out.Text, err)
				}
				for _, dir := range []string{secret, p.path("s")} {
					if data, err := os.ReadFile(filepath.Join(dir, "f")); err == nil && string(data) != "secret\n" {
						t.Errorf("it was written to: %q", data)
					}
					if _, err := os.Lstat(filepath.Join(dir, "new")); err == nil {
						t.Error("a file was made there")
					}
				}
			})
		}
	}
}

// TestMissingDirectoryIsSwapped: a link that takes the place of a directory
// that was to be made is not followed.
func TestMissingDirectoryIsSwapped(t *testing.T) {
	t.Parallel()
	p := newPlace(t, map[string]string{".git/config": ""})
	plan, err := p.plan(tools.Write(), args{"file_path": "new/hooks/x", "content": "mine"})
	must(t, err)
	must(t, os.Symlink(".git", p.path("new")))
	if _, err := plan.Run(context.Background(), &p.env); err == nil {
		t.Error("the link was followed")
	}
	if _, err := os.Lstat(p.path(".git/hooks")); err == nil {
		t.Error("a directory was made behind the link")
	}
}

// TestSymlinks: a link is resolved in Plan, and the decision is about where it
// leads.
func TestSymlinks(t *testing.T) {
	t.Parallel()
	p := newPlace(t, map[string]string{"real/f": "x\n"})
	must(t, os.Symlink("real", p.path("link")))
	must(t, os.Symlink("real/f", p.path("file")))
	for _, name := range []string{"link/f", "file"} {
		plan, err := p.plan(tools.ReadText(), args{"file_path": name})
		must(t, err)
		if plan.Accesses[0].Path != p.path("real/f") {
			t.Errorf("%s: %s", name, plan.Accesses[0].Path)
		}
	}
	p.seen("file")
	p.must(tools.Edit(), args{"file_path": "link/f", "old_string": "x", "new_string": "y"})
	if p.read("real/f") != "y\n" {
		t.Error(p.read("real/f"))
	}
	if info, err := os.Lstat(p.path("file")); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Error("the link was replaced by a file")
	}
	must(t, os.Symlink("loop", p.path("loop")))
	p.fails(tools.ReadText(), args{"file_path": "loop"}, "symbolic links")
}

func TestPipesAndDevices(t *testing.T) {
	t.Parallel()
	p := newPlace(t, nil)
	must(t, syscall.Mkfifo(p.path("pipe"), 0o600))
	p.fails(tools.ReadText(), args{"file_path": "pipe"}, "a pipe")
	p.fails(tools.Write(), args{"file_path": "pipe", "content": ""}, "a pipe")
	p.fails(tools.ReadText(), args{"file_path": "/dev/null"}, "a device")
}
