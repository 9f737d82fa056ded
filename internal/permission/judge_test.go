package permission_test

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/permission"
)

// What each mode does with each kind of effect, with the directory granted.
func TestModes(t *testing.T) {
	t.Parallel()
	unixPaths(t)
	const a, d, q = domain.OutcomeAllow, domain.OutcomeDeny, domain.Outcome("")
	modes := []domain.PermissionMode{domain.ModeAsk, domain.ModeAskAll, domain.ModeAcceptEdits, domain.ModeAuto, domain.ModePlan}
	for _, row := range []struct {
		call string
		want [5]domain.Outcome // in the order of modes
	}{
		{"Read(a.go)", [5]domain.Outcome{a, q, a, a, a}},
		{"Grep(src)", [5]domain.Outcome{a, q, a, a, a}},
		{"Read(/etc/hosts)", [5]domain.Outcome{q, q, q, a, q}},
		{"Read(../app-old/x)", [5]domain.Outcome{q, q, q, a, q}},
		{"Read(/home/ann/.ssh/id_rsa)", [5]domain.Outcome{q, q, q, q, q}},
		{"Read(/proc/self/environ)", [5]domain.Outcome{q, q, q, q, q}},
		{"Read(/home/ann/.local/share/mix/mix.db)", [5]domain.Outcome{d, d, d, d, d}},
		{"Edit(a.go)", [5]domain.Outcome{q, q, a, a, d}},
		{"Edit(go.sum)", [5]domain.Outcome{q, q, a, a, d}},
		{"Edit(.github/workflows/ci.yml)", [5]domain.Outcome{q, q, a, a, d}},
		{"Edit(/tmp/x)", [5]domain.Outcome{q, q, q, a, d}},
		{"Edit(.git/hooks/pre-commit)", [5]domain.Outcome{q, q, q, q, d}},
		{"Edit(.git/config)", [5]domain.Outcome{q, q, q, q, d}},
		{"Edit(sub/.git/config)", [5]domain.Outcome{q, q, q, q, d}},
		{"Edit(.mix/config.json)", [5]domain.Outcome{q, q, q, q, d}},
		{"Edit(.envrc)", [5]domain.Outcome{q, q, q, q, d}},
		{"Edit(/home/ann/.bashrc)", [5]domain.Outcome{q, q, q, q, d}},
		{"Edit(/home/ann/.config/mix/config.json)", [5]domain.Outcome{d, d, d, d, d}},
		{"Bash(ls)", [5]domain.Outcome{a, q, a, a, a}},
		{"Bash(git log | head)", [5]domain.Outcome{a, q, a, a, a}},
		{"Bash(cat /etc/hosts)", [5]domain.Outcome{q, q, q, a, q}},
		{"Bash(echo x > a)", [5]domain.Outcome{q, q, a, a, d}},
		{"Bash(echo x > .envrc)", [5]domain.Outcome{q, q, q, q, d}},
		{"Bash(make)", [5]domain.Outcome{q, q, q, a, d}},
		{"Bash(rm -rf x)", [5]domain.Outcome{q, q, q, q, d}},
		{"Bash(eval x)", [5]domain.Outcome{q, q, q, q, d}},
		{"Bash(mix run x)", [5]domain.Outcome{q, q, q, q, d}},
		{"Bash(cat ~/.config/mix/config.json)", [5]domain.Outcome{d, d, d, d, d}},
		{"PythonExecution", [5]domain.Outcome{q, q, q, a, d}},
		{"mcp__x__y", [5]domain.Outcome{q, q, q, a, d}},
		{"WebFetch(https://go.dev)", [5]domain.Outcome{q, q, q, a, d}},
		{"WebFetch(http://127.0.0.1:1)", [5]domain.Outcome{q, q, q, q, d}},
		{"WebFetch(http://2130706433/)", [5]domain.Outcome{q, q, q, q, d}},
		{"WebFetch(http://[::1]/)", [5]domain.Outcome{q, q, q, q, d}},
		{"WebFetch(http://[::ffff:10.0.0.1]/)", [5]domain.Outcome{q, q, q, q, d}},
		{"WebFetch(file:///etc/passwd)", [5]domain.Outcome{q, q, q, q, d}},
		{"Search", [5]domain.Outcome{q, q, q, a, d}},
		{"TodoWrite", [5]domain.Outcome{a, q, a, a, a}},
	} {
		for i, mode := range modes {
			s := subject(mode)
			g := granted(t, s, permission.Rules{})
			e := g.Explain(t.Context(), s, mustCall(t, row.call, app))
			if e.Verdict.Outcome != row.want[i] {
				t.Errorf("%s in %s: %s, want %s\n%s", row.call, mode, word(e.Verdict.Outcome), word(row.want[i]), e)
			}
			if mode == domain.ModePlan && e.Verdict.By == "mode" && e.Verdict.Outcome == d && !strings.Contains(e.Verdict.Reason, "plan mode") {
				t.Errorf("%s: the reason does not name plan mode: %q", row.call, e.Verdict.Reason)
			}
			if v := e.Verdict; (v.Decision == nil) != (v.Outcome == "") || v.Request.Asked != (v.Outcome == "") {
				t.Errorf("%s in %s: rows do not fit the outcome: %+v", row.call, mode, v)
			}
		}
	}
}

// A mode that is wider never overrules a denial, and plan mode no rule.
func TestDenyAndPlanBindInEveryMode(t *testing.T) {
	t.Parallel()
	unixPaths(t)
	for _, mode := range domain.PermissionModes {
		s := subject(mode)
		s.Policy.Allow = []string{"*", "Edit(a)", "Bash(make)"}
		s.Policy.Deny = []string{"Bash(make:*)", "Edit(a)"}
		g := granted(t, s, permission.Rules{})
		for _, call := range []string{"Bash(make)", "Bash(ls; make x)", "Edit(a)"} {
			if v := g.Judge(t.Context(), s, mustCall(t, call, app)); v.Outcome != domain.OutcomeDeny {
				t.Errorf("%s in %s: %s", call, mode, word(v.Outcome))
			}
		}
	}
	s := subject(domain.ModePlan)
	s.Policy.Allow = []string{"*", "Bash(make)"}
	g := granted(t, s, permission.Rules{})
	if v := g.Judge(t.Context(), s, mustCall(t, "Bash(make)", app)); v.Outcome != domain.OutcomeDeny {
		t.Errorf("a rule overrules plan mode: %s", word(v.Outcome))
	}
}

// What holds in a session holds in its sub-agents, whatever their own mode.
func TestSubagents(t *testing.T) {
	t.Parallel()
	unixPaths(t)
	parent := subject(domain.ModeAsk)
	parent.Policy.Deny = []string{"Bash(curl:*)", "Read(secret/**)"}
	m := &memory{rows: []domain.Grant{
		{ID: "1", SessionID: parent.SessionID, Rule: "Bash(npm publish:*)", Outcome: domain.OutcomeDeny},
		{ID: "2", SessionID: parent.SessionID, Rule: "Bash(go vet:*)", Outcome: domain.OutcomeAllow},
	}}
	g := newGate(t, m, permission.Rules{})
	m.rows = append(m.rows, g.GrantDirectory(parent.SessionID, app))
	for _, mode := range domain.PermissionModes {
		child := subject(mode)
		child.Parents = []string{domain.NewID(), parent.SessionID}
		child.Inherited = []domain.Policy{{}, parent.Policy}
		child.Policy.Allow = []string{"*"}
		for _, call := range []string{"Bash(curl x)", "Bash(ls && curl x)", "Read(secret/x)", "Bash(npm publish)", "Bash(cat secret/x)"} {
			if v := g.Judge(t.Context(), child, mustCall(t, call, app)); v.Outcome != domain.OutcomeDeny {
				t.Errorf("%s in a sub-agent in %s: %s", call, mode, word(v.Outcome))
			}
		}
	}
	child := subject(domain.ModeAsk)
	child.Parents = []string{parent.SessionID}
	for call, want := range map[string]domain.Outcome{
		"Read(a)": domain.OutcomeAllow, "Bash(go vet ./...)": domain.OutcomeAllow, "Bash(make)": "",
	} {
		if v := g.Judge(t.Context(), child, mustCall(t, call, app)); v.Outcome != want {
			t.Errorf("%s in a sub-agent: %s, want %s", call, word(v.Outcome), word(want))
		}
	}
	// An ancestor in plan mode keeps all below it from changing things.
	child.Policy.Mode = domain.ModeAuto
	child.Inherited = []domain.Policy{{Mode: domain.ModePlan}}
	if v := g.Judge(t.Context(), child, mustCall(t, "Edit(a)", app)); v.Outcome != domain.OutcomeDeny {
		t.Errorf("a sub-agent of a plan edits: %s", word(v.Outcome))
	}
	// Another session is not touched by any of it.
	if v := g.Judge(t.Context(), subject(domain.ModeAuto), mustCall(t, "Bash(curl x)", app)); v.Outcome != domain.OutcomeAllow {
		t.Errorf("another session: %s", word(v.Outcome))
	}
}

// Without a grant the first read asks, and offers to grant the directory.
func TestFirstReadAsks(t *testing.T) {
	t.Parallel()
	unixPaths(t)
	s := subject(domain.ModeAsk)
	g := newGate(t, &memory{}, permission.Rules{})
	for _, call := range []string{"Read(a)", "Bash(ls)", "Bash(cat a | wc -l)", "Grep(.)"} {
		v := g.Judge(t.Context(), s, mustCall(t, call, app))
		if v.Outcome != "" || v.Suggest != "Read(/home/ann/app/**)" {
			t.Errorf("%s: %s, suggests %q", call, word(v.Outcome), v.Suggest)
		}
	}
	row := g.GrantDirectory(s.SessionID, app)
	if row.SessionID != s.SessionID || row.Outcome != domain.OutcomeAllow || row.Rule != "Read(/home/ann/app/**)" {
		t.Errorf("grant %+v", row)
	}
	if v := g.Judge(t.Context(), s, mustCall(t, "Read(a)", app)); v.Outcome != domain.OutcomeAllow || v.By != "grant" || v.Rule != row.Rule {
		t.Errorf("after the grant: %+v", v)
	}
	// The grant is of that directory, not of the one the session goes to.
	moved := s
	moved.Directory = "/home/ann/other"
	if v := g.Judge(t.Context(), moved, mustCall(t, "Read(a)", moved.Directory)); v.Outcome != "" {
		t.Errorf("the grant moved along: %+v", v)
	}
}

func TestOwnFolder(t *testing.T) {
	t.Parallel()
	unixPaths(t)
	s := subject(domain.ModeAsk)
	g := newGate(t, &memory{}, permission.Rules{})
	own := dataD + "/sessions/" + s.SessionID
	for path, want := range map[string]domain.Outcome{
		own + "/todos/todos.json":                    domain.OutcomeAllow,
		own + "x/todos.json":                         domain.OutcomeDeny,
		dataD + "/sessions/" + domain.NewID() + "/a": domain.OutcomeDeny,
		dataD + "/mix.db":                            domain.OutcomeDeny,
	} {
		for _, can := range []domain.Capability{domain.CanRead, domain.CanWrite} {
			c := permission.Call{Tool: "Write", Accesses: []permission.Access{{Can: can, Path: path, Own: true}}}
			if v := g.Judge(t.Context(), s, c); v.Outcome != want {
				t.Errorf("%s %s: %s, want %s", can, path, word(v.Outcome), word(want))
			}
		}
	}
	if v := g.Judge(t.Context(), s, lineCall("cat "+own+"/out.txt")); v.Outcome != domain.OutcomeAllow {
		t.Errorf("a command that reads the own folder: %s %s", word(v.Outcome), v.Reason)
	}
}

// A read of a tree runs when the tool promises to leave out what is closed.
func TestTreeReads(t *testing.T) {
	t.Parallel()
	unixPaths(t)
	s := subject(domain.ModeAsk)
	g := granted(t, s, mustRules(t, nil, nil, []string{"Read(**/.env)", "Read(secret/**)"}))
	call := func(path string, filtered bool) permission.Call {
		return permission.Call{Tool: "Grep", Accesses: []permission.Access{{Can: domain.CanRead, Path: path, Tree: true, Filtered: filtered}}}
	}
	if v := g.Judge(t.Context(), s, call(app, false)); v.Outcome != "" {
		t.Errorf("an unfiltered tree with closed files: %s", word(v.Outcome))
	}
	v := g.Judge(t.Context(), s, call(app, true))
	if v.Outcome != domain.OutcomeAllow {
		t.Fatalf("a filtered tree: %s %s", word(v.Outcome), v.Reason)
	}
	for path, want := range map[string]bool{
		app + "/a": false, app + "/.env": true, app + "/x/y/.env": true, app + "/secret": true, app + "/secret/k": true, app + "/secrets": false,
		home + "/.ssh/id_rsa": true, dataD + "/mix.db": true,
	} {
		if got := v.Closed(path); got != want {
			t.Errorf("Closed(%s) = %v, want %v", path, got, want)
		}
	}
	if v := g.Judge(t.Context(), s, call(app+"/secret", true)); v.Outcome != domain.OutcomeDeny {
		t.Errorf("a tree that is closed itself: %s", word(v.Outcome))
	}
	// A directory above Mix's own data is closed without that promise.
	home := permission.Call{Tool: "Grep", Accesses: []permission.Access{{Can: domain.CanRead, Path: home, Tree: true}}}
	if v := g.Judge(t.Context(), s, home); v.Outcome != domain.OutcomeDeny {
		t.Errorf("the home directory: %s", word(v.Outcome))
	}
}

// Several accesses: the strictest counts.
func TestStrictestCounts(t *testing.T) {
	t.Parallel()
	unixPaths(t)
	s := subject(domain.ModeAsk)
	g := granted(t, s, mustRules(t, []string{"Edit(src/**)"}, nil, []string{"Edit(go.mod)"}))
	patch := func(paths ...string) permission.Call {
		c := permission.Call{Tool: "ApplyPatch"}
		for _, p := range paths {
			c.Accesses = append(c.Accesses,
				permission.Access{Can: domain.CanRead, Path: filepath.Join(app, p)},
				permission.Access{Can: domain.CanWrite, Path: filepath.Join(app, p)})
		}
		return c
	}
	for _, row := range []struct {
		call permission.Call
		want domain.Outcome
	}{
		{patch("src/a", "src/b"), domain.OutcomeAllow},
		{patch("src/a", "b"), ""},
		{patch("src/a", "b", "go.mod"), domain.OutcomeDeny},
		{permission.Call{Tool: "Unknown"}, ""},
	} {
		if e := g.Explain(t.Context(), s, row.call); e.Verdict.Outcome != row.want {
			t.Errorf("%s, want %s\n%s", word(e.Verdict.Outcome), word(row.want), e)
		}
	}
}

// Whatever cannot be read closes the gate and does not open it.
func TestFailsClosed(t *testing.T) {
	t.Parallel()
	unixPaths(t)
	s := subject(domain.ModeAuto)
	m := &memory{}
	m.setFailure(errors.New("disk is gone"))
	g := newGate(t, m, mustRules(t, []string{"*"}, nil, nil))
	v := g.Judge(t.Context(), s, mustCall(t, "Read(a)", app))
	if v.Outcome != "" || !strings.Contains(v.Reason, "disk is gone") {
		t.Errorf("without grants: %s %q", word(v.Outcome), v.Reason)
	}
	m.setFailure(nil)
	if v := g.Judge(t.Context(), s, mustCall(t, "Read(a)", app)); v.Outcome != domain.OutcomeAllow {
		t.Errorf("afterwards: %s %q", word(v.Outcome), v.Reason)
	}
	s.Policy.Deny = []string{"Bash(oops"}
	if v := g.Judge(t.Context(), s, mustCall(t, "Read(a)", app)); v.Outcome != "" || !strings.Contains(v.Reason, "Bash(oops") {
		t.Errorf("with an unreadable denial: %s %q", word(v.Outcome), v.Reason)
	}
	if err := permission.CheckPolicy(s.Policy); err == nil {
		t.Error("CheckPolicy accepts it")
	}
}

// The rows say what was asked, in a form that stays readable.
func TestRows(t *testing.T) {
	t.Parallel()
	unixPaths(t)
	s := subject(domain.ModeAsk)
	g := granted(t, s, mustRules(t, []string{"Bash(make:*)"}, nil, nil))
	c := lineCall("make\n" + strings.Repeat("x", 500))
	c.Input = json.RawMessage(`{"command":`)
	v := g.Judge(t.Context(), s, c)
	r := v.Request
	if r.CallID != c.ID || r.SessionID != s.SessionID || r.RunID != s.RunID || r.SessionName != s.SessionName || r.Kind != "permission" ||
		r.Capability != domain.CanExecute || r.Target != c.Accesses[0].Command || string(r.Input) != "{}" || !domain.ValidID(r.ID) || r.CreatedAt.IsZero() {
		t.Errorf("request %+v", r)
	}
	if strings.Contains(r.Description, "\n") || len(r.Description) > 300 || !strings.HasPrefix(r.Description, "Bash make x") {
		t.Errorf("description %q", r.Description)
	}
	v = g.Judge(t.Context(), s, mustCall(t, "Bash(make all)", app))
	d := v.Decision
	if d == nil || d.RequestID != v.Request.ID || d.By != "rule" || d.Rule != "Bash(make:*)" || d.Outcome != domain.OutcomeAllow || d.Scope != domain.ScopeOnce {
		t.Errorf("decision %+v", d)
	}
}

func TestSuggestions(t *testing.T) {
	t.Parallel()
	unixPaths(t)
	s := subject(domain.ModeAsk)
	g := granted(t, s, permission.Rules{})
	for call, want := range map[string]string{
		"Bash(npm test)":                         "Bash(npm test:*)",
		"Bash(npm run build -- --watch)":         "Bash(npm run build:*)",
		"Bash(git commit -m 'a b')":              "Bash(git commit:*)",
		"Bash(make 'a b')":                       "Bash(make 'a b')",
		"Bash(go test ./... && make)":            "Bash(go test:*) and Bash(make)",
		"Bash(ls && make | head)":                "Bash(make)",
		"Bash(./run.sh -x)":                      "Bash(./run.sh -x)",
		"Bash(make $x)":                          "",
		"Bash(go run evil.example)":              "Bash(go run evil.example)",
		"Bash(rm -rf x)":                         "",
		"Bash(sudo ls)":                          "",
		"Bash(mix run x)":                        "",
		"Bash(a;b;c;d;e;f)":                      "",
		"Bash(x > src/a)":                        "Bash(x) and Edit(/home/ann/app/src/**)",
		"Edit(src/a.go)":                         "Edit(/home/ann/app/src/**)",
		"Edit(a.go)":                             "Edit(/home/ann/app/*)",
		"Edit(/srv/x/a)":                         "Edit(/srv/x/*)",
		"Edit(.git/config)":                      "",
		"Read(/etc/hosts)":                       "Read(/etc/hosts)",
		"Read(/srv/a[1].txt)":                    `Read(/srv/a\[1\].txt)`,
		"Read(/home/ann/.ssh/id)":                "",
		"WebFetch(https://go.dev/x?y=1)":         "WebFetch(domain:go.dev)",
		"WebFetch(http://localhost/)":            "",
		"PythonExecution":                        "",
		"Search":                                 "Search",
		"Bash(" + strings.Repeat("x", 300) + ")": "",
	} {
		v := g.Judge(t.Context(), s, mustCall(t, call, app))
		if v.Suggest != want {
			t.Errorf("%.60s suggests %q, want %q", call, v.Suggest, want)
		}
		// What is suggested must allow the call, and be readable.
		if v.Suggest == "" {
			continue
		}
		with := s
		with.SessionID = domain.NewID()
		with.Policy.Allow = strings.Split(v.Suggest, " and ")
		g.GrantDirectory(with.SessionID, app)
		if v := g.Judge(t.Context(), with, mustCall(t, call, app)); v.Outcome != domain.OutcomeAllow {
			t.Errorf("%s does not allow %s: %s", v.Suggest, call, v.Reason)
		}
	}
}

func TestExplain(t *testing.T) {
	t.Parallel()
	unixPaths(t)
	s := subject(domain.ModeAsk)
	g := granted(t, s, permission.Rules{})
	e := g.Explain(t.Context(), s, mustCall(t, "Bash(git log | sh)", app))
	if len(e.Steps) != 2 || e.Steps[0].Outcome != domain.OutcomeAllow || e.Steps[1].Outcome != "" {
		t.Fatalf("steps %+v", e.Steps)
	}
	text := e.String()
	for _, want := range []string{"ask: the shell reads commands that are not visible", "git log  by grant Read(/home/ann/app/**)"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	for _, bad := range []string{"", "ls -la", "Bash(", "Bash()", "Read(\x00)"} {
		if _, err := permission.ParseCallText(bad, app); err == nil {
			t.Errorf("ParseCallText(%q) succeeds", bad)
		}
	}
}
