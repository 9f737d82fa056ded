package agent

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/permission"
	"github.com/mixagent/mix/internal/store"
)

// maxSame is how often a model may make the same calls with the same results
// before somebody has to say that it should go on.
const maxSame = 3

// errLoop ends a run that goes in circles.
var errLoop = errors.New("the model repeats itself")

// repetition counts steps that are equal to the step before. Calls count as
// the same only with the same result: asking again whether a build is ready is
// no loop.
type repetition struct {
	last  [sha256.Size]byte
	count int
}

// add notes a step and returns how often it came in a row.
func (r *repetition) add(calls []domain.ToolCall) int {
	sum := sha256.New()
	for i := range calls {
		writePart(sum, calls[i].Tool)
		writePart(sum, string(calls[i].Input))
		writePart(sum, calls[i].Text)
	}
	var now [sha256.Size]byte
	sum.Sum(now[:0])
	if now == r.last {
		r.count++
	} else {
		r.last, r.count = now, 1
	}
	return r.count
}

// writePart hashes s with its length in front, so that parts cannot shift.
func writePart(h hash.Hash, s string) {
	var n [8]byte
	binary.LittleEndian.PutUint64(n[:], uint64(len(s)))
	h.Write(n[:])
	h.Write([]byte(s))
}

// checkLoop asks a person whether to go on when the model made the same calls
// with the same results three times in a row, and ends the run where nobody
// can answer or the answer is no.
func (t *turn) checkLoop(ctx context.Context) error {
	if t.repeats.add(t.last.Calls) < maxSame {
		return nil
	}
	t.repeats.count = 0
	tool := t.last.Calls[0].Tool
	said := fmt.Sprintf("%s was called %d times in a row with the same input and the same result", tool, maxSame)
	if !t.s.o.Gate.HasApprover(t.a.id) {
		return fmt.Errorf("%w: %s; tell it what to do differently", errLoop, said)
	}
	call := permission.Call{
		ID: domain.NewID(), Tool: tool, Input: t.last.Calls[0].Input,
		Description: said + ". Let it go on?",
	}
	v := permission.Verdict{
		Reason: "the model may be going in circles",
		Request: domain.Request{
			ID: domain.NewID(), SessionID: t.a.id, SessionName: t.sess.Title, RunID: t.run.ID, CallID: call.ID,
			Kind: "permission", Tool: tool, Capability: domain.CanInteract, Target: "continue",
			Description: call.Description, Input: call.Input, Asked: true,
			Reason: "the model may be going in circles", CreatedAt: t.s.now(),
		},
	}
	b := store.NewBatch()
	b.AddRequest(v.Request)
	if err := t.s.o.Store.Commit(context.WithoutCancel(ctx), b); err != nil {
		return fmt.Errorf("record the question whether to go on: %w", err)
	}
	d, err := t.s.o.Gate.Ask(ctx, t.subject(), call, v)
	switch {
	case err != nil:
		return fmt.Errorf("ask whether to go on: %w", err)
	case d.Outcome == domain.OutcomeAllow:
		return nil
	case d.Outcome == domain.OutcomeDeny:
		return fmt.Errorf("%w: %s, and the answer to going on was no; tell it what to do differently", errLoop, said)
	}
	return fmt.Errorf("%w: %s, and nobody answered whether it should go on; tell it what to do differently", errLoop, said)
}
