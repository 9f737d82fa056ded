package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// Dirs is where Mix keeps its files.
type Dirs struct {
	// Data holds what Mix writes: the database, logs, files of sessions. It is
	// 0700, since it holds conversations and the server's token.
	Data string
	// Config holds what people write: config.json, models.json.
	Config string
}

// Host is what decides where files are; tests name another one than
// [ThisHost].
type Host struct {
	GOOS   string
	Home   string // "" where there is none
	Getenv func(string) string
}

// ThisHost is the computer, user and environment of the process.
func ThisHost() Host {
	home, err := os.UserHomeDir()
	if err != nil {
		home = ""
	}
	return Host{GOOS: runtime.GOOS, Home: home, Getenv: os.Getenv}
}

// Locate is [Host.Locate] for this host.
func Locate(dataDir string) (Dirs, error) { return ThisHost().Locate(dataDir) }

// Locate says where the files are; it creates nothing. dataDir, from the
// command line, wins over MIX_DATA_DIR, and that over the place that the
// operating system has for such files:
//
//	           data                                config
//	macOS      ~/Library/Application Support/mix   the same
//	Windows    %LocalAppData%\mix                  %AppData%\mix
//	others     $XDG_DATA_HOME/mix,                 $XDG_CONFIG_HOME/mix,
//	           else ~/.local/share/mix             else ~/.config/mix
//
// MIX_CONFIG_DIR names the configuration directory. Both results are absolute.
func (h Host) Locate(dataDir string) (Dirs, error) {
	data, err := h.place("data", "MIX_DATA_DIR", dataDir, h.nativeData)
	if err != nil {
		return Dirs{}, err
	}
	conf, err := h.place("configuration", "MIX_CONFIG_DIR", "", h.nativeConfig)
	if err != nil {
		return Dirs{}, err
	}
	return Dirs{Data: data, Config: conf}, nil
}

func (h Host) place(what, variable, given string, native func() string) (string, error) {
	dir := given
	if dir == "" {
		dir = h.Getenv(variable)
	}
	if dir == "" {
		dir = native()
	}
	if dir == "" {
		return "", fmt.Errorf("no place for the %s directory: there is no home directory; set %s", what, variable)
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("find the %s directory: %w", what, err)
	}
	return abs, nil
}

func (h Host) nativeData() string {
	switch h.GOOS {
	case "darwin", "ios":
		return h.below(h.Home, "Library", "Application Support", "mix")
	case "windows":
		if dir := h.Getenv("LocalAppData"); dir != "" {
			return filepath.Join(dir, "mix")
		}
		return h.below(h.Home, "AppData", "Local", "mix")
	}
	if dir := h.Getenv("XDG_DATA_HOME"); filepath.IsAbs(dir) { // the XDG rules: ignore relative ones
		return filepath.Join(dir, "mix")
	}
	return h.below(h.Home, ".local", "share", "mix")
}

func (h Host) nativeConfig() string {
	switch h.GOOS {
	case "darwin", "ios":
		return h.below(h.Home, "Library", "Application Support", "mix")
	case "windows":
		if dir := h.Getenv("AppData"); dir != "" {
			return filepath.Join(dir, "mix")
		}
		return h.below(h.Home, "AppData", "Roaming", "mix")
	}
	if dir := h.Getenv("XDG_CONFIG_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "mix")
	}
	return h.below(h.Home, ".config", "mix")
}

func (h Host) below(home string, parts ...string) string {
	if home == "" {
		return ""
	}
	return filepath.Join(append([]string{home}, parts...)...)
}

// Database is the file that holds everything durable.
func (d Dirs) Database() string { return filepath.Join(d.Data, "mix.db") }

// Logs is the folder of the log files.
func (d Dirs) Logs() string { return filepath.Join(d.Data, "logs") }

// Session is the folder of a session's own files. The identifier must have
// been checked with domain.ValidID.
func (d Dirs) Session(id string) string { return filepath.Join(d.Data, "sessions", id) }

// Settings is the user's settings file, which need not exist.
func (d Dirs) Settings() string { return filepath.Join(d.Config, "config.json") }

// Models is the user's additions to the model catalogue, which need not exist.
func (d Dirs) Models() string { return filepath.Join(d.Config, "models.json") }

// CreateData creates the data directory with its folders logs and sessions,
// all 0700. A directory that exists and is open to other users is closed when
// it is Mix's own or empty; otherwise it was probably named by mistake, and the
// error says so instead of locking somebody out of it.
func (d Dirs) CreateData() error {
	if err := os.MkdirAll(d.Data, 0o700); err != nil {
		return fmt.Errorf("create the data directory: %w", err)
	}
	if err := makePrivate(d.Data); err != nil {
		return err
	}
	for _, dir := range []string{d.Logs(), filepath.Join(d.Data, "sessions")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("create a folder of the data directory: %w", err)
		}
	}
	return nil
}

// CreateSession creates the folder of a session's own files and returns it.
func (d Dirs) CreateSession(id string) (string, error) {
	dir := d.Session(id)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("create the folder of session %s: %w", id, err)
	}
	return dir, nil
}

func makePrivate(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("look at the data directory: %w", err)
	}
	if runtime.GOOS == "windows" || info.Mode().Perm()&0o077 == 0 {
		return nil
	}
	own, err := ownOrEmpty(dir)
	if err != nil {
		return fmt.Errorf("look into the data directory: %w", err)
	}
	if !own {
		return fmt.Errorf("the data directory %s is open to other users and holds other files than Mix's: "+
			"choose another directory, or close it with chmod 700", dir)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return fmt.Errorf("close the data directory to other users: %w", err)
	}
	return nil
}

func ownOrEmpty(dir string) (bool, error) {
	for _, name := range []string{"mix.db", "mix.lock"} {
		if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
			return true, nil
		} else if !errors.Is(err, fs.ErrNotExist) {
			return false, err
		}
	}
	entries, err := os.ReadDir(dir)
	return len(entries) == 0, err
}
