package budgets

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"
)

// quantile returns the least sample that a share q of the samples does not
// exceed, the greatest for q = 1. There must be a sample.
func quantile[T cmp.Ordered](samples []T, q float64) T {
	s := slices.Sorted(slices.Values(samples))
	return s[max(0, int(math.Ceil(q*float64(len(s))))-1)]
}

func median[T cmp.Ordered](samples []T) T { return quantile(samples, 0.5) }

// spread shows the least and the greatest sample.
func spread(samples []time.Duration) string {
	return fmt.Sprintf("%s … %s", dur(slices.Min(samples)), dur(slices.Max(samples)))
}

// dur shows a duration with three digits.
func dur(d time.Duration) string {
	switch abs := d.Abs(); {
	case abs < 10*time.Microsecond:
		return fmt.Sprintf("%.2f µs", float64(d)/1e3)
	case abs < time.Millisecond:
		return fmt.Sprintf("%.0f µs", float64(d)/1e3)
	case abs < 10*time.Millisecond:
		return fmt.Sprintf("%.2f ms", float64(d)/1e6)
	case abs < time.Second:
		return fmt.Sprintf("%.1f ms", float64(d)/1e6)
	}
	return fmt.Sprintf("%.2f s", d.Seconds())
}

// mem shows bytes in the unit that fits.
func mem(n int64) string {
	if n < 1<<20 && n > -(1<<20) {
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
}

func ratio[T int | int64 | float64 | time.Duration](a, b T) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}
