//go:build unix

package cli

import "golang.org/x/sys/unix"

// mayWrite says why this user cannot make files in dir, without making one.
func mayWrite(dir string) error { return unix.Access(dir, unix.R_OK|unix.W_OK|unix.X_OK) }
