package agent

import (
	"context"
	"errors"
	"fmt"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/permission"
	"github.com/mixagent/mix/internal/provider"
	"github.com/mixagent/mix/internal/store"
	"github.com/mixagent/mix/internal/tools"
)

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

	steps   int
	pending *domain.Message // streamed, not yet on disk
	last    *domain.Message // on disk
	title   string          // set by the commit of the first answer
	repeats repetition
}

// prepare loads what the run needs. A run that waited gets its place in the
// conversation first.
func (t *turn) prepare(ctx context.Context) error {
	s := t.s
	if t.run.State == domain.RunQueued {
		position, err := s.o.Log.Position(ctx, t.a.id)
		if err != nil {
			return fmt.Errorf("read the position of the event log: %w", err)
		}
		// What is behind this number is this run's, up to its end: recovery
		// finds an unfinished answer there.
		t.run.EventSeq = position
		t.run.State, t.run.StartedAt = domain.RunRunning, s.now()
		b := store.NewBatch()
		b.PlaceMessage(t.run.MessageID)
		b.UpdateRun(t.run)
		if err := s.o.Store.Commit(ctx, b); err != nil {
			return fmt.Errorf("start the run: %w", err)
		}
	}
	s.o.Log.Append(t.a.id, domain.RunChanged{RunID: t.run.ID, MessageID: t.run.MessageID, State: domain.RunRunning})
	var err error
	if t.sess, err = s.o.Store.Session(ctx, t.a.id); err != nil {
		return fmt.Errorf("load the session: %w", err)
	}
	if t.run.PlanMode {
		t.sess.Policy.Mode = domain.ModePlan
	}
	if t.rules, err = s.o.ProjectRules(t.sess.Directory, t.sess.Policy.Trust); err != nil {
		return fmt.Errorf("the project's settings: %w", err)
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

// loop asks the model and runs its tools until it ends its turn.
func (t *turn) loop(ctx context.Context) outcome {
	limit := t.limit()
	for {
		t.steps++
		if err := t.ask(ctx); err != nil {
			return t.s.failed(ctx, err)
		}
		if !hasCalls(t.pending) {
			return endOf(t.pending.FinishReason)
		}
		if err := t.runTools(ctx); err != nil {
			return t.s.failed(ctx, err)
		}
		if ctx.Err() != nil {
			return t.s.failed(ctx, ctx.Err())
		}
		switch {
		case t.steps >= limit:
			return outcome{state: domain.RunDone, reason: "max_steps"}
		case t.overBudget():
			return outcome{state: domain.RunDone, reason: "max_cost"}
		}
		if err := t.checkLoop(ctx); err != nil {
			return t.s.failed(ctx, err)
		}
	}
}

// limit is the number of model calls this run may make.
func (t *turn) limit() int {
	for _, n := range []int{t.run.MaxSteps, t.sess.Policy.MaxSteps} {
		if n > 0 {
			return n
		}
	}
	return t.s.o.MaxSteps
}

func (t *turn) overBudget() bool {
	return t.sess.Policy.MaxCostUSD > 0 && t.sess.CostUSD >= t.sess.Policy.MaxCostUSD
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
	for d, err := range t.provider.Stream(ctx, req) {
		if err != nil {
			in.settle()
			return err
		}
		in.take(d)
	}
	in.settle()
	if in.msg.FinishReason == "" {
		return errors.New("the model's answer ended without saying why; send the message again")
	}
	if len(in.msg.Blocks) == 0 {
		in.msg.Blocks = []domain.Block{{Type: domain.BlockText, Text: "(The model gave an empty answer.)"}}
	}
	in.msg.CostUSD, in.msg.CostUnknown = t.cost(in.msg.Usage)
	t.sess.Usage = t.sess.Usage.Add(in.msg.Usage)
	t.sess.CostUSD += in.msg.CostUSD
	t.sess.CostUnknown = t.sess.CostUnknown || in.msg.CostUnknown
	return nil
}

func (t *turn) cost(u domain.Usage) (usd float64, unknown bool) {
	usd, known := t.s.o.Models.Cost(t.sess.Model, u)
	return usd, !known
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

// addMessage puts the finished message into a batch and notes what follows
// from the first answer of a session: its title.
func (t *turn) addMessage(b *store.Batch, m *domain.Message) {
	if position, err := t.s.o.Log.Position(context.Background(), t.a.id); err == nil {
		m.EventSeq = position
	}
	b.AddMessage(*m)
	if !t.sess.TitleGiven && t.sess.Title == "" {
		if title := titleOf(t.firstPrompt()); title != "" {
			b.SetTitle(t.a.id, title, false)
			t.title = title
		}
	}
}

// announceTitle tells subscribers of a title that was just stored.
func (t *turn) announceTitle() {
	if t.title == "" || t.sess.Title != "" {
		return
	}
	t.sess.Title = t.title
	t.s.o.Log.Append(t.a.id, domain.TitleChanged{Title: t.title})
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
			Files: t.a.files, Protected: t.s.o.Protected, PassEnv: t.s.o.PassEnv,
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
	t.history = append(t.history, *m)
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

func hasCalls(m *domain.Message) bool { return len(m.Calls) > 0 }
