package cli

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"github.com/mixagent/mix/internal/config"
	"github.com/mixagent/mix/internal/daemon"
	"github.com/mixagent/mix/internal/discovery"
	mix "github.com/mixagent/mix/sdk"
)

const (
	// stopPatience bounds how long an embedded server may take to stop.
	stopPatience = 15 * time.Second
	// lockPatience is how long a lock may be held by a server that is just
	// starting or stopping.
	lockPatience = 5 * time.Second
)

// server is the one that a command talks to: found, or its own.
type server struct {
	c        *common
	client   *mix.Mix
	embedded *daemon.Server
}

// connect finds the healthy server of the data directory or starts one.
func (c *common) connect(ctx context.Context) (*server, error) {
	s := &server{c: c}
	return s, s.reconnect(ctx)
}

// reconnect points the client to a server that is there now. Of several that
// try to start one, one gets the lock; the others wait until it is healthy.
func (s *server) reconnect(ctx context.Context) error {
	if s.embedded != nil {
		return nil
	}
	dirs, err := config.Locate(s.c.dataDir)
	if err != nil {
		return err
	}
	deadline := time.Now().Add(lockPatience)
	for {
		info, err := discovery.Find(ctx, dirs.Data)
		if err == nil {
			s.client = mix.New(info.URL, mix.WithToken(info.Token))
			return nil
		}
		if err := s.embed(ctx); err == nil {
			return nil
		} else if !errors.Is(err, discovery.ErrLocked) || time.Now().After(deadline) {
			return err
		}
		timer := time.NewTimer(20 * time.Millisecond)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}

// embed starts a server in this process, on any free port.
func (s *server) embed(ctx context.Context) error {
	cfg, err := s.c.serverConfig()
	if err != nil {
		return err
	}
	cfg.Addr = "127.0.0.1:0"
	srv, err := daemon.Start(ctx, cfg)
	if err != nil {
		return err
	}
	s.embedded = srv
	s.client = mix.New(srv.URL(), mix.WithToken(srv.Token()))
	return nil
}

// serverConfig is what a server is started with.
func (c *common) serverConfig() (daemon.Config, error) {
	policy, err := c.policy()
	if err != nil {
		return daemon.Config{}, err
	}
	cfg := daemon.Config{
		DataDir: c.dataDir, Model: c.model, Policy: policy, DemoRate: c.demoRate,
		Dir: c.dir, Trust: c.trust, Log: io.Discard,
	}
	if c.verbose {
		cfg.Log = c.err
	}
	return cfg, nil
}

// close ends an embedded server. Work of others that it does goes on first:
// an interrupt ends it.
func (s *server) close(ctx context.Context) error {
	if s.embedded == nil {
		return nil
	}
	ctx = context.WithoutCancel(ctx)
	if n := s.embedded.Busy(); n > 0 {
		fmt.Fprintf(s.c.err, "Other clients have %d runs under way in this process; it stays until they are done (ctrl-c interrupts them).\n", n)
		wait, stop := signal.NotifyContext(ctx, os.Interrupt)
		s.embedded.WaitIdle(wait)
		stop()
	}
	ctx, cancel := context.WithTimeout(ctx, stopPatience)
	defer cancel()
	if err := s.embedded.Stop(ctx); err != nil {
		return fmt.Errorf("stop the server: %w", err)
	}
	s.embedded = nil
	return nil
}

// newKey returns an idempotency key.
func newKey() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // crypto/rand never fails
	return hex.EncodeToString(b[:])
}
