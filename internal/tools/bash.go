package tools

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/permission"
	"github.com/mixagent/mix/internal/shell"
)

//go:embed bash.md
var bashDoc string

// Limits of Bash, of the contract.
const (
	bashTimeout    = 60_000  // milliseconds, when none is given
	bashMaxTimeout = 600_000 // milliseconds
	bashChars      = 30_000  // characters of output that are returned
)

type bashInput struct {
	Command string `json:"command" jsonschema:"The command line to run"`
	Timeout int    `json:"timeout,omitempty" jsonschema:"Time limit in milliseconds; default 60000, at most 600000"`
}

type bashResult struct {
	Output    string `json:"output"`
	ExitCode  int    `json:"exitCode"`
	StartTime int64  `json:"start_time"` // Unix milliseconds
	EndTime   int64  `json:"end_time"`
}

// Bash returns the tool that runs shell commands.
func Bash() Tool {
	return define(definition[bashInput]{
		name: "Bash", aliases: []string{"bash"}, text: bashDoc,
		can:    []domain.Capability{domain.CanExecute},
		refine: func(s *jsonschema.Schema) { atLeast(s, 1, "timeout"); atMost(s, bashMaxTimeout, "timeout") },
		alias:  bashAlias,
		plan:   planBash,
	})
}

// bashAlias: the time limit of the alias is in seconds.
func bashAlias(fields map[string]json.RawMessage) error {
	raw, ok := fields["timeout"]
	if !ok || string(raw) == "null" {
		return nil
	}
	var seconds float64
	if json.Unmarshal(raw, &seconds) != nil || seconds <= 0 {
		return errors.New(`the field "timeout" of bash must be a positive number of seconds`)
	}
	fields["timeout"] = json.RawMessage(fmt.Sprint(int64(min(seconds*1000, bashMaxTimeout))))
	return nil
}

func planBash(_ context.Context, env *Env, in bashInput) (*Plan, error) {
	if strings.TrimSpace(in.Command) == "" {
		return nil, errors.New("the command is empty")
	}
	if in.Timeout < 0 {
		return nil, errors.New("the timeout must be a positive number of milliseconds")
	}
	if in.Timeout == 0 {
		in.Timeout = bashTimeout
	}
	capped := in.Timeout > bashMaxTimeout
	in.Timeout = min(in.Timeout, bashMaxTimeout)
	plan := &Plan{
		Accesses:    []permission.Access{{Can: domain.CanExecute, Path: env.Directory, Command: in.Command}},
		Description: "Run " + cutText(in.Command, 1000),
		Run: func(ctx context.Context, env *Env) (Output, error) {
			out, err := runBash(ctx, env, in)
			if capped {
				out.Text = join(out.Text, fmt.Sprintf("The timeout was lowered to the maximum, %d ms.", bashMaxTimeout))
			}
			return out, err
		},
	}
	if strings.Contains(in.Command, "git") {
		if _, err := shell.GitSafe(env.Directory, in.Command, env.environ()); err != nil {
			plan.Distrust = err.Error()
		}
	}
	return plan, nil
}

// environ is the environment of commands.
func (env *Env) environ() []string {
	base := env.Environ
	if base == nil {
		base = os.Environ()
	}
	return shell.Environ(base, env.PassEnv)
}

func runBash(ctx context.Context, env *Env, in bashInput) (Output, error) {
	environ := env.environ()
	if env.ReadOnly {
		safe, err := shell.GitSafe(env.Directory, in.Command, environ)
		if err != nil {
			return Output{}, fmt.Errorf("the command was allowed because it only reads, but %w; it was not run", err)
		}
		environ = append(environ, safe...)
	}
	c := shell.Command{
		Line: in.Command, Dir: env.Directory, Env: environ,
		Timeout: time.Duration(in.Timeout) * time.Millisecond, Preview: bashChars, OnOutput: env.Output, Marks: env.Marks,
	}
	if env.SessionDir != "" {
		c.SpoolDir = filepath.Join(env.SessionDir, "output")
	}
	res, err := shell.Run(ctx, c)
	if err != nil {
		return Output{}, err
	}
	out := Output{
		Result: bashResult{
			Output: res.Output, ExitCode: res.ExitCode,
			StartTime: res.Start.UnixMilli(), EndTime: res.End.UnixMilli(),
		},
		Text:    join(res.Output, bashRemark(res, in)),
		IsError: res.ExitCode != 0 || res.TimedOut || res.TooManyProcs,
	}
	if res.Cancelled {
		return out, ctx.Err()
	}
	return out, nil
}

// bashRemark says how the command ended and what of its output is elsewhere.
func bashRemark(res shell.Result, in bashInput) string {
	var parts []string
	say := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	switch {
	case res.TimedOut:
		say("The command timed out after %d ms and was ended. Give a longer timeout (at most %d) if it needs one.", in.Timeout, bashMaxTimeout)
	case res.TooManyProcs:
		say("The command was ended because it started more than %d processes.", shell.DefaultMaxProcs)
	case res.Signal != "":
		say("The command was ended by %s (exit code %d).", res.Signal, res.ExitCode)
	case res.ExitCode != 0:
		say("Exit code %d.", res.ExitCode)
	case res.TotalBytes == 0:
		say("The command succeeded and printed nothing.")
	}
	if res.CutChars > 0 {
		say("%d characters of the output are left out above.", res.CutChars)
	}
	if res.SpoolPath != "" {
		say("The output (%d bytes) is in %s; read parts of it with ReadText or Grep.", res.TotalBytes, res.SpoolPath)
	}
	if res.SpoolErr != nil {
		say("The whole output could not be kept: %v.", res.SpoolErr)
	}
	if res.Killed > 0 && !res.TimedOut && !res.TooManyProcs && !res.Cancelled {
		say("It left %d processes running, which were ended.", res.Killed)
	}
	if res.Survivors > 0 {
		say("%d of its processes could not be ended.", res.Survivors)
	}
	return strings.Join(parts, "\n")
}
