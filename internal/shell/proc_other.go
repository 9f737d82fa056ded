//go:build !linux

package shell

import (
	"errors"
	"fmt"
)

// Subreaper does nothing: only Linux can make a process the parent of its
// descendants' orphans.
func Subreaper() error { return nil }

// Descendants is for Linux only; its error is errors.ErrUnsupported.
func Descendants() ([]int, error) {
	return nil, fmt.Errorf("list descendants: %w", errors.ErrUnsupported)
}
