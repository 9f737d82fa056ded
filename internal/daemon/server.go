package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/mixagent/mix/internal/agent"
	"github.com/mixagent/mix/internal/api"
	"github.com/mixagent/mix/internal/config"
	"github.com/mixagent/mix/internal/discovery"
	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/eventlog"
	"github.com/mixagent/mix/internal/shell"
	"github.com/mixagent/mix/internal/store"
)

const (
	heartbeat       = 15 * time.Second
	headerPatience  = 10 * time.Second
	requestPatience = time.Minute
	// idlePatience is how long an idle connection is kept.
	idlePatience = 2 * time.Minute
	maxHeader    = 64 << 10
	// memoryTarget is the size from which garbage is collected more eagerly,
	// so that a thousand busy sessions stay under 300 MiB. It is no limit on
	// what the work needs; GOMEMLIMIT sets another one.
	memoryTarget = 256 << 20
	// gcPercent leaves the collector half the room of Go's own 100, since most
	// of a server's memory is what idle subscribers hold. GOGC sets another one.
	gcPercent = 50
)

// Config is what a server is started with.
type Config struct {
	// DataDir is where the data is; "" means the platform's place.
	DataDir string
	// Addr is HOST:PORT to listen on; port 0 takes any free one.
	Addr string
	// Dir and Model are the defaults of sessions that name none.
	Dir, Model string
	// Policy is the default of sessions.
	Policy domain.Policy
	// Trust lets the settings of Dir's project take effect.
	Trust bool
	// DemoRate is the speed of the demo model in characters per second.
	DemoRate float64
	// Log gets the log besides the file in the data directory; nil: nothing.
	Log io.Writer
	// Grace is how long running work may go on when the server stops; zero
	// means [agent.StopGrace].
	Grace time.Duration
	// Heartbeat is the time between two signs of life on a silent stream; zero
	// means 15 s. Published clients cut a stream after 60 s.
	Heartbeat time.Duration
	// HeaderTimeout and RequestTimeout are how long a client may take to send
	// its headers and its whole request; zero means 10 and 60 s.
	HeaderTimeout, RequestTimeout time.Duration
}

// Server is a running server.
type Server struct {
	cfg      Config
	parts    *parts
	http     *http.Server
	listener net.Listener
	url      string
	token    string
	notes    []string
	served   chan error
	stopped  chan struct{}
}

// Start builds a server and opens it. When it returns, the server is healthy.
// An error that wraps [discovery.ErrLocked] says that another server owns the
// data directory.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryTarget)
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	cfg.Grace = cmp.Or(cfg.Grace, agent.StopGrace)
	cfg.Heartbeat = cmp.Or(cfg.Heartbeat, heartbeat)
	cfg.HeaderTimeout = cmp.Or(cfg.HeaderTimeout, headerPatience)
	cfg.RequestTimeout = cmp.Or(cfg.RequestTimeout, requestPatience)
	p, err := build(ctx, cfg)
	if err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, parts: p, token: p.token, served: make(chan error, 1), stopped: make(chan struct{})}
	if err := s.open(ctx); err != nil {
		return nil, errors.Join(err, p.close(context.WithoutCancel(ctx), 0))
	}
	return s, nil
}

// open recovers, listens, and tells clients where.
func (s *Server) open(ctx context.Context) error {
	host, _, err := net.SplitHostPort(s.cfg.Addr)
	if err != nil {
		return fmt.Errorf("the address %q: %w", s.cfg.Addr, err)
	}
	s.parts.endLeftovers(ctx)
	if err := s.parts.agent.Recover(ctx); err != nil {
		return fmt.Errorf("recover what the last server left: %w", err)
	}
	var lc net.ListenConfig
	if s.listener, err = lc.Listen(ctx, "tcp", s.cfg.Addr); err != nil {
		return fmt.Errorf("listen on %s: %w; choose another port with --port", s.cfg.Addr, err)
	}
	s.url = "http://" + contact(s.listener.Addr())
	s.http = &http.Server{
		Handler:           s.handler(host),
		ReadHeaderTimeout: s.cfg.HeaderTimeout,
		ReadTimeout:       s.cfg.RequestTimeout,
		IdleTimeout:       idlePatience,
		MaxHeaderBytes:    maxHeader,
		ConnContext:       withPeer,
		ErrorLog:          slog.NewLogLogger(s.parts.logger.Handler(), slog.LevelWarn),
	}
	go func() {
		err := s.http.Serve(s.listener)
		if errors.Is(err, http.ErrServerClosed) {
			err = nil
		}
		s.served <- err
	}()
	info := discovery.Info{
		PID: os.Getpid(), URL: s.url, Version: config.Version(), Instance: s.parts.instance, Token: s.token,
	}
	if err := s.parts.lock.Publish(info); err != nil {
		_ = s.http.Close()
		return fmt.Errorf("publish the server's address: %w", err)
	}
	s.parts.logger.Info("listening", "url", s.url, "version", info.Version, "instance", info.Instance)
	return nil
}

// contact is the address at which programs of this machine reach a listener;
// one that listens everywhere has none that a client could name.
func contact(a net.Addr) string {
	tcp, ok := a.(*net.TCPAddr)
	if !ok || !tcp.IP.IsUnspecified() {
		return a.String()
	}
	return net.JoinHostPort("localhost", strconv.Itoa(tcp.Port))
}

// handler puts the guard and the access log in front of the routes.
func (s *Server) handler(host string) http.Handler {
	p := s.parts
	routes := api.New(api.Options{
		Agent: p.agent, Store: p.store, Log: p.log, Gate: p.gate, Logger: p.logger,
		Version: config.Version(), Instance: p.instance, Defaults: p.defaults, Heartbeat: s.cfg.Heartbeat,
	})
	hosts := make([]string, 0, len(p.settings.Server.AllowedHosts)+1)
	for _, h := range p.settings.Server.AllowedHosts {
		hosts = append(hosts, strings.ToLower(h))
	}
	if ip := net.ParseIP(host); host != "" && !ip.IsUnspecified() {
		hosts = append(hosts, strings.ToLower(host))
	}
	g := &guard{
		next: routes, refuse: api.Refuse, token: s.token, hosts: hosts,
		trustLoopback: p.settings.Server.TrustLoopback, canTellThePeer: canTellThePeer,
		origins: []string{strings.ToLower(s.url)},
	}
	for _, o := range p.settings.Server.AllowedOrigins {
		g.origins = append(g.origins, strings.ToLower(o))
	}
	if !canTellThePeer && !g.trustLoopback {
		s.notes = append(s.notes, "Clients need the token from server.lock in the data directory: "+
			"this system cannot tell whose process a request comes from (see server.trustLoopback).")
	}
	return accessLog(g, p.logger)
}

// URL is the server's address.
func (s *Server) URL() string { return s.url }

// Token is what clients prove themselves with.
func (s *Server) Token() string { return s.token }

// Notes are sentences that a person should read when the server is ready.
func (s *Server) Notes() []string { return s.notes }

// Failed yields an error when the listener fails.
func (s *Server) Failed() <-chan error { return s.served }

// Busy is the number of runs under way.
func (s *Server) Busy() int { return s.parts.agent.Busy() }

// WaitIdle waits until no run is under way, or until ctx ends.
func (s *Server) WaitIdle(ctx context.Context) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for s.Busy() > 0 {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// Stop ends the server: running work gets its grace (or until ctx ends) and is
// then interrupted cleanly, subscribers get the last events, everything is on
// disk, and the data directory is free for the next server.
func (s *Server) Stop(ctx context.Context) error {
	defer close(s.stopped)
	err := s.parts.finish(ctx, s.cfg.Grace)
	// Streams end when the log is closed; what else is under way gets a moment.
	shut, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	s.parts.lock.Unpublish()
	if herr := s.http.Shutdown(shut); herr != nil {
		_ = s.http.Close()
	}
	return errors.Join(err, s.parts.release())
}

// accessLog writes a line for each request. Health checks are not worth one.
func accessLog(next http.Handler, logger *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/health" {
			next.ServeHTTP(w, r)
			return
		}
		start := time.Now()
		rec := &statusRecorder{ResponseWriter: w, status: http.StatusOK}
		defer func() {
			logger.Info("request", "method", r.Method, "path", r.URL.Path, "status", rec.status,
				"ms", time.Since(start).Milliseconds(), "remote", r.RemoteAddr)
		}()
		next.ServeHTTP(rec, r)
	})
}

// statusRecorder remembers the status of an answer.
type statusRecorder struct {
	http.ResponseWriter
	status int
}

// WriteHeader notes the status.
func (s *statusRecorder) WriteHeader(status int) {
	s.status = status
	s.ResponseWriter.WriteHeader(status)
}

// Unwrap gives [http.ResponseController] the connection's own writer.
func (s *statusRecorder) Unwrap() http.ResponseWriter { return s.ResponseWriter }

// openLogFile opens the log of this day's servers, readable by its user only.
func openLogFile(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of the logs: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "mix.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the log: %w", err)
	}
	return f, nil
}

// compile-time check that the store is what the event log keeps its segments in.
var _ eventlog.Archive = (*store.Store)(nil)

// becomeSubreaper lets commands that detach themselves stay children of this
// process, so that they can be ended with the command that started them.
func becomeSubreaper(logger *slog.Logger) {
	if err := shell.Subreaper(); err != nil {
		logger.Warn("commands that detach themselves may outlive their tool call", "error", err)
	}
}
