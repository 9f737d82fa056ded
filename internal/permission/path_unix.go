//go:build unix

package permission

import (
	"errors"
	"syscall"
)

// isNotDirectory reports whether err says that a parent is a file.
func isNotDirectory(err error) bool { return errors.Is(err, syscall.ENOTDIR) }
