//go:build unix

package provider

import (
	"errors"
	"syscall"
)

// isRefused reports whether err says that nothing listens at an address.
func isRefused(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }
