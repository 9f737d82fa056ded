// Package decode compares how fast streams of model vendors are decoded: by
// Mix, and by the vendors' own Go SDKs, on the same bytes in the same run.
//
//	cd bench && go test ./decode -bench .
//
// Each benchmark takes turns between the two, so that a machine with other work
// slows both, and reports nanoseconds and allocations for one delta and how
// many times faster Mix is. "memory" reads the answer from memory, "loopback"
// through a real HTTP server. Both sides look at each delta as an agent would.
package decode
