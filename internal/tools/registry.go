package tools

import (
	"fmt"
	"slices"
	"strings"
)

// Registry holds tools by name and alias. It does not change, so it is safe
// for concurrent use.
type Registry struct {
	tools  []Tool // by name
	byName map[string]Tool
}

// NewRegistry returns a registry of the tools. It panics when two of them
// share a name or an alias: that is a mistake in the program.
func NewRegistry(tools ...Tool) *Registry {
	r := &Registry{tools: slices.Clone(tools), byName: make(map[string]Tool, 3*len(tools))}
	slices.SortFunc(r.tools, func(a, b Tool) int { return strings.Compare(a.Name(), b.Name()) })
	for _, t := range r.tools {
		r.add(t.Name(), t)
		for _, alias := range t.Aliases() {
			r.add(alias, t)
		}
	}
	return r
}

func (r *Registry) add(name string, t Tool) {
	if other := r.byName[name]; other != nil {
		panic(fmt.Sprintf("tools: %q names both %s and %s", name, other.Name(), t.Name()))
	}
	r.byName[name] = t
}

// Lookup returns the tool with the given name or alias.
func (r *Registry) Lookup(name string) (Tool, bool) {
	t, ok := r.byName[name]
	return t, ok
}

// List returns the tools for which visible is true, by name; all where it is
// nil.
func (r *Registry) List(visible func(Tool) bool) []Tool {
	list := make([]Tool, 0, len(r.tools))
	for _, t := range r.tools {
		if visible == nil || visible(t) {
			list = append(list, t)
		}
	}
	return list
}

// nearest returns the name, canonical or alias, that looks most like the given
// one, or "".
func (r *Registry) nearest(name string) string {
	names := make([]string, 0, len(r.byName))
	for n := range r.byName {
		names = append(names, n)
	}
	slices.Sort(names)
	return nearest(name, names)
}
