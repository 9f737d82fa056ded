package budgets

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// Row is one promise and what was measured.
type Row struct {
	Name     string
	Budget   string
	Measured string
	// Baseline is what the measured value was compared with, and Ratio how
	// many times that it is; "" and 0 where there is nothing to compare with.
	Baseline string
	Ratio    float64
	// Verdict is whether the promise holds.
	Verdict Verdict
	// Note says what a reader of the number should know.
	Note string
}

// Verdict is what a row comes to.
type Verdict string

// The verdicts. A row that only informs has no budget.
const (
	OK   Verdict = "ok"
	Over Verdict = "OVER"
	Info Verdict = "info"
)

// judge compares a measured value with its bound.
func judge[T int | int64 | float64 | time.Duration](measured, bound T) Verdict {
	if measured <= bound {
		return OK
	}
	return Over
}

// Group is a measurement that fills some rows.
type Group struct {
	Name    string
	Measure func(context.Context, *Lab) ([]Row, error)
}

// Groups are all measurements in the order they are made: what needs a quiet
// machine comes first.
func Groups() []Group {
	return []Group{
		{"startup", Startup},
		{"run", OneShot},
		{"latency", Latency},
		{"step", Step},
		{"replay", Replay},
		{"messages", Messages},
		{"subscribers", Subscribers},
		{"load-200", Load200},
		{"load-1000", Load1000},
		{"size", Size},
	}
}

// Print writes rows as a table.
func Print(w io.Writer, rows []Row) error {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "ROW\tBUDGET\tMEASURED\tBASELINE\tRATIO\t\tNOTE")
	for _, r := range rows {
		ratio := ""
		if r.Ratio > 0 {
			ratio = fmt.Sprintf("%.2f", r.Ratio)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.Name, r.Budget, r.Measured, r.Baseline, ratio, r.Verdict, r.Note)
	}
	return t.Flush()
}
