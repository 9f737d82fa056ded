package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/mixagent/mix/internal/domain"
)

// Settings are what Mix can be told. In files every key may be absent; the
// values that [Load] and [Config.Project] return have every default filled in.
type Settings struct {
	// Schema names the JSON schema of the file, for editors. It has no effect.
	Schema string `json:"$schema,omitempty" jsonschema:"the JSON schema of this file, for editors"`
	// Model is "PROVIDER/MODEL", "PROVIDER" or a model's name; "" lets
	// [Config.DefaultModel] choose.
	Model string `json:"model,omitempty" jsonschema:"PROVIDER/MODEL that new sessions use; without it the first vendor with a credential is used, else demo"`
	// PermissionMode is what the gate does with a call that no rule answers;
	// "" means ask.
	PermissionMode domain.PermissionMode `json:"permissionMode,omitempty" jsonschema:"what happens with a tool call that no rule answers"`
	Permissions    Permissions           `json:"permissions,omitzero" jsonschema:"rules for tool calls, like Bash(git diff:*), Edit(src/**) or WebFetch(domain:go.dev)"`
	Requests       Requests              `json:"requests,omitzero" jsonschema:"how long Mix waits for a person"`
	Tools          Tools                 `json:"tools,omitzero" jsonschema:"how tools run"`
	Shell          Shell                 `json:"shell,omitzero" jsonschema:"commands of the tool Bash"`
	Server         Server                `json:"server,omitzero" jsonschema:"who may reach the HTTP server"`
	Queue          Queue                 `json:"queue,omitzero" jsonschema:"messages that wait for a running one"`
	// MaxSteps bounds the model calls of one run, 1 to 1000; 0 means 25.
	MaxSteps int `json:"maxSteps,omitempty" jsonschema:"most model calls of one run"`
	// MaxCost bounds what a session may cost, in US dollars; 0 means no bound.
	MaxCost float64 `json:"maxCost,omitempty" jsonschema:"most US dollars that a session may cost; 0 is no bound"`
}

// Permissions are rules for the gate. Rules of all layers add up; deny wins over
// ask, ask over allow. The zero value has none.
type Permissions struct {
	Allow []string `json:"allow,omitempty" jsonschema:"calls that run without a question"`
	Ask   []string `json:"ask,omitempty" jsonschema:"calls that always ask"`
	Deny  []string `json:"deny,omitempty" jsonschema:"calls that never run"`
}

// Requests say how long a request waits for a person.
type Requests struct {
	// Expiry is how long it waits when nobody can answer, 1 s to 24 h; 0 means
	// 30 s.
	Expiry Duration `json:"expiry,omitempty" jsonschema:"how long a request waits when nobody is connected who can answer, like 30s"`
	// ApproverGrace is how long somebody who can answer counts as there after
	// leaving, up to 24 h; 0 means 10 minutes.
	ApproverGrace Duration `json:"approverGrace,omitempty" jsonschema:"how long somebody who can answer counts as connected after leaving, like 10m"`
}

// Execution says how the tool calls of one answer run.
type Execution string

// The ways to run tool calls.
const (
	Parallel   Execution = "parallel" // the default, where calls cannot disturb each other
	Sequential Execution = "sequential"
)

// Tools say how tools run.
type Tools struct {
	// Execution is parallel or sequential; "" means parallel.
	Execution Execution `json:"execution,omitempty" jsonschema:"whether the tool calls of one answer run at the same time where they cannot disturb each other"`
}

// Shell is about commands of the tool Bash.
type Shell struct {
	// PassEnv are names of environment variables that commands see although
	// their names look like secrets. The zero value passes none.
	PassEnv []string `json:"passEnv,omitempty" jsonschema:"names of environment variables that commands see although they look like secrets"`
}

// Server says who may reach the HTTP server, besides programs of the same user
// on the same computer. The zero value lets in nobody else.
type Server struct {
	// AllowedHosts are names that the Host header may have besides loopback
	// ones, with or without a port.
	AllowedHosts []string `json:"allowedHosts,omitempty" jsonschema:"names that the Host header may have besides loopback ones"`
	// AllowedOrigins are origins of web pages that may call the server with
	// its token, like https://example.com.
	AllowedOrigins []string `json:"allowedOrigins,omitempty" jsonschema:"origins of web pages that may call the server with its token, like https://example.com"`
	// TrustLoopback lets every program of this computer in without a token,
	// also other users' programs, where the operating system cannot tell whose
	// they are.
	TrustLoopback bool `json:"trustLoopback,omitempty" jsonschema:"let every program on this computer in without a token where the operating system cannot tell whose it is"`
}

// Queue is about messages that wait for a running one.
type Queue struct {
	// Limit is how many may wait in one session, 1 to 1000; 0 means 16.
	Limit int `json:"limit,omitempty" jsonschema:"how many messages may wait in one session"`
}

// Defaults returns the settings of a Mix that nobody told anything.
func Defaults() Settings {
	return Settings{
		PermissionMode: domain.ModeAsk,
		Requests:       Requests{Expiry: Duration(30 * time.Second), ApproverGrace: Duration(10 * time.Minute)},
		Tools:          Tools{Execution: Parallel},
		Queue:          Queue{Limit: 16},
		MaxSteps:       25,
	}
}

// bound is what the value of a key may be. Numbers of durations are seconds.
type bound struct {
	min, max float64
	one      []string // the only values, of a string
}

// bounds returns the bound of a key, and whether it has one. The JSON schema
// and the reading of files both follow it.
func bounds(key string) (bound, bool) {
	const day = 24 * 60 * 60
	switch key {
	case "permissionMode":
		modes := make([]string, len(domain.PermissionModes))
		for i, m := range domain.PermissionModes {
			modes[i] = string(m)
		}
		return bound{one: modes}, true
	case "tools.execution":
		return bound{one: []string{string(Parallel), string(Sequential)}}, true
	case "requests.expiry":
		return bound{min: 1, max: day}, true
	case "requests.approverGrace":
		return bound{min: 0, max: day}, true
	case "queue.limit", "maxSteps":
		return bound{min: 1, max: 1000}, true
	case "maxCost":
		return bound{min: 0, max: 1e6}, true
	}
	return bound{}, false
}

// check returns what is wrong with the value of a key, as a clause.
func check(key string, value any) error {
	b, ok := bounds(key)
	if !ok {
		return nil
	}
	switch v := value.(type) {
	case domain.PermissionMode:
		return b.oneOf(string(v))
	case Execution:
		return b.oneOf(string(v))
	case Duration:
		if s := time.Duration(v).Seconds(); s < b.min || s > b.max {
			return fmt.Errorf("must be between %s and %s", seconds(b.min), seconds(b.max))
		}
	case int:
		return b.between(float64(v))
	case float64:
		return b.between(v)
	}
	return nil
}

func (b bound) oneOf(value string) error {
	for _, v := range b.one {
		if v == value {
			return nil
		}
	}
	return fmt.Errorf("must be one of %s", strings.Join(b.one, ", "))
}

func (b bound) between(v float64) error {
	if v >= b.min && v <= b.max {
		return nil
	}
	return fmt.Errorf("must be between %.0f and %.0f", b.min, b.max)
}

func seconds(s float64) Duration { return Duration(s * float64(time.Second)) }

// Duration is a time span that is written like "30s", "10m" or "1h30m".
type Duration time.Duration

// String writes d without parts that are zero: "10m", not "10m0s".
func (d Duration) String() string {
	s := time.Duration(d).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// MarshalText writes d as String does.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalJSON accepts only the written form: a bare number would not say
// whether it counts seconds.
func (d *Duration) UnmarshalJSON(data []byte) error {
	var s string
	if err := json.Unmarshal(data, &s); err != nil {
		return errDuration
	}
	v, err := time.ParseDuration(s)
	if err != nil {
		return errDuration
	}
	*d = Duration(v)
	return nil
}

var errDuration = errors.New(`must be a time span like "30s" or "10m"`)
