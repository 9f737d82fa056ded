package discovery

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
)

// The files in the data directory.
const (
	lockName = "mix.lock"
	infoName = "server.lock"
)

// maxInfo bounds the size of server.lock, in bytes.
const maxInfo = 64 << 10

// Info is what a server tells about itself in server.lock. Other programs read
// the file too: keys may be added, never renamed.
type Info struct {
	PID     int    `json:"pid"`
	URL     string `json:"url"` // without a slash at its end
	Version string `json:"version"`
	// Instance tells one life of a server from the next.
	Instance string `json:"instance"`
	// Token lets its holder use the server.
	Token string `json:"token"`
}

// String describes the server without its token.
func (i Info) String() string {
	return fmt.Sprintf("mix %s at %s (process %d)", i.Version, i.URL, i.PID)
}

// GoString is String, so that %#v does not show the token either.
func (i Info) GoString() string { return i.String() }

// LogValue leaves the token out of logs.
func (i Info) LogValue() slog.Value {
	return slog.GroupValue(slog.Int("pid", i.PID), slog.String("url", i.URL),
		slog.String("version", i.Version), slog.String("instance", i.Instance))
}

// check refuses what could not have been written by a server.
func (i Info) check() error {
	u, err := url.Parse(i.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return errors.New("url is not an http address")
	}
	if i.PID <= 0 || i.Instance == "" || i.Token == "" {
		return errors.New("pid, instance or token is missing")
	}
	return nil
}

// readInfo reads server.lock. Its error wraps fs.ErrNotExist where there is
// none.
func readInfo(dataDir string) (Info, error) {
	f, err := os.Open(filepath.Join(dataDir, infoName))
	if err != nil {
		return Info{}, fmt.Errorf("read the lockfile: %w", err)
	}
	defer func() { _ = f.Close() }()
	data, err := io.ReadAll(io.LimitReader(f, maxInfo))
	if err != nil {
		return Info{}, fmt.Errorf("read the lockfile: %w", err)
	}
	var i Info
	if err := json.NewDecoder(bytes.NewReader(data)).Decode(&i); err != nil {
		return Info{}, fmt.Errorf("read the lockfile: %w", err)
	}
	if err := i.check(); err != nil {
		return Info{}, fmt.Errorf("read the lockfile: %w", err)
	}
	return i, nil
}
