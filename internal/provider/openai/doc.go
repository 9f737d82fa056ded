// Package openai speaks OpenAI's Chat Completions wire: POST
// /chat/completions with a stream of chunks as the answer. Many vendors and
// local servers speak it too; [Options] says where they differ, and the decoder
// is lenient where they do without saying so.
//
// # Requests
//
// A request is appended to one buffer, with "messages" as the last key, so that
// the request of a turn, without the two brackets that end it, is a byte prefix
// of the next turn's.
//
// # Answers
//
// An answer is whole when the mark [DONE] came, or when its body ended cleanly
// after a finish reason. Anything else that ends it is an interruption: servers
// send the reason in a chunk of its own, after the last piece. A body that is
// one JSON object instead of a stream is read as a whole answer.
//
// What servers do, and what is made of it:
//
//   - a tool call without index belongs to the call with its identifier, or to
//     a new one where it has a name, else to the last one;
//   - a tool call without identifier gets one;
//   - an index that comes again with another identifier and a name is a new call;
//   - arguments may come at once, as an object instead of text, or not at all;
//   - reasoning is read from reasoning_content or reasoning;
//   - content may be null or a list of parts;
//   - usage may come in any chunk, within a choice, or never; reasoning tokens
//     that are not part of the completion's are added to it;
//   - an error may come in the middle of a stream, or instead of one.
package openai
