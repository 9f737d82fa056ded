package store_test

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// children are what the test binary does when a test starts it again as
// another process, by the value of childKey.
var children = map[string]func(path string) error{
	"commit":       commitForever,
	"hold":         holdWriteLock,
	"limited disk": commitOnLimitedDisk,
}

const childKey = "STORE_TEST_CHILD"

func TestMain(m *testing.M) {
	if name := os.Getenv(childKey); name != "" {
		if err := children[name](os.Getenv("STORE_TEST_PATH")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}
