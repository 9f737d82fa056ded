package config

const openNonblock = 0

// syncDir does nothing: Windows has no way to do it, and NTFS keeps a journal
// of renames.
func syncDir(string) error { return nil }
