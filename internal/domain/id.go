package domain

import "github.com/google/uuid"

// NewID returns a new identifier for a session, message, run, tool call or
// request: a version 7 UUID, so that identifiers made later sort later.
func NewID() string {
	return uuid.Must(uuid.NewV7()).String()
}

// ValidID reports whether s has the form of an identifier made by [NewID].
// It is the check that keeps a session identifier from a client harmless when
// it becomes a folder name.
func ValidID(s string) bool {
	return len(s) == 36 && uuid.Validate(s) == nil
}
