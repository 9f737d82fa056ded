package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

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
	printer, err := o.printer()
	if err != nil {
		return err
	}
	if o.session != "" && o.resume {
		return usagef("--session and --continue exclude each other; give one of them")
	}
	if o.dir, err = o.directory(); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	srv, err := o.connect(ctx)
	if err != nil {
		return err
	}
	session, err := o.openSession(ctx, srv)
	if err != nil {
		return errors.Join(err, srv.close(ctx))
	}
	f := &follower{
		o: o, srv: srv, session: session.ID, printer: printer,
		key: newKey(), approver: o.stdinIsTerminal() && o.errIsTerminal(),
	}
	release := f.onSignal(ctx)
	code, err := f.follow(ctx)
	release()
	if cerr := srv.close(ctx); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	return exitWith(code)
}

// printer returns what shows the events of the run.
func (o *runOptions) printer() (printer, error) {
	switch o.format {
	case "text":
		return newTextPrinter(o.out, o.err), nil
	case "json":
		return &jsonPrinter{out: o.out}, nil
	case "stream-json":
		return &jsonPrinter{out: o.out, stream: true}, nil
	}
	return nil, usagef("--format %q is none of text, json, stream-json", o.format)
}

// openSession finds or makes the session that the flags name.
func (o *runOptions) openSession(ctx context.Context, srv *server) (mix.Session, error) {
	if o.session != "" {
		s, err := srv.client.Session(ctx, o.session)
		if mix.IsNotFound(err) {
			return s, usagef("there is no session %s; `mix sessions list` shows those that exist", o.session)
		}
		return s, err
	}
	if o.resume {
		list, err := srv.client.Sessions(ctx, mix.SessionFilter{Directory: o.dir, Limit: 1})
		if err != nil {
			return mix.Session{}, err
		}
		if len(list) == 0 {
			return mix.Session{}, usagef("there is no session of %s to continue; leave out --continue to begin one", o.dir)
		}
		return list[0], nil
	}
	return srv.client.CreateSession(ctx, mix.SessionSpec{
		Directory: o.dir, Model: o.model, PermissionMode: o.mode, Allow: o.allow, Deny: o.deny,
		Trust: o.trust, MaxSteps: o.maxSteps, MaxCost: o.maxCost, GrantDirectory: true,
	})
}

// follower sends the prompt and reads its events until the run has ended,
// through the end of a server if need be.
type follower struct {
	o        *runOptions
	srv      *server
	session  string
	printer  printer
	key      string
	approver bool

	lastID  int64
	runID   string
	summary summary
	consent *consent
}

// reconnects bounds how often a lost server is looked for in a row.
const reconnects = 20

// follow returns the exit code of the run.
func (f *follower) follow(ctx context.Context) (int, error) {
	if f.approver {
		f.consent = newConsent(f.o.in, f.o.err, f.srv)
		defer f.consent.close()
	}
	sub, err := f.srv.client.Submit(ctx, f.session, mix.Prompt{
		Text: f.o.prompt, ThinkingLevel: f.o.thinking, Approver: f.approver, IdempotencyKey: f.key,
	})
	if err != nil {
		return exitFailed, err
	}
	f.runID = sub.RunID
	f.summary.SessionID, f.summary.RunID = f.session, f.runID
	stream := sub.EventStream
	for try := 0; ; try++ {
		seen, ended := f.read(ctx, stream)
		stream.Close()
		if ended {
			if err := f.summary.settle(ctx, f.srv.client); err != nil {
				return exitFailed, err
			}
			return f.summary.exitCode(), f.printer.end(&f.summary)
		}
		if ctx.Err() != nil {
			return exitInterrupted, ctx.Err()
		}
		if seen {
			try = 0
		}
		if try >= reconnects {
			return exitFailed, fmt.Errorf("the server went away and could not be reached again: %w", err)
		}
		if stream, err = f.reconnect(ctx, try); err != nil {
			return exitFailed, err
		}
	}
}

// reconnect finds the server again, or starts one, and goes on behind the last
// event that was seen.
func (f *follower) reconnect(ctx context.Context, try int) (*mix.EventStream, error) {
	var last error
	for ; try < reconnects; try++ {
		timer := time.NewTimer(min(time.Duration(try)*100*time.Millisecond, time.Second))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, ctx.Err()
		}
		if last = f.srv.reconnect(ctx); last != nil {
			continue
		}
		var stream *mix.EventStream
		stream, last = f.srv.client.Events(ctx, f.session, mix.EventOptions{LastEventID: &f.lastID, Approver: f.approver})
		if last == nil {
			return stream, nil
		}
	}
	return nil, fmt.Errorf("the server went away and could not be reached again: %w", last)
}

// read prints events until the stream or the run ends.
func (f *follower) read(ctx context.Context, stream *mix.EventStream) (seen, ended bool) {
	for stream.Next() {
		ev := stream.Event()
		f.lastID = ev.ID
		seen = true
		if ev.Type == "connected" || ev.Type == "heartbeat" {
			continue
		}
		f.summary.add(ev, f.runID)
		if f.consent != nil {
			f.consent.event(ctx, ev)
		}
		f.printer.event(ev)
		if f.summary.complete {
			return true, true
		}
	}
	return seen, false
}

// onSignal cancels the run at the first interrupt and ends the program at the
// second.
func (f *follower) onSignal(ctx context.Context) (release func()) {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	done := make(chan struct{})
	go func() {
		for n := 0; ; n++ {
			select {
			case <-done:
				return
			case <-signals:
			}
			if n > 0 {
				os.Exit(exitInterrupted)
			}
			fmt.Fprintln(f.o.err, "Stopping… (once more to leave at once)")
			f.summary.interrupted.Store(true)
			go func() { _ = f.srv.client.Cancel(context.WithoutCancel(ctx), f.session) }()
		}
	}()
	return func() {
		signal.Stop(signals)
		close(done)
	}
}
