package tools

import (
	"context"
	"errors"
	"sync"

	"github.com/mixagent/mix/internal/domain"
)

// phase is where a call is within its round.
type phase uint8

const (
	waiting phase = iota // allowed; an earlier call or the bound is in the way
	asking               // a person has to say
	running              // its goroutine starts, runs or ends it
	ended                // done with, also where the journal failed
)

// round is one batch on its way. The goroutine of run owns all of it. A call in
// the phases asking and running belongs to the call's own goroutine, which
// hands it back through events; only its index, phase, claims and ran stay with
// the owner of the round.
type round struct {
	*Executor
	Batch
	sequential bool
	calls      []*call

	ctx    context.Context // of asking and running; ends with the run
	cancel context.CancelFunc
	keep   context.Context // of commits: a cancelled run still records its end
	events chan *call      // handed back

	mu  sync.Mutex
	err error // of the journal; guarded by mu
}

// alone reports whether a tool changes what the calls beside it may do or see,
// or needs the person's whole attention. A batch that holds one is sequential.
func alone(tool string) bool {
	switch tool {
	case "AskUser", "ask_user", "EnterPlanMode", "plan_enter", "ExitPlanMode", "plan_exit", "Task", "task":
		return true
	}
	return false
}

func newRound(ctx context.Context, x *Executor, b Batch) *round {
	r := &round{Executor: x, Batch: b, sequential: x.o.Sequential, keep: context.WithoutCancel(ctx)}
	r.ctx, r.cancel = context.WithCancel(ctx)
	r.calls = make([]*call, len(b.Calls))
	for i := range b.Calls {
		r.calls[i] = &call{ToolCall: b.Calls[i], index: i}
		r.sequential = r.sequential || alone(b.Calls[i].Tool)
	}
	r.events = make(chan *call, len(r.calls))
	return r
}

// run takes the batch from its proposal to its end.
func (r *round) run() ([]domain.ToolCall, error) {
	proposals := make([]Proposal, len(r.calls))
	for i, c := range r.calls {
		r.prepare(c)
		r.place(c)
		proposals[i] = Proposal{Call: c.ToolCall, Request: c.verdict.Request, Decision: c.verdict.Decision}
	}
	if err := r.Journal.Propose(r.keep, proposals); err != nil {
		return nil, err
	}
	for _, c := range r.calls {
		switch c.phase {
		case ended:
			r.announce(c)
		case asking:
			go r.ask(c)
		case running:
			go r.start(c)
		case waiting:
		}
	}
	r.loop()
	out := make([]domain.ToolCall, len(r.calls))
	for i, c := range r.calls {
		out[i] = c.ToolCall
	}
	return out, r.err
}

// place decides, for the proposal, where a prepared call begins.
func (r *round) place(c *call) {
	switch {
	case c.State.Ended():
		c.phase = ended
	case r.ctx.Err() != nil:
		r.interrupt(c)
		c.phase = ended
	case c.verdict.Outcome == domain.OutcomeAllow && r.free(c):
		c.State, c.StartedAt, c.phase, c.ran = domain.CallStarted, r.o.Now(), running, true
	case c.verdict.Outcome == domain.OutcomeAllow:
		c.State, c.phase = domain.CallAllowed, waiting
	case c.plan.Doomed != nil && !r.blocked(c):
		r.fail(c, c.plan.Doomed)
		// Nobody is asked, so there is no request to record.
		c.verdict.Request, c.phase = domain.Request{}, ended
	default:
		c.State, c.phase = domain.CallAsked, asking
	}
}

// loop starts what may start until all calls have ended.
func (r *round) loop() {
	done := r.ctx.Done()
	for {
		open := 0
		for _, c := range r.calls {
			if c.phase == waiting && (done == nil || r.free(c)) {
				c.stale = r.overtaken(c)
				c.phase, c.ran = running, true
				go r.start(c) // a cancelled one ends there
			}
			if c.phase != ended {
				open++
			}
		}
		if open == 0 {
			return
		}
		select {
		case c := <-r.events:
			r.settle(c)
		case <-done:
			done = nil
		}
	}
}

// settle takes back a call from its goroutine.
func (r *round) settle(c *call) {
	if c.State != domain.CallAllowed {
		c.phase = ended
		return
	}
	c.phase = waiting
	c.claims = claimsOf(c.plan.Accesses, c.verdict.ReadOnly) // the input may be another one now
	if r.free(c) || r.ctx.Err() != nil {
		return // its start, or its end, is the next commit
	}
	if err := r.Journal.Allow(r.keep, c.ID); err != nil {
		r.broken(err)
	}
}

// broken keeps the first error of the journal and cancels what runs: what
// cannot be recorded must not go on.
func (r *round) broken(err error) {
	r.mu.Lock()
	r.err = errors.Join(r.err, err)
	r.mu.Unlock()
	r.cancel()
}

// free reports whether nothing is in the way of c: no earlier call that has
// not ended, no running one, and not the bound on parallel calls.
func (r *round) free(c *call) bool {
	n := 0
	for _, other := range r.calls {
		if other.phase == running && other != c {
			n++
		}
	}
	return n < r.o.MaxParallel && !r.blocked(c)
}

// blocked reports whether a call that comes first, or runs, conflicts with c.
func (r *round) blocked(c *call) bool {
	for _, other := range r.calls {
		if other == c || other.phase == ended || (other.index > c.index && other.phase != running) {
			continue
		}
		if r.sequential || conflict(c.claims, other.claims) {
			return true
		}
	}
	return false
}

// overtaken reports whether another call of the batch may have changed what
// c's plan saw.
func (r *round) overtaken(c *call) bool {
	for _, other := range r.calls {
		if other != c && other.ran && (r.sequential || conflict(c.claims, other.claims)) {
			return true
		}
	}
	return false
}
