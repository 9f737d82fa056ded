// Package cli is the command line of Mix: flags become options, and options
// become calls of a server through the SDK.
//
// There is one code path: a command uses the healthy server of its data
// directory, or starts one in its own process for as long as it needs it. Only
// `doctor`, and `audit` and `sessions list|show|export` where no server runs,
// read the store themselves.
//
// A server that is found may die, and a server of its own may work for others:
// connect.go says how a command finds or becomes the next one, follow.go how a
// run is read through that, interrupts.go what signals do meanwhile.
//
// Nothing prints to the process's streams directly: they are fields of common,
// so that tests see what a person would see.
package cli
