package discovery

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// ErrNoServer: no healthy server runs on the data directory. The error around
// it says how that is known.
var ErrNoServer = errors.New("no server is running")

// healthPatience is how long a server may take to answer. It answers within a
// millisecond; one that does not within this is as good as gone.
const healthPatience = 500 * time.Millisecond

// Find returns the healthy server of a data directory. The error wraps
// [ErrNoServer] when there is none: nothing is published, the process is gone,
// or what answers is not that server.
func Find(ctx context.Context, dataDir string) (*Info, error) {
	i, err := readInfo(dataDir)
	if err != nil {
		return nil, errors.Join(ErrNoServer, err)
	}
	if !processAlive(i.PID) {
		return nil, fmt.Errorf("%w: process %d is gone", ErrNoServer, i.PID)
	}
	if err := checkHealth(ctx, i); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fmt.Errorf("%w: %s: %w", ErrNoServer, i.URL, err)
	}
	return &i, nil
}

// checkHealth asks the server whether it is the instance that was published.
func checkHealth(ctx context.Context, i Info) error {
	ctx, cancel := context.WithTimeout(ctx, healthPatience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, i.URL+"/health", nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+i.Token)
	// Without a proxy and without redirects: the token goes to this address and
	// nowhere else.
	transport := &http.Transport{DisableKeepAlives: true}
	defer transport.CloseIdleConnections()
	client := http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("it answers with status %d", resp.StatusCode)
	}
	var health struct {
		Instance string `json:"instance"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxInfo)).Decode(&health); err != nil {
		return fmt.Errorf("it does not answer like a Mix server: %w", err)
	}
	if health.Instance != i.Instance {
		return errors.New("another server answers there")
	}
	return nil
}
