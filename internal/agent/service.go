package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/eventlog"
	"github.com/mixagent/mix/internal/permission"
	"github.com/mixagent/mix/internal/provider"
	"github.com/mixagent/mix/internal/store"
	"github.com/mixagent/mix/internal/tools"
)

// Defaults of [Options].
const (
	DefaultMaxSteps   = 25
	DefaultQueueLimit = 16
	// StopGrace is how long running work may go on when the server stops.
	StopGrace = 10 * time.Second
	// maxText bounds a prompt. Larger texts belong into a file.
	maxText = 4 << 20
)

// Errors of the service. Callers test for them with [errors.Is].
var (
	ErrQueueFull    = errors.New("the queue of this session is full")
	ErrEmptyPrompt  = errors.New("the prompt is empty")
	ErrPromptTooBig = errors.New("the prompt is too large")
	ErrModel        = errors.New("unknown model")
	ErrRule         = errors.New("unusable rule")

	errCancelled = errors.New("cancelled")
	// errInterrupted is also what people read of a run that a stop or a crash
	// cut off.
	errInterrupted = errors.New("the server was stopped while it worked on this message; what was done so far is kept: send a message to go on")
)

// Models finds the provider behind a model's name and what is known of it.
type Models interface {
	// Resolve returns the provider of "PROVIDER/MODEL" and the model's own
	// name, or an error that tells a person what to do.
	Resolve(model string) (provider.Provider, string, error)
	// Canonical returns the full name of what a person wrote, or an error that
	// says what is wrong with it. That a key is missing is not.
	Canonical(model string) (string, error)
	// Cost returns the price of u in US dollars; false where it is unknown.
	Cost(model string, u domain.Usage) (float64, bool)
	// MaxOutput returns the bound on an answer in tokens; 0 where unknown.
	MaxOutput(model string) int
}

// Options are what a [Service] needs. All but the last group are required.
type Options struct {
	Store    *store.Store
	Log      *eventlog.Log
	Gate     *permission.Gate
	Executor *tools.Executor
	Tools    *tools.Registry
	Models   Models

	// SessionsDir holds a folder for each session.
	SessionsDir string
	// ProjectRules returns the rules of the settings that a directory brings,
	// as far as they take effect; trusted says that the person vouches for them.
	ProjectRules func(dir string, trusted bool) (*permission.Rules, error)
	// DefaultModel and DefaultDir serve sessions that name none.
	DefaultModel string
	DefaultDir   string
	// Protected are the directories no tool may touch.
	Protected []string
	// MarksDir is where running commands are noted, so that the next server
	// can end what is left of them should this one be killed.
	MarksDir string
	// PassEnv names variables that commands see although they look like
	// secrets.
	PassEnv []string

	// If zero: DefaultQueueLimit, DefaultMaxSteps, slog.Default, time.Now.
	QueueLimit int
	MaxSteps   int
	Logger     *slog.Logger
	Now        func() time.Time
}

// Service runs the agent for all sessions of a server.
type Service struct {
	o    Options
	home string
	base context.Context // cancelled when runs must end
	stop context.CancelCauseFunc
	// work counts runners, and callers that may start one: Close waits for
	// both.
	work sync.WaitGroup
	busy atomic.Int64 // sessions with a runner

	// mu may be taken by who holds a session's mu, not the other way round.
	mu        sync.Mutex
	closed    bool
	recovered bool
	active    map[string]*session
	// unacknowledged runs may be asked for again by a client that never saw
	// its 202; the value is when the run was committed.
	unacknowledged map[string]time.Time
}

// New returns a service. Call [Service.Recover] before the first Submit.
func New(o Options) (*Service, error) {
	if o.Store == nil || o.Log == nil || o.Gate == nil || o.Executor == nil || o.Tools == nil || o.Models == nil || o.ProjectRules == nil {
		return nil, errors.New("agent: store, log, gate, executor, tools, models and project rules are required")
	}
	if o.QueueLimit == 0 {
		o.QueueLimit = DefaultQueueLimit
	}
	if o.MaxSteps == 0 {
		o.MaxSteps = DefaultMaxSteps
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	home, err := os.UserHomeDir()
	if err == nil {
		if resolved, err := filepath.EvalSymlinks(home); err == nil {
			home = resolved
		}
	}
	base, stop := context.WithCancelCause(context.Background())
	return &Service{
		o: o, home: home, base: base, stop: stop,
		active:         make(map[string]*session),
		unacknowledged: make(map[string]time.Time),
	}, nil
}

// Close ends the service: nothing new is accepted; running work may go on
// until grace is over or ctx ends, then it is interrupted cleanly. Queued runs
// stay queued and go on when a server next opens the same data. When Close
// returns nothing of the service runs any more. The error is always nil.
func (s *Service) Close(ctx context.Context, grace time.Duration) error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()

	done := make(chan struct{})
	go func() { s.work.Wait(); close(done) }()
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	case <-ctx.Done():
	}
	s.stop(errInterrupted)
	<-done
	return nil
}

// Busy reports how many sessions have a run under way.
func (s *Service) Busy() int { return int(s.busy.Load()) }

// SessionDir is the session's own folder.
func (s *Service) SessionDir(id string) string { return filepath.Join(s.o.SessionsDir, id) }

// now returns the time with the resolution of the store.
func (s *Service) now() time.Time { return s.o.Now().UTC().Truncate(time.Millisecond) }

// session is what the service keeps of a session in memory. Everything in it
// can be had from the store again, except the files that tools have read: a
// session that is forgotten has to read a file again before it edits it.
type session struct {
	id   string
	refs int // guarded by Service.mu; only a session nobody holds is forgotten
	used time.Time

	// submit serialises what adds to the session's work.
	submit sync.Mutex

	files *tools.FileTracker

	mu        sync.Mutex
	running   bool
	cancel    context.CancelCauseFunc // of the run under way
	queue     []domain.Run
	withdrawn []domain.Run  // cancelled while they waited; the runner ends them
	idle      chan struct{} // closed when the runner has ended; nil where none runs
}

// maxKept bounds the idle sessions kept in memory.
const maxKept = 512

// enter keeps Close from returning until leave is called.
func (s *Service) enter() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return fmt.Errorf("the server is stopping and accepts nothing new; try again when it has started again: %w", domain.ErrClosed)
	}
	s.work.Add(1)
	return nil
}

func (s *Service) leave() { s.work.Done() }

// acquire enters and returns the in-memory part of a session; release gives it
// back.
func (s *Service) acquire(id string) (*session, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.active[id]
	if a == nil {
		a = &session{id: id, files: tools.NewFileTracker()}
		s.active[id] = a
	}
	a.refs++
	a.used = s.o.Now()
	return a, nil
}

// again acquires a session for another user of it; the caller holds one.
func (s *Service) again(a *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.work.Add(1)
	a.refs++
}

func (s *Service) release(a *session) {
	defer s.leave()
	s.mu.Lock()
	defer s.mu.Unlock()
	a.refs--
	if len(s.active) <= maxKept {
		return
	}
	var oldest *session
	for _, c := range s.active {
		if c.refs == 0 && (oldest == nil || c.used.Before(oldest.used)) {
			oldest = c
		}
	}
	if oldest != nil {
		delete(s.active, oldest.id)
	}
}
