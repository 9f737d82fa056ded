//go:build !darwin && !windows

package permission

// fold returns the form of a path in which two spellings of one file are
// equal. Here they differ.
func fold(path string) string { return path }
