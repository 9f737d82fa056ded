package providertest

import (
	"errors"

	"github.com/mixagent/mix/internal/provider"
)

// KindOf returns the kind of a provider's error, "" of any other.
func KindOf(err error) provider.Kind {
	var failure *provider.Error
	if errors.As(err, &failure) {
		return failure.Kind
	}
	return ""
}
