package budgets

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/mixagent/mix/bench/mockmodel"
	mix "github.com/mixagent/mix/sdk"
)

const (
	readyPatience = 20 * time.Second
	stopPatience  = 15 * time.Second
)

// server is a process that listens.
type server struct {
	cmd    *exec.Cmd
	log    string // path of its standard error
	exited chan struct{}

	url    string
	token  string
	client *mix.Mix
	// ready is the time from before the exec to the ready line.
	ready time.Duration
}

// serve starts `mix serve` in a place and waits until it is ready.
func (l *Lab) serve(ctx context.Context, p place, flags ...string) (*server, error) {
	args := append([]string{"serve", "--port", "0", "--data-dir", p.data, "--dir", p.work, "--model", mockmodel.Model}, flags...)
	cmd := exec.Command(l.mix, args...)
	cmd.Dir, cmd.Env = p.work, l.env(p)
	s, err := start(ctx, cmd, "mix listening on ", p.data+".log")
	if err != nil {
		return nil, err
	}
	lock, err := os.ReadFile(filepath.Join(p.data, "server.lock"))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("read the server's lockfile: %w", err), s.kill())
	}
	var info struct {
		Token string `json:"token"`
	}
	if err := json.Unmarshal(lock, &info); err != nil {
		return nil, errors.Join(fmt.Errorf("read the server's lockfile: %w", err), s.kill())
	}
	s.token = info.Token
	s.client = mix.New(s.url, mix.WithToken(s.token))
	return s, nil
}

// start starts a program and waits for its ready line.
func start(ctx context.Context, cmd *exec.Cmd, greeting, log string) (*server, error) {
	s := &server{cmd: cmd, log: log, exited: make(chan struct{})}
	stderr, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the log of a process: %w", err)
	}
	defer stderr.Close()
	out, in, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("make a pipe: %w", err)
	}
	defer out.Close()
	cmd.Stdout, cmd.Stderr = in, stderr
	began := time.Now()
	err = cmd.Start()
	in.Close()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	go func() {
		_ = cmd.Wait() // how it ended is in its state
		close(s.exited)
	}()
	_ = out.SetReadDeadline(time.Now().Add(readyPatience))
	line, err := bufio.NewReader(out).ReadString('\n')
	s.ready = time.Since(began)
	url, ok := strings.CutPrefix(strings.TrimSpace(line), greeting)
	if err != nil || !ok || ctx.Err() != nil {
		text, _ := os.ReadFile(log)
		return nil, errors.Join(fmt.Errorf("%s did not become ready: %q, %w\n%s", cmd.Path, line, err, text), s.kill())
	}
	s.url = url
	return s, nil
}

// stop ends the process as a person does.
func (s *server) stop() error {
	select {
	case <-s.exited:
		return nil
	default:
	}
	if err := s.cmd.Process.Signal(os.Interrupt); err != nil {
		return errors.Join(fmt.Errorf("interrupt the server: %w", err), s.kill())
	}
	timer := time.NewTimer(stopPatience)
	defer timer.Stop()
	select {
	case <-s.exited:
		return nil
	case <-timer.C:
		return errors.Join(fmt.Errorf("the server did not stop within %s", stopPatience), s.kill())
	}
}

// kill ends the process at once.
func (s *server) kill() error {
	_ = s.cmd.Process.Kill() // it may have ended already
	<-s.exited
	return nil
}

// session makes a session that may read its directory.
func (s *server) session(ctx context.Context, p place) (string, error) {
	made, err := s.client.CreateSession(ctx, mix.SessionSpec{
		Title: "Measured", Directory: p.work, Model: mockmodel.Model, GrantDirectory: true, MaxSteps: 100_000,
	})
	return made.ID, err
}

// work sends a prompt and waits for the end of its run.
func (s *server) work(ctx context.Context, session string, prompt string) error {
	run, err := s.client.Submit(ctx, session, mix.Prompt{Text: prompt})
	if err != nil {
		return err
	}
	defer run.Close()
	for run.Next() {
		switch ev := run.Event(); ev.Type {
		case "error":
			return fmt.Errorf("the run failed: %s", ev.Data)
		case "complete":
			return nil
		}
	}
	return fmt.Errorf("the stream of the run ended early: %w", run.Err())
}
