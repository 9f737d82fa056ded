package cli

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/mixagent/mix/internal/domain"
	mix "github.com/mixagent/mix/sdk"
)

func newSessionsCommand(c *common) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "sessions",
		Short: "List, show, export and delete sessions",
		Args:  cobra.NoArgs,
	}
	cmd.AddCommand(newSessionsList(c), newSessionsShow(c), newSessionsExport(c), newSessionsDelete(c))
	return cmd
}

// maxList bounds a listing, as the server does.
const maxList = 10_000

// formatFlag adds --format with the values text and json.
func formatFlag(cmd *cobra.Command) *string {
	return cmd.Flags().String("format", "text", "output: text or json")
}

// wantsJSON checks a --format of text and json.
func wantsJSON(format string) (bool, error) {
	switch format {
	case "text":
		return false, nil
	case "json":
		return true, nil
	}
	return false, usagef("--format %q is none of text, json", format)
}

func newSessionsList(c *common) *cobra.Command {
	var limit int
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List sessions, newest first",
		Example: "  mix sessions list --limit 10",
		Args:    cobra.NoArgs,
	}
	format := formatFlag(cmd)
	cmd.Flags().IntVar(&limit, "limit", 50, "list at most so many")
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
		list, err := r.Sessions(cmd.Context(), mix.SessionFilter{Limit: limit})
		if err != nil {
			return err
		}
		if asJSON {
			if list == nil {
				list = []mix.Session{}
			}
			return printJSON(c.out, list)
		}
		w := tabwriter.NewWriter(c.out, 0, 4, 2, ' ', 0)
		fmt.Fprintln(w, "ID\tSTARTED\tMESSAGES\tCOST\tTITLE\tDIRECTORY")
		for _, s := range list {
			fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\t%s\n", s.ID, s.CreatedAt.Local().Format("2006-01-02 15:04"),
				s.UserMessageCount+s.AssistantMessageCount, costText(s), domain.SanitizeLine(titleText(s)), domain.SanitizeLine(s.Directory))
		}
		return w.Flush()
	}
	return cmd
}

func costText(s mix.Session) string {
	if s.CostUnknown && s.Cost == 0 {
		return "unknown"
	}
	text := fmt.Sprintf("$%.4f", s.Cost)
	if s.CostUnknown {
		text = "over " + text
	}
	return text
}

func titleText(s mix.Session) string {
	if s.Title != "" {
		return s.Title
	}
	return "(no title)"
}

func newSessionsShow(c *common) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "show ID",
		Short: "Show a session's conversation",
		Args:  cobra.ExactArgs(1),
	}
	format := formatFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
		asJSON, err := wantsJSON(*format)
		if err != nil {
			return err
		}
		r, closeReader, err := c.openReader(cmd.Context())
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, closeReader()) }()
		s, err := r.Session(cmd.Context(), args[0])
		if mix.IsNotFound(err) || errors.Is(err, domain.ErrNotFound) {
			return noSession(args[0])
		}
		if err != nil {
			return err
		}
		messages, err := r.Messages(cmd.Context(), args[0], mix.Page{})
		if err != nil {
			return err
		}
		if asJSON {
			return printJSON(c.out, struct {
				Session  mix.Session   `json:"session"`
				Messages []mix.Message `json:"messages"`
			}{s, messages})
		}
		return showSession(c.out, s, messages)
	}
	return cmd
}

// showSession prints a conversation for people.
func showSession(w io.Writer, s mix.Session, messages []mix.Message) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n%s · %s/%s · %s · %s\n", titleText(s), s.ID, s.Provider, s.ModelID, s.Directory, costText(s))
	for _, m := range messages {
		fmt.Fprintf(&b, "\n[%s] %s\n%s\n", m.Role, m.CreatedAt.Local().Format(time.DateTime), strings.TrimRight(m.UserInput, "\n"))
		for _, call := range m.ToolCalls {
			fmt.Fprintf(&b, "• %s %s (%s)\n", call.Name, inputLine(call.Input), call.State)
		}
	}
	_, err := io.WriteString(w, domain.Sanitize(b.String()))
	return err
}

func newSessionsExport(c *common) *cobra.Command {
	return &cobra.Command{
		Use:     "export ID",
		Short:   "Write a whole session as JSON to standard output",
		Example: "  mix sessions export ID > session.json",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			r, closeReader, err := c.openReader(cmd.Context())
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, closeReader()) }()
			data, err := r.Export(cmd.Context(), args[0])
			if mix.IsNotFound(err) || errors.Is(err, domain.ErrNotFound) {
				return noSession(args[0])
			}
			if err != nil {
				return err
			}
			return printJSON(c.out, data)
		},
	}
}

func newSessionsDelete(c *common) *cobra.Command {
	return &cobra.Command{
		Use:   "delete ID...",
		Short: "Delete sessions with their messages and files; the audit keeps its rows",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			srv, ctx, err := c.connect(cmd.Context())
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, srv.close(ctx)) }()
			for _, id := range args {
				if err := srv.api().DeleteSession(ctx, id); mix.IsNotFound(err) {
					return noSession(id)
				} else if err != nil {
					return err
				}
				fmt.Fprintf(c.out, "deleted %s\n", id)
			}
			return nil
		},
	}
}
