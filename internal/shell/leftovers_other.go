//go:build !linux

package shell

import "context"

// EndLeftovers does nothing: commands carry no tags on this system. On Windows
// they end with the program, on macOS daemons that left the command's session
// stay.
func EndLeftovers(context.Context, string) (ended int, err error) { return 0, nil }
