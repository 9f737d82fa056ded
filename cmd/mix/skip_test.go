package main_test

import (
	"os"
	"testing"
)

// skipOrFail skips a test that needs something this machine does not have.
// MIX_TEST_REQUIRE makes it a failure, for machines that should have all.
func skipOrFail(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("MIX_TEST_REQUIRE") != "" {
		t.Fatal(why)
	}
	t.Skip(why)
}
