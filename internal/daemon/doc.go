// Package daemon is the process: it takes the lock of the data directory,
// builds every part of the server once, recovers what the last server left
// unfinished, and only then listens.
//
// The order matters. Nothing answers before recovery is done, so no client ever
// sees a run that nobody works on. The lockfile is published after the listener
// is open and removed before it closes; it is information, the lock itself is
// the operating system's.
//
// [guard] stands in front of all routes and decides who may call.
package daemon
