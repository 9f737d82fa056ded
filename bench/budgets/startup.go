package budgets

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"time"

	"github.com/mixagent/mix/bench/mockmodel"
)

const (
	versionTime  = 15 * time.Millisecond
	versionRSS   = 20 << 20
	readyTime    = 30 * time.Millisecond
	firstTime    = 60 * time.Millisecond
	idleRSS      = 30 << 20
	idleCPU      = 0.0005 // of one processor: what rounds to 0.0 %
	startPause   = 50 * time.Millisecond
	settlingTime = 2 * time.Second
)

// launched is one run of a program from exec to exit.
type launched struct {
	Wall time.Duration `json:"wall"`
	CPU  time.Duration `json:"cpu"`
	RSS  int64         `json:"rss"`
	Code int           `json:"code"`
}

// launches runs a program n times, through the small launcher.
func (l *Lab) launches(ctx context.Context, p place, n int, args ...string) ([]launched, error) {
	cmd := exec.CommandContext(ctx, l.launch, append([]string{"-n", strconv.Itoa(n), "-pause", startPause.String()}, args...)...)
	cmd.Dir, cmd.Env = p.work, l.env(p)
	var errText bytes.Buffer
	cmd.Stderr = &errText
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("launch %s: %w\n%s", args[0], err, errText.Bytes())
	}
	var runs []launched
	for d := json.NewDecoder(bytes.NewReader(out)); d.More(); {
		var r launched
		if err := d.Decode(&r); err != nil {
			return nil, err
		}
		if r.Code != 0 {
			return nil, fmt.Errorf("%v ended with code %d\n%s", args, r.Code, errText.Bytes())
		}
		runs = append(runs, r)
	}
	return runs, nil
}

func walls(runs []launched) (out []time.Duration) {
	for _, r := range runs {
		out = append(out, r.Wall)
	}
	return out
}

func sizes(runs []launched) (out []int64) {
	for _, r := range runs {
		out = append(out, r.RSS)
	}
	return out
}

// Startup measures what it costs to start, and to be there and do nothing.
func Startup(ctx context.Context, l *Lab) ([]Row, error) {
	rows, err := version(ctx, l)
	if err != nil {
		return nil, err
	}
	more, err := ready(ctx, l)
	if err != nil {
		return nil, err
	}
	rows = append(rows, more...)
	more, err = idle(ctx, l)
	return append(rows, more...), err
}

func version(ctx context.Context, l *Lab) ([]Row, error) {
	p, err := l.place()
	if err != nil {
		return nil, err
	}
	n := pick(l, 41, 15)
	base, err := l.launches(ctx, p, n, l.nothing)
	if err != nil {
		return nil, err
	}
	runs, err := l.launches(ctx, p, n, l.mix, "--version")
	if err != nil {
		return nil, err
	}
	wall, least := median(walls(runs)), median(walls(base))
	size, leastSize := median(sizes(runs)), median(sizes(base))
	return []Row{
		{
			Name: "mix --version, exec to exit", Budget: "≤ " + dur(versionTime), Measured: dur(wall),
			Baseline: dur(least), Ratio: ratio(wall, least), Verdict: judge(wall, versionTime),
			Note: "baseline: a Go program that does nothing; runs: " + spread(walls(runs)),
		},
		{
			Name: "mix --version, RSS", Budget: "≤ " + mem(versionRSS), Measured: mem(size),
			Baseline: mem(leastSize), Ratio: ratio(size, leastSize), Verdict: judge(size, versionRSS),
		},
	}, nil
}

// ready measures from exec to the ready line, on new data and on old.
func ready(ctx context.Context, l *Lab) ([]Row, error) {
	var first, next []time.Duration
	for range pick(l, 11, 5) {
		p, err := l.place()
		if err != nil {
			return nil, err
		}
		for _, times := range []*[]time.Duration{&first, &next, &next} {
			s, err := l.serve(ctx, p)
			if err != nil {
				return nil, err
			}
			*times = append(*times, s.ready)
			if err := s.stop(); err != nil {
				return nil, err
			}
		}
		if err := os.RemoveAll(p.data); err != nil {
			return nil, err
		}
	}
	return []Row{
		{
			Name: "server ready, database open", Budget: "≤ " + dur(readyTime), Measured: dur(median(next)),
			Verdict: judge(median(next), readyTime), Note: "runs: " + spread(next),
		},
		{
			Name: "server ready, first start", Budget: "≤ " + dur(firstTime), Measured: dur(median(first)),
			Verdict: judge(median(first), firstTime), Note: "runs: " + spread(first),
		},
	}, nil
}

// idle measures a server that has worked once and has a client that waits.
func idle(ctx context.Context, l *Lab) (rows []Row, err error) {
	p, err := l.place()
	if err != nil {
		return nil, err
	}
	s, err := l.serve(ctx, p)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	if err := wait(ctx, settlingTime); err != nil {
		return nil, err
	}
	fresh, err := rss(s.cmd.Process.Pid)
	if err != nil {
		return nil, err
	}
	share, err := busy(ctx, s, pick(l, 10*time.Second, 4*time.Second))
	if err != nil {
		return nil, err
	}
	script := l.Model.Script(func(c *mockmodel.Call) { spoken(c, 20, 0) })
	session, err := s.session(ctx, p)
	if err != nil {
		return nil, err
	}
	if err := s.work(ctx, session, script.Prompt); err != nil {
		return nil, err
	}
	client, done := streamClient()
	defer done()
	t, err := s.follow(ctx, client, session, -1)
	if err != nil {
		return nil, err
	}
	defer t.close()
	if err := wait(ctx, settlingTime); err != nil {
		return nil, err
	}
	used, err := rss(s.cmd.Process.Pid)
	if err != nil {
		return nil, err
	}
	shareUsed, err := busy(ctx, s, pick(l, 10*time.Second, 4*time.Second))
	if err != nil {
		return nil, err
	}
	return []Row{
		{
			Name: "idle server, RSS", Budget: "≤ " + mem(idleRSS), Measured: mem(fresh), Verdict: judge(fresh, idleRSS),
			Note: "after one answer, with a subscriber: " + mem(used),
		},
		{
			Name: "idle server, CPU", Budget: "0.0 %", Measured: fmt.Sprintf("%.3f %%", 100*share), Verdict: judge(share, idleCPU),
			Note: fmt.Sprintf("after one answer, with a subscriber: %.3f %%", 100*shareUsed),
		},
	}, nil
}

// busy is the share of one processor that the server uses for a while.
func busy(ctx context.Context, s *server, d time.Duration) (float64, error) {
	before, err := threadTime(s.cmd.Process.Pid)
	if err != nil {
		return 0, err
	}
	start := time.Now()
	if err := wait(ctx, d); err != nil {
		return 0, err
	}
	after, err := threadTime(s.cmd.Process.Pid)
	return ratio(after-before, time.Since(start)), err
}

// wait waits, or returns the error of ctx.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
