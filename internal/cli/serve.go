package cli

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/mixagent/mix/internal/daemon"
)

const (
	defaultHost     = "127.0.0.1"
	servePort       = 8088
	daemonPort      = 4096
	defaultDemoRate = 400
)

type serveOptions struct {
	*common
	host string
	port int
}

func newServeCommand(c *common) *cobra.Command {
	o := &serveOptions{common: c}
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the server without a user interface",
		Long: `Run the server (HTTP and Server-Sent Events) that any program can drive.

When it is ready it prints one line on standard output:

  mix listening on http://HOST:PORT

It ends on SIGINT, SIGTERM or SIGHUP: running work gets ten seconds, then it is
interrupted cleanly; a second signal interrupts it at once. An address that is
not loopback needs the token of server.lock, which is in the data directory,
in every request.`,
		Example: `  mix serve
  mix serve --port 0 --dir ~/src/project --permission-mode accept-edits`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context()) },
	}
	f := cmd.Flags()
	f.StringVar(&o.host, "host", defaultHost, "the address to listen on")
	f.IntVar(&o.port, "port", servePort, "the port to listen on; 0: any free one")
	c.addSessionFlags(f)
	return cmd
}

func (o *serveOptions) run(ctx context.Context) error {
	if o.port < 0 || o.port > 65535 {
		return usagef("--port %d is not from 0 to 65535", o.port)
	}
	if o.dir != "" {
		dir, err := o.directory()
		if err != nil {
			return err
		}
		o.dir = dir
	}
	cfg, err := o.serverConfig()
	if err != nil {
		return err
	}
	cfg.Addr = net.JoinHostPort(o.host, strconv.Itoa(o.port))
	cfg.Log = o.err
	signals := make(chan os.Signal, 2)
	notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(signals)
	// A log that nobody reads any more must not end the server.
	pipe := make(chan os.Signal, 1)
	signal.Notify(pipe, syscall.SIGPIPE)
	defer signal.Stop(pipe)
	srv, err := daemon.Start(ctx, cfg)
	if err != nil {
		return err
	}
	fmt.Fprintf(o.out, "mix listening on %s\n", srv.URL())
	for _, note := range srv.Notes() {
		fmt.Fprintln(o.err, note)
	}
	select {
	case <-signals:
	case <-ctx.Done():
	case err := <-srv.Failed():
		return fmt.Errorf("the listener failed: %w", err)
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopPatience)
	defer cancel()
	go func() {
		select {
		case <-signals:
			cancel()
		case <-stop.Done():
		}
	}()
	return srv.Stop(stop)
}
