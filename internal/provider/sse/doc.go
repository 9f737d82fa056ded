// Package sse reads a stream of Server-Sent Events, as model vendors send
// their answers.
//
// It keeps to the event stream format of the HTML standard (section 9.2.6):
// lines end with LF, CR or CRLF; a byte order mark at the start is skipped;
// several data lines of one event are joined with LF; lines that start with a
// colon are comments; unknown fields are ignored; an event without data, and
// an event that the stream ends in the middle of, are dropped.
//
// A [Reader] starts no goroutine, and allocates only its buffer. The events it
// returns are views into that buffer, and the same bytes give the same events
// however the connection cuts them into reads.
package sse
