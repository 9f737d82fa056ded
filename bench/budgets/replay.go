package budgets

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"time"

	"github.com/mixagent/mix/bench/mockmodel"
	mix "github.com/mixagent/mix/sdk"
)

const (
	missedEvents = 10_000
	replayBudget = 100 * time.Millisecond
)

// seen is an event as a client remembers it.
type seen struct {
	id   int64
	hash uint64
}

// Replay measures how long a client that missed 10,000 events waits for them,
// after the server was started anew: all come from the disk.
func Replay(ctx context.Context, l *Lab) (rows []Row, err error) {
	p, err := l.place()
	if err != nil {
		return nil, err
	}
	s, err := l.serve(ctx, p)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	client, done := streamClient()
	defer done()
	seed := maphash.MakeSeed()
	session, live, err := witness(ctx, l, s, p, seed)
	if err != nil {
		return nil, err
	}
	var cold, warm []time.Duration
	again := func() (*tail, error) { return s.follow(ctx, client, session, live[0].id) }
	for range pick(l, 9, 5) {
		if err := s.stop(); err != nil {
			return nil, err
		}
		next, err := l.serve(ctx, p) // with nothing in memory
		if err != nil {
			return nil, err
		}
		s = next
		for _, times := range []*[]time.Duration{&cold, &warm} {
			took, err := replayed(again, live[1:], seed)
			if err != nil {
				return nil, err
			}
			*times = append(*times, took)
		}
	}
	return []Row{{
		Name: "replay of 10,000 missed events after a restart", Budget: "≤ " + dur(replayBudget) + ", in order, once",
		Measured: dur(median(cold)), Verdict: judge(median(cold), replayBudget),
		Note: fmt.Sprintf("%d events byte for byte; again, warm: %s; cold rounds: %s", len(live)-1, dur(median(warm)), spread(cold)),
	}}, nil
}

// witness follows a run of many deltas as they happen.
func witness(ctx context.Context, l *Lab, s *server, p place, seed maphash.Seed) (string, []seen, error) {
	script := l.Model.Script(func(c *mockmodel.Call) {
		var text []byte
		for i := range missedEvents {
			text = appendStamp(text[:0], i)
			if c.Text(text) != nil {
				return
			}
		}
		_ = c.Finish()
	})
	session, err := s.session(ctx, p)
	if err != nil {
		return "", nil, err
	}
	client, done := streamClient()
	defer done()
	t, err := s.follow(ctx, client, session, -1)
	if err != nil {
		return "", nil, err
	}
	defer t.close()
	if _, err := s.client.Send(ctx, session, mix.Prompt{Text: script.Prompt}); err != nil {
		return "", nil, err
	}
	var live []seen
	if err := t.until(func() error {
		live = append(live, seen{t.id, maphash.Bytes(seed, t.data)})
		return nil
	}); err != nil {
		return "", nil, err
	}
	if len(live) <= missedEvents {
		return "", nil, fmt.Errorf("only %d events happened", len(live))
	}
	return session, live, nil
}

// replayed reads what was missed and holds it against what happened.
func replayed(open func() (*tail, error), want []seen, seed maphash.Seed) (time.Duration, error) {
	start := time.Now()
	t, err := open()
	if err != nil {
		return 0, err
	}
	defer t.close()
	got := make([]seen, 0, len(want))
	for len(got) < len(want) {
		if err := t.next(); err != nil {
			return 0, fmt.Errorf("after %d events: %w", len(got), err)
		}
		got = append(got, seen{t.id, maphash.Bytes(seed, t.data)})
	}
	took := time.Since(start)
	for i := range want {
		if got[i] != want[i] {
			return 0, fmt.Errorf("event %d of the replay has number %d, and in its time it had %d, or its data differ", i, got[i].id, want[i].id)
		}
	}
	return took, nil
}
