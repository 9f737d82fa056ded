package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/mixagent/mix/internal/config"
	"github.com/mixagent/mix/internal/domain"
)

func newConfigCommand(c *common) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Read and write the settings",
		Args:  cobra.NoArgs,
	}
	get := &cobra.Command{
		Use:     "get KEY",
		Short:   "Print a setting and where it comes from",
		Example: "  mix config get permissionMode",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			dirs, err := config.Locate(c.dataDir)
			if err != nil {
				return err
			}
			conf, err := config.Load(config.Options{Dirs: dirs})
			if err != nil {
				return err
			}
			v, err := conf.Get(args[0])
			if err != nil {
				return usageError{err}
			}
			fmt.Fprintf(c.err, "(from %s)\n", domain.SanitizeLine(v.Source))
			_, err = fmt.Fprintf(c.out, "%s\n", escapeJSON(v.JSON))
			return err
		},
	}
	set := &cobra.Command{
		Use:     "set KEY VALUE",
		Short:   "Write a setting to the user's file",
		Example: "  mix config set model anthropic/claude-sonnet-4-5\n  mix config set permissions.allow '[\"Bash(go test:*)\"]'",
		Args:    cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			dirs, err := config.Locate(c.dataDir)
			if err != nil {
				return err
			}
			if conf, err := config.Load(config.Options{Dirs: dirs}); err == nil {
				if _, err := conf.Get(args[0]); err != nil {
					return usageError{err}
				}
			}
			return config.Set(dirs, args[0], args[1])
		},
	}
	path := &cobra.Command{
		Use:   "path",
		Short: "Print where the settings are",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			dirs, err := config.Locate(c.dataDir)
			if err != nil {
				return err
			}
			fmt.Fprintln(c.out, dirs.Settings())
			return nil
		},
	}
	cmd.AddCommand(get, set, path)
	return cmd
}
