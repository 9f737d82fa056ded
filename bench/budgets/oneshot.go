package budgets

import (
	"context"
	"fmt"
	"time"

	"github.com/mixagent/mix/bench/mockmodel"
)

const (
	textTime  = 40 * time.Millisecond
	shellTime = 60 * time.Millisecond
	runRSS    = 40 << 20
)

// OneShot measures a whole `mix run`, from exec to exit.
func OneShot(ctx context.Context, l *Lab) ([]Row, error) {
	text := l.Model.Script(func(c *mockmodel.Call) {
		c.Buffer([]byte("Here is the answer."))
		_ = c.Finish()
	})
	shell := l.Model.Script(func(c *mockmodel.Call) {
		if c.Number%2 == 1 {
			_ = c.Tool("Bash", `{"command":"echo done"}`)
			return
		}
		c.Buffer([]byte("It is done."))
		_ = c.Finish()
	})
	rows, err := oneShot(ctx, l, "mix run, one text answer", text, 1, textTime)
	if err != nil {
		return nil, err
	}
	more, err := oneShot(ctx, l, "mix run, one shell call", shell, 2, shellTime)
	return append(rows, more...), err
}

func oneShot(ctx context.Context, l *Lab, name string, script *mockmodel.Script, turns int, budget time.Duration) ([]Row, error) {
	p, err := l.place()
	if err != nil {
		return nil, err
	}
	args := []string{l.mix, "run", "--data-dir", p.data, "--model", mockmodel.Model, script.Prompt}
	if _, err := l.launches(ctx, p, 2, args...); err != nil { // the first start makes the database
		return nil, err
	}
	n, before, stray := pick(l, 31, 11), script.Requests(), l.Model.Stray()
	runs, err := l.launches(ctx, p, n, args...)
	if err != nil {
		return nil, err
	}
	base, err := l.launches(ctx, p, n, l.nothing)
	if err != nil {
		return nil, err
	}
	wall, least, size := median(walls(runs)), median(walls(base)), median(sizes(runs))
	requests := float64(script.Requests()-before+l.Model.Stray()-stray) / float64(n)
	exact := OK
	if requests != float64(turns) {
		exact = Over
	}
	return []Row{
		{
			Name: name, Budget: "≤ " + dur(budget), Measured: dur(wall), Baseline: dur(least), Ratio: ratio(wall, least),
			Verdict: judge(wall, budget), Note: "baseline: a Go program that does nothing; runs: " + spread(walls(runs)),
		},
		{Name: name + ", RSS", Budget: "≤ " + mem(runRSS), Measured: mem(size), Verdict: judge(size, runRSS)},
		{Name: name + ", requests", Budget: fmt.Sprint(turns), Measured: fmt.Sprintf("%.2f", requests), Verdict: exact},
	}, nil
}
