package agent_test

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/mixagent/mix/internal/agent"
	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/provider"
	"github.com/mixagent/mix/internal/store"
)

func storeFilter(session string) store.AuditFilter { return store.AuditFilter{SessionID: session} }

func TestCreateSession(t *testing.T) {
	t.Parallel()
	r := newRig(t, answers(say("fine")))
	s, err := r.agent.CreateSession(t.Context(), agent.NewSession{Title: "  Given  ", GrantDirectory: true})
	if err != nil {
		t.Fatal(err)
	}
	row := r.sessionRow(s.ID)
	if row.Title != "Given" || !row.TitleGiven || row.Directory != r.dir || row.Model != "test/priced" ||
		row.Policy.Mode != domain.ModeAsk || row.BrowserMode != domain.BrowserLocal || row.Kind != domain.SessionMain {
		t.Errorf("session: %+v", row)
	}
	if info, err := os.Stat(r.agent.SessionDir(s.ID)); err != nil || !info.IsDir() {
		t.Errorf("folder: %v", err)
	}
	if got := r.all(s.ID); len(got) != 1 || got[0].name != domain.EventSessionNew || got[0].text("title") != "Given" {
		t.Errorf("events: %v", got)
	}
	grants, err := r.store.Grants(t.Context(), s.ID, "")
	if err != nil || len(grants) != 1 || !strings.Contains(grants[0].Rule, r.dir) {
		t.Errorf("grants: %v, %v", grants, err)
	}
}

// TestUnusableSessions: each mistake has its error and leaves nothing behind.
func TestUnusableSessions(t *testing.T) {
	t.Parallel()
	r := newRig(t, answers(say("unused")))
	file := r.file("a.txt", "x")
	closed := filepath.Join(r.dir, "closed")
	if err := os.Mkdir(closed, 0o000); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(r.dir, "link")
	if err := os.Symlink(r.data, link); err != nil {
		t.Fatal(err)
	}
	type wrong struct {
		n     agent.NewSession
		want  error
		holds []string
	}
	cases := map[string]wrong{
		"missing":             {agent.NewSession{Directory: filepath.Join(r.dir, "none")}, agent.ErrDirectory, []string{"none", "name a directory that exists"}},
		"a file":              {agent.NewSession{Directory: file}, agent.ErrDirectory, []string{"a.txt", "name a directory"}},
		"relative":            {agent.NewSession{Directory: "src"}, agent.ErrDirectory, []string{`"src"`, "absolute"}},
		"Mix's own":           {agent.NewSession{Directory: r.data}, agent.ErrDirectory, []string{"belongs to Mix", "name another"}},
		"in Mix's own":        {agent.NewSession{Directory: filepath.Join(r.data, "sessions")}, agent.ErrDirectory, []string{"belongs to Mix"}},
		"a link to Mix's own": {agent.NewSession{Directory: link}, agent.ErrDirectory, []string{"belongs to Mix"}},
		"unknown model":       {agent.NewSession{Model: "nobody/m"}, agent.ErrModel, []string{"nobody", "Known are"}},
		"unusable rule":       {agent.NewSession{Policy: domain.Policy{Allow: []string{"Bash("}}}, agent.ErrRule, []string{"Bash("}},
	}
	if os.Getuid() > 0 {
		cases["unreadable"] = wrong{agent.NewSession{Directory: closed}, agent.ErrDirectory, []string{"closed", "can read"}}
	}
	if err := os.MkdirAll(filepath.Join(r.data, "sessions"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, c := range cases {
		_, err := r.agent.CreateSession(t.Context(), c.n)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		wantHolds(t, name, err.Error(), c.holds...)
	}
	if list, err := r.store.Sessions(t.Context(), store.SessionFilter{}); err != nil || len(list) > 0 {
		t.Errorf("sessions: %v, %v", list, err)
	}
	if left, err := os.ReadDir(filepath.Join(r.data, "sessions")); err != nil || len(left) > 0 {
		t.Errorf("folders: %v, %v", left, err)
	}
}

// TestSessionDirectories: where sessions work, and where never.
func TestSessionDirectories(t *testing.T) {
	r := bareRig(t, answers(say("fine")))
	home := resolved(t, t.TempDir())
	t.Setenv("HOME", home)
	r.restart() // the home directory is looked up at the start
	sub := filepath.Join(home, "project")
	if err := os.Mkdir(sub, 0o755); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(r.dir, "home")
	if err := os.Symlink(home, link); err != nil {
		t.Fatal(err)
	}
	toSub := filepath.Join(r.dir, "sub")
	if err := os.Symlink(sub, toSub); err != nil {
		t.Fatal(err)
	}
	for asked, want := range map[string]string{
		"": r.dir, sub: sub, sub + "/.": sub, toSub: sub,
		home: "own", home + "/": "own", link: "own", "/": "own",
	} {
		if runtime.GOOS == "windows" && asked == "/" {
			continue
		}
		s := r.sessionOf(agent.NewSession{Directory: asked})
		if want == "own" {
			want = filepath.Join(r.agent.SessionDir(s), "work")
		}
		if got := r.sessionRow(s).Directory; got != want {
			t.Errorf("%q: %s, want %s", asked, got, want)
		}
	}
}

// TestWorkInOwnFolder: a session that was asked to work at home can read,
// write and run commands in the directory that it got instead.
func TestWorkInOwnFolder(t *testing.T) {
	t.Parallel()
	r := newRig(t, answers(
		call("Write", `{"file_path":"a.txt","content":"hello\n"}`),
		call("ReadText", `{"file_path":"a.txt"}`, "Glob", `{"pattern":"*"}`, "Bash", `{"command":"cat a.txt"}`), say("Done")))
	s := r.sessionOf(agent.NewSession{Directory: "/", GrantDirectory: true, Policy: domain.Policy{Mode: domain.ModeAcceptEdits}})
	if end := r.run(s, "Go").end(); end.text("content") != "Done" {
		t.Errorf("%v", end)
	}
	for _, m := range r.history(s) {
		for _, c := range m.Calls {
			if c.State != domain.CallFinished {
				t.Errorf("%s: %s %s", c.Tool, c.State, c.Text)
			}
		}
	}
}

func TestTitle(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("wörd ", 20)
	for name, c := range map[string]struct{ given, prompt, want string }{
		"short":              {"", "Mend the lamp", "Mend the lamp"},
		"several lines":      {"", "  Mend\n\n\tthe \x1b[1mlamp\x1b[0m ", "Mend the lamp"},
		"50 characters":      {"", strings.Repeat("é", 50), strings.Repeat("é", 50)},
		"51 characters":      {"", strings.Repeat("é", 51), strings.Repeat("é", 49) + "…"},
		"cut at a space":     {"", long, "wörd wörd wörd wörd wörd wörd wörd wörd wörd wörd…"},
		"cut in a character": {"", strings.Repeat(" ", 4094) + "aéb", "a"},
		"given":              {"Chosen", "Mend the lamp", "Chosen"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, answers(say("fine")))
			s := r.sessionOf(agent.NewSession{Title: c.given})
			if c.given == "" && r.sessionRow(s).Title != "" {
				t.Error("a title before the first answer")
			}
			got := r.run(s, c.prompt).of(domain.EventTitle)
			row := r.sessionRow(s)
			if row.Title != c.want || utf8.RuneCountInString(row.Title) > 50 || row.TitleGiven != (c.given != "") {
				t.Errorf("title: %q", row.Title)
			}
			if c.given == "" && (len(got) != 1 || got[0].text("title") != c.want) || c.given != "" && len(got) > 0 {
				t.Errorf("events: %v", got)
			}
			if again := r.run(s, "Another prompt").of(domain.EventTitle); len(again) > 0 || r.sessionRow(s).Title != c.want {
				t.Errorf("the second answer: %v", again)
			}
		})
	}
}

// TestTitleWithTools: the first answer gives the title, also one with calls.
func TestTitleWithTools(t *testing.T) {
	t.Parallel()
	r := newRig(t, answers(again, say("fine")))
	s := r.session()
	got := r.run(s, "Find it")
	if list := got.of(domain.EventTitle); len(list) != 1 || list[0].text("title") != "Find it" {
		t.Errorf("events: %v", list)
	}
}

// TestUsage: what a message cost, what the session did, and where that is not
// known.
func TestUsage(t *testing.T) {
	t.Parallel()
	one, two := again, say("fine")
	one.usage = domain.Usage{Input: 10, Output: 5, CacheRead: 3, CacheWrite: 2, Reasoning: 1}
	two.usage = domain.Usage{Input: 20, Output: 7}
	broken := answer{usage: domain.Usage{Input: 4}, cut: true}.with(say("Half").deltas...)
	r := newRig(t, answers(one, two, broken, two))
	s := r.session()
	reports := r.run(s, "Go").of(domain.EventUsage)
	history := r.history(s)
	if history[1].Usage != one.usage || history[1].CostUSD != 20 || history[2].Usage != two.usage || history[2].CostUSD != 27 {
		t.Errorf("messages: %+v %+v", history[1], history[2])
	}
	row := r.sessionRow(s)
	if row.Usage != one.usage.Add(two.usage) || row.CostUSD != 47 || row.CostUnknown {
		t.Errorf("session: %+v", row)
	}
	if len(reports) != 2 || reports[1].fields["sessionCost"] != 47.0 {
		t.Errorf("reports: %v", reports)
	}
	// An answer that broke off counts as far as it was reported, and it is
	// told that this is not all.
	reports = r.run(s, "Again").of(domain.EventUsage)
	row = r.sessionRow(s)
	if row.Usage != one.usage.Add(two.usage).Add(broken.usage) || row.CostUSD != 51 || !row.CostUnknown {
		t.Errorf("session: %+v", row)
	}
	if len(reports) != 1 || reports[0].fields["sessionCost"] != 51.0 {
		t.Errorf("reports: %v", reports)
	}
	wantCounts(t, r, s)

	free := r.sessionOf(agent.NewSession{Model: "test/free"})
	r.model.play(answers(two))
	r.run(free, "Go")
	if row := r.sessionRow(free); row.CostUSD != 0 || !row.CostUnknown || row.Usage != two.usage {
		t.Errorf("session: %+v", row)
	}
	if m := r.history(free)[1]; !m.CostUnknown {
		t.Errorf("message: %+v", m)
	}
}

// wantCounts compares the counters of a session with its messages.
func wantCounts(t *testing.T, r *rig, session string) {
	t.Helper()
	var users, assistants, calls int64
	var usage domain.Usage
	for _, m := range r.history(session) {
		usage = usage.Add(m.Usage)
		calls += int64(len(m.Calls))
		if m.Role == domain.RoleUser {
			users++
		} else {
			assistants++
		}
	}
	row := r.sessionRow(session)
	if row.UserMessages != users || row.AssistantMessages != assistants || row.MessageCount != users+assistants ||
		row.ToolCalls != calls || row.Usage != usage {
		t.Errorf("%d users, %d assistants, %d calls, %+v; session: %+v", users, assistants, calls, usage, row)
	}
}

// TestRetryIsAnnounced: people hear of waits, but not of a short first one.
func TestRetryIsAnnounced(t *testing.T) {
	t.Parallel()
	slow := &provider.Error{Kind: provider.KindRateLimit, Vendor: "test"}
	r := newRig(t, nil)
	r.model.play(func(_ int, req *provider.Request) answer {
		req.OnRetry(provider.Retry{Attempt: 1, MaxAttempts: 8, Wait: 1e9, Err: slow})
		req.OnRetry(provider.Retry{Attempt: 2, MaxAttempts: 8, Wait: 3e9, Err: slow})
		return say("fine")
	})
	got := r.run(r.session(), "Go")
	list := got.of(domain.EventError)
	if len(list) != 1 || list[0].text("type") != "rate_limit_error" || list[0].fields["attempt"] != 2.0 || list[0].fields["retryAfter"] != 3000.0 {
		t.Errorf("events: %v", list)
	}
	if text, _ := got.failure(); text != "" || got.end().text("state") != "done" {
		t.Errorf("%q, %v", text, got.end())
	}
}
