// Package domain holds the nouns of Mix: sessions, messages and their blocks,
// tool calls, runs, events, requests and decisions, usage and identifiers.
//
// It imports nothing else of Mix, does no input or output, and knows no vendor.
// Everything that crosses a package border (from the store to the agent, from
// the agent to the event log, from a provider to the agent) is one of these
// types, so a reader who knows this package can read any other.
//
// Times are UTC with millisecond resolution. Money is US dollars. Token counts
// are what the vendor reported, never an estimate.
package domain
