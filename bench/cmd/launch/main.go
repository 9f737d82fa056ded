// Command launch runs a program several times, one after another, and prints
// one line of JSON for each: how long it took from exec to exit, and the most
// memory it held.
//
// It exists because the kernel counts a child's memory from before its exec:
// a child of a large program seems as large as its parent. This one is smaller
// than anything it measures.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"time"
)

// run is one line of the output.
type run struct {
	Wall time.Duration `json:"wall"` // nanoseconds
	CPU  time.Duration `json:"cpu"`  // user and system, nanoseconds
	RSS  int64         `json:"rss"`  // bytes; 0 where the system does not say
	Code int           `json:"code"`
}

func main() {
	n := flag.Int("n", 1, "how often")
	pause := flag.Duration("pause", 0, "between two runs")
	flag.Parse()
	if flag.NArg() == 0 {
		fmt.Fprintln(os.Stderr, "usage: launch [-n N] [-pause D] PROGRAM [ARGUMENT...]")
		os.Exit(2)
	}
	out := json.NewEncoder(os.Stdout)
	for range *n {
		r, err := measure(flag.Args())
		if err != nil {
			fmt.Fprintln(os.Stderr, "launch:", err)
			os.Exit(1)
		}
		_ = out.Encode(r) // a reader that is gone needs no lines
		time.Sleep(*pause)
	}
}

func measure(args []string) (run, error) {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stderr = os.Stderr
	start := time.Now()
	err := cmd.Run()
	r := run{Wall: time.Since(start)}
	if cmd.ProcessState == nil {
		return r, err
	}
	r.Code = cmd.ProcessState.ExitCode()
	r.CPU = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	r.RSS = maxRSS(cmd.ProcessState)
	return r, nil
}
