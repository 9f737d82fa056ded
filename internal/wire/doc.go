// Package wire is what Mix says over HTTP: the JSON of the contract's requests
// and answers, and the Server-Sent Events that tell what happens in a session.
//
// # Events
//
// [EncodeEvent] turns an event into complete SSE blocks:
//
//	id: 7
//	event: content
//	data: {"type":"content","content":"Hel","assistantMessageId":"…"}
//
// Published clients of the contract die on an event name that they do not
// know, on a missing key, on null, on a comment, and on a block over 64 KiB.
// So there are two streams over one encoding. The contract's stream carries
// the 16 names of the contract, with exactly the contract's keys plus keys that
// its clients skip. The own stream carries the same bytes and, between them,
// events that [Own] reports. No block reaches [MaxBlock] bytes: streamed text
// goes on in a further event with a number of its own, other text is cut
// between characters, JSON inside is shortened but stays JSON, and an event
// that lost something says "truncated": true. The whole is in the messages.
//
// The encoder writes JSON itself: a delta costs well under a microsecond and,
// with room in the buffer, no allocation. Its strings never hold a character
// that some line reader takes for a line end (U+0085, U+2028 and U+2029 are
// escaped too), bytes that are not UTF-8 become U+FFFD, and <, > and & stay
// one byte each.
//
// # Requests and answers
//
// The types are named after the contract's schemas. Keys that it does not know
// are additions for our own clients; optional keys are left out rather than
// null, lists that must be there are [] rather than null, and times are RFC
// 3339 in UTC. Requests are read with [Decode] and checked with their Validate
// method; both return a [*FieldError] that names the field and the reason.
package wire
