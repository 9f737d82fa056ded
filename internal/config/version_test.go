package config_test

import (
	"testing"

	"github.com/mixagent/mix/internal/config"
)

func TestVersion(t *testing.T) {
	t.Parallel()
	if config.Version() == "" {
		t.Error("no version")
	}
}
