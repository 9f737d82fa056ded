package tools

import (
	"path/filepath"
	"strings"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/permission"
)

// claim is what an effect does to files. A path of "" stands for any file.
type claim struct {
	path  string
	tree  bool
	write bool
}

// claimsOf says what the accesses do to files. A command that is not proven
// to only read may write anywhere.
func claimsOf(accesses []permission.Access, readOnly bool) []claim {
	var claims []claim
	for _, a := range accesses {
		switch a.Can {
		case domain.CanRead:
			claims = append(claims, fileClaim(a, false))
		case domain.CanWrite:
			claims = append(claims, fileClaim(a, true))
		case domain.CanExecute:
			claims = append(claims, claim{write: !readOnly})
		case domain.CanNetwork, domain.CanInteract:
		}
	}
	return claims
}

func fileClaim(a permission.Access, write bool) claim {
	if a.Command != "" {
		return claim{write: write} // its path is only where it starts
	}
	// Folded, since some file systems do not tell upper from lower case.
	// Waiting once too often harms nobody.
	return claim{path: strings.ToLower(a.Path), tree: a.Tree, write: write}
}

// conflict reports whether two calls may not run at the same time.
func conflict(a, b []claim) bool {
	for _, x := range a {
		for _, y := range b {
			if (x.write || y.write) && x.meets(y) {
				return true
			}
		}
	}
	return false
}

func (c claim) meets(d claim) bool {
	if c.path == "" || d.path == "" || c.path == d.path {
		return true
	}
	return c.tree && below(c.path, d.path) || d.tree && below(d.path, c.path)
}

// below reports whether path is dir or inside of it. Both are clean.
func below(dir, path string) bool {
	if dir == "" || !strings.HasPrefix(path, dir) {
		return false
	}
	return len(path) == len(dir) || dir[len(dir)-1] == filepath.Separator || path[len(dir)] == filepath.Separator
}
