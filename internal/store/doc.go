// Package store keeps everything of Mix that has to outlive the process:
// sessions, messages, runs, the journal of tool calls, the audit trail, grants
// and the segments of the event log. It is one SQLite file in WAL mode.
//
// # Writing
//
// A [Batch] collects statements through typed methods and reads nothing while
// it does, so it is a plain list that could as well travel to a remote
// database in one round trip. [Store.Commit] hands it to the one goroutine
// that writes. That goroutine takes whatever batches wait, executes each in a
// savepoint of one transaction, commits once (synchronous=FULL: one fsync) and
// answers all of them. So the more callers there are, the fewer fsyncs each of
// them costs, and nobody waits for a timer.
//
// A batch takes effect whole or not at all. It states what it expects (this
// row exists, that call was not started before); where that does not hold the
// batch is undone alone and its neighbours do not notice. When Commit returns
// nil the batch is on disk.
//
// # Reading
//
// Reads go to a small pool of connections that cannot write and never wait for
// the writer. Lists are bounded by the caller or read row by row. Results of
// tools live in the journal only; they are joined to the messages when those
// are read.
//
// # The file
//
// The schema is numbered by migrations that goose applies when a database is
// opened. Of a database that has to be migrated a copy is kept next to it; a
// database that is newer than the program is refused. The queries are SQL in
// queries/, turned into Go by sqlc (package store/db); `go generate` runs it.
//
// Requests and decisions, the audit trail, are only ever added: triggers
// refuse anything else, every row holds the hash of the row before it, and
// [Store.VerifyAudit] follows that chain. They name their session by value,
// since sessions can be deleted and the trail cannot.
//
// Checkpoints run on a connection of their own while writing goes on, so no
// commit waits for the pages of a thousand others to be copied.
//
// The store does not keep two programs apart; the server's lock does. A second
// program that writes anyway waits for its turn, by default up to five seconds,
// and then gets [ErrBusy]. Reading next to a running server is what [Options.ReadOnly]
// is for.
package store

//go:generate sqlc generate
