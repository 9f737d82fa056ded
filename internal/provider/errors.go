package provider

import (
	"fmt"
	"strings"
	"time"
)

// Kind says what went wrong, as far as a caller decides on it.
type Kind string

// The kinds of error.
const (
	KindAuthentication Kind = "authentication"   // no key, or the vendor refused it
	KindPermission     Kind = "permission"       // the key is good, but not for this
	KindQuota          Kind = "quota"            // nothing left to pay with
	KindRateLimit      Kind = "rate_limit"       // too many requests or tokens just now
	KindOverloaded     Kind = "overloaded"       // the vendor is in trouble
	KindContextTooLong Kind = "context_too_long" // the history does not fit the model
	KindBadRequest     Kind = "bad_request"      // the vendor does not accept the request
	KindNotFound       Kind = "not_found"        // no such model, or not at this address
	KindNetwork        Kind = "network"          // no answer came at all
	KindInterrupted    Kind = "interrupted"      // the answer ended without its end mark
	KindIdle           Kind = "idle"             // nothing came for the idle time-out
	KindInvalid        Kind = "invalid"          // the answer is not what the wire says
)

// Error is why a model call failed. Its text never holds a secret.
type Error struct {
	Kind   Kind
	Vendor string
	Model  string
	// Status is the HTTP status, 0 where none was received.
	Status int
	// Message is what the vendor or the network said, on one line and bounded.
	Message string
	// RetryAfter is how long the vendor asks to wait, 0 where it did not say.
	RetryAfter time.Duration
	// RequestID is the vendor's name for the call, for their support.
	RequestID string
	// KeyEnv and BaseEnv name the environment variables that hold the vendor's
	// key and address, "" where there is none.
	KeyEnv, BaseEnv string
	// Final is true where repeating cannot help although the kind suggests it:
	// the vendor said so, or no such host exists.
	Final bool
	// Attempts is how often the call was tried, 0 where it was not repeated.
	Attempts int
	// Err is the error below, nil where the vendor answered.
	Err error
}

// Unwrap returns the error below.
func (e *Error) Unwrap() error { return e.Err }

// Transient reports whether the same call may succeed a little later.
func (e *Error) Transient() bool {
	switch e.Kind {
	case KindRateLimit, KindOverloaded, KindNetwork, KindInterrupted, KindIdle:
		return !e.Final
	default:
		return false
	}
}

// WireType is the word that the events of the contract use for the error.
func (e *Error) WireType() string {
	switch e.Kind {
	case KindBadRequest:
		return "invalid_request_error"
	case KindQuota:
		return "billing_error"
	case KindIdle:
		return "timeout_error"
	case KindInvalid:
		return "api_error"
	default:
		return string(e.Kind) + "_error"
	}
}

// Error says what happened and what to do, in sentences for people.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.what())
	if e.Status != 0 {
		fmt.Fprintf(&b, " (HTTP %d)", e.Status)
	}
	if e.Attempts > 1 {
		fmt.Fprintf(&b, " after %d attempts", e.Attempts)
	}
	if e.Message != "" {
		b.WriteString(": ")
		b.WriteString(strings.TrimRight(e.Message, ". "))
	}
	b.WriteString(". ")
	b.WriteString(e.remedy())
	if e.RequestID != "" {
		fmt.Fprintf(&b, " (Request %s.)", e.RequestID)
	}
	return b.String()
}

// what is the start of the sentence.
func (e *Error) what() string {
	vendor := e.Vendor
	if vendor == "" {
		vendor = "The model vendor"
	}
	model := e.Model
	if model == "" {
		model = "this model"
	}
	switch e.Kind {
	case KindAuthentication:
		if e.Status == 0 && e.Message == "" {
			return vendor + " needs an API key, and none is set"
		}
		return vendor + " refused the API key"
	case KindPermission:
		return vendor + " does not allow this key to use " + model
	case KindQuota:
		return vendor + " says that the account has no credit left"
	case KindRateLimit:
		return vendor + " limits the rate of requests"
	case KindOverloaded:
		return vendor + " is overloaded or in trouble"
	case KindContextTooLong:
		return "the conversation is too long for " + model
	case KindBadRequest:
		return vendor + " did not accept the request"
	case KindNotFound:
		return vendor + " does not know " + model
	case KindNetwork:
		return vendor + " could not be reached"
	case KindInterrupted:
		return "the answer of " + vendor + " broke off"
	case KindIdle:
		return vendor + " stopped sending"
	default:
		return vendor + " sent something that is no answer"
	}
}

// remedy is the sentence that says what to do.
func (e *Error) remedy() string {
	switch e.Kind {
	case KindAuthentication:
		if e.KeyEnv != "" {
			return "Set " + e.KeyEnv + " to a valid key."
		}
		return "Set a valid key for this vendor."
	case KindPermission:
		return "Choose another model, or a key that may use it."
	case KindQuota:
		return "Add credit with the vendor, or choose another model."
	case KindRateLimit, KindOverloaded:
		if e.RetryAfter > 0 {
			return "Try again in " + e.RetryAfter.Round(time.Second).String() + ", or choose another model."
		}
		return "Try again in a minute, or choose another model."
	case KindContextTooLong:
		return "Start a new session, or compact this one."
	case KindBadRequest:
		return "Choose another model if this stays so."
	case KindNotFound:
		return "Check the model's name" + e.address() + "."
	case KindNetwork:
		return "Check the network" + e.address() + "."
	case KindInterrupted, KindIdle:
		return "Send the message again."
	default:
		return "Try again; check the model" + e.address() + "."
	}
}

// address asks for a look at the vendor's address where a person can set it.
func (e *Error) address() string {
	if e.BaseEnv == "" {
		return ""
	}
	return ", and " + e.BaseEnv + " if you set it"
}
