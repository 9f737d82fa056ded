// Package jsonwire reads and writes the JSON of model vendors' wires where
// speed counts: it picks a few fields out of a streamed frame, and appends the
// parts of a request to one buffer.
//
// It is no JSON library. A [Scanner] gives up on everything that a common frame
// does not hold, and whoever uses it then reads the frame again with
// encoding/json. What it does accept, it reads as encoding/json would; tests
// compare the two.
package jsonwire
