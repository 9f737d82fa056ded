package cli

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/mixagent/mix/internal/domain"
	mix "github.com/mixagent/mix/sdk"
)

func newPermissionsCommand(c *common) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "permissions",
		Short: "Say what may run, and why",
		Args:  cobra.NoArgs,
	}
	cmd.AddCommand(newPermissionsExplain(c))
	return cmd
}

func newPermissionsExplain(c *common) *cobra.Command {
	var session string
	cmd := &cobra.Command{
		Use:   "explain CALL",
		Short: "Say what the gate would decide about a call, and which rule decides",
		Long: `Say what the gate would decide about a call, and which rule, grant or mode
decides. Nothing is run and nothing is recorded.

Without --session, the call is judged as one of a new session that the flags
describe.`,
		Example: `  mix permissions explain "Bash(git log | head)"
  mix permissions explain --permission-mode auto "Bash(rm -r build)"
  mix permissions explain --allow "Edit(src/**)" "Edit(src/main.go)"`,
		Args: cobra.ExactArgs(1),
	}
	format := formatFlag(cmd)
	cmd.Flags().StringVar(&session, "session", "", "judge it as a call of the session with this ID")
	c.addSessionFlags(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
		asJSON, err := wantsJSON(*format)
		if err != nil {
			return err
		}
		if c.dir, err = c.directory(); err != nil {
			return err
		}
		if _, err := c.policy(); err != nil {
			return err
		}
		srv, ctx, err := c.connect(cmd.Context())
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, srv.close(ctx)) }()
		var e mix.Explanation
		if session != "" {
			e, err = srv.api().Explain(ctx, session, args[0])
			if mix.IsNotFound(err) {
				return noSession(session)
			}
		} else {
			e, err = srv.api().ExplainFor(ctx, mix.SessionSpec{
				Directory: c.dir, PermissionMode: c.mode, Allow: c.allow, Deny: c.deny, GrantDirectory: true,
			}, args[0])
		}
		if err != nil {
			return err
		}
		if asJSON {
			return printJSON(c.out, e)
		}
		printExplanation(c.out, e)
		return nil
	}
	return cmd
}

// printExplanation shows a verdict, then what was thought of each part.
func printExplanation(w io.Writer, e mix.Explanation) {
	line := func(indent, outcome, part, by, rule, reason string) {
		text := indent + outcome
		for _, s := range []struct{ before, text string }{{"  ", part}, {"  by ", by}, {" ", rule}, {"  because ", reason}} {
			if s.text != "" {
				text += s.before + domain.SanitizeLine(s.text)
			}
		}
		fmt.Fprintln(w, text)
	}
	line("", e.Outcome, "", e.By, e.Rule, e.Reason)
	for _, s := range e.Steps {
		line("  ", s.Outcome, s.Part, s.By, s.Rule, s.Reason)
	}
	if e.Suggest != "" {
		fmt.Fprintf(w, "An answer for longer would save %s\n", domain.SanitizeLine(e.Suggest))
	}
}
