//go:build !unix

package tools

// openNonblock has no meaning here: opening does not hang.
const openNonblock = 0

// notDirectory is always false: such a path is reported as not existing.
func notDirectory(error) bool { return false }
