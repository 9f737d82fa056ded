// Command budgets measures what Mix promises about its speed and size, and
// prints a table of it. It is run in the directory of this module:
//
//	go run ./cmd/budgets            # all rows, some minutes
//	go run ./cmd/budgets --quick    # all rows, fewer rounds
//	go run ./cmd/budgets --only latency,step
//
// It uses nothing but loopback and a temporary directory, and leaves nothing
// behind.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/mixagent/mix/bench/budgets"
)

type options struct {
	quick, strict      bool
	only, program, tmp string
	limit, load        time.Duration
}

func main() {
	var o options
	flag.BoolVar(&o.quick, "quick", false, "fewer rounds")
	flag.BoolVar(&o.strict, "strict", false, "exit with 1 when a row is over its budget")
	flag.StringVar(&o.only, "only", "", "the measurements to make, separated by commas: "+strings.Join(names(), ", "))
	flag.StringVar(&o.program, "mix", "", "the program to measure (default: built from the sources)")
	flag.StringVar(&o.tmp, "tmp", "", "where to make the temporary directory; the disk that is synced is the one below it")
	flag.DurationVar(&o.load, "load", 0, "how long the rows under load take (default: 1m, or 10s with --quick)")
	flag.DurationVar(&o.limit, "limit", 30*time.Minute, "the time after which it gives up")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	over, err := run(ctx, o)
	if err != nil {
		fmt.Fprintln(os.Stderr, "budgets:", err)
	}
	if err != nil || over && o.strict {
		stop()
		os.Exit(1)
	}
}

func names() []string {
	var out []string
	for _, g := range budgets.Groups() {
		out = append(out, g.Name)
	}
	return out
}

// run makes the measurements and prints the table. A measurement that fails
// does not keep the others from being made.
func run(ctx context.Context, o options) (over bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, o.limit)
	defer cancel()
	groups := budgets.Groups()
	if o.only != "" {
		wanted := strings.Split(o.only, ",")
		for _, w := range wanted {
			if !slices.Contains(names(), w) {
				return false, fmt.Errorf("there is no measurement %q; there are: %s", w, strings.Join(names(), ", "))
			}
		}
		groups = slices.DeleteFunc(groups, func(g budgets.Group) bool { return !slices.Contains(wanted, g.Name) })
	}
	lab, err := budgets.Open(ctx, o.program, o.tmp, o.quick)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, lab.Close()) }()
	lab.LoadTime = o.load
	var rows []budgets.Row
	for _, g := range groups {
		began := time.Now()
		fmt.Fprintf(os.Stderr, "%s… ", g.Name)
		got, gerr := g.Measure(ctx, lab)
		fmt.Fprintf(os.Stderr, "%s\n", time.Since(began).Round(100*time.Millisecond))
		if gerr != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", g.Name, gerr))
		}
		rows = append(rows, got...)
	}
	fmt.Printf("%s, %s/%s, %d processors, %s\n\n", time.Now().Format("2006-01-02"), runtime.GOOS, runtime.GOARCH,
		runtime.NumCPU(), runtime.Version())
	if perr := budgets.Print(os.Stdout, rows); perr != nil {
		err = errors.Join(err, perr)
	}
	return slices.ContainsFunc(rows, func(r budgets.Row) bool { return r.Verdict == budgets.Over }), err
}
