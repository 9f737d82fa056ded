// Package permission is the gate: it decides whether a tool call may run, and
// it is the place where a call waits for a person.
//
// # The two halves
//
// [Gate.Judge] is a pure decision. It looks at what the call would touch (the
// [Access] list that the tool planned), the rules, the grants and the mode,
// and returns a [Verdict]: allow, deny, or ask. It fills the request row and,
// where it decided, the decision row; the caller commits them together with
// what it does next, so that the audit trail and the effect cannot come apart.
//
// [Gate.Ask] is the wait. A request that nobody decided yet is announced to
// all clients; the first answer ([Gate.Answer]) wins. While somebody who can
// answer is connected, or was a short while ago, it waits without limit;
// otherwise it expires and counts as a denial that says why.
//
// # Order of decisions
//
// For every access, and for every simple command of a shell line, the first of
// these that has something to say decides; of all accesses the strictest
// decision counts (deny, then ask, then allow):
//
//  1. Mix's own data and configuration are closed, always.
//  2. Deny rules: settings, the session's policy, its ancestors' policies,
//     denials that a person recorded.
//  3. Plan mode denies what is not a read.
//  4. What only a person may decide: shell text that cannot be judged, sudo,
//     the mix command itself.
//  5. Ask rules, and the mode ask-all.
//  6. Allow rules and grants. A wide rule does not reach what is destructive
//     or secret; a rule that names the thing does.
//  7. The mode.
//
// # Shell lines
//
// A line is parsed with a real shell grammar, never matched as text. Every
// simple command in it is judged, through lists, pipes, subshells, functions,
// substitutions and wrappers such as env, timeout or "sh -c". A command is a
// read only when its name and every flag are in a table and every argument is
// literal text; whatever is not understood is not a read. A line is allowed
// only when each of its parts is.
//
// The analysis is what lets harmless lines run without a question. It is not a
// sandbox: a command that a rule allows can do all that its program can do.
package permission
