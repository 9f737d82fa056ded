package config

import (
	"fmt"
	"log/slog"
)

const redacted = "[secret]"

// Secret is a credential. However it is printed, logged or encoded, it shows as
// "[secret]"; only [Secret.Reveal] gives it away. The zero value is no secret.
type Secret struct {
	// A pointer, because fmt prints what is in unexported fields of a struct
	// around a Secret without asking it; of a pointer it prints the address.
	value *string
}

// NewSecret returns value as a secret; "" gives the zero value.
func NewSecret(value string) Secret {
	if value == "" {
		return Secret{}
	}
	return Secret{value: &value}
}

// Reveal returns the credential itself, "" for the zero value. It belongs into
// a request header and nowhere else.
func (s Secret) Reveal() string {
	if s.value == nil {
		return ""
	}
	return *s.value
}

// IsZero reports whether there is no secret.
func (s Secret) IsZero() bool { return s.value == nil }

// String returns "[secret]", or "" for the zero value.
func (s Secret) String() string {
	if s.value == nil {
		return ""
	}
	return redacted
}

// Format writes the same for every verb and flag.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.String())) }

// MarshalText is used by JSON and everything else that encodes text.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue is used by slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }
