package search

import (
	"slices"
	"sync"
)

// collector keeps the first entries, in its order, of many that come in any
// order from several goroutines, and needs memory only for about twice as many
// as it will return.
type collector[T any] struct {
	limit  int
	weight func(T) int
	order  func(a, b T) int

	mu    sync.Mutex
	items []T
	sum   int
	// last, when full, is the entry in whose weight the limit was reached:
	// whatever comes after it in the order is not wanted.
	last T
	full bool
	cut  bool
}

func (c *collector[T]) add(item T) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.full && c.order(item, c.last) > 0 {
		c.cut = true
		return
	}
	c.items = append(c.items, item)
	c.sum += c.weight(item)
	if c.sum > 2*c.limit && len(c.items) > 1 {
		c.trim()
	}
}

// wants reports whether an entry that sorts as item does could be returned.
func (c *collector[T]) wants(item T) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.full || c.order(item, c.last) <= 0
}

func (c *collector[T]) trim() {
	slices.SortFunc(c.items, c.order)
	c.sum = 0
	for i, item := range c.items {
		c.sum += c.weight(item)
		if c.sum < c.limit {
			continue
		}
		c.cut = c.cut || i+1 < len(c.items)
		c.last, c.full = item, true
		clear(c.items[i+1:])
		c.items = c.items[:i+1]
		return
	}
}

// result returns the entries in order and whether some were left out. The
// last one may reach over the limit by a part of its weight.
func (c *collector[T]) result() ([]T, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.trim()
	return c.items, c.cut
}
