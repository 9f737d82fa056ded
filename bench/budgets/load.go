package budgets

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/mixagent/mix/bench/mockmodel"
	mix "github.com/mixagent/mix/sdk"
)

const (
	loadLate = time.Second
	loadCPU  = 25 * time.Microsecond
	loadRSS  = 300 << 20
)

// Load200 measures 200 sessions of 50 deltas a second, see load.
func Load200(ctx context.Context, l *Lab) ([]Row, error) { return load(ctx, l, 200, 50) }

// Load1000 measures 1,000 sessions of 10 deltas a second, see load.
func Load1000(ctx context.Context, l *Lab) ([]Row, error) { return load(ctx, l, 1000, 10) }

// relayTime is how long the same load goes through the bare relay.
const relayTime = 10 * time.Second

// relayLoad measures what the same load costs a bare relay: processor time for
// each delta.
func relayLoad(ctx context.Context, l *Lab, sessions, rate int) (each time.Duration, err error) {
	relay, err := l.startRelay(ctx)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, relay.kill()) }()
	deltas := rate * int(relayTime.Seconds())
	gate := make(chan struct{})
	script := l.Model.Script(loadScript(gate, sessions, rate, deltas+warmUp))
	group, gctx := errgroup.WithContext(ctx)
	for range sessions {
		group.Go(func() error {
			ages, err := relayed(gctx, relay.url, script.Prompt)
			if err == nil && len(ages) != deltas {
				err = fmt.Errorf("%d of %d deltas came through the relay", len(ages), deltas)
			}
			return err
		})
	}
	if err := gathered(ctx, script, sessions); err != nil {
		return 0, err
	}
	used, err := cpu(relay.cmd.Process.Pid)
	if err != nil {
		return 0, err
	}
	close(gate)
	if err := group.Wait(); err != nil {
		return 0, err
	}
	after, err := cpu(relay.cmd.Process.Pid)
	return (after - used) / time.Duration(sessions*(deltas+warmUp)), err
}

// loadScript answers with deltas at a rate when the gate opens. Sessions do
// not speak in step.
func loadScript(gate <-chan struct{}, sessions, rate, deltas int) func(*mockmodel.Call) {
	return func(c *mockmodel.Call) {
		select {
		case <-gate:
		case <-c.Context.Done():
			return
		}
		gap := time.Second / time.Duration(rate)
		time.Sleep(gap * time.Duration(c.Number%sessions) / time.Duration(sessions))
		spoken(c, deltas, gap)
	}
}

// load lets so many sessions stream so many deltas a second for a while, each
// with its own subscriber, and with the mock and the clients on the same
// processors.
func load(ctx context.Context, l *Lab, sessions, rate int) (rows []Row, err error) {
	d := cmp.Or(l.LoadTime, pick(l, time.Minute, 10*time.Second))
	bare, err := relayLoad(ctx, l, sessions, rate)
	if err != nil {
		return nil, err
	}
	p, err := l.place()
	if err != nil {
		return nil, err
	}
	s, err := l.serve(ctx, p)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	deltas := rate * int(d.Seconds())
	gate := make(chan struct{})
	script := l.Model.Script(loadScript(gate, sessions, rate, deltas))
	clients := make([]*loadClient, sessions)
	streams, done := streamClient()
	defer done()
	for i := range clients {
		if clients[i], err = newLoadClient(ctx, s, p, streams, script.Prompt); err != nil {
			return nil, err
		}
		defer clients[i].tail.close()
	}
	if err := gathered(ctx, script, sessions); err != nil {
		return nil, err
	}
	used, err := cpu(s.cmd.Process.Pid)
	if err != nil {
		return nil, err
	}
	watch := watchRSS(s)
	close(gate)
	var group errgroup.Group
	for _, c := range clients {
		group.Go(func() error { return c.read(deltas) })
	}
	err = group.Wait()
	peak := watch()
	after, cpuErr := cpu(s.cmd.Process.Pid)
	if err := errors.Join(err, cpuErr); err != nil {
		return nil, err
	}
	var ages []time.Duration
	for _, c := range clients {
		ages = append(ages, c.ages...)
	}
	name := fmt.Sprintf("%d sessions × %d deltas/s", sessions, rate)
	each := (after - used) / time.Duration(sessions*deltas)
	return []Row{
		{
			Name: name + ": events", Budget: "none lost, none late by " + dur(loadLate),
			Measured: "latest " + dur(slices.Max(ages)), Verdict: judge(slices.Max(ages), loadLate),
			Note: fmt.Sprintf("%.0f s, %d deltas, each once and in order; p50 %s, p99 %s", d.Seconds(), len(ages), dur(median(ages)), dur(quantile(ages, 0.99))),
		},
		{
			Name: name + ": server CPU per delta", Budget: "≤ " + dur(loadCPU), Measured: dur(each), Baseline: dur(bare),
			Ratio: ratio(each, bare), Verdict: judge(each, loadCPU),
			Note: fmt.Sprintf("baseline: a bare relay; %.0f %% of one processor", 100*ratio(after-used, d)),
		},
		{Name: name + ": peak RSS", Budget: "≤ " + mem(loadRSS), Measured: mem(peak), Verdict: judge(peak, loadRSS)},
	}, nil
}

// gathered waits until all sessions' requests have reached the mock.
func gathered(ctx context.Context, script *mockmodel.Script, sessions int) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for script.Requests() < sessions {
		if err := wait(ctx, 20*time.Millisecond); err != nil {
			return fmt.Errorf("%d of %d sessions reached their model: %w", script.Requests(), sessions, err)
		}
	}
	return nil
}

// loadClient is a session and its subscriber.
type loadClient struct {
	tail *tail
	ages []time.Duration
}

func newLoadClient(ctx context.Context, s *server, p place, streams *http.Client, prompt string) (*loadClient, error) {
	session, err := s.session(ctx, p)
	if err != nil {
		return nil, err
	}
	t, err := s.follow(ctx, streams, session, -1)
	if err != nil {
		return nil, err
	}
	if _, err := s.client.Send(ctx, session, mix.Prompt{Text: prompt}); err != nil {
		t.close()
		return nil, err
	}
	return &loadClient{tail: t}, nil
}

// read reads the run to its end; every delta has to come once and in order.
func (c *loadClient) read(deltas int) error {
	c.ages = make([]time.Duration, 0, deltas)
	wrong := -1
	err := c.tail.until(func() error {
		if string(c.tail.name) == "content" {
			stamps(c.tail.data, func(n int, age time.Duration) {
				if n != len(c.ages) && wrong < 0 {
					wrong = n
				}
				c.ages = append(c.ages, age)
			})
		}
		return nil
	})
	switch {
	case err != nil:
		return err
	case wrong >= 0:
		return fmt.Errorf("delta %d came out of order", wrong)
	case len(c.ages) != deltas:
		return fmt.Errorf("%d of %d deltas came", len(c.ages), deltas)
	}
	return nil
}

// watchRSS looks at a server's memory until the returned function is called,
// which returns the most there was.
func watchRSS(s *server) (stop func() int64) {
	done, result := make(chan struct{}), make(chan int64)
	go func() {
		tick := time.NewTicker(250 * time.Millisecond)
		defer tick.Stop()
		var peak int64
		for {
			if n, err := rss(s.cmd.Process.Pid); err == nil {
				peak = max(peak, n)
			}
			select {
			case <-tick.C:
			case <-done:
				result <- peak
				return
			}
		}
	}()
	return func() int64 {
		close(done)
		return <-result
	}
}
