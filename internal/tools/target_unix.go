//go:build unix

package tools

import (
	"errors"
	"syscall"
)

// openNonblock keeps the opening of a pipe without a writer from hanging.
const openNonblock = syscall.O_NONBLOCK

// notDirectory reports whether err says that a name on the way is a file.
func notDirectory(err error) bool { return errors.Is(err, syscall.ENOTDIR) }
