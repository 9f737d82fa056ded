package permission

import (
	"context"
	"path/filepath"
	"slices"

	"github.com/mixagent/mix/internal/domain"
)

// boundRule is a rule as it counts for one session.
type boundRule struct {
	Rule
	patterns []pathPattern
	by       string // "rule" or "grant"
	scope    domain.Scope
}

// boundRules are all rules that count for a session, and what they were made
// from.
type boundRules struct {
	deny, ask, allow []boundRule
	// broken names a rule that cannot be read; the session then asks for
	// everything, since nobody knows what was meant to be denied.
	broken string
	// closesPaths and closesCommands say whether rules that deny could mean a
	// path, or a command, so that what cannot be seen has to be asked.
	closesPaths, closesCommands bool

	version   uint64
	directory string
	policy    domain.Policy
	project   *Rules
	inherited []domain.Policy
	parents   []string
}

func (b *boundRules) fits(s *Subject, version uint64) bool {
	return b != nil && b.version == version && b.directory == s.Directory && b.project == s.Project &&
		slices.Equal(b.policy.Allow, s.Policy.Allow) && slices.Equal(b.policy.Deny, s.Policy.Deny) &&
		slices.Equal(b.parents, s.Parents) &&
		slices.EqualFunc(b.inherited, s.Inherited, func(x, y domain.Policy) bool { return slices.Equal(x.Deny, y.Deny) })
}

// bind returns the rules that count for a subject.
func (g *Gate) bind(ctx context.Context, s *Subject) (*boundRules, error) {
	g.mu.Lock()
	st, version := g.state(s.SessionID), g.version
	if b := st.bound; b.fits(s, version) {
		g.mu.Unlock()
		return b, nil
	}
	g.mu.Unlock()

	b := &boundRules{directory: s.Directory, policy: s.Policy, project: s.Project, inherited: s.Inherited, parents: slices.Clone(s.Parents)}
	add := func(list *[]boundRule, rules []Rule) {
		for _, r := range rules {
			*list = append(*list, g.bound(r, s.Directory, list == &b.allow, "rule", ""))
		}
	}
	add(&b.deny, g.o.Rules.deny)
	add(&b.ask, g.o.Rules.ask)
	add(&b.allow, g.o.Rules.allow)
	if s.Project != nil {
		add(&b.deny, s.Project.deny)
		add(&b.ask, s.Project.ask)
		add(&b.allow, s.Project.allow)
	}
	b.texts(g, &b.deny, s.Policy.Deny)
	b.texts(g, &b.allow, s.Policy.Allow)
	for _, p := range s.Inherited {
		b.texts(g, &b.deny, p.Deny)
	}
	for _, id := range append([]string{s.SessionID}, s.Parents...) {
		rows, err := g.grants(ctx, id, s.Directory)
		if err != nil {
			return nil, err
		}
		b.grants(g, rows)
	}
	for _, r := range b.deny {
		b.closesPaths = b.closesPaths || r.kind == rulePath
		b.closesCommands = b.closesCommands || r.kind == ruleCommand || r.kind == rulePath
	}

	g.mu.Lock()
	defer g.mu.Unlock()
	// A grant that came in meanwhile has counted the version up, so that these
	// rules do not fit any more and are bound again.
	b.version = version
	g.state(s.SessionID).bound = b
	return b, nil
}

// texts binds the rules of a policy.
func (b *boundRules) texts(g *Gate, list *[]boundRule, rules []string) {
	for _, text := range rules {
		r, err := ParseRule(text)
		if err != nil {
			if list == &b.deny {
				b.broken = err.Error()
			}
			continue
		}
		*list = append(*list, g.bound(r, b.directory, list == &b.allow, "rule", ""))
	}
}

// grants binds standing answers. One that cannot be read any more is treated
// like a rule that cannot.
func (b *boundRules) grants(g *Gate, rows []domain.Grant) {
	for _, row := range rows {
		allow := row.Outcome == domain.OutcomeAllow
		r, err := ParseRule(row.Rule)
		if err != nil {
			if !allow {
				b.broken = err.Error()
			}
			continue
		}
		scope, dir := domain.ScopeSession, b.directory
		if row.Project != "" {
			scope, dir = domain.ScopeProject, row.Project
		}
		bound := g.bound(r, dir, allow, "grant", scope)
		if allow {
			b.allow = append(b.allow, bound)
		} else {
			b.deny = append(b.deny, bound)
		}
	}
}

func (g *Gate) bound(r Rule, dir string, allow bool, by string, scope domain.Scope) boundRule {
	b := boundRule{Rule: r, by: by, scope: scope}
	if r.kind == rulePath {
		b.patterns = absolutePatterns(r.path, dir, g.o.Home, allow)
	}
	return b
}

// directoryRule is the rule of the grant that lets reads below dir run.
func directoryRule(dir string) string {
	return toolRead + "(" + joinPattern(filepath.ToSlash(dir), "**") + ")"
}

// CheckPolicy reports every rule of a policy that cannot be read.
func CheckPolicy(p domain.Policy) error {
	_, err := ParseRules(p.Allow, nil, p.Deny)
	return err
}
