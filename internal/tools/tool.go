package tools

import (
	"context"
	"encoding/json"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/permission"
)

// Tool is something a model can call. Implementations are safe for concurrent
// use and keep nothing between calls.
type Tool interface {
	// Name is the canonical name, the one that models, events and audit show.
	Name() string
	// Aliases are other names under which the tool can be called and named in
	// rules.
	Aliases() []string
	// Description tells a model when to use the tool, when not, and its limits.
	Description() string
	// Schema is the JSON schema of the input, of type object; the same bytes
	// each time, since the list of tools is part of a vendor's cached prefix.
	Schema() json.RawMessage
	// Capabilities are all kinds of effect that a call can have. A plan that
	// names another one is refused.
	Capabilities() []domain.Capability
	// Plan checks the input, resolves paths and says what the call would do. It
	// has no effects and is quick: it may read a file to show a diff, nothing
	// more. It may be called more than once for a call. Its error is for the
	// model and must not tell what is in a file: nobody was asked yet.
	Plan(ctx context.Context, env *Env, input json.RawMessage) (*Plan, error)
}

// AliasTool is a [Tool] some of whose aliases take other units or keys.
type AliasTool interface {
	Tool
	// FromAlias turns the input of a call by the alias into the tool's own. Its
	// error is for the model.
	FromAlias(alias string, input json.RawMessage) (json.RawMessage, error)
}

// Plan is what a call would do, and the way to do it.
type Plan struct {
	// Accesses are all effects. An empty list stands for one effect without a
	// target for each of the tool's capabilities.
	Accesses []permission.Access
	// Description is one line for people.
	Description string
	// Diff shows an edit to the person who decides; bounded, "" for others.
	Diff string
	// Doomed, where set, says why Run would fail as things stand. When a person
	// would have to be asked and no earlier call of the batch can change that,
	// the call fails with it and nobody is bothered. It must not tell more than
	// the session knows already.
	Doomed error
	// Distrust, where set, says why a command must not count as one that only
	// reads, though its words look like it. What would run for that reason
	// alone is then asked.
	Distrust string
	// Run has the effects. It is called at most once and should return soon
	// after ctx ended. With an error the call failed: the error is for the
	// model, and the output's text, if any, is kept. An error that wraps the
	// context's says that the call was interrupted.
	Run func(ctx context.Context, env *Env) (Output, error)
}

// Output is what a call returned.
type Output struct {
	// Result is typed; its JSON, an object, is the contract's result.
	Result any
	// Text is what the model reads. The executor takes out what [domain.Sanitize]
	// does not let pass.
	Text string
	// IsError marks a call that did its work, with a bad end: a command that
	// exits with 1.
	IsError bool
}

// Env is what a call knows about where it runs. The executor gives each call
// a copy.
type Env struct {
	SessionID string
	// Directory is the session's: absolute, symbolic links resolved.
	Directory string
	// SessionDir is the session's own folder in Mix's data directory.
	SessionDir string
	// Marks is where running commands are marked, for all sessions of a server; see
	// shell.Command. "" marks none.
	Marks string
	// Protected are directories that searches never enter: Mix's own.
	Protected []string
	// Home stands for "~" in paths; "" means the home directory of the user.
	Home string
	// Environ is the environment that commands get theirs from; nil means that
	// of this process. Names in PassEnv are not held back from them.
	Environ []string
	PassEnv []string
	// Files is what the session has read.
	Files *FileTracker

	// CallID, Output, ReadOnly and Closed are set by the executor for each call.

	// CallID is [domain.ToolCall.ID].
	CallID string
	// Output shows a piece of live output, which may hold anything: the executor
	// makes it safe to show. What comes after Run returned is dropped.
	Output func(chunk string)
	// ReadOnly is true for a command that is proven to only read.
	ReadOnly bool
	// Closed reports whether a resolved path is closed to reading; nil means
	// that nothing is.
	Closed func(path string) bool
}
