package config

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/mixagent/mix/internal/domain"
)

// Flags are the settings of the command line; zero values were not given.
// Rules of the command line are not here: they bind sessions, not the program.
type Flags struct {
	Model          string
	PermissionMode domain.PermissionMode
	MaxSteps       int
	MaxCost        float64 // US dollars
}

// Options say what to load. The zero value is not useful: Dirs is required.
type Options struct {
	Dirs Dirs
	// Getenv reads the environment; nil means os.Getenv.
	Getenv func(string) string
	Flags  Flags
}

// Config is everything that was loaded. It does not change, so it may be used
// from several goroutines.
type Config struct {
	Dirs Dirs
	// Settings are those of a session outside of any project.
	Settings Settings

	getenv    func(string) string
	flags     Flags
	user      *layer // nil without a file
	catalogue func() (*Catalogue, error)
}

// Load reads the settings of the user, the environment and the command line.
// An error in the file is a *[FileError].
func Load(o Options) (*Config, error) {
	c := &Config{Dirs: o.Dirs, getenv: o.Getenv, flags: o.Flags}
	if c.getenv == nil {
		c.getenv = os.Getenv
	}
	c.catalogue = sync.OnceValues(func() (*Catalogue, error) { return LoadCatalogue(c.Dirs.Models()) })
	data, err := readWhole(openAny, o.Dirs.Settings())
	if err != nil {
		return nil, fmt.Errorf("load the settings: %w", err)
	}
	if data != nil {
		if c.user, err = parseLayer(o.Dirs.Settings(), data); err != nil {
			return nil, err
		}
	}
	if c.Settings, err = c.lower(); err != nil {
		return nil, err
	}
	return c, c.upper(&c.Settings)
}

// Catalogue returns the models, read when it is first called.
func (c *Config) Catalogue() (*Catalogue, error) { return c.catalogue() }

// lower returns the layers below a project: defaults and the user's file.
func (c *Config) lower() (Settings, error) {
	s := Defaults()
	if c.user == nil {
		return s, nil
	}
	err := c.user.apply(&s, func(string, Settings) bool { return true })
	return s, err
}

// upper applies the layers above a project: environment and command line.
func (c *Config) upper(s *Settings) error {
	if m := c.getenv("MIX_MODEL"); m != "" {
		s.Model = m
	}
	if c.flags.Model != "" {
		s.Model = c.flags.Model
	}
	if m := c.flags.PermissionMode; m != "" {
		if err := check("permissionMode", m); err != nil {
			return fmt.Errorf("--permission-mode %w", err)
		}
		s.PermissionMode = m
	}
	if n := c.flags.MaxSteps; n != 0 {
		if err := check("maxSteps", n); err != nil {
			return fmt.Errorf("--max-steps %w", err)
		}
		s.MaxSteps = n
	}
	if usd := c.flags.MaxCost; usd != 0 {
		if err := check("maxCost", usd); err != nil {
			return fmt.Errorf("--max-cost %w", err)
		}
		s.MaxCost = usd
	}
	return nil
}

// Project is what holds in a project's directory.
type Project struct {
	Settings Settings
	// File is the project's settings file, "" where there is none.
	File string
	// Hash is the SHA-256 of the file in hexadecimal: trust is given to exactly
	// this content.
	Hash string
	// Ignored are the keys of the file that had no effect, in its order.
	Ignored []Ignored
}

// Ignored is a key of a project's file that had no effect.
type Ignored struct {
	Key    string
	Line   int
	Reason string // "the project is not trusted", "is only read from the user's settings"
}

// Project returns the settings for sessions that work in dir: those of the
// program with the nearest .mix/config.json at or above dir, up to the root of
// its repository.
//
// Untrusted, a project can only make Mix stricter: its deny and ask rules, the
// permission modes ask-all and plan, sequential tools, a lower maxSteps or
// maxCost take effect. What concerns the whole server (requests, server, queue)
// is never taken from a project. An error in the file is an error also when the
// project is not trusted: a deny rule that cannot be read must not vanish.
func (c *Config) Project(dir string, trusted bool) (*Project, error) {
	found, err := findProjectFile(dir)
	if err != nil {
		return nil, fmt.Errorf("load the project's settings: %w", err)
	}
	if found == nil {
		return &Project{Settings: c.Settings}, nil
	}
	l, err := parseLayer(found.path, found.data)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(found.data)
	p := &Project{File: found.path, Hash: hex.EncodeToString(sum[:])}
	if p.Settings, err = c.lower(); err != nil {
		return nil, err
	}
	var proposed Settings
	if err := l.apply(&proposed, func(string, Settings) bool { return true }); err != nil {
		return nil, err
	}
	err = l.apply(&p.Settings, func(key string, now Settings) bool {
		reason := refuse(key, trusted, now, proposed)
		if reason != "" {
			p.Ignored = append(p.Ignored, Ignored{Key: key, Line: l.lines[key], Reason: reason})
		}
		return reason == ""
	})
	if err != nil {
		return nil, err
	}
	return p, c.upper(&p.Settings)
}

// refuse says why a key of a project's file must not take effect, or "".
func refuse(key string, trusted bool, now, proposed Settings) string {
	switch key {
	case "$schema", "permissions.ask", "permissions.deny":
		return ""
	case "requests.expiry", "requests.approverGrace", "queue.limit",
		"server.allowedHosts", "server.allowedOrigins", "server.trustLoopback":
		return "is only read from the user's settings"
	}
	stricter := false
	switch key {
	case "permissionMode":
		stricter = proposed.PermissionMode == domain.ModePlan ||
			proposed.PermissionMode == domain.ModeAskAll && now.PermissionMode != domain.ModePlan
	case "tools.execution":
		stricter = proposed.Tools.Execution == Sequential
	case "maxSteps":
		stricter = proposed.MaxSteps <= now.MaxSteps
	case "maxCost":
		stricter = proposed.MaxCost > 0 && (now.MaxCost == 0 || proposed.MaxCost <= now.MaxCost)
	}
	if trusted || stricter {
		return ""
	}
	return "the project is not trusted"
}

type projectFile struct {
	path string
	data []byte
}

// findProjectFile returns the nearest .mix/config.json at or above dir within
// its repository, or nil. Symbolic links that lead out of the repository are
// errors: they would make Mix read, and quote in messages, other files.
func findProjectFile(dir string) (*projectFile, error) {
	tree, err := openTree(dir)
	if err != nil {
		return nil, err
	}
	defer tree.close()
	for _, sub := range tree.upward() {
		name := filepath.Join(sub, ".mix", "config.json")
		data, err := readWhole(openIn(tree.root), name)
		if err != nil {
			return nil, err
		}
		if data != nil {
			return &projectFile{path: filepath.Join(tree.dir, name), data: data}, nil
		}
	}
	return nil, nil
}

// Choice is a model that was chosen, and why.
type Choice struct {
	Model string // "PROVIDER/MODEL"
	// Reason is a clause for people: "ANTHROPIC_API_KEY is set".
	Reason string
}

// DefaultModel says which model a new session uses: the one that s names, else
// the default model of the first vendor that has a credential, else demo.
func (c *Config) DefaultModel(s Settings) (Choice, error) {
	cat, err := c.Catalogue()
	if err != nil {
		return Choice{}, err
	}
	if s.Model != "" {
		id, err := cat.Resolve(s.Model)
		return Choice{Model: id, Reason: "it was chosen"}, err
	}
	for _, v := range cat.vendors {
		if v.Default == "" || v.Name == demoVendor {
			continue
		}
		cred, err := Credentials(v.Name, c.getenv)
		if errors.Is(err, ErrNoCredential) {
			continue
		}
		if err != nil {
			return Choice{}, err
		}
		return Choice{Model: v.Name + "/" + v.Default, Reason: cred.Source + " is set"}, nil
	}
	return Choice{Model: cat.defaultOf(demoVendor), Reason: "no vendor's credential is set"}, nil
}
