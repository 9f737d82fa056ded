//go:build !linux

package diff

import "os"

// keepAttributes does nothing: extended attributes are only kept on Linux.
func keepAttributes(_, _ *os.File) {}
