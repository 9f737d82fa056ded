package search

import (
	"os"
	"path"
	"path/filepath"
	"strings"
)

// ignoreLevel is a directory that has ignore rules. Directories without any
// share the level of their parent, so a chain holds only levels that matter.
type ignoreLevel struct {
	parent *ignoreLevel
	skip   int // length of the absolute slash path of the directory, with its slash
	ignore *rules
	git    *rules
	// top marks a repository: rules of git above it do not count below it.
	// Then, and at the end of the chain, exclude and global hold its
	// repository-wide rules.
	top             bool
	exclude, global *rules
}

// ignores reports whether an entry is left out. abs is its absolute slash path.
func (l *ignoreLevel) ignores(abs, name string, isDir bool) bool {
	for n := l; n != nil; n = n.parent {
		if n.ignore == nil {
			continue
		}
		if v := n.ignore.judge(abs[n.skip:], name, isDir); v != unmentioned {
			return v == ignored
		}
	}
	for n := l; n != nil; n = n.parent {
		for _, r := range [...]*rules{n.git, n.exclude, n.global} {
			if r == nil {
				continue
			}
			if v := r.judge(abs[n.skip:], name, isDir); v != unmentioned {
				return v == ignored
			}
		}
		if n.top {
			return false
		}
	}
	return false
}

// ignoreReader reads ignore files on the way down a tree.
type ignoreReader struct {
	root   *confined
	prefix string // absolute slash path of the root, with its slash
	global *rules
}

// below returns the level of the directory rel, given its parent's. has says
// which names exist in the directory; nil means that it is not known.
func (r *ignoreReader) below(parent *ignoreLevel, rel string, has *ignoreNames) *ignoreLevel {
	if has != nil && *has == (ignoreNames{}) {
		return parent
	}
	read := func(name string, exists bool) *rules {
		if has != nil && !exists {
			return nil
		}
		return parseRules(r.root.readIgnoreFile(path.Join(rel, name)))
	}
	if has == nil {
		_, err := os.Lstat(filepath.FromSlash(path.Join(r.prefix, rel, ".git")))
		has = &ignoreNames{gitignore: true, ignore: true, git: err == nil}
	}
	return r.level(parent, path.Join(r.prefix, rel), has.git, read(".gitignore", has.gitignore), read(".ignore", has.ignore))
}

func (r *ignoreReader) level(parent *ignoreLevel, dir string, top bool, git, ignore *rules) *ignoreLevel {
	if git == nil && ignore == nil && !top {
		return parent
	}
	l := &ignoreLevel{parent: parent, skip: len(strings.TrimSuffix(dir, "/")) + 1, git: git, ignore: ignore, top: top}
	if top {
		l.exclude = parseRules(readSmallFile(excludeFile(filepath.FromSlash(dir))))
		l.global = r.global
	}
	return l
}

// ignoreNames says which of the names that matter a directory has.
type ignoreNames struct{ gitignore, ignore, git bool }

func (n *ignoreNames) note(name string) {
	switch name {
	case ".gitignore":
		n.gitignore = true
	case ".ignore":
		n.ignore = true
	case ".git":
		n.git = true
	}
}

// above returns the level that holds for entries of the parent of the
// directory dir (an absolute path): the rules of the repository that dir is
// in, from its top down, or of the directories from root on where it is in none.
func (r *ignoreReader) above(root, dir string) *ignoreLevel {
	if dir == root && !insideRepository(dir) {
		return r.outside(root)
	}
	var chain []string // from dir's parent up to the top
	top := ""
	if !exists(filepath.Join(dir, ".git")) {
		for d := filepath.Dir(dir); ; d = filepath.Dir(d) {
			chain = append(chain, d)
			if exists(filepath.Join(d, ".git")) {
				top = d
				break
			}
			if d == filepath.Dir(d) {
				break
			}
		}
	}
	var l *ignoreLevel
	if top == "" {
		l = r.outside(root)
	}
	for i := len(chain) - 1; i >= 0; i-- {
		d := chain[i]
		if top == "" && !within(root, d) {
			continue
		}
		l = r.level(l, filepath.ToSlash(d), d == top,
			parseRules(readSmallFile(filepath.Join(d, ".gitignore"))),
			parseRules(readSmallFile(filepath.Join(d, ".ignore"))))
	}
	return l
}

// outside is the level of a tree that is not in a repository.
func (r *ignoreReader) outside(root string) *ignoreLevel {
	if r.global == nil {
		return nil
	}
	return &ignoreLevel{skip: len(strings.TrimSuffix(filepath.ToSlash(root), "/")) + 1, global: r.global}
}

func insideRepository(dir string) bool {
	for {
		if exists(filepath.Join(dir, ".git")) {
			return true
		}
		up := filepath.Dir(dir)
		if up == dir {
			return false
		}
		dir = up
	}
}

func exists(name string) bool {
	_, err := os.Lstat(name)
	return err == nil
}

func within(root, dir string) bool {
	rel, err := filepath.Rel(root, dir)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}
