package cli

import (
	"errors"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/mixagent/mix/internal/domain"
	mix "github.com/mixagent/mix/sdk"
)

func newAuditCommand(c *common) *cobra.Command {
	var session string
	var limit int
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "List what asked for permission, and who or which rule decided",
		Long: `List what asked for permission, newest first, and who or which rule decided.

Every tool call has a row, also the ones that a rule answered at once. Rows are
never changed, and stay when their session is deleted.`,
		Example: `  mix audit --session ID
  mix audit --format json --limit 1000`,
		Args: cobra.NoArgs,
	}
	format := formatFlag(cmd)
	cmd.Flags().StringVar(&session, "session", "", "only those of the session with this ID")
	cmd.Flags().IntVar(&limit, "limit", 200, "list at most so many")
	cmd.RunE = func(cmd *cobra.Command, _ []string) (err error) {
		asJSON, err := wantsJSON(*format)
		if err != nil {
			return err
		}
		if limit < 1 || limit > maxList {
			return usagef("--limit must be from 1 to %d", maxList)
		}
		r, closeReader, err := c.openReader(cmd.Context())
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, closeReader()) }()
		rows, err := r.Audit(cmd.Context(), session, limit)
		if err != nil {
			return err
		}
		if asJSON {
			if rows == nil {
				rows = []mix.AuditRow{}
			}
			return printJSON(c.out, rows)
		}
		return printAudit(c.out, rows)
	}
	return cmd
}

func printAudit(out io.Writer, rows []mix.AuditRow) error {
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "WHEN\tSESSION\tCALL\tOUTCOME\tBY\tWHY")
	for _, r := range rows {
		outcome, by, why := "waits", "-", r.Reason
		if d := r.Decision; d != nil {
			outcome, by = d.Outcome, d.By
			switch {
			case d.Reason != "":
				why = d.Reason
			case d.Rule != "":
				why = d.Rule
			}
			if d.Rule != "" && d.By == "rule" {
				why = d.Rule
			}
		}
		fmt.Fprintf(w, "%s\t%s\t%s %s\t%s\t%s\t%s\n", r.CreatedAt.Local().Format("2006-01-02 15:04:05"), r.SessionID,
			domain.SanitizeLine(r.Tool), domain.SanitizeLine(shorten(r.Target)), outcome, by, domain.SanitizeLine(shorten(why)))
	}
	return w.Flush()
}
