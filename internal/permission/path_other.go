//go:build !unix

package permission

// isNotDirectory reports whether err says that a parent is a file; where it
// exists, that error is already fs.ErrNotExist.
func isNotDirectory(error) bool { return false }
