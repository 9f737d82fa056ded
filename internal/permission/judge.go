package permission

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/mixagent/mix/internal/domain"
)

// Step is what the gate found about one part of a call: which rule, grant or
// mode decided, and why.
type Step struct {
	Part    string         // the command, path or URL
	Outcome domain.Outcome // allow or deny; "" means that it asks
	By      string         // as in [domain.Decision]; "" with ""
	Rule    string
	Reason  string

	scope     domain.Scope
	suggest   string
	directory bool // it asks only because the directory was not granted yet
}

// judgment is the work on one call.
type judgment struct {
	g     *Gate
	s     *Subject
	c     *Call
	rules *boundRules
	mode  domain.PermissionMode
	// sessions are the subject and its ancestors, whose folders are open.
	sessions []string
	edits    bool // the call writes files, so rules for edits cover its reads
	readOnly bool
	steps    []Step
}

// Judge decides about a call without any effect but reading the session's
// grants once.
func (g *Gate) Judge(ctx context.Context, s Subject, c Call) Verdict {
	j := g.judge(ctx, &s, &c)
	return j.verdict()
}

func (g *Gate) judge(ctx context.Context, s *Subject, c *Call) *judgment {
	j := &judgment{g: g, s: s, c: c, mode: s.Policy.Mode, sessions: append([]string{s.SessionID}, s.Parents...)}
	if !j.mode.Valid() {
		j.mode = domain.ModeAsk
	}
	for _, p := range s.Inherited {
		if p.Mode == domain.ModePlan {
			j.mode = domain.ModePlan
		}
	}
	var err error
	if j.rules, err = g.bind(ctx, s); err != nil {
		g.o.Logger.ErrorContext(ctx, "the grants of a session cannot be read", "session", s.SessionID, "error", err)
		j.rules = &boundRules{broken: "the recorded answers cannot be read: " + err.Error()}
	}
	j.edits = slices.ContainsFunc(c.Accesses, func(a Access) bool { return a.Can == domain.CanWrite && a.Path != "" })
	for i := range c.Accesses {
		j.access(&c.Accesses[i])
	}
	if len(c.Accesses) == 0 {
		j.plain(Access{})
	}
	if j.rules.broken != "" {
		j.ask(Step{Part: c.Tool, Reason: j.rules.broken})
	}
	return j
}

func (j *judgment) access(a *Access) {
	switch {
	case a.Command != "" && canonicalTool(j.c.Tool) == toolBash:
		j.shell(a)
	case a.URL != "":
		j.url(a)
	case a.Path != "" && a.Command == "" && (a.Can == domain.CanRead || a.Can == domain.CanWrite):
		j.path(*a, a.Path)
	default:
		j.plain(*a)
	}
}

func (j *judgment) deny(s Step) {
	s.Outcome = domain.OutcomeDeny
	j.steps = append(j.steps, s)
}

func (j *judgment) ask(s Step) {
	s.Outcome, s.By = "", ""
	j.steps = append(j.steps, s)
}

func (j *judgment) allow(s Step) {
	s.Outcome = domain.OutcomeAllow
	j.steps = append(j.steps, s)
}

// allowBy and denyBy note the rule that decided.
func (j *judgment) allowBy(part string, r *boundRule) {
	j.allow(Step{Part: part, By: r.by, Rule: r.text, scope: r.scope})
}

func (j *judgment) denyBy(part string, r *boundRule) {
	j.deny(Step{Part: part, By: r.by, Rule: r.text, scope: r.scope, Reason: "the rule " + r.text + " denies it"})
}

func (j *judgment) askBy(part string, r *boundRule) {
	j.ask(Step{Part: part, Rule: r.text, Reason: "the rule " + r.text + " says to ask"})
}

func (j *judgment) allowByMode(part string) {
	j.allow(Step{Part: part, By: "mode", Rule: string(j.mode)})
}

// planDenies notes that plan mode has no place for an effect.
func (j *judgment) planDenies(part string) {
	j.deny(Step{
		Part: part, By: "mode", Rule: string(domain.ModePlan),
		Reason: "plan mode allows reading only; leave plan mode to change anything",
	})
}

// plain judges an effect of which only the tool is known.
func (j *judgment) plain(a Access) {
	part := j.c.Tool
	covers := func(r *boundRule) bool { return r.kind == ruleTool && r.coversTool(j.c) }
	if r := first(j.rules.deny, covers); r != nil {
		j.denyBy(part, r)
		return
	}
	if j.mode == domain.ModePlan && a.Can != domain.CanRead && a.Can != domain.CanInteract {
		j.planDenies(part)
		return
	}
	if r := first(j.rules.ask, covers); r != nil {
		j.askBy(part, r)
		return
	}
	if j.mode == domain.ModeAskAll {
		j.ask(Step{Part: part, Rule: string(j.mode), Reason: "the mode ask-all asks about every call"})
		return
	}
	if r := first(j.rules.allow, covers); r != nil {
		j.allowBy(part, r)
		return
	}
	if a.Can == domain.CanInteract || j.mode == domain.ModeAuto {
		j.allowByMode(part)
		return
	}
	suggest := ""
	if a.Can != domain.CanExecute && a.Can != "" {
		suggest = j.c.Tool
	}
	j.ask(Step{Part: part, Reason: "no rule allows " + j.c.Tool, suggest: suggest})
}

// url judges a fetch.
func (j *judgment) url(a *Access) {
	part := a.URL
	host, problem := hostOf(a.URL)
	covers := func(r *boundRule) bool {
		return r.kind == ruleTool && r.coversTool(j.c) || r.kind == ruleDomain && matchHost(r.host, host)
	}
	if r := first(j.rules.deny, covers); r != nil {
		j.denyBy(part, r)
		return
	}
	if j.mode == domain.ModePlan {
		j.planDenies(part)
		return
	}
	if problem != "" {
		j.ask(Step{Part: part, Reason: problem})
		return
	}
	if r := first(j.rules.ask, covers); r != nil {
		j.askBy(part, r)
		return
	}
	if j.mode == domain.ModeAskAll {
		j.ask(Step{Part: part, Rule: string(j.mode), Reason: "the mode ask-all asks about every call"})
		return
	}
	private := privateHost(host)
	allows := func(r *boundRule) bool { return covers(r) && (!private || r.kind == ruleDomain && r.host == host) }
	if r := first(j.rules.allow, allows); r != nil {
		j.allowBy(part, r)
		return
	}
	suggest := toolFetch + "(domain:" + host + ")"
	switch {
	case private:
		j.ask(Step{Part: part, Reason: host + " is this machine or its own network"})
	case j.mode == domain.ModeAuto:
		j.allowByMode(part)
	default:
		j.ask(Step{Part: part, Reason: "no rule allows fetching from " + host, suggest: suggest})
	}
}

// first returns the first rule for which f holds, or nil.
func first(rules []boundRule, f func(*boundRule) bool) *boundRule {
	for i := range rules {
		if f(&rules[i]) {
			return &rules[i]
		}
	}
	return nil
}

// verdict sums the steps up: the strictest counts.
func (j *judgment) verdict() Verdict {
	v := Verdict{ReadOnly: j.readOnly, Request: j.request()}
	if slices.ContainsFunc(j.c.Accesses, func(a Access) bool { return a.Tree }) {
		v.Closed = j.closed
	}
	decided := j.decided()
	v.Outcome, v.By, v.Rule, v.Reason = decided.Outcome, decided.By, decided.Rule, decided.Reason
	if v.Outcome == "" {
		j.asked(&v)
		v.Request.Asked, v.Request.Reason = true, v.Reason
		return v
	}
	v.Decision = &domain.Decision{
		ID: domain.NewID(), RequestID: v.Request.ID, SessionID: j.s.SessionID, Outcome: v.Outcome,
		By: v.By, Rule: v.Rule, Scope: decided.scope, Reason: v.Reason, CreatedAt: v.Request.CreatedAt,
	}
	if v.Decision.Scope == "" {
		v.Decision.Scope = domain.ScopeOnce
	}
	return v
}

// decided returns the step that counts: the first denial, else the first
// question, else what allowed the call, rules before grants before the mode.
func (j *judgment) decided() Step {
	best := -1
	for i, s := range j.steps {
		if best < 0 || rank(s) > rank(j.steps[best]) {
			best = i
		}
	}
	if best < 0 {
		return Step{Part: j.c.Tool, Reason: "nothing is known about the call"}
	}
	return j.steps[best]
}

func rank(s Step) int {
	switch {
	case s.Outcome == domain.OutcomeDeny:
		return 6
	case s.Outcome == "" && !s.directory:
		return 5
	case s.Outcome == "":
		return 4
	case s.By == "rule":
		return 3
	case s.By == "grant":
		return 2
	}
	return 1
}

// maxSuggestions bounds how many rules one answer saves.
const maxSuggestions = 5

// asked completes the verdict of a call that has to be asked about.
func (j *judgment) asked(v *Verdict) {
	v.asks, v.directory = true, true
	complete := true
	for _, s := range j.steps {
		if s.Outcome != "" {
			continue
		}
		v.directory = v.directory && s.directory
		if s.suggest == "" {
			complete = false
		} else if !slices.Contains(v.suggests, s.suggest) {
			v.suggests = append(v.suggests, s.suggest)
		}
	}
	if len(j.steps) == 0 {
		v.directory = false
	}
	if !complete || len(v.suggests) > maxSuggestions || j.mode == domain.ModeAskAll {
		v.suggests = nil
	}
	v.Suggest = strings.Join(v.suggests, " and ")
}

// request fills the row of the call's request.
func (j *judgment) request() domain.Request {
	r := domain.Request{
		ID: domain.NewID(), SessionID: j.s.SessionID, SessionName: j.s.SessionName, RunID: j.s.RunID,
		CallID: j.c.ID, Kind: "permission", Tool: j.c.Tool, Input: j.c.Input, CreatedAt: j.g.now(),
	}
	if !json.Valid(r.Input) {
		r.Input = json.RawMessage("{}")
	}
	for _, a := range j.c.Accesses {
		if weight(a.Can) > weight(r.Capability) {
			r.Capability, r.Target = a.Can, targetOf(a)
		}
	}
	r.Description = oneLine(j.c.Description)
	if r.Description == "" {
		r.Description = oneLine(strings.TrimSpace(j.c.Tool + " " + r.Target))
	}
	return r
}

func targetOf(a Access) string {
	switch {
	case a.Command != "":
		return a.Command
	case a.URL != "":
		return a.URL
	}
	return a.Path
}

// weight orders capabilities by what they can do.
func weight(c domain.Capability) int {
	switch c {
	case domain.CanExecute:
		return 5
	case domain.CanNetwork:
		return 4
	case domain.CanWrite:
		return 3
	case domain.CanRead:
		return 2
	case domain.CanInteract:
		return 1
	}
	return 0
}

// maxDescription is the length in bytes of a request's one line.
const maxDescription = 240

func oneLine(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) <= maxDescription {
		return s
	}
	s = s[:maxDescription]
	for !utf8.ValidString(s) {
		s = s[:len(s)-1]
	}
	return s + "…"
}
