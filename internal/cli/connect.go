package cli

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
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
	// reconnects bounds how often in a row a lost server is looked for. With
	// the pauses between them that is longer than a server takes to stop.
	reconnects = 20
)

// server is the one that a command talks to: found, or its own.
type server struct {
	c          *common
	interrupts *interrupts
	client     atomic.Pointer[mix.Mix]

	mu       sync.Mutex // held while a server is looked for or started
	embedded *daemon.Server
}

// connect finds the healthy server of the data directory or starts one. The
// context that it returns ends at an interrupt, unless the command has
// something better to do then ([interrupts.on]). The caller closes the server.
func (c *common) connect(ctx context.Context) (*server, context.Context, error) {
	ctx, cancel := context.WithCancel(ctx)
	s := &server{c: c, interrupts: watchInterrupts(cancel)}
	if err := s.reconnect(ctx); err != nil {
		return nil, nil, errors.Join(err, s.close(ctx))
	}
	return s, ctx, nil
}

// api is the client of the server as it is now.
func (s *server) api() *mix.Mix { return s.client.Load() }

// reconnect points the client to a server that is there now. Of several that
// try to start one, one gets the lock; the others wait until it is healthy.
func (s *server) reconnect(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
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
			s.client.Store(mix.New(info.URL, mix.WithToken(info.Token)))
			return nil
		}
		if err := s.embed(ctx); err == nil {
			return nil
		} else if !errors.Is(err, discovery.ErrLocked) || time.Now().After(deadline) {
			return err
		}
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return err
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
	s.client.Store(mix.New(srv.URL(), mix.WithToken(srv.Token())))
	return nil
}

// retry calls until the call reaches a server that takes it. A server that is
// found may stop or die before it answers: then another one is found or
// started.
func (s *server) retry(ctx context.Context, call func(*mix.Mix) error) error {
	var err error
	for try := range reconnects {
		if try > 0 {
			if perr := pause(ctx, backoff(try)); perr != nil {
				return perr
			}
			if err = s.reconnect(ctx); errors.Is(err, discovery.ErrLocked) {
				continue
			} else if err != nil {
				return err
			}
		}
		if err = call(s.api()); err == nil || !lost(ctx, err) {
			return err
		}
	}
	return fmt.Errorf("the server went away and could not be reached again: %w", err)
}

// lost reports whether an error means that the server is gone or about to go,
// and not that it refused.
func lost(ctx context.Context, err error) bool {
	var refused *mix.APIError
	var usage usageError
	switch {
	case errors.As(err, &refused):
		return refused.Reason == "stopping"
	case errors.As(err, &usage):
		return false
	}
	return ctx.Err() == nil
}

// backoff is how long to wait before a try: nothing, then more and more, up to
// a second.
func backoff(try int) time.Duration {
	return min(time.Duration(try-1)*100*time.Millisecond, time.Second)
}

// pause waits for d or until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
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
	defer s.interrupts.release()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.embedded == nil {
		return nil
	}
	wait, interrupt := context.WithCancel(context.WithoutCancel(ctx))
	defer interrupt()
	s.interrupts.on(interrupt)
	if n := s.embedded.Busy(); n > 0 {
		fmt.Fprintf(s.c.err, "Work for other clients goes on in this process (%d under way); it ends when that is done, or at ctrl-c.\n", n)
		s.embedded.WaitIdle(wait)
	}
	// Whoever interrupts the waiting, or the stopping, wants no grace.
	stop, cancel := context.WithTimeout(wait, stopPatience)
	defer cancel()
	err := s.embedded.Stop(stop)
	s.embedded = nil
	if err != nil {
		return fmt.Errorf("stop the server: %w", err)
	}
	return nil
}

// newKey returns an idempotency key.
func newKey() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // crypto/rand never fails
	return hex.EncodeToString(b[:])
}
