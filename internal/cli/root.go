package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/mixagent/mix/internal/config"
	"github.com/mixagent/mix/internal/domain"
)

// common holds the flags and streams that commands share.
type common struct {
	in       io.Reader
	out, err io.Writer

	dataDir  string
	dir      string
	model    string
	mode     string
	allow    []string
	deny     []string
	trust    bool
	maxSteps int
	maxCost  float64
	demoRate float64
	verbose  bool
}

// exitCode is an error that only carries a code: all is said already.
type exitCode int

func (e exitCode) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// exitWith turns a code into an error; nil for 0.
func exitWith(code int) error {
	if code == exitDone {
		return nil
	}
	return exitCode(code)
}

// usageError is a mistake in how a command was called.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// Main runs the command line and returns the process's exit code.
func Main(ctx context.Context, args []string, in io.Reader, out, errOut io.Writer) int {
	root := newRoot(&common{in: in, out: out, err: errOut})
	root.SetArgs(doubleDashes(root, args))
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errOut)
	err := root.ExecuteContext(ctx)
	var code exitCode
	var usage usageError
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &code):
		return int(code)
	case errors.As(err, &usage):
		fmt.Fprintf(errOut, "mix: %s\n", domain.Sanitize(err.Error()))
		return exitUsage
	}
	fmt.Fprintf(errOut, "mix: %s\n", domain.Sanitize(err.Error()))
	if errors.Is(err, context.Canceled) {
		return exitInterrupted
	}
	return exitFailed
}

func newRoot(c *common) *cobra.Command {
	daemon := false
	root := &cobra.Command{
		Use:   "mix",
		Short: "An AI agent that lives on your machine",
		Long: `Mix is an AI agent that lives on your machine: it works in a directory through
tools, asks before it acts, and loses nothing.

Begin with a demonstration that needs no key:

  mix run --model demo "What is in this project?"

Then set ANTHROPIC_API_KEY or OPENAI_API_KEY and leave out --model demo.`,
		Version:       config.Version(),
		Args:          cobra.NoArgs,
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !daemon {
				return cmd.Help()
			}
			s := &serveOptions{common: c, host: defaultHost, port: daemonPort}
			return s.run(cmd.Context())
		},
	}
	root.SetVersionTemplate("mix {{.Version}}\n")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	p := root.PersistentFlags()
	p.StringVar(&c.dataDir, "data-dir", "", "where Mix keeps its data (default: $MIX_DATA_DIR, else the platform's place)")
	p.BoolVarP(&c.verbose, "verbose", "v", false, "write the server's log to standard error")
	root.Flags().BoolVar(&daemon, "daemon", false, "run the server without a user interface, on port 4096")
	c.addSessionFlags(root.Flags())
	root.AddCommand(
		newRunCommand(c), newServeCommand(c), newSessionsCommand(c), newAuditCommand(c),
		newPermissionsCommand(c), newConfigCommand(c), newDoctorCommand(c),
	)
	root.SetHelpCommand(newHelpCommand(root))
	root.InitDefaultCompletionCmd()
	groups(root)
	usageErrors(root)
	return root
}

// newHelpCommand is cobra's, but a command that does not exist is a mistake.
func newHelpCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Help about a command",
		RunE: func(_ *cobra.Command, args []string) error {
			cmd, rest, err := root.Find(args)
			if err != nil || len(rest) > 0 {
				return usagef("there is no command %q; see: mix help", strings.Join(args, " "))
			}
			cmd.InitDefaultHelpFlag()
			cmd.InitDefaultVersionFlag()
			return cmd.Help()
		},
	}
}

// groups lets a command that has only subcommands refuse others; by itself it
// shows its help.
func groups(cmd *cobra.Command) {
	for _, sub := range cmd.Commands() {
		groups(sub)
		if sub.Runnable() {
			continue
		}
		sub.Args = nil
		sub.RunE = func(sub *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usagef("%q is no command of %s; see: %s --help", args[0], sub.CommandPath(), sub.CommandPath())
			}
			return sub.Help()
		}
	}
}

// usageErrors makes wrong arguments of every command end with exit code 2.
func usageErrors(cmd *cobra.Command) {
	if check := cmd.Args; check != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return usagef("%w; see: %s --help", err, cmd.CommandPath())
			}
			return nil
		}
	}
	for _, sub := range cmd.Commands() {
		usageErrors(sub)
	}
}

// addSessionFlags adds what a session is started with. With serve and --daemon
// they are the defaults of sessions that come through the API.
func (c *common) addSessionFlags(f *pflag.FlagSet) {
	f.StringVar(&c.model, "model", "", "PROVIDER/MODEL, or demo (default: $MIX_MODEL, the settings, else what there is a key for)")
	f.StringVar(&c.dir, "dir", "", "the directory to work in (default: this one)")
	f.StringVar(&c.mode, "permission-mode", "", "ask, ask-all, accept-edits, auto or plan")
	f.StringArrayVar(&c.allow, "allow", nil, "a rule that allows, like \"Bash(go test:*)\"; may be repeated")
	f.StringArrayVar(&c.deny, "deny", nil, "a rule that denies; denies win; may be repeated")
	f.BoolVar(&c.trust, "trust", false, "let what the directory's own settings ask for take effect")
	f.IntVar(&c.maxSteps, "max-steps", 0, "cap on model calls for each message (default 25)")
	f.Float64Var(&c.maxCost, "max-cost", 0, "cap on the session's cost in US dollars")
	f.Float64Var(&c.demoRate, "demo-rate", defaultDemoRate, "characters per second of the demo model; 0: as fast as possible")
}

// directory is the absolute path of --dir, or the working directory.
func (c *common) directory() (string, error) {
	dir := c.dir
	if dir == "" {
		wd, err := os.Getwd()
		if err != nil {
			return "", fmt.Errorf("find the working directory: %w; name one with --dir", err)
		}
		dir = wd
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", usagef("--dir %s: %w", dir, err)
	}
	info, err := os.Stat(abs)
	if err != nil {
		return "", usagef("--dir: %w", err)
	}
	if !info.IsDir() {
		return "", usagef("--dir %s is not a directory", abs)
	}
	f, err := os.Open(abs)
	if err == nil {
		_, err = f.Readdirnames(1)
		f.Close()
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return "", usagef("%s cannot be read: %w; name a directory that you can read with --dir", abs, err)
	}
	return abs, nil
}

// policy checks the flags that bind a session.
func (c *common) policy() (domain.Policy, error) {
	p := domain.Policy{
		Mode: domain.PermissionMode(c.mode), Allow: c.allow, Deny: c.deny,
		Trust: c.trust, MaxSteps: c.maxSteps, MaxCostUSD: c.maxCost,
	}
	if c.mode != "" && !p.Mode.Valid() {
		return p, usagef("--permission-mode %q is none of ask, ask-all, accept-edits, auto, plan", c.mode)
	}
	if c.maxSteps < 0 || c.maxCost < 0 || c.demoRate < 0 {
		return p, usagef("--max-steps, --max-cost and --demo-rate must not be negative")
	}
	return p, nil
}

func (c *common) stdinIsTerminal() bool { return isTerminal(c.in) }
func (c *common) errIsTerminal() bool   { return isTerminal(c.err) }

// isTerminal reports whether a stream is a person's terminal.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// doubleDashes lets long flags be written with one dash, as in -daemon.
func doubleDashes(root *cobra.Command, args []string) []string {
	long := map[string]bool{"help": true, "version": true}
	var collect func(*cobra.Command)
	collect = func(cmd *cobra.Command) {
		note := func(f *pflag.Flag) { long[f.Name] = true }
		cmd.LocalFlags().VisitAll(note)
		for _, sub := range cmd.Commands() {
			collect(sub)
		}
	}
	collect(root)
	out := make([]string, len(args))
	for i, a := range args {
		if a == "--" {
			copy(out[i:], args[i:])
			break
		}
		out[i] = a
		name, _, _ := strings.Cut(strings.TrimPrefix(a, "-"), "=")
		if len(name) > 1 && a[0] == '-' && !strings.HasPrefix(a, "--") && long[name] {
			out[i] = "-" + a
		}
	}
	return out
}
