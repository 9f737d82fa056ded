package domain

import "time"

// RunState is where a run is on its way. Waiting for a person is not a state:
// it follows from the open requests.
type RunState string

// The run states.
const (
	RunQueued      RunState = "queued"
	RunRunning     RunState = "running"
	RunDone        RunState = "done"
	RunFailed      RunState = "failed"
	RunCancelled   RunState = "cancelled"
	RunInterrupted RunState = "interrupted"
)

// Ended reports whether no further state follows s.
func (s RunState) Ended() bool {
	return s == RunDone || s == RunFailed || s == RunCancelled || s == RunInterrupted
}

// Effort is how much a model may reason before it answers.
type Effort string

// The effort levels. The zero value "" means that the text of the message
// decides.
const (
	EffortDefault Effort = ""
	EffortOff     Effort = "off"
	EffortBasic   Effort = "basic"   // about 4,000 tokens
	EffortMedium  Effort = "medium"  // about 10,000 tokens
	EffortMaximum Effort = "maximum" // about 32,000 tokens
)

// Run is the work that one user message starts.
type Run struct {
	ID        string
	SessionID string
	MessageID string // the user message
	State     RunState
	// Reason is why it ended, where State does not say it all: "max_steps",
	// "max_cost", "loop", "refusal", "error".
	Reason string
	// Error is the sentence a person reads when it failed.
	Error     string
	ErrorType string

	PlanMode bool
	Effort   Effort
	MaxSteps int // 0: the session's

	Steps    int
	EventSeq int64 // the session's last event number before the run
	// IdempotencyKey is the client's, "" where none was sent. Digest is the
	// hash of the request's body.
	IdempotencyKey string
	Digest         string

	CreatedAt time.Time
	StartedAt time.Time
	EndedAt   time.Time
}
