package config

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// ErrNoCredential: the environment has no credential for a vendor. The error
// around it says which variable to set.
var ErrNoCredential = errors.New("no credential")

// Credential is what is needed to speak to a service.
type Credential struct {
	Key Secret
	// BaseURL replaces the service's address; "" means the usual one. It is an
	// absolute http or https URL without a slash at its end.
	BaseURL string
	// Source is the variable that the credential came from.
	Source string
}

// variables are the names under which users of a service already have its
// credentials. A service without a key needs only its address.
func variables(service string) (key, base string, known bool) {
	switch service {
	case "anthropic":
		return "ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL", true
	case "openai":
		return "OPENAI_API_KEY", "OPENAI_BASE_URL", true
	case "gemini":
		return "GEMINI_API_KEY", "GEMINI_BASE_URL", true
	case "openrouter":
		return "OPENROUTER_API_KEY", "", true
	case "local":
		return "", "MIX_LOCAL_BASE_URL", true
	case "brave":
		return "BRAVE_API_KEY", "", true
	case "telegram":
		return "TELEGRAM_BOT_TOKEN", "", true
	case "turso":
		return "TURSO_AUTH_TOKEN", "TURSO_DATABASE_URL", true
	case "mix":
		return "MIX_TOKEN", "", true
	}
	return "", "", false
}

// Credentials returns the credential for a service from the environment that
// getenv reads: a model vendor (anthropic, openai, gemini, openrouter, local),
// brave, telegram, turso, or mix (MIX_TOKEN, the token of a Mix server). The
// error wraps [ErrNoCredential] when there is none, and is another one when
// there is one that cannot be right; Source is set then too. No error holds any
// part of a value.
func Credentials(service string, getenv func(string) string) (Credential, error) {
	keyVar, baseVar, known := variables(service)
	if !known {
		return Credential{}, fmt.Errorf("%w for %s: Mix does not know this service", ErrNoCredential, service)
	}
	c := Credential{Source: keyVar}
	if baseVar != "" {
		base, err := baseURL(baseVar, getenv(baseVar))
		if err != nil {
			return c, err
		}
		c.BaseURL = base
	}
	if keyVar == "" {
		c.Source = baseVar
		if c.BaseURL == "" {
			return c, fmt.Errorf("%w for %s: set %s to the address of the server", ErrNoCredential, service, baseVar)
		}
		return c, nil
	}
	key := strings.TrimSpace(getenv(keyVar)) // copied together with a line end, as often as not
	if key == "" {
		return c, fmt.Errorf("%w for %s: set %s", ErrNoCredential, service, keyVar)
	}
	if strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return c, fmt.Errorf("%s holds a character that no credential has: copy it again", keyVar)
	}
	c.Key = NewSecret(key)
	return c, nil
}

func baseURL(variable, value string) (string, error) {
	value = strings.TrimRight(strings.TrimSpace(value), "/")
	if value == "" {
		return "", nil
	}
	u, err := url.Parse(value)
	if err != nil || u.Host == "" || u.User != nil ||
		u.Scheme != "http" && u.Scheme != "https" && (u.Scheme != "libsql" || variable != "TURSO_DATABASE_URL") {
		return "", fmt.Errorf("%s is not an address like https://example.com/v1", variable)
	}
	return value, nil
}
