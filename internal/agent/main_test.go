package agent_test

import (
	"flag"
	"testing"

	"go.uber.org/goleak"
)

// TestMain lets property tests, each check of which is a server that starts,
// check less often than usual unless -rapid.checks says otherwise.
func TestMain(m *testing.M) {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "rapid.checks" })
	if !given {
		if err := flag.Set("rapid.checks", "12"); err != nil {
			panic(err)
		}
	}
	goleak.VerifyTestMain(m)
}
