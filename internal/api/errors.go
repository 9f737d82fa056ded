package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/mixagent/mix/internal/agent"
	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/wire"
)

// httpError is an error with the status that clients get and, where there is
// one, a finer word for programs.
type httpError struct {
	status int
	reason string
	err    error
}

func (e *httpError) Error() string { return e.err.Error() }
func (e *httpError) Unwrap() error { return e.err }

// invalid is a field of a request that cannot be used.
func invalid(field, format string, args ...any) error {
	return &wire.FieldError{Field: field, Reason: fmt.Sprintf(format, args...)}
}

// notFound names the thing that is not there.
func notFound(what, id string) error {
	return &httpError{http.StatusNotFound, "", fmt.Errorf("%s %q not found", what, id)}
}

// classify decides what an error is to a client.
func classify(err error) *httpError {
	var he *httpError
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &he):
		return he
	case errors.As(err, &large):
		return &httpError{
			http.StatusRequestEntityTooLarge, "body_too_large",
			fmt.Errorf("the body is larger than %d bytes; send less, or put the text into a file", large.Limit),
		}
	case errors.Is(err, agent.ErrPromptTooBig):
		return &httpError{http.StatusRequestEntityTooLarge, "prompt_too_large", err}
	case errors.Is(err, agent.ErrQueueFull):
		return &httpError{http.StatusConflict, "queue_full", err}
	case errors.Is(err, domain.ErrConflict):
		return &httpError{http.StatusConflict, "conflict", err}
	case errors.Is(err, domain.ErrNotFound):
		return &httpError{http.StatusNotFound, "", err}
	case errors.Is(err, domain.ErrClosed):
		return &httpError{http.StatusServiceUnavailable, "stopping", err}
	}
	return &httpError{http.StatusInternalServerError, "", err}
}

// fieldOf finds the field of the request that an error of the engine is about.
func fieldOf(err error) *wire.FieldError {
	var fe *wire.FieldError
	switch {
	case errors.As(err, &fe):
		return fe
	case errors.Is(err, agent.ErrEmptyPrompt):
		return &wire.FieldError{Field: "text", Reason: err.Error()}
	case errors.Is(err, agent.ErrDirectory):
		return &wire.FieldError{Field: "project_path", Reason: err.Error()}
	case errors.Is(err, agent.ErrModel):
		return &wire.FieldError{Field: "model", Reason: err.Error()}
	case errors.Is(err, agent.ErrRule):
		return &wire.FieldError{Field: "allow", Reason: err.Error()}
	}
	return nil
}

// Refuse writes an error answer in the contract's envelope.
func Refuse(w http.ResponseWriter, status int, message string) {
	writeJSON(w, status, wire.NewError(status, "", message))
}

// writeJSON answers with v. A failure to write is the client's: it is gone.
func writeJSON(w http.ResponseWriter, status int, v any) {
	data, err := json.Marshal(v)
	if err != nil {
		data = []byte(`{"error":{"code":500,"message":"the answer could not be encoded","type":"internal_error"}}`)
		status = http.StatusInternalServerError
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(append(data, '\n'))
}
