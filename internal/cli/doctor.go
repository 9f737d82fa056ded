package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/mixagent/mix/internal/config"
	"github.com/mixagent/mix/internal/discovery"
	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/store"
)

// finding is one line of the doctor's report.
type finding struct {
	Name   string `json:"name"`
	Status string `json:"status"` // ok, note, problem
	Text   string `json:"text"`
}

func newDoctorCommand(c *common) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check what Mix needs, and say how to get what is missing",
		Long: `Check what Mix needs, and say how to get what is missing. Nothing is changed.

It exits with 1 when something has to be repaired before Mix can work.`,
		Args: cobra.NoArgs,
	}
	format := formatFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		asJSON, err := wantsJSON(*format)
		if err != nil {
			return err
		}
		found := c.examine(cmd.Context())
		bad := false
		for _, f := range found {
			bad = bad || f.Status == "problem"
		}
		if asJSON {
			err = printJSON(c.out, found)
		} else {
			for _, f := range found {
				fmt.Fprintf(c.out, "%-8s %-12s %s\n", f.Status, f.Name, domain.SanitizeLine(f.Text))
			}
		}
		if err == nil && bad {
			err = exitWith(exitFailed)
		}
		return err
	}
	return cmd
}

// examine makes all checks.
func (c *common) examine(ctx context.Context) []finding {
	found := []finding{{"version", "ok", fmt.Sprintf("mix %s, %s/%s", config.Version(), runtime.GOOS, runtime.GOARCH)}}
	dirs, err := config.Locate(c.dataDir)
	if err != nil {
		return append(found, finding{"data", "problem", err.Error()})
	}
	found = append(found, checkData(dirs), checkSettings(dirs), checkStore(ctx, dirs), checkServer(ctx, dirs))
	found = append(found, checkModels()...)
	found = append(found, checkPrograms()...)
	return append(found, checkPlatform())
}

func checkData(dirs config.Dirs) finding {
	info, err := os.Stat(dirs.Data)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return finding{"data", "note", dirs.Data + " does not exist yet; the first run makes it"}
	case err != nil:
		return finding{"data", "problem", err.Error()}
	case runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0:
		return finding{"data", "problem", fmt.Sprintf("%s can be read by others (mode %o); run: chmod 700 %s", dirs.Data, info.Mode().Perm(), dirs.Data)}
	}
	if err := mayWrite(dirs.Data); err != nil {
		return finding{"data", "problem", fmt.Sprintf("%s cannot be written to by this user: %v; make it yours, or name another one with --data-dir", dirs.Data, err)}
	}
	return finding{"data", "ok", dirs.Data}
}

func checkSettings(dirs config.Dirs) finding {
	if _, err := config.Load(config.Options{Dirs: dirs}); err != nil {
		return finding{"settings", "problem", err.Error()}
	}
	return finding{"settings", "ok", dirs.Settings()}
}

func checkStore(ctx context.Context, dirs config.Dirs) finding {
	if _, err := os.Stat(dirs.Database()); errors.Is(err, fs.ErrNotExist) {
		return finding{"database", "note", "nothing is stored yet"}
	}
	s, err := store.Open(ctx, store.Options{Path: dirs.Database(), ReadOnly: true})
	if err != nil {
		return finding{"database", "problem", err.Error()}
	}
	defer s.Close()
	rows, err := s.VerifyAudit(ctx)
	if err != nil {
		return finding{"database", "problem", err.Error()}
	}
	return finding{"database", "ok", fmt.Sprintf("%s; all %d rows of the audit are as they were written", dirs.Database(), rows)}
}

func checkServer(ctx context.Context, dirs config.Dirs) finding {
	info, err := discovery.Find(ctx, dirs.Data)
	if err != nil {
		return finding{"server", "note", "none is running; commands start their own"}
	}
	return finding{"server", "ok", fmt.Sprintf("%s, pid %d, version %s", info.URL, info.PID, info.Version)}
}

// checkModels names the vendors there is a credential for, never a credential.
func checkModels() []finding {
	var found []finding
	for _, vendor := range []string{"anthropic", "openai", "local"} {
		cred, err := config.Credentials(vendor, os.Getenv)
		switch {
		case err == nil:
			found = append(found, finding{vendor, "ok", cred.Source + " is set"})
		case errors.Is(err, config.ErrNoCredential):
			found = append(found, finding{vendor, "note", err.Error()})
		default:
			found = append(found, finding{vendor, "problem", err.Error()})
		}
	}
	return found
}

// checkPrograms looks for the outside programs that Mix can use; it works
// without them.
func checkPrograms() []finding {
	path, err := exec.LookPath("git")
	if err != nil {
		return []finding{{"git", "note", "not installed, so the state of repositories is not seen; get it from your system's packages (git)"}}
	}
	return []finding{{"git", "ok", path}}
}

// checkPlatform says what this system cannot do.
func checkPlatform() finding {
	if runtime.GOOS == "linux" {
		return finding{"platform", "ok", "requests of this user need no token; processes that Mix started are refused"}
	}
	return finding{"platform", "note", "this system cannot tell whose process a request comes from: clients need the token " +
		"from server.lock, unless server.trustLoopback is set"}
}
