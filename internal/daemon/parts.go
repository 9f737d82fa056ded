package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/mixagent/mix/internal/agent"
	"github.com/mixagent/mix/internal/config"
	"github.com/mixagent/mix/internal/discovery"
	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/eventlog"
	"github.com/mixagent/mix/internal/permission"
	"github.com/mixagent/mix/internal/shell"
	"github.com/mixagent/mix/internal/store"
	"github.com/mixagent/mix/internal/tools"
)

// parts is the object graph, built once, from the lock upwards.
type parts struct {
	dirs     config.Dirs
	settings config.Settings
	defaults domain.Policy
	instance string
	token    string

	lock    *discovery.Lock
	logFile *os.File
	logger  *slog.Logger
	store   *store.Store
	log     *eventlog.Log
	gate    *permission.Gate
	agent   *agent.Service
}

// build takes the lock and makes every part. After an error nothing is left
// open.
func build(ctx context.Context, cfg Config) (*parts, error) {
	p := &parts{instance: domain.NewID()}
	if err := p.build(ctx, cfg); err != nil {
		return nil, errors.Join(err, p.close(context.WithoutCancel(ctx), 0))
	}
	return p, nil
}

func (p *parts) build(ctx context.Context, cfg Config) error {
	var err error
	if p.dirs, err = config.Locate(cfg.DataDir); err != nil {
		return err
	}
	if err := p.dirs.CreateData(); err != nil {
		return err
	}
	if p.lock, err = discovery.Acquire(p.dirs.Data); err != nil {
		return err
	}
	if p.logFile, err = openLogFile(p.dirs.Logs()); err != nil {
		return err
	}
	p.logger = newLogger(p.logFile, cfg.Log)
	conf, err := config.Load(config.Options{Dirs: p.dirs, Flags: config.Flags{
		Model: cfg.Model, PermissionMode: cfg.Policy.Mode, MaxSteps: cfg.Policy.MaxSteps, MaxCost: cfg.Policy.MaxCostUSD,
	}})
	if err != nil {
		return err
	}
	if err := p.readSettings(conf, cfg); err != nil {
		return err
	}
	if p.token, err = p.newToken(); err != nil {
		return err
	}
	if p.store, err = store.Open(ctx, store.Options{Path: p.dirs.Database(), Logger: p.logger}); err != nil {
		return err
	}
	p.log = eventlog.New(p.store, eventlog.Options{Logger: p.logger})
	return p.buildEngine(conf, cfg)
}

// readSettings settles what holds for the whole server: the user's settings,
// what the project may add to them, and the command line.
func (p *parts) readSettings(conf *config.Config, cfg Config) error {
	p.settings = conf.Settings
	if cfg.Dir != "" {
		project, err := conf.Project(cfg.Dir, cfg.Trust)
		if err != nil {
			return err
		}
		for _, ignored := range project.Ignored {
			p.logger.Warn("a setting of the project has no effect", "file", project.File, "key", ignored.Key, "reason", ignored.Reason)
		}
		p.settings = project.Settings
	}
	p.defaults = domain.Policy{
		Mode: p.settings.PermissionMode, Allow: cfg.Policy.Allow, Deny: cfg.Policy.Deny, Trust: cfg.Trust,
		MaxSteps: p.settings.MaxSteps, MaxCostUSD: p.settings.MaxCost,
	}
	return nil
}

// newToken is the one from the environment, or a new one for each server.
func (p *parts) newToken() (string, error) {
	c, err := config.Credentials("mix", os.Getenv)
	if errors.Is(err, config.ErrNoCredential) {
		return discovery.NewToken()
	}
	return c.Key.Reveal(), err
}

// buildEngine makes gate, tools and agent.
func (p *parts) buildEngine(conf *config.Config, cfg Config) error {
	rules, err := parseRules(conf.Settings)
	if err != nil {
		return fmt.Errorf("the settings: %w", err)
	}
	home, err := os.UserHomeDir()
	if err != nil {
		home = ""
	}
	protected := []string{resolved(p.dirs.Data), resolved(p.dirs.Config)}
	p.gate = permission.NewGate(permission.Options{
		Records: p.store, Events: p.log, Rules: rules, Protected: protected, Home: home, Logger: p.logger,
		Expiry: time.Duration(p.settings.Requests.Expiry), Grace: time.Duration(p.settings.Requests.ApproverGrace),
	})
	registry := tools.NewRegistry(tools.Builtin()...)
	executor, err := tools.NewExecutor(registry, p.gate, tools.Options{
		Sequential: p.settings.Tools.Execution == config.Sequential, Logger: p.logger,
	})
	if err != nil {
		return err
	}
	known := newModels(conf.Catalogue, cfg.DemoRate)
	choice, err := conf.DefaultModel(p.settings)
	if err != nil {
		return err
	}
	if _, err := known.Canonical(choice.Model); err != nil {
		return err
	}
	p.logger.Info("default model", "model", choice.Model, "because", choice.Reason)
	becomeSubreaper(p.logger)
	p.agent, err = agent.New(agent.Options{
		Store: p.store, Log: p.log, Gate: p.gate, Executor: executor, Tools: registry, Models: known,
		SessionsDir: filepath.Dir(p.dirs.Session("any")), DefaultModel: choice.Model, DefaultDir: cfg.Dir,
		ProjectRules: func(dir string, trusted bool) (*permission.Rules, error) {
			project, err := conf.Project(dir, trusted)
			if err != nil {
				return nil, err
			}
			rules, err := parseRules(project.Settings)
			return &rules, err
		},
		Protected: protected, PassEnv: p.settings.Shell.PassEnv, MarksDir: p.marksDir(), QueueLimit: p.settings.Queue.Limit, MaxSteps: p.settings.MaxSteps,
		Logger: p.logger,
	})
	return err
}

// marksDir is where the commands of this data directory's servers are noted.
func (p *parts) marksDir() string { return filepath.Join(p.dirs.Data, "commands") }

// endLeftovers ends what a killed server's commands left running.
func (p *parts) endLeftovers(ctx context.Context) {
	n, err := shell.EndLeftovers(ctx, p.marksDir())
	if n > 0 {
		p.logger.Info("ended what the commands of a killed server had left running", "processes", n)
	}
	if err != nil {
		p.logger.Warn("commands of a killed server may still be running", "error", err)
	}
}

func parseRules(s config.Settings) (permission.Rules, error) {
	return permission.ParseRules(s.Permissions.Allow, s.Permissions.Ask, s.Permissions.Deny)
}

// resolved follows symbolic links, since tools name resolved paths.
func resolved(dir string) string {
	if r, err := filepath.EvalSymlinks(dir); err == nil {
		return r
	}
	return dir
}

// newLogger writes to the file, and to w where there is one.
func newLogger(file, w io.Writer) *slog.Logger {
	if w != nil && w != io.Discard {
		file = io.MultiWriter(file, w)
	}
	return slog.New(slog.NewTextHandler(file, nil))
}

// finish ends the work: runs get their grace, and what happened is on disk.
// Subscribers get the last events and then the end of their streams.
func (p *parts) finish(ctx context.Context, grace time.Duration) error {
	var errs []error
	if p.agent != nil {
		errs = append(errs, p.agent.Close(ctx, grace))
	}
	if p.log != nil {
		errs = append(errs, p.log.Close(context.WithoutCancel(ctx)))
	}
	return errors.Join(errs...)
}

// release gives the data directory back.
func (p *parts) release() error {
	var errs []error
	if p.store != nil {
		errs = append(errs, p.store.Close())
	}
	if p.lock != nil {
		errs = append(errs, p.lock.Release())
	}
	if p.logFile != nil {
		errs = append(errs, p.logFile.Close())
	}
	return errors.Join(slices.DeleteFunc(errs, func(err error) bool { return err == nil })...)
}

// close is finish and release.
func (p *parts) close(ctx context.Context, grace time.Duration) error {
	return errors.Join(p.finish(ctx, grace), p.release())
}
