package tools

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/mixagent/mix/internal/domain"
)

// Defaults of [Options].
const (
	DefaultMaxParallel = 16
	DefaultMaxInput    = 1 << 20
	DefaultMaxText     = 100_000
)

// Options are the settings of an executor.
type Options struct {
	// Sequential runs the calls of every batch one after another.
	Sequential bool
	// MaxParallel bounds the calls of a batch that run at the same time; 0
	// means [DefaultMaxParallel].
	MaxParallel int
	// MaxInput bounds a call's input in bytes; 0 means [DefaultMaxInput].
	MaxInput int
	// MaxText bounds what the model reads of a result, in characters; 0 means
	// [DefaultMaxText].
	MaxText int
	// Logger gets the stacks of tools that panic; nil means [slog.Default].
	Logger *slog.Logger
	// Now is the clock; nil means [time.Now].
	Now func() time.Time
}

// Executor runs calls. It is safe for concurrent use by several sessions.
type Executor struct {
	registry *Registry
	gate     Gate
	o        Options
}

// NewExecutor returns an executor of the registry's tools. Without a gate
// there is none.
func NewExecutor(registry *Registry, gate Gate, o Options) (*Executor, error) {
	if registry == nil {
		return nil, errors.New("an executor needs a registry of tools")
	}
	if gate == nil {
		return nil, errors.New("an executor needs a gate")
	}
	if o.MaxParallel <= 0 {
		o.MaxParallel = DefaultMaxParallel
	}
	if o.MaxInput <= 0 {
		o.MaxInput = DefaultMaxInput
	}
	if o.MaxText <= 0 {
		o.MaxText = DefaultMaxText
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Executor{registry: registry, gate: gate, o: o}, nil
}

// Execute gives each call of the batch an end and returns the calls, ended, in
// their order. Cancelling ctx cancels what runs and interrupts the rest; that
// is no error. An error says that the journal failed: what runs is then
// cancelled too, and the calls returned may be further than the journal.
// Without calls nothing is proposed.
func (x *Executor) Execute(ctx context.Context, b Batch) ([]domain.ToolCall, error) {
	if b.Journal == nil {
		return nil, errors.New("tool calls need a journal")
	}
	if b.Emitter == nil {
		return nil, errors.New("tool calls need an emitter")
	}
	if len(b.Calls) == 0 {
		return nil, nil
	}
	if b.Env.Files == nil {
		b.Env.Files = NewFileTracker()
	}
	r := newRound(ctx, x, b)
	defer r.cancel()
	return r.run()
}
