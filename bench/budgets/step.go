package budgets

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/mixagent/mix/bench/mockmodel"
)

const (
	stepBudget = time.Millisecond
	steps      = 40
	// walWrite is about what one small commit appends to the write-ahead log:
	// four pages and their headers.
	walWrite = 4 * (4096 + 24)
)

// Step measures one step of the agent, from the model's answer to the next
// request: the model calls a tool that reads a small file, nobody is asked.
// Next to it stand two syncs of a file on the same disk, since a step is two
// commits. What the mock does between a request and its answer is not counted:
// an instant model takes no time.
func Step(ctx context.Context, l *Lab) (rows []Row, err error) {
	p, err := l.place()
	if err != nil {
		return nil, err
	}
	for i := range steps + 1 {
		name := filepath.Join(p.work, fmt.Sprintf("file%d.txt", i))
		if err := os.WriteFile(name, fmt.Appendf(nil, "This is file %d.\n", i), 0o600); err != nil {
			return nil, err
		}
	}
	s, err := l.serve(ctx, p)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	disk, err := newSyncer(filepath.Join(filepath.Dir(p.data), "synced"))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, disk.close()) }()

	var above, step, syncs []time.Duration
	for range pick(l, 21, 7) {
		before, err := disk.measure(20)
		if err != nil {
			return nil, err
		}
		took, err := stepped(ctx, l, s, p)
		if err != nil {
			return nil, err
		}
		after, err := disk.measure(20)
		if err != nil {
			return nil, err
		}
		two := 2 * median(append(before, after...))
		step, syncs = append(step, median(took)), append(syncs, two)
		above = append(above, median(took)-two)
	}
	return []Row{{
		Name: "one tool step, nobody asked", Budget: "≤ 1 ms above two syncs",
		Measured: dur(median(step)) + " (+" + dur(median(above)) + ")", Baseline: dur(median(syncs)),
		Ratio: ratio(median(step), median(syncs)), Verdict: judge(median(above), stepBudget),
		Note: "above, rounds: " + spread(above),
	}}, nil
}

// stepped runs a session of steps and returns the time of each but the first.
func stepped(ctx context.Context, l *Lab, s *server, p place) ([]time.Duration, error) {
	var took []time.Duration
	var answered time.Time
	var problem error
	script := l.Model.Script(func(c *mockmodel.Call) {
		if c.Number > 2 {
			took = append(took, c.At.Sub(answered))
		}
		if c.Number > 1 && !bytes.Contains(c.Body, fmt.Appendf(nil, "This is file %d.", c.Number-1)) {
			problem = fmt.Errorf("step %d got no result of its tool", c.Number-1)
		}
		if c.Number > steps {
			_ = c.Finish() // an answer without text is one, too
			return
		}
		answered = time.Now()
		_ = c.Tool("ReadText", fmt.Sprintf(`{"file_path":"file%d.txt"}`, c.Number))
	})
	session, err := s.session(ctx, p)
	if err != nil {
		return nil, err
	}
	if err := s.work(ctx, session, script.Prompt); err != nil {
		return nil, err
	}
	if n := script.Requests(); n != steps+1 && problem == nil {
		problem = fmt.Errorf("%d requests for %d steps", n, steps)
	}
	return took, problem
}

// syncer writes to a file as a write-ahead log is written: over and over in
// the same place, each time down to the disk.
type syncer struct {
	file *os.File
	data []byte
	at   int64
}

// syncedSize is about the size to which the store lets its log grow.
const syncedSize = 4 << 20

func newSyncer(path string) (*syncer, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	s := &syncer{file: f, data: bytes.Repeat([]byte{'x'}, walWrite)}
	if _, err := f.Write(make([]byte, syncedSize)); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return s, syncFile(f)
}

// measure returns the times of n writes with their syncs.
func (s *syncer) measure(n int) ([]time.Duration, error) {
	var out []time.Duration
	for range n {
		start := time.Now()
		if _, err := s.file.WriteAt(s.data, s.at); err != nil {
			return nil, err
		}
		if err := syncFile(s.file); err != nil {
			return nil, err
		}
		out = append(out, time.Since(start))
		if s.at += walWrite; s.at+walWrite > syncedSize {
			s.at = 0
		}
	}
	return out, nil
}

func (s *syncer) close() error { return s.file.Close() }
