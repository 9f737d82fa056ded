// Package agent is the engine: it turns one prompt into work.
//
// [Service.Submit] writes the user message and its run in one commit; from
// then on the work belongs to the server and no client is needed. A runner,
// one for each session that has work, takes the runs of its session one after
// another:
//
//	load history ─► provider.Stream ─► events and the message being built
//	     ▲                                      │
//	     │                             no calls │ calls
//	     │                                      ▼
//	     │   commit message, end run ◄──────────┴──► executor: gate, one commit
//	     │   complete event                          (message, decisions, started),
//	     └─────────────────────────────────────────── run, commit results
//
// What is on disk at any instant decides what a new process does with it
// ([Service.Recover]): a run that is `queued` has not begun and runs; a run
// that is `running` is closed as interrupted, with the text that had been
// streamed; a call that is `started` is never started again.
//
// Commits come before events: a subscriber never sees the end of something
// that a crash could undo. The end of a run is one transaction with its
// complete event, so a client that comes back gets that event exactly once.
package agent
