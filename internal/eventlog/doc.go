// Package eventlog keeps what happens in every session: a numbered, durable
// log that any number of clients follow, each from where it left off. It is
// the only broadcast in Mix.
//
// # The life of an event
//
// [Log.Append] gives the event the next number of its session, encodes it once
// as an SSE block and puts the block into the session's window in memory; all
// subscribers, all replays and the disk get those same bytes. At most
// [Options.SegmentEvery] later one transaction writes what is new in all
// sessions, one [Segment] per session, and only then may a window give up the
// block to stay small. A session in which nothing happens costs nothing: there
// is no timer and no goroutine until the next event.
//
// # Numbers
//
// Numbers strictly increase for as long as a session lives, over a kill of the
// process too. They are therefore reserved on disk in blocks before they are
// used: the next block while half of the current one is left, so that Append
// practically never waits. A process that finds a session begins behind all
// numbers reserved, since it cannot know which were used; numbers may be
// skipped but are never given out twice.
//
// # Cursors
//
// A [Cursor] is a position, not a queue. Nothing is held for a slow or dead
// subscriber, and an Append does the same work for none and for a thousand: it
// wakes one goroutine, which exists only for that moment and wakes the waiting
// cursors. A cursor reads from the window while its position is there,
// else from segments, and where those were pruned after a week it gets whole
// messages in their place. Its order never goes back and nothing comes twice,
// whatever is appended, saved, evicted or pruned meanwhile.
//
// # When the disk fails
//
// Events that cannot be saved stay in memory, up to [Options.UnsavedBytes] per
// session; beyond that the oldest are lost and counted ([Log.Dropped]), for an
// agent must not die of its own log. While the disk works but is slower than a
// burst, Append waits for it instead: then nothing is lost.
package eventlog
