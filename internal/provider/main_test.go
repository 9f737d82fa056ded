package provider_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// TestMain runs all tests with a proxy that does not exist: they would fail if
// calls of this machine's own servers went through it.
func TestMain(m *testing.M) {
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY"} {
		if err := os.Setenv(name, "http://127.0.0.1:1"); err != nil {
			panic(err)
		}
	}
	goleak.VerifyTestMain(m)
}
