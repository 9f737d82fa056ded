package provider_test

import (
	"context"
	"errors"
	"iter"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/provider"
)

// scripted is a provider whose n-th call does what the n-th function says.
type scripted struct {
	calls  int
	script func(n int) ([]provider.Delta, error)
}

func (s *scripted) Name() string { return "scripted" }

func (s *scripted) Stream(context.Context, *provider.Request) iter.Seq2[provider.Delta, error] {
	return func(yield func(provider.Delta, error) bool) {
		s.calls++
		deltas, err := s.script(s.calls)
		for _, d := range deltas {
			if !yield(d, nil) {
				return
			}
		}
		if err != nil {
			yield(provider.Delta{}, err)
		}
	}
}

var (
	text  = provider.Delta{Kind: provider.DeltaText, Text: "a"}
	usage = provider.Delta{Kind: provider.DeltaUsage, Usage: domain.Usage{Input: 1}}
	stop  = provider.Delta{Kind: provider.DeltaStop, Stop: domain.FinishEndTurn}
	whole = []provider.Delta{usage, text, stop}
)

func overloaded() *provider.Error {
	return &provider.Error{Kind: provider.KindOverloaded, Vendor: "scripted"}
}

// run reads a stream to its end.
func run(ctx context.Context, p provider.Provider, req *provider.Request) (deltas []provider.Delta, last error) {
	for d, err := range p.Stream(ctx, req) {
		if err != nil {
			last = err
			continue
		}
		deltas = append(deltas, d)
	}
	return deltas, last
}

func TestRetryUntilItWorks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &scripted{script: func(n int) ([]provider.Delta, error) {
			switch n {
			case 1:
				return nil, overloaded()
			case 2:
				return []provider.Delta{usage}, overloaded()
			case 3:
				return nil, &provider.Error{Kind: provider.KindRateLimit, RetryAfter: 17 * time.Second}
			}
			return whole, nil
		}}
		var told []provider.Retry
		start := time.Now()
		deltas, err := run(t.Context(), provider.Retrying(s, provider.RetryPolicy{}), &provider.Request{
			OnRetry: func(r provider.Retry) { told = append(told, r) },
		})
		if err != nil || len(deltas) != len(whole) || deltas[0] != usage || deltas[2] != stop {
			t.Fatalf("got %v, %v", deltas, err)
		}
		if len(told) != 3 || s.calls != 4 {
			t.Fatalf("told of %d retries, %d calls", len(told), s.calls)
		}
		var sum time.Duration
		for i, r := range told {
			if r.Attempt != i+1 || r.MaxAttempts != 8 || r.Err == nil {
				t.Errorf("retry %d: %+v", i, r)
			}
			sum += r.Wait
		}
		if took := time.Since(start); took != sum {
			t.Errorf("waited %v, told %v", took, sum)
		}
		if told[0].Wait < time.Second/2 || told[0].Wait > time.Second || told[1].Wait < time.Second || told[1].Wait > 2*time.Second {
			t.Errorf("waits %v and %v do not double from a second", told[0].Wait, told[1].Wait)
		}
		if told[2].Wait != 17*time.Second {
			t.Errorf("the vendor asked for 17s and got %v", told[2].Wait)
		}
	})
}

func TestRetryGivesUp(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		script  func(n int) ([]provider.Delta, error)
		policy  provider.RetryPolicy
		calls   int
		within  time.Duration
		atOnce  bool
		attempt int
	}{
		"after 8 attempts": {
			script: func(int) ([]provider.Delta, error) { return nil, overloaded() },
			calls:  8, within: 5 * time.Minute, attempt: 8,
		},
		"after 5 minutes": {
			script: func(int) ([]provider.Delta, error) {
				time.Sleep(2 * time.Minute) // a vendor that is silent until the idle time-out
				return nil, &provider.Error{Kind: provider.KindIdle}
			},
			calls: 3, within: 7 * time.Minute, attempt: 3,
		},
		"when the first delta went out": {
			script: func(int) ([]provider.Delta, error) { return []provider.Delta{text}, overloaded() },
			calls:  1, atOnce: true,
		},
		"when the vendor wants a long wait": {
			script: func(int) ([]provider.Delta, error) {
				return nil, &provider.Error{Kind: provider.KindRateLimit, RetryAfter: 61 * time.Second}
			},
			calls: 1, atOnce: true,
		},
		"on errors that stay": {
			script: func(int) ([]provider.Delta, error) {
				return nil, &provider.Error{Kind: provider.KindAuthentication}
			},
			calls: 1, atOnce: true,
		},
		"where the vendor says so": {
			script: func(int) ([]provider.Delta, error) {
				return nil, &provider.Error{Kind: provider.KindOverloaded, Final: true}
			},
			calls: 1, atOnce: true,
		},
		"on errors of another kind": {
			script: func(int) ([]provider.Delta, error) { return nil, errors.New("odd") },
			calls:  1, atOnce: true,
		},
		"after as many attempts as the policy says": {
			script: func(int) ([]provider.Delta, error) { return nil, overloaded() },
			policy: provider.RetryPolicy{MaxAttempts: 2}, calls: 2, within: time.Second, attempt: 2,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &scripted{script: tt.script}
				start := time.Now()
				_, err := run(t.Context(), provider.Retrying(s, tt.policy), &provider.Request{})
				took := time.Since(start)
				if err == nil || s.calls != tt.calls {
					t.Errorf("%d calls, %v", s.calls, err)
				}
				if (tt.atOnce && took != 0) || (!tt.atOnce && (took == 0 || took > tt.within)) {
					t.Errorf("took %v", took)
				}
				var failure *provider.Error
				if errors.As(err, &failure) && failure.Attempts != tt.attempt {
					t.Errorf("the error counts %d attempts", failure.Attempts)
				}
			})
		})
	}
}

func TestRetryIsCancelled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &scripted{script: func(int) ([]provider.Delta, error) {
			return nil, &provider.Error{Kind: provider.KindRateLimit, RetryAfter: 50 * time.Second}
		}}
		ctx, cancel := context.WithCancel(t.Context())
		start := time.Now()
		time.AfterFunc(3*time.Second, cancel)
		_, err := run(ctx, provider.Retrying(s, provider.RetryPolicy{}), &provider.Request{})
		if !errors.Is(err, context.Canceled) || s.calls != 1 || time.Since(start) != 3*time.Second {
			t.Errorf("%v after %v and %d calls", err, time.Since(start), s.calls)
		}
	})
}

func TestRetryingLetsTheLoopGo(t *testing.T) {
	t.Parallel()
	for leaveAt := range whole {
		s := &scripted{script: func(int) ([]provider.Delta, error) { return whole, overloaded() }}
		p := provider.Retrying(s, provider.RetryPolicy{})
		n := 0
		for range p.Stream(t.Context(), &provider.Request{}) {
			if n++; n > leaveAt {
				break
			}
		}
		if s.calls != 1 || p.Name() != "scripted" {
			t.Errorf("left at delta %d: %d calls", leaveAt, s.calls)
		}
	}
}
