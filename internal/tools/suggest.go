package tools

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
)

// maxListed bounds the names of a directory that are compared.
const maxListed = 2000

// notFound says that a file does not exist and which of its neighbours have
// names like it. It looks at the directory, so it is for calls that were
// allowed.
func (t *target) notFound() error {
	text := fmt.Sprintf("%s does not exist", t.name)
	dir := filepath.Dir(t.path)
	if dir != t.base {
		return fmt.Errorf("%s: neither does its directory %s. Use Glob to find the file", text, dir)
	}
	root, err := t.directory()
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	f, err := root.Open(".")
	if err != nil {
		return fmt.Errorf("%s", text)
	}
	defer func() { _ = f.Close() }()
	names, err := f.Readdirnames(maxListed)
	if err != nil && err != io.EOF {
		return fmt.Errorf("%s", text)
	}
	if like := similar(filepath.Base(t.path), names); len(like) > 0 {
		shownDir := strings.TrimSuffix(t.name, filepath.Base(t.path))
		for i := range like {
			like[i] = shownDir + like[i]
		}
		return fmt.Errorf("%s. Did you mean %s?", text, strings.Join(like, " or "))
	}
	return fmt.Errorf("%s. Use Glob to find the file", text)
}

// similar returns up to three names that look like the given one: the same but
// for the extension, or a few letters apart.
func similar(name string, names []string) []string {
	var like []string
	for len(like) < 3 {
		best := nearest(name, names)
		if best == "" {
			break
		}
		like = append(like, best)
		names = without(names, best)
	}
	stem := strings.TrimSuffix(name, filepath.Ext(name))
	for _, n := range names {
		if len(like) < 3 && stem != "" && strings.EqualFold(strings.TrimSuffix(n, filepath.Ext(n)), stem) {
			like = append(like, n)
		}
	}
	return like
}

func without(names []string, name string) []string {
	out := make([]string, 0, len(names))
	for _, n := range names {
		if n != name {
			out = append(out, n)
		}
	}
	return out
}
