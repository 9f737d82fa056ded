package cli

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	mix "github.com/mixagent/mix/sdk"
)

// Exit codes of `mix run`.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitDenied      = 3
	exitCap         = 4
	exitInterrupted = 130
)

// maxStdin bounds a prompt that comes on standard input.
const maxStdin = 4 << 20

type runOptions struct {
	*common
	prompt   string
	format   string
	session  string
	resume   bool
	thinking string
}

func newRunCommand(c *common) *cobra.Command {
	o := &runOptions{common: c}
	cmd := &cobra.Command{
		Use:   "run [flags] PROMPT",
		Short: "Send one prompt, print the answer, and end",
		Long: `Send one prompt, print the answer, and end.

The prompt is the arguments, or standard input where there are none (or "-").
The answer goes to standard output, everything else to standard error.

A running server of the same data directory is used; otherwise one is started
for as long as the run takes. Reading below the directory needs no question:
starting the run there allows it. Everything else asks on the terminal, or is
denied after a while where nobody can answer; --allow and --permission-mode
say more beforehand.

Exit codes: 0 finished, 1 failed, 2 wrong usage, 3 a permission was denied or
nobody could be asked, 4 the cap on steps or cost was reached, 130 interrupted.`,
		Example: `  mix run --model demo "What is in this project?"
  mix run --allow "Bash(go test:*)" --permission-mode accept-edits "Fix the failing test"
  git diff | mix run -
  mix run --format json "Which Go version does this use?"`,
		RunE: func(cmd *cobra.Command, args []string) error {
			prompt, err := o.readPrompt(args)
			if err != nil {
				return err
			}
			o.prompt = prompt
			return o.run(cmd.Context())
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.format, "format", "text", "output: text, json (one object), or stream-json (one event a line)")
	f.StringVar(&o.session, "session", "", "continue the session with this ID")
	f.BoolVarP(&o.resume, "continue", "c", false, "continue the latest session of this directory")
	f.StringVar(&o.thinking, "thinking", "", "how much to reason: off, basic, medium or maximum")
	c.addSessionFlags(f)
	return cmd
}

// readPrompt takes the prompt from the arguments or from standard input.
func (o *runOptions) readPrompt(args []string) (string, error) {
	prompt := strings.Join(args, " ")
	if prompt == "" && !o.stdinIsTerminal() || prompt == "-" {
		data, err := io.ReadAll(io.LimitReader(o.in, maxStdin+1))
		if err != nil {
			return "", fmt.Errorf("read the prompt from standard input: %w", err)
		}
		if len(data) > maxStdin {
			return "", usagef("the prompt on standard input is larger than %d MiB; put it into a file and name the file", maxStdin>>20)
		}
		prompt = string(data)
	}
	if strings.TrimSpace(prompt) == "" {
		return "", usagef("the prompt is empty; write it behind the command: mix run \"What is in this project?\"")
	}
	return prompt, nil
}

// run sends the prompt and follows its run to the end.
func (o *runOptions) run(ctx context.Context) error {
	out, err := o.printer()
	if err != nil {
		return err
	}
	if err := o.check(); err != nil {
		return err
	}
	if o.dir, err = o.directory(); err != nil {
		return err
	}
	srv, ctx, err := o.connect(ctx)
	if err != nil {
		return err
	}
	code, err := o.runOn(ctx, srv, out)
	if cerr := srv.close(ctx); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	return exitWith(code)
}

func (o *runOptions) runOn(ctx context.Context, srv *server, out printer) (int, error) {
	session, err := o.openSession(ctx, srv)
	if err != nil {
		return exitFailed, err
	}
	f := &follower{
		o: o, srv: srv, session: session.ID, out: out,
		prompt: mix.Prompt{
			Text: o.prompt, ThinkingLevel: o.thinking, IdempotencyKey: newKey(),
			Approver: o.stdinIsTerminal() && o.errIsTerminal(),
		},
	}
	if o.resumes() {
		f.prompt.MaxSteps = o.maxSteps
	}
	return f.follow(ctx)
}

// check refuses flags that no server could make sense of.
func (o *runOptions) check() error {
	if _, err := o.policy(); err != nil {
		return err
	}
	if o.session != "" && o.resume {
		return usagef("--session and --continue exclude each other; give one of them")
	}
	switch o.thinking {
	case "", "off", "basic", "medium", "maximum":
	default:
		return usagef("--thinking %q is none of off, basic, medium, maximum", o.thinking)
	}
	if !o.resumes() {
		return nil
	}
	// A rule that silently does not hold is worse than an error.
	for _, f := range []struct {
		name  string
		given bool
	}{{"allow", len(o.allow) > 0}, {"deny", len(o.deny) > 0}, {"trust", o.trust}, {"max-cost", o.maxCost > 0}} {
		if f.given {
			return usagef("--%s belongs to a session from its beginning and cannot be changed by a further prompt; leave it out, or begin a new session", f.name)
		}
	}
	return nil
}

// resumes reports whether the prompt goes to a session that is there already.
func (o *runOptions) resumes() bool { return o.session != "" || o.resume }

// printer returns what shows the events of the run.
func (o *runOptions) printer() (printer, error) {
	switch o.format {
	case "text":
		return newTextPrinter(o.out, o.err), nil
	case "json":
		return &jsonPrinter{out: o.out, notes: o.err}, nil
	case "stream-json":
		return &jsonPrinter{out: o.out, notes: o.err, stream: true}, nil
	}
	return nil, usagef("--format %q is none of text, json, stream-json", o.format)
}

// openSession finds or makes the session that the flags name.
func (o *runOptions) openSession(ctx context.Context, srv *server) (s mix.Session, err error) {
	err = srv.retry(ctx, func(client *mix.Mix) error {
		switch {
		case o.session != "":
			s, err = client.Session(ctx, o.session)
		case o.resume:
			s, err = o.latest(ctx, client)
		default:
			s, err = client.CreateSession(ctx, mix.SessionSpec{
				Directory: o.dir, Model: o.model, PermissionMode: o.mode, Allow: o.allow, Deny: o.deny,
				Trust: o.trust, MaxSteps: o.maxSteps, MaxCost: o.maxCost, GrantDirectory: true,
			})
		}
		return err
	})
	if o.session != "" && mix.IsNotFound(err) {
		return s, noSession(o.session)
	}
	if err == nil && o.resumes() {
		err = o.agrees(s)
	}
	return s, err
}

// latest is the latest session of the directory.
func (o *runOptions) latest(ctx context.Context, client *mix.Mix) (mix.Session, error) {
	dir, err := filepath.EvalSymlinks(o.dir) // sessions have the resolved path
	if err != nil {
		return mix.Session{}, usagef("--dir: %w", err)
	}
	list, err := client.Sessions(ctx, mix.SessionFilter{Directory: dir, Limit: 1})
	if err != nil {
		return mix.Session{}, err
	}
	if len(list) == 0 {
		return mix.Session{}, usagef("there is no session of %s to continue; leave out --continue to begin one, or name another one of `mix sessions list` with --session", o.dir)
	}
	return list[0], nil
}

// agrees checks flags that a session may have already.
func (o *runOptions) agrees(s mix.Session) error {
	model := s.Provider + "/" + s.ModelID
	if !slices.Contains([]string{"", model, s.ModelID, s.Provider}, o.model) {
		return usagef("session %s uses %s, not %s; leave out --model, or begin a new session", s.ID, model, o.model)
	}
	if o.mode != "" && o.mode != s.PermissionMode {
		return usagef("session %s has the permission mode %s, not %s; leave out --permission-mode, or begin a new session", s.ID, s.PermissionMode, o.mode)
	}
	return nil
}
