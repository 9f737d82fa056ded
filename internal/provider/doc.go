// Package provider is the one way to a model. A [Provider] turns a [Request],
// written in the nouns of Mix, into a stream of [Delta] values; a sub-package
// for each wire protocol does so for one family of vendors.
//
// What every provider keeps to:
//
//   - A stream either ends with a [DeltaStop], or with an error. A connection
//     that ends without the wire's own end mark is an error of kind
//     [KindInterrupted], never a short answer.
//   - Errors are *[Error] with a kind that callers decide on, and a sentence
//     that tells a person what to do. Only the end of a cancelled call is none:
//     it wraps the context's error.
//   - Cancelling the context, or leaving the loop over the stream, closes the
//     vendor's connection before Stream's iterator returns.
//   - A provider keeps no state between calls except connections, so one value
//     serves all sessions at once.
//   - It never retries by itself: [Retrying] wraps a provider, and repeats only
//     what failed before its first delta.
package provider
