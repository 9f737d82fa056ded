package provider

import (
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Factory makes a provider when it is first needed.
type Factory func() (Provider, error)

// Registry finds providers by name. Its zero value is empty and ready; it may
// be used by several goroutines.
type Registry struct {
	mu        sync.Mutex
	factories map[string]Factory
	made      map[string]Provider
}

// Register adds a provider, or replaces the one of that name.
func (r *Registry) Register(name string, f Factory) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.factories == nil {
		r.factories, r.made = map[string]Factory{}, map[string]Provider{}
	}
	r.factories[name] = f
	delete(r.made, name)
}

// Forget drops the instance of a provider, so that the next use makes it anew:
// with a key that was stored since.
func (r *Registry) Forget(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.made, name)
}

// Names returns the names of all providers, sorted.
func (r *Registry) Names() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.names()
}

func (r *Registry) names() []string {
	names := make([]string, 0, len(r.factories))
	for name := range r.factories {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Resolve returns the provider of a model name like
// "anthropic/claude-sonnet-4-5", and the name without the provider's, which
// may hold further slashes. A provider's name alone is resolved with an empty
// model. The error for a provider that is not registered is an *[UnknownError];
// the error of a factory is returned as it is, and asked for again next time.
func (r *Registry) Resolve(model string) (Provider, string, error) {
	name, rest, _ := strings.Cut(model, "/")
	r.mu.Lock()
	defer r.mu.Unlock()
	if p := r.made[name]; p != nil {
		return p, rest, nil
	}
	f := r.factories[name]
	if f == nil {
		known := r.names()
		return nil, "", &UnknownError{Model: model, Known: known, Nearest: nearest(name, known)}
	}
	p, err := f()
	if err != nil {
		return nil, "", err
	}
	r.made[name] = p
	return p, rest, nil
}

// UnknownError says that no provider has the name that a model name starts
// with.
type UnknownError struct {
	Model   string
	Known   []string
	Nearest string // a known name that is spelled much alike, or ""
}

// Error says what is known.
func (e *UnknownError) Error() string {
	name, _, found := strings.Cut(e.Model, "/")
	var b strings.Builder
	if found {
		fmt.Fprintf(&b, "there is no model provider %q", name)
	} else {
		fmt.Fprintf(&b, "the model %q names no provider: write PROVIDER/MODEL", e.Model)
	}
	if e.Nearest != "" {
		fmt.Fprintf(&b, ". Did you mean %s?", e.Nearest)
	} else {
		b.WriteByte('.')
	}
	if len(e.Known) > 0 {
		fmt.Fprintf(&b, " Known are %s.", strings.Join(e.Known, ", "))
	}
	return b.String()
}

// nearest returns the name closest to s, or "" where none is close.
func nearest(s string, names []string) string {
	best, bestDistance := "", min(len(s), 1+max(2, len(s)/3))
	for _, name := range names {
		if d := distance(strings.ToLower(s), name); d < bestDistance {
			best, bestDistance = name, d
		}
	}
	return best
}

// distance is how many letters must be added, dropped or changed to make b of
// a.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(diagonal+cost, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}
