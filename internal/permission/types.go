package permission

import (
	"context"
	"encoding/json"
	"log/slog"
	"time"

	"github.com/mixagent/mix/internal/domain"
)

// Records is what the gate needs of the store.
type Records interface {
	// Decide commits a decision and the grants that came with it at once. It
	// returns an error that wraps [domain.ErrConflict] when the request has a
	// decision already.
	Decide(ctx context.Context, d domain.Decision, grants []domain.Grant) error
	// Grants returns the grants of the session and those of the project.
	Grants(ctx context.Context, session, project string) ([]domain.Grant, error)
}

// Events is what the gate needs of the event log.
type Events interface {
	Append(session string, ev domain.Event) int64
}

// Subject is who wants to run a call: a session in one of its runs.
type Subject struct {
	SessionID, SessionName, RunID string
	// Directory is the session's: absolute, symbolic links resolved. Relative
	// rules start here, and project grants are keyed by it.
	Directory string
	Policy    domain.Policy
	// Project are the rules of the project's own settings, as far as they take
	// effect; nil means none. They are relative to Directory.
	Project *Rules
	// Parents are the identifiers of the ancestor sessions of a sub-agent,
	// nearest first. What a person granted or denied there holds here too, and
	// requests are announced there as well, since that is where people look.
	Parents []string
	// Inherited are the policies of those ancestors. Their deny rules bind and
	// so does their plan mode; their allow rules do not count.
	Inherited        []domain.Policy
	ParentToolCallID string
}

// Access is one effect that a call would have.
type Access struct {
	Can domain.Capability
	// Path is absolute and resolved (see [Resolve]). With a Command it is the
	// directory in which the command starts; "" means the session's.
	Path string
	// Tree is true when everything below Path is meant.
	Tree bool
	// Filtered promises that a Tree read leaves out every file for which
	// [Verdict.Closed] reports true. Without the promise such a read asks when
	// something below Path is closed.
	Filtered bool
	// Command is a shell line (of the tool Bash) or program text (of others).
	Command string
	URL     string
	// Own is true for the session's own folder in Mix's data directory.
	Own bool
}

// Call is one tool call, planned but not started.
type Call struct {
	ID          string // domain.ToolCall.ID
	Tool        string // canonical name
	Aliases     []string
	Input       json.RawMessage
	Description string // one line for people
	Diff        string // of an edit, for people
	// Accesses are all effects; a call without any is judged by its tool's
	// name only, and asks when no rule names it.
	Accesses []Access
}

// Verdict is what the gate says about a call.
type Verdict struct {
	// Outcome is allow or deny; "" means that a person has to be asked.
	Outcome domain.Outcome
	// By is who decided, as in [domain.Decision]; "" when nobody did yet.
	By string
	// Rule is the rule, grant or mode that decided, or that made it ask.
	Rule string
	// Reason is one sentence: why it was denied, or why it asks.
	Reason string
	// ReadOnly is true for a shell line every part of which is proven to only
	// read, whatever the outcome.
	ReadOnly bool
	// Suggest is the narrow rule (or rules, joined by " and ") that an answer
	// with a wider scope would save; "" when there is none.
	Suggest string
	// Closed reports whether a resolved path is closed to reading, by a deny
	// rule, because it is Mix's own, or because it holds secrets. It is set
	// when the call has a Tree access, and safe for concurrent use.
	Closed func(path string) bool
	// Request is the row to commit, for every call.
	Request domain.Request
	// Decision is the row to commit; nil when a person has to be asked.
	Decision *domain.Decision

	// asks is true when the gate itself had no answer. A caller may take an
	// allowance back and ask all the same; then no grant answers instead.
	asks      bool
	suggests  []string
	directory bool // asked only because the directory was not granted yet
}

// Answer is what a person, or a program for them, says to a request.
type Answer struct {
	Outcome domain.Outcome // allow or deny
	By      string         // "person" (the default) or "program"
	Scope   domain.Scope   // "" means once
	// Rule is saved with the scopes session and project; "" means
	// [Verdict.Suggest]. A rule given here may be as wide as the person likes.
	Rule   string
	Reason string
	// Input replaces the call's input. It must be valid JSON.
	Input json.RawMessage
}

// Options are the parts and settings of a gate. Records and Events are
// required; zero values of the others mean what their comments say.
type Options struct {
	Records Records
	Events  Events
	// Rules are the user's, from the settings.
	Rules Rules
	// Protected are Mix's data and configuration directories.
	Protected []string
	// Home is the user's home directory, "" where there is none.
	Home string
	// Expiry is how long a request waits when nobody can answer; 0 means 30 s.
	Expiry time.Duration
	// Grace is how long somebody who can answer counts as there after having
	// left; 0 means 10 minutes.
	Grace time.Duration
	// Now is the clock of the rows; nil means time.Now.
	Now func() time.Time
	// Logger is told what could not be recorded; nil means none.
	Logger *slog.Logger
}
