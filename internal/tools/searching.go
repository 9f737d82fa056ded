package tools

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/permission"
	"github.com/mixagent/mix/internal/search"
)

// area is where Grep and Glob look.
type area struct {
	*target
	root string // the results' paths begin here
}

// area resolves the path to search; "" is the session's directory.
func (env *Env) area(path string) (area, error) {
	if path == "" {
		path = env.Directory
	}
	t, err := env.locate(path)
	if err != nil {
		return area{}, err
	}
	a := area{target: t, root: t.path}
	switch {
	case below(env.Directory, t.path):
		a.root = env.Directory
	case t.info != nil && !t.info.IsDir():
		a.root = filepath.Dir(t.path)
	}
	return a, nil
}

func (env *Env) searchAccess(a area) []permission.Access {
	access := env.access(domain.CanRead, a.target)
	if a.info == nil || a.info.IsDir() {
		access.Tree, access.Filtered = true, true
	}
	return []permission.Access{access}
}

// tree is the area for the search engine. What is protected or closed is not
// even listed.
func (a area) tree(env *Env) (search.Tree, error) {
	if a.info == nil {
		return search.Tree{}, a.notFound()
	}
	now, err := os.Lstat(a.path)
	if err != nil || !os.SameFile(now, a.info) {
		return search.Tree{}, fmt.Errorf("%s %w", a.name, errMoved)
	}
	return search.Tree{Root: a.root, Path: a.path, Skip: env.hidden}, nil
}

// hidden reports whether a search leaves out a path.
func (env *Env) hidden(path string) bool {
	if env.SessionDir != "" && below(env.SessionDir, path) {
		return false
	}
	for _, dir := range env.Protected {
		if below(dir, path) {
			return true
		}
	}
	return env.Closed != nil && env.Closed(path)
}

// shown is a path of a result as the model can use it in other calls:
// relative to the session's directory, or absolute when it is elsewhere.
func (a area) shown(env *Env, path string) string {
	if a.root == env.Directory {
		return filepath.FromSlash(path)
	}
	return filepath.Join(a.root, filepath.FromSlash(path))
}

// blind says what a search could not look at.
func blind(s search.WalkStats) string {
	if s.Unreadable == 0 {
		return ""
	}
	return fmt.Sprintf("%d files or directories could not be read: %s", s.Unreadable, strings.Join(s.Warnings, "; "))
}
