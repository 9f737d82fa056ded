package provider

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"time"
)

// RetryPolicy says how a failed call is repeated. Zero values stand for the
// defaults.
type RetryPolicy struct {
	// MaxAttempts bounds the calls, the first included. Default 8.
	MaxAttempts int
	// MaxTime bounds the time from the start of the first call to the start of
	// the last. Default 5 minutes.
	MaxTime time.Duration
	// MaxRetryAfter is how long a wait that the vendor asks for may be; a
	// longer one fails the call at once. Default 1 minute.
	MaxRetryAfter time.Duration
	// FirstWait is the longest wait before the second call; it doubles with
	// each further one up to MaxWait. Defaults 1 and 32 seconds.
	FirstWait, MaxWait time.Duration
}

// Retry tells that a call failed and is repeated after a wait.
type Retry struct {
	Attempt     int // the call that failed, from 1
	MaxAttempts int
	Wait        time.Duration
	Err         *Error
}

// Retrying returns p with repetition: a call that fails with a transient error
// before its first delta is made again. Waits grow exponentially, half of each
// is random, and a vendor's own wish is the least. Usage alone is no delta in
// this sense, because vendors that are overloaded say so after they counted
// the prompt; so it is held back until something else follows.
func Retrying(p Provider, policy RetryPolicy) Provider {
	policy.MaxAttempts = cmp.Or(policy.MaxAttempts, 8)
	policy.MaxTime = cmp.Or(policy.MaxTime, 5*time.Minute)
	policy.MaxRetryAfter = cmp.Or(policy.MaxRetryAfter, time.Minute)
	policy.FirstWait = cmp.Or(policy.FirstWait, time.Second)
	policy.MaxWait = cmp.Or(policy.MaxWait, 32*time.Second)
	return &retrying{Provider: p, policy: policy}
}

type retrying struct {
	Provider
	policy RetryPolicy
}

// Stream implements [Provider].
func (r *retrying) Stream(ctx context.Context, req *Request) iter.Seq2[Delta, error] {
	return func(yield func(Delta, error) bool) {
		start := time.Now()
		for attempt := 1; ; attempt++ {
			begun, err := r.once(ctx, req, yield)
			if err == nil {
				return
			}
			wait, again := r.wait(err, begun, attempt, time.Since(start))
			if !again {
				yield(Delta{}, withAttempts(err, attempt))
				return
			}
			if req.OnRetry != nil {
				var failure *Error
				errors.As(err, &failure)
				req.OnRetry(Retry{Attempt: attempt, MaxAttempts: r.policy.MaxAttempts, Wait: wait, Err: failure})
			}
			if err := sleep(ctx, wait); err != nil {
				yield(Delta{}, fmt.Errorf("wait to repeat the call of %s: %w", r.Name(), err))
				return
			}
		}
	}
}

// once makes one call. It reports whether a delta went out, and the error that
// is still to be told.
func (r *retrying) once(ctx context.Context, req *Request, yield func(Delta, error) bool) (begun bool, err error) {
	var usage Delta
	for d, err := range r.Provider.Stream(ctx, req) {
		if err != nil {
			return begun, err
		}
		if !begun && d.Kind == DeltaUsage {
			usage = d
			continue
		}
		if !begun && usage.Kind != 0 && !yield(usage, nil) {
			return true, nil
		}
		begun = true
		if !yield(d, nil) {
			return true, nil
		}
	}
	return begun, nil
}

// wait says whether to repeat a call, and after how long.
func (r *retrying) wait(err error, begun bool, attempt int, elapsed time.Duration) (time.Duration, bool) {
	var failure *Error
	if begun || attempt >= r.policy.MaxAttempts || !errors.As(err, &failure) || !failure.Transient() {
		return 0, false
	}
	if failure.RetryAfter > r.policy.MaxRetryAfter {
		return 0, false
	}
	full := r.policy.MaxWait
	if shift := attempt - 1; shift < 30 {
		full = min(r.policy.FirstWait<<shift, full)
	}
	wait := max(full/2+rand.N(full/2+1), failure.RetryAfter)
	return wait, elapsed+wait <= r.policy.MaxTime
}

// withAttempts returns err with the number of attempts in its text.
func withAttempts(err error, attempts int) error {
	var failure *Error
	if attempts < 2 || !errors.As(err, &failure) {
		return err
	}
	counted := *failure
	counted.Attempts = attempts
	return &counted
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
