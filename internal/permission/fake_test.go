package permission_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/permission"
)

const (
	home  = "/home/ann"
	app   = "/home/ann/app"
	dataD = "/home/ann/.local/share/mix"
	confD = "/home/ann/.config/mix"
)

// memory is a store of requests, decisions and grants.
type memory struct {
	mu        sync.Mutex
	decisions []domain.Decision
	rows      []domain.Grant
	events    []logged
	fail      error
}

type logged struct {
	session string
	event   domain.Event
}

func (m *memory) Decide(_ context.Context, d domain.Decision, grants []domain.Grant) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return m.fail
	}
	if slices.ContainsFunc(m.decisions, func(o domain.Decision) bool { return o.RequestID == d.RequestID }) {
		return fmt.Errorf("request %s: %w", d.RequestID, domain.ErrConflict)
	}
	m.decisions = append(m.decisions, d)
	m.rows = append(m.rows, grants...)
	return nil
}

func (m *memory) Grants(_ context.Context, session, project string) ([]domain.Grant, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return nil, m.fail
	}
	var out []domain.Grant
	for _, r := range m.rows {
		if r.SessionID == session && r.Project == "" || r.Project != "" && r.Project == project {
			out = append(out, r)
		}
	}
	return out, nil
}

func (m *memory) Append(session string, ev domain.Event) int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.events = append(m.events, logged{session, ev})
	return int64(len(m.events))
}

func (m *memory) setFailure(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fail = err
}

func (m *memory) eventsOf(session string) []domain.Event {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []domain.Event
	for _, e := range m.events {
		if e.session == session {
			out = append(out, e.event)
		}
	}
	return out
}

func newGate(t testing.TB, m *memory, rules permission.Rules) *permission.Gate {
	t.Helper()
	return permission.NewGate(permission.Options{
		Records: m, Events: m, Rules: rules, Home: home, Protected: []string{dataD, confD},
	})
}

func mustRules(t testing.TB, allow, ask, deny []string) permission.Rules {
	t.Helper()
	r, err := permission.ParseRules(allow, ask, deny)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func mustCall(t testing.TB, text, dir string) permission.Call {
	t.Helper()
	c, err := permission.ParseCallText(text, dir)
	if err != nil {
		t.Fatal(err)
	}
	c.ID = domain.NewID()
	return c
}

func subject(mode domain.PermissionMode) permission.Subject {
	return permission.Subject{
		SessionID: domain.NewID(), SessionName: "a session", RunID: domain.NewID(), Directory: app,
		Policy: domain.Policy{Mode: mode},
	}
}

// granted returns a gate in which the subject's directory is granted.
func granted(t testing.TB, s permission.Subject, rules permission.Rules) *permission.Gate {
	t.Helper()
	g := newGate(t, &memory{}, rules)
	g.GrantDirectory(s.SessionID, s.Directory)
	return g
}

func word(o domain.Outcome) string {
	if o == "" {
		return "ask"
	}
	return string(o)
}
