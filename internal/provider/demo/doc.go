// Package demo is a model that needs no vendor, no network and no key: scripts
// that answer through the same interface as real models.
//
// demo/survey, which "demo" alone means, is what a newcomer without a key runs.
// It says that it is a script, looks through the working directory with the
// real tools (files by type, README, TODO and FIXME marks, recent commits) and
// writes a report of what they returned. It never claims to understand the
// prompt, and it says so when a tool failed or was denied. It asks only for
// calls that the permission mode "ask" lets through without a question.
//
// Two more are scripted models for tests and benchmarks of what is around a
// model:
//
//   - demo/echo answers with the text of the last user message, in one piece.
//
//   - demo/steps reads the last user message as a JSON list of steps and plays
//     them, one for each model call:
//
//     [{"text": "I write.", "calls": [{"tool": "Write", "input": {"file_path": "a", "content": "b"}}]},
//     {"text": "Done."}]
//
//     A step may also have "reasoning". The text of a JSON string as input is
//     sent as it is, so that a test can make a model write an input that is not
//     JSON. After the last step it answers that there are no more.
//
// All of them are pure functions of the history in the request: the same
// request gives the same answer, deltas included, in every process. They report
// no tokens, because none were used.
package demo
