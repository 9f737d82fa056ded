package tools

import (
	"context"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/permission"
)

// Gate decides which calls run. *[permission.Gate] is one.
type Gate interface {
	Judge(ctx context.Context, s permission.Subject, c permission.Call) permission.Verdict
	Ask(ctx context.Context, s permission.Subject, c permission.Call, v permission.Verdict) (domain.Decision, error)
}

// Journal keeps what happens to the calls of one batch. Each method returns
// when it is on disk. Methods other than Propose are called from several
// goroutines at once, and with a context that is not cancelled with the run.
type Journal interface {
	// Propose records all calls of the batch at once, before anything runs.
	Propose(ctx context.Context, proposals []Proposal) error
	// Start records that the call begins. It fails for a call that began before.
	Start(ctx context.Context, callID string) error
	// Allow records that a person allowed a call which waits for other calls.
	Allow(ctx context.Context, callID string) error
	// End records how a call ended.
	End(ctx context.Context, call domain.ToolCall) error
}

// Proposal is a call with what the gate said about it. Its state is started,
// allowed (waits for an earlier call), asked, or an ended one: denied, failed
// (unknown tool, bad input) or interrupted (the run was cancelled before).
type Proposal struct {
	Call domain.ToolCall
	// Request is the row to record; its ID is "" for a call that never came
	// before the gate.
	Request domain.Request
	// Decision is the row to record; nil when a person has to be asked and for
	// a call that never came before the gate.
	Decision *domain.Decision
}

// Emitter takes events. It is called from several goroutines at once.
type Emitter interface {
	Emit(ev domain.Event)
}

// Batch is the calls of one answer of the model.
type Batch struct {
	Subject permission.Subject
	Env     Env
	// Calls are proposed: Tool is the name that the model wrote, Input the text
	// that it wrote, perhaps not JSON.
	Calls   []domain.ToolCall
	Journal Journal
	Emitter Emitter
}
