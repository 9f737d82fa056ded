package domain

import "errors"

// Errors that cross package borders. Callers test for them with [errors.Is];
// the text around them says what was missing or taken.
var (
	ErrNotFound = errors.New("not found")
	// ErrConflict: the row exists already, or was changed by somebody else: a
	// request that is answered, an idempotency key that is used.
	ErrConflict = errors.New("conflict")
	// ErrReadOnly: the store was opened for reading only.
	ErrReadOnly = errors.New("opened for reading only")
	// ErrClosed: the server is stopping.
	ErrClosed = errors.New("closed")
)
