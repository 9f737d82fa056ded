package agent

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/permission"
	"github.com/mixagent/mix/internal/provider"
	"github.com/mixagent/mix/internal/store"
	"github.com/mixagent/mix/internal/tools"
)

// errSettings ends a run whose project's settings cannot be used.
var errSettings = errors.New("the settings of the project cannot be used")

// turn is the work on one run: its session, the history as the model sees it,
// and the message being built.
type turn struct {
	s     *Service
	a     *session
	run   domain.Run
	sess  domain.Session
	rules *permission.Rules // of the project's settings

	provider provider.Provider
	model    string // the vendor's own name of it
	tools    []provider.Tool
	history  []domain.Message

	placed  bool // the user message has its place in the conversation
	steps   int
	pending *domain.Message // streamed, not yet on disk
	last    *domain.Message // on disk
	repeats repetition

	mu   sync.Mutex
	open map[string]bool // calls of last whose end is not on disk, by ID
}

// place gives the message of a run that waited its place in the conversation.
func (t *turn) place(ctx context.Context) error {
	if t.run.State != domain.RunQueued {
		t.placed = true
		return nil
	}
	s := t.s
	ctx = context.WithoutCancel(ctx) // a cancelled run's message has its place as well
	position, err := s.o.Log.Position(ctx, t.a.id)
	if err != nil {
		return fmt.Errorf("read the position of the event log: %w", err)
	}
	// What is behind this number is this run's, up to its end: recovery finds
	// an unfinished answer there.
	t.run.EventSeq = position
	t.run.State, t.run.StartedAt = domain.RunRunning, s.now()
	b := store.NewBatch()
	b.PlaceMessage(t.run.MessageID)
	b.UpdateRun(t.run)
	if err := s.o.Store.Commit(ctx, b); err != nil {
		return fmt.Errorf("start the run: %w", err)
	}
	t.placed = true
	return nil
}

// load reads what the run needs.
func (t *turn) load(ctx context.Context) error {
	s := t.s
	s.o.Log.Append(t.a.id, domain.RunChanged{RunID: t.run.ID, MessageID: t.run.MessageID, State: domain.RunRunning})
	var err error
	if t.sess, err = s.o.Store.Session(ctx, t.a.id); err != nil {
		return fmt.Errorf("load the session: %w", err)
	}
	if t.run.PlanMode {
		t.sess.Policy.Mode = domain.ModePlan
	}
	if t.rules, err = s.o.ProjectRules(t.sess.Directory, t.sess.Policy.Trust); err != nil {
		return fmt.Errorf("%w: %w; mend them, or start a session in another directory", errSettings, err)
	}
	if t.provider, t.model, err = s.o.Models.Resolve(t.sess.Model); err != nil {
		return err
	}
	if t.history, err = s.o.Store.History(ctx, t.a.id); err != nil {
		return fmt.Errorf("load the conversation: %w", err)
	}
	t.tools = s.toolList(t.sess.Policy.Mode)
	return nil
}

// leanResult is the longest typed result, in bytes, that the history of a run
// keeps, as one that is read from the store does.
const leanResult = 256 << 10

// lean drops from a message that is on disk the large results that no model is
// sent.
func lean(m *domain.Message) {
	for i := range m.Calls {
		if len(m.Calls[i].Result) > leanResult {
			m.Calls[i].Result = nil
		}
	}
}

// loop asks the model and runs its tools until it ends its turn.
func (t *turn) loop(ctx context.Context) outcome {
	for {
		if reason := t.cap(); reason != "" {
			return outcome{state: domain.RunDone, reason: reason}
		}
		t.steps++
		if err := t.ask(ctx); err != nil {
			return failed(ctx, err)
		}
		if len(t.pending.Calls) == 0 {
			return endOf(t.pending.FinishReason)
		}
		if err := t.runTools(ctx); err != nil {
			return failed(ctx, err)
		}
		if ctx.Err() != nil {
			return failed(ctx, ctx.Err())
		}
		if t.cap() != "" {
			continue // nobody is asked about what ends anyway
		}
		if err := t.checkLoop(ctx); err != nil {
			return failed(ctx, err)
		}
	}
}

// cap says which bound keeps the run from calling the model once more, "" where
// none does.
func (t *turn) cap() string {
	limit := t.s.o.MaxSteps
	for _, n := range []int{t.sess.Policy.MaxSteps, t.run.MaxSteps} {
		if n > 0 {
			limit = n
		}
	}
	switch most := t.sess.Policy.MaxCostUSD; {
	case t.steps >= limit:
		return "max_steps"
	case most > 0 && t.sess.CostUSD >= most:
		return "max_cost"
	}
	return ""
}

// endOf is the outcome of an answer without tool calls.
func endOf(reason domain.FinishReason) outcome {
	switch reason {
	case domain.FinishMaxTokens, domain.FinishRefusal:
		return outcome{state: domain.RunDone, reason: string(reason)}
	}
	return outcome{state: domain.RunDone}
}

// ask makes one model call. What arrived is in t.pending, also after an error.
func (t *turn) ask(ctx context.Context) error {
	req := &provider.Request{
		SessionID: t.a.id, Model: t.model, System: t.sess.SystemPrompt,
		Tools: t.tools, Messages: t.history,
		MaxTokens: t.s.o.Models.MaxOutput(t.sess.Model), Effort: t.run.Effort,
		OnRetry: t.announceRetry,
	}
	in := newIntake(t.s, t.a.id, t.run.ID, t.sess.Model, t.provider.Name())
	t.pending = in.msg
	defer func() { // also after an error or a panic
		in.settle()
		t.account(in.msg)
	}()
	for d, err := range t.provider.Stream(ctx, req) {
		if err != nil {
			return err
		}
		in.take(d)
	}
	if in.msg.FinishReason == "" {
		return errors.New("the model's answer ended without saying why; send the message again")
	}
	in.complete()
	return nil
}

// account adds what an answer cost to the session. What an answer that broke
// off cost is more than the vendor had reported, so that is unknown.
func (t *turn) account(m *domain.Message) {
	usd, known := t.s.o.Models.Cost(t.sess.Model, m.Usage)
	m.CostUSD, m.CostUnknown = usd, !known || m.FinishReason == ""
	t.sess.Usage = t.sess.Usage.Add(m.Usage)
	t.sess.CostUSD += m.CostUSD
	t.sess.CostUnknown = t.sess.CostUnknown || m.CostUnknown
}

// announceRetry tells people that a call is tried again. Short waits are not
// worth an event: some clients stop reading at the first error.
func (t *turn) announceRetry(r provider.Retry) {
	t.s.o.Logger.Info("a model call is tried again", "session", t.a.id, "attempt", r.Attempt, "wait", r.Wait, "error", r.Err)
	if r.Attempt < 2 && r.Wait < quietRetry {
		return
	}
	t.s.o.Log.Append(t.a.id, domain.Failure{
		Message: r.Err.Error(), Type: errorType(r.Err),
		RetryAfter: r.Wait, Attempt: r.Attempt, MaxAttempts: r.MaxAttempts,
	})
}

// addMessage puts the finished message into a batch, and with the first answer
// of a session that has no title one, which it returns.
func (t *turn) addMessage(b *store.Batch, m *domain.Message) (title string) {
	if position, err := t.s.o.Log.Position(context.Background(), t.a.id); err == nil {
		m.EventSeq = position
	}
	b.AddMessage(*m)
	if t.sess.TitleGiven || t.sess.Title != "" {
		return ""
	}
	if title = titleOf(t.firstPrompt()); title != "" {
		b.SetTitle(t.a.id, title, false)
	}
	return title
}

func (t *turn) firstPrompt() string {
	for i := range t.history {
		if t.history[i].Role == domain.RoleUser {
			return t.history[i].Text()
		}
	}
	return ""
}

// usageReport tells subscribers what a stored message cost.
func (t *turn) usageReport(m *domain.Message) domain.UsageReport {
	return domain.UsageReport{
		MessageID: m.ID, Model: m.Model, Usage: m.Usage, CostUSD: m.CostUSD, CostUnknown: m.CostUnknown,
		SessionUsage: t.sess.Usage, SessionCostUSD: t.sess.CostUSD, CostUnknownInPart: t.sess.CostUnknown,
	}
}

// runTools executes the calls of the pending message and adds it, with their
// results, to the history.
func (t *turn) runTools(ctx context.Context) error {
	m := t.pending
	ended, err := t.s.o.Executor.Execute(ctx, tools.Batch{
		Subject: t.subject(),
		Env: tools.Env{
			SessionID: t.a.id, Directory: t.sess.Directory, SessionDir: t.s.SessionDir(t.a.id),
			Files: t.a.files, Protected: t.s.o.Protected, PassEnv: t.s.o.PassEnv, Marks: t.s.o.MarksDir,
		},
		Calls:   m.Calls,
		Journal: &journal{t: t},
		Emitter: emitter{s: t.s, session: t.a.id},
	})
	if len(ended) > 0 {
		m.Calls = ended
	}
	if t.pending != nil {
		// The proposal never reached the disk, so nothing ran.
		if err == nil {
			err = errors.New("the tool calls were not recorded")
		}
		return err
	}
	kept := *m
	kept.Calls = slices.Clone(m.Calls)
	lean(&kept)
	t.history = append(t.history, kept)
	return err
}

// subject is whom the gate judges.
func (t *turn) subject() permission.Subject {
	return permission.Subject{
		SessionID: t.a.id, SessionName: t.sess.Title, RunID: t.run.ID,
		Directory: t.sess.Directory, Policy: t.sess.Policy, Project: t.rules,
		ParentToolCallID: t.sess.ParentToolCallID,
	}
}
