package budgets

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/mixagent/mix/bench/mockmodel"
	mix "github.com/mixagent/mix/sdk"
)

const (
	deltaGap = 3 * time.Millisecond
	warmUp   = 50 // deltas that are not counted

	latencyP50 = 150 * time.Microsecond
	latencyP99 = time.Millisecond
)

// Latency measures the time of a delta from the vendor's socket to a client's,
// through Mix and through a bare relay, in turns.
func Latency(ctx context.Context, l *Lab) (rows []Row, err error) {
	p, err := l.place()
	if err != nil {
		return nil, err
	}
	s, err := l.serve(ctx, p)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	relay, err := l.startRelay(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, relay.kill()) }()

	rounds, deltas := pick(l, 7, 3), pick(l, 1000, 300)
	script := l.Model.Script(func(c *mockmodel.Call) { spoken(c, warmUp+deltas, deltaGap) })
	var d50, d99, m50, m99, r50, r99 []time.Duration
	for range rounds {
		through, err := relayed(ctx, relay.url, script.Prompt)
		if err != nil {
			return nil, fmt.Errorf("through the relay: %w", err)
		}
		ours, err := streamed(ctx, s, p, script.Prompt)
		if err != nil {
			return nil, fmt.Errorf("through Mix: %w", err)
		}
		for _, n := range []int{len(through), len(ours)} {
			if n != deltas {
				return nil, fmt.Errorf("%d of %d deltas arrived", n, deltas)
			}
		}
		r50, r99 = append(r50, quantile(through, 0.5)), append(r99, quantile(through, 0.99))
		m50, m99 = append(m50, quantile(ours, 0.5)), append(m99, quantile(ours, 0.99))
		d50 = append(d50, quantile(ours, 0.5)-quantile(through, 0.5))
		d99 = append(d99, quantile(ours, 0.99)-quantile(through, 0.99))
	}
	row := func(name string, diff, ours, through []time.Duration, budget time.Duration) Row {
		return Row{
			Name: name, Budget: "≤ " + dur(budget) + " above a relay",
			Measured: "+" + dur(median(diff)), Baseline: dur(median(through)),
			Ratio: ratio(median(ours), median(through)), Verdict: judge(median(diff), budget),
			Note: "rounds: " + spread(diff),
		}
	}
	return []Row{
		row("vendor socket to client socket, p50", d50, m50, r50, latencyP50),
		row("vendor socket to client socket, p99", d99, m99, r99, latencyP99),
	}, nil
}

// spoken sends stamped deltas at a pace.
func spoken(c *mockmodel.Call, n int, gap time.Duration) {
	var text []byte
	began := time.Now()
	for i := range n {
		time.Sleep(time.Until(began.Add(time.Duration(i) * gap)))
		text = appendStamp(text[:0], i)
		if c.Text(text) != nil {
			return
		}
	}
	_ = c.Finish() // whoever is gone needs no end
}

// startRelay starts the bare relay in front of the mock.
func (l *Lab) startRelay(ctx context.Context) (*server, error) {
	cmd := exec.Command(l.relay, "-to", strings.TrimSuffix(l.Model.URL(), "/v1"))
	return start(ctx, cmd, "relay listening on ", filepath.Join(l.dir, "relay.log"))
}

// relayed asks the mock through the relay.
func relayed(ctx context.Context, url, prompt string) ([]time.Duration, error) {
	body := fmt.Sprintf(`{"model":"mock","stream":true,"messages":[{"role":"user","content":%q}]}`, prompt)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/v1/chat/completions", strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	client, done := streamClient()
	defer done()
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var ages []time.Duration
	lines := bufio.NewReaderSize(resp.Body, 4<<10)
	for {
		line, err := lines.ReadSlice('\n')
		if errors.Is(err, io.EOF) {
			return ages, nil
		}
		if err != nil {
			return nil, err
		}
		stamps(line, collect(&ages))
	}
}

// streamed asks the mock through Mix.
func streamed(ctx context.Context, s *server, p place, prompt string) ([]time.Duration, error) {
	session, err := s.session(ctx, p)
	if err != nil {
		return nil, err
	}
	client, done := streamClient()
	defer done()
	t, err := s.follow(ctx, client, session, -1)
	if err != nil {
		return nil, err
	}
	defer t.close()
	if _, err := s.client.Send(ctx, session, mix.Prompt{Text: prompt}); err != nil {
		return nil, err
	}
	var ages []time.Duration
	err = t.until(func() error {
		if string(t.name) == "content" {
			stamps(t.data, collect(&ages))
		}
		return nil
	})
	return ages, err
}

// collect returns a function that keeps ages after the warm-up.
func collect(ages *[]time.Duration) func(int, time.Duration) {
	return func(n int, age time.Duration) {
		if n >= warmUp {
			*ages = append(*ages, age)
		}
	}
}
