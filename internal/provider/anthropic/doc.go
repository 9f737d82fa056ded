// Package anthropic speaks Anthropic's Messages wire: POST /v1/messages with
// a stream of events as the answer.
//
// # Requests
//
// A request is appended to one buffer, with "messages" as the last key, and
// nothing in it depends on anything but the history, the tools and the system
// prompt. So the request of a turn, without the two brackets that end it, is a
// byte prefix of the next turn's, and the vendor's prompt cache works. Cache
// breakpoints stand on the last tool and on the system prompt.
//
// # Answers
//
// Nearly all frames of an answer are pieces of text, of reasoning, or of a tool
// call's input. Those are read by a field scanner; every other frame, and every
// frame that is not as expected, is read by encoding/json. The end mark is the
// event message_stop: an answer without it was interrupted.
package anthropic
