package budgets

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/mixagent/mix/bench/mockmodel"
)

const (
	subscribers      = 1000
	subscriberRSS    = 40 << 10
	pacedRate        = 100 // deltas a second: a fast model
	pacedSlack       = 1.05
	givenBack        = 0.25 // of the growth may stay when they left
	throughputDeltas = 5000
)

// Subscribers measures what a thousand subscribers of one session cost the
// agent and the server's memory.
func Subscribers(ctx context.Context, l *Lab) (rows []Row, err error) {
	p, err := l.place()
	if err != nil {
		return nil, err
	}
	s, err := l.serve(ctx, p)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	session, err := s.session(ctx, p)
	if err != nil {
		return nil, err
	}
	agent := &pacer{l: l, s: s, session: session}
	fastAlone, err := agent.fast(ctx)
	if err != nil {
		return nil, err
	}
	pacedAlone, err := agent.paced(ctx)
	if err != nil {
		return nil, err
	}
	before, err := settledRSS(ctx, s)
	if err != nil {
		return nil, err
	}
	c, err := gather(ctx, s, session, subscribers)
	if err != nil {
		return nil, err
	}
	idle, err := settledRSS(ctx, s)
	if err != nil {
		return nil, errors.Join(err, c.leave())
	}
	pacedCrowd, err := agent.paced(ctx)
	if err != nil {
		return nil, errors.Join(err, c.leave())
	}
	during, err := settledRSS(ctx, s)
	if err != nil {
		return nil, errors.Join(err, c.leave())
	}
	fastCrowd, err := agent.fast(ctx)
	if err != nil {
		return nil, errors.Join(err, c.leave())
	}
	burst, err := settledRSS(ctx, s)
	if err := errors.Join(err, c.leave()); err != nil {
		return nil, err
	}
	after, took, err := agent.shrunk(ctx, before, burst)
	if err != nil {
		return nil, err
	}
	each := max(idle-before, during-before) / subscribers
	stays := ratio(float64(max(0, after-before)), float64(max(1, burst-before)))
	slow := ratio(pacedCrowd, pacedAlone)
	return []Row{
		{
			Name: fmt.Sprintf("1,000 subscribers: agent at %d deltas/s", pacedRate), Budget: fmt.Sprintf("unchanged: ≤ %.2f ×", pacedSlack),
			Measured: dur(pacedCrowd), Baseline: dur(pacedAlone), Ratio: slow, Verdict: judge(slow, pacedSlack),
			Note: "time of one answer; baseline: one subscriber",
		},
		{
			Name: "1,000 subscribers: agent as fast as it can", Measured: perSecond(fastCrowd), Baseline: perSecond(fastAlone),
			Ratio: ratio(fastCrowd, fastAlone), Verdict: Info,
			Note: "ratio of times; subscribers and server share the processors",
		},
		{
			Name: "1,000 subscribers: memory of each", Budget: "≤ " + mem(subscriberRSS), Measured: mem(each),
			Verdict: judge(each, subscriberRSS),
			Note: fmt.Sprintf("before the first event: %s; after a burst that they fell behind: %s",
				mem((idle-before)/subscribers), mem((burst-before)/subscribers)),
		},
		{
			Name: "1,000 subscribers: memory when they left", Budget: fmt.Sprintf("≤ %.0f %% of it stays", 100*givenBack),
			Measured: fmt.Sprintf("%.0f %%", 100*stays), Verdict: judge(stays, givenBack),
			Note: fmt.Sprintf("%s before, %s with them, %s %s later", mem(before), mem(burst), mem(after), took.Round(time.Second)),
		},
	}, nil
}

func perSecond(d time.Duration) string {
	return fmt.Sprintf("%.0f deltas/s", throughputDeltas/d.Seconds())
}

// pacer makes the agent of one session work.
type pacer struct {
	l       *Lab
	s       *server
	session string
}

// paced returns how long the agent takes for an answer at the pace of a fast
// model. The time is the vendor's: to the request that follows the tool call
// with which the answer ends.
func (a *pacer) paced(ctx context.Context) (time.Duration, error) {
	return a.answer(ctx, pick(a.l, 300, 100), time.Second/pacedRate)
}

// fast returns the same for an answer that comes as fast as it is taken.
func (a *pacer) fast(ctx context.Context) (time.Duration, error) {
	var times []time.Duration
	for range pick(a.l, 5, 3) {
		took, err := a.answer(ctx, throughputDeltas, 0)
		if err != nil {
			return 0, err
		}
		times = append(times, took)
	}
	return median(times), nil
}

func (a *pacer) answer(ctx context.Context, deltas int, gap time.Duration) (time.Duration, error) {
	var began, taken time.Time
	script := a.l.Model.Script(func(c *mockmodel.Call) {
		if c.Number > 1 {
			taken = c.At
			_ = c.Finish()
			return
		}
		began = time.Now()
		var text []byte
		for i := range deltas {
			if gap > 0 {
				time.Sleep(time.Until(began.Add(time.Duration(i) * gap)))
			}
			text = appendStamp(text[:0], i)
			if c.Text(text) != nil {
				return
			}
		}
		_ = c.Tool("Glob", fmt.Sprintf(`{"pattern":"*.%d"}`, time.Now().UnixNano()))
	})
	if err := a.s.work(ctx, a.session, script.Prompt); err != nil {
		return 0, err
	}
	if script.Requests() != 2 {
		return 0, fmt.Errorf("%d requests for an answer with one tool call", script.Requests())
	}
	return taken.Sub(began), nil
}

// shrunk waits until the memory that a crowd needed is given back. A little
// work goes on meanwhile: an idle Go program collects no garbage for minutes.
func (a *pacer) shrunk(ctx context.Context, before, during int64) (int64, time.Duration, error) {
	start := time.Now()
	bound := before + int64(givenBack*float64(during-before))
	for {
		if _, err := a.answer(ctx, 200, 0); err != nil {
			return 0, 0, err
		}
		now, err := settledRSS(ctx, a.s)
		if err != nil {
			return 0, 0, err
		}
		if took := time.Since(start); now <= bound || took > pick(a.l, 90*time.Second, 20*time.Second) {
			return now, took, nil
		}
	}
}

// settledRSS is the server's memory when it has come to rest.
func settledRSS(ctx context.Context, s *server) (int64, error) {
	if err := wait(ctx, time.Second); err != nil {
		return 0, err
	}
	return rss(s.cmd.Process.Pid)
}

// crowd is many subscribers of one session.
type crowd struct {
	cancel  context.CancelFunc
	group   *errgroup.Group
	release func()
}

// gather opens n streams that read whatever comes.
func gather(ctx context.Context, s *server, session string, n int) (*crowd, error) {
	client, release := streamClient()
	ctx, cancel := context.WithCancel(ctx)
	c := &crowd{cancel: cancel, group: &errgroup.Group{}, release: release}
	for range n {
		t, err := s.follow(ctx, client, session, -1)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("subscribe: %w", err), c.leave())
		}
		c.group.Go(func() error {
			defer t.close()
			for last := int64(0); ; {
				if err := t.next(); err != nil {
					if ctx.Err() != nil {
						return nil
					}
					return fmt.Errorf("a subscriber's stream ended: %w", err)
				}
				if string(t.name) == "heartbeat" {
					continue
				}
				if t.id <= last {
					return fmt.Errorf("a subscriber got event %d after %d", t.id, last)
				}
				last = t.id
			}
		})
	}
	return c, nil
}

// leave ends all subscriptions.
func (c *crowd) leave() error {
	c.cancel()
	err := c.group.Wait()
	c.release()
	return err
}
