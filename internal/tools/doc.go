// Package tools is the only way from a model to an effect.
//
// A [Tool] says what a call would do before it does it: Plan checks the input,
// resolves paths and names every effect; the plan's Run has the effects. A
// [Registry] holds the tools by name and alias. The [Executor] takes the calls
// of one answer of the model and gives each of them an end:
//
//	look up ─► decode ─► Plan ─► gate judges ─► ONE commit for the batch
//	                                               │
//	      denied, unknown, invalid: ended in it ◄──┤
//	      nothing in the way: `started` in it ─────┼──► Run ─► commit of the result ─► events
//	      an earlier call in the way: `allowed` ───┤     ▲
//	      a person must say: `asked` ──────────────┴──► answer
//
// What the executor promises, whatever tools and gate do:
//
//   - No call runs that the gate did not allow. In plan mode only what reads or
//     interacts runs, even where the gate would allow more.
//   - The journal holds `started` before the effect and the result before the
//     event that announces it. A crash can lose an end, never a beginning.
//   - Calls run at the same time unless they could get into each other's way:
//     nothing that touches a file overlaps a call that writes it, and a command
//     that is not proven to only read overlaps nothing that touches files.
//   - Every call ends, in the state the journal holds, also when a tool panics
//     and when the run is cancelled. Results come in the order of the calls.
//
// Errors that a model can do something about are results, written for it. An
// error of [Executor.Execute] is about the journal, and then the run cannot go
// on.
//
// # Files
//
// A path from a model is resolved once, in Plan, and the gate judges the
// resolved path. Run opens that path through an [os.Root] of its directory and
// compares device and inode of the directory and of the file with those seen
// in Plan, so that a link swapped in between reaches nothing else. A
// [FileTracker] remembers what a session has read, and Edit and Write refuse
// to change a file that is not as the model knows it.
package tools
