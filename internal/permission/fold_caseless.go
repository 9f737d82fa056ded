//go:build darwin || windows

package permission

import "strings"

// fold returns the form of a path in which two spellings of one file are
// equal: file systems here do not tell letters apart by case.
func fold(path string) string { return strings.ToLower(path) }
