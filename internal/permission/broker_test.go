package permission_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/permission"
)

// asking is a call that waits in a goroutine of its own.
type asking struct {
	verdict  permission.Verdict
	cancel   context.CancelFunc
	done     chan struct{}
	decision domain.Decision
	err      error
	after    time.Duration // how long it waited
}

func ask(t *testing.T, g *permission.Gate, s permission.Subject, call string) *asking {
	t.Helper()
	c := mustCall(t, call, s.Directory)
	v := g.Judge(t.Context(), s, c)
	if v.Outcome != "" {
		t.Fatalf("%s does not ask: %s by %s", call, v.Outcome, v.By)
	}
	ctx, cancel := context.WithCancel(t.Context())
	a := &asking{verdict: v, cancel: cancel, done: make(chan struct{})}
	start := time.Now()
	go func() {
		defer close(a.done)
		a.decision, a.err = g.Ask(ctx, s, c, v)
		a.after = time.Since(start)
	}()
	synctest.Wait()
	return a
}

func (a *asking) waits() bool {
	synctest.Wait()
	select {
	case <-a.done:
		return false
	default:
		return true
	}
}

func (a *asking) id() string { return a.verdict.Request.ID }

func allowOnce() permission.Answer { return permission.Answer{Outcome: domain.OutcomeAllow} }

// broker runs a test with a fake clock.
func broker(t *testing.T, f func(t *testing.T, g *permission.Gate, m *memory, s permission.Subject)) {
	t.Helper()
	t.Parallel()
	unixPaths(t)
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		s := subject(domain.ModeAsk)
		g := newGate(t, m, permission.Rules{})
		g.GrantDirectory(s.SessionID, s.Directory)
		f(t, g, m, s)
	})
}

func TestExpiryWithoutApprover(t *testing.T) {
	broker(t, func(t *testing.T, g *permission.Gate, m *memory, s permission.Subject) {
		defer g.Attach(s.SessionID, false)() // a client that only listens
		a := ask(t, g, s, "Bash(make)")
		<-a.done
		if a.err != nil || a.decision.Outcome != domain.OutcomeExpired || a.decision.By != "expiry" || a.after != 30*time.Second {
			t.Errorf("%+v after %v, %v", a.decision, a.after, a.err)
		}
		if !strings.Contains(a.decision.Reason, "nobody who can answer") {
			t.Errorf("reason %q", a.decision.Reason)
		}
		if len(m.decisions) != 1 || m.decisions[0].ID != a.decision.ID {
			t.Errorf("recorded %+v", m.decisions)
		}
		events := m.eventsOf(s.SessionID)
		if len(events) != 2 {
			t.Fatalf("events %+v", events)
		}
		if r := events[1].(domain.Resolved); r.Outcome != domain.OutcomeExpired || r.RequestID != a.id() {
			t.Errorf("resolved %+v", r)
		}
		if _, err := g.Answer(t.Context(), a.id(), allowOnce()); !errors.Is(err, domain.ErrConflict) {
			t.Errorf("an answer to an expired request: %v", err)
		}
	})
}

func TestWaitsForApprover(t *testing.T) {
	broker(t, func(t *testing.T, g *permission.Gate, _ *memory, s permission.Subject) {
		detach := g.Attach(s.SessionID, true)
		if !g.HasApprover(s.SessionID) || g.HasApprover("other") {
			t.Error("HasApprover")
		}
		a := ask(t, g, s, "Bash(make)")
		time.Sleep(48 * time.Hour)
		if !a.waits() {
			t.Fatal("it did not wait for the one who is there")
		}
		// Gone: ten minutes count as there, then the expiry runs.
		left := time.Now()
		detach()
		detach()
		time.Sleep(10*time.Minute + 29*time.Second)
		if !a.waits() {
			t.Fatal("it did not wait out the grace")
		}
		<-a.done
		if a.decision.Outcome != domain.OutcomeExpired || time.Since(left) != 10*time.Minute+30*time.Second {
			t.Errorf("%s after %v", a.decision.Outcome, time.Since(left))
		}
	})
}

func TestApproverComesBack(t *testing.T) {
	broker(t, func(t *testing.T, g *permission.Gate, _ *memory, s permission.Subject) {
		a := ask(t, g, s, "Bash(make)")
		time.Sleep(29 * time.Second)
		detach := g.Attach(s.SessionID, true)
		time.Sleep(time.Hour)
		detach()
		time.Sleep(9 * time.Minute)
		detach = g.Attach("", true) // one for the whole program, a bot say
		time.Sleep(time.Hour)
		if !a.waits() {
			t.Fatal("it expired with somebody there")
		}
		detach()
		b := ask(t, g, s, "Bash(make x)") // in the grace of the one who left
		time.Sleep(10 * time.Minute)
		if !b.waits() || len(g.Open(s.SessionID)) != 2 {
			t.Fatal("it expired in the grace")
		}
		<-a.done
		<-b.done
		if b.after != 10*time.Minute+30*time.Second {
			t.Errorf("it waited %v", b.after)
		}
	})
}

// After a person answered, every client of the session counts.
func TestAnswerMakesApprover(t *testing.T) {
	broker(t, func(t *testing.T, g *permission.Gate, _ *memory, s permission.Subject) {
		detach := g.Attach(s.SessionID, false)
		a := ask(t, g, s, "Bash(make)")
		b := ask(t, g, s, "Bash(make x)")
		if g.HasApprover(s.SessionID) {
			t.Error("a listener counts before anybody answered")
		}
		if _, err := g.Answer(t.Context(), a.id(), allowOnce()); err != nil {
			t.Fatal(err)
		}
		<-a.done
		if !g.HasApprover(s.SessionID) {
			t.Error("the one who answered does not count")
		}
		time.Sleep(time.Hour)
		if !b.waits() {
			t.Fatal("the other request expired")
		}
		detach()
		time.Sleep(9 * time.Minute)
		if !b.waits() {
			t.Fatal("no grace")
		}
		<-b.done
	})
}

func TestFirstAnswerWins(t *testing.T) {
	broker(t, func(t *testing.T, g *permission.Gate, m *memory, s permission.Subject) {
		a := ask(t, g, s, "Bash(make)")
		b := ask(t, g, s, "Edit(x)")
		c := ask(t, g, s, "WebFetch(https://go.dev)")
		if open := g.Open(s.SessionID); len(open) != 3 || open[0].ID != a.id() || open[2].ID != c.id() {
			t.Fatalf("open %+v", open)
		}
		// Answers in any order; the others go on waiting.
		d, err := g.Answer(t.Context(), c.id(), permission.Answer{Outcome: domain.OutcomeDeny, Reason: "no"})
		if err != nil || d.Outcome != domain.OutcomeDeny || d.By != "person" || d.Scope != domain.ScopeOnce {
			t.Fatalf("%+v, %v", d, err)
		}
		<-c.done
		if c.decision.ID != d.ID || c.decision.Reason != "no" || !a.waits() || !b.waits() {
			t.Errorf("%+v", c.decision)
		}
		results := make(chan error, 10)
		for range 10 {
			go func() {
				_, err := g.Answer(t.Context(), a.id(), allowOnce())
				results <- err
			}()
		}
		won := 0
		for range 10 {
			if err := <-results; err == nil {
				won++
			} else if !errors.Is(err, domain.ErrConflict) {
				t.Errorf("late answer: %v", err)
			}
		}
		if won != 1 {
			t.Errorf("%d answers won", won)
		}
		if _, err := g.Answer(t.Context(), domain.NewID(), allowOnce()); !errors.Is(err, domain.ErrNotFound) {
			t.Errorf("unknown request: %v", err)
		}
		input := json.RawMessage(`{"path":"y"}`)
		if d, err := g.Answer(t.Context(), b.id(), permission.Answer{Outcome: domain.OutcomeAllow, Input: input, By: "program"}); err != nil || string(d.Input) != string(input) || d.By != "program" {
			t.Errorf("%+v, %v", d, err)
		}
		<-b.done
		if len(m.decisions) != 3 || len(m.rows) != 0 {
			t.Errorf("%d decisions, grants %+v", len(m.decisions), m.rows)
		}
		asked, resolved := 0, 0
		for _, ev := range m.eventsOf(s.SessionID) {
			switch ev.(type) {
			case domain.PermissionAsked:
				asked++
			case domain.Resolved:
				resolved++
			}
		}
		if asked != 3 || resolved != 3 {
			t.Errorf("%d asked, %d resolved", asked, resolved)
		}
	})
}

func TestCancelWithdraws(t *testing.T) {
	broker(t, func(t *testing.T, g *permission.Gate, m *memory, s permission.Subject) {
		a := ask(t, g, s, "Bash(make)")
		a.cancel()
		<-a.done
		if !errors.Is(a.err, context.Canceled) || a.decision.Outcome != domain.OutcomeWithdrawn || a.decision.By != "cancel" {
			t.Errorf("%+v, %v", a.decision, a.err)
		}
		if len(m.decisions) != 1 || len(g.Open(s.SessionID)) != 0 {
			t.Errorf("recorded %+v, open %d", m.decisions, len(g.Open(s.SessionID)))
		}
	})
}

// An answer that could not be recorded has not happened; the next one counts.
func TestAnswerThatIsNotRecorded(t *testing.T) {
	broker(t, func(t *testing.T, g *permission.Gate, m *memory, s permission.Subject) {
		a := ask(t, g, s, "Bash(make)")
		m.setFailure(errors.New("disk is full"))
		if _, err := g.Answer(t.Context(), a.id(), allowOnce()); err == nil || !strings.Contains(err.Error(), "disk is full") {
			t.Errorf("error %v", err)
		}
		if !a.waits() || len(g.Open(s.SessionID)) != 1 {
			t.Fatal("the request is gone")
		}
		m.setFailure(nil)
		if _, err := g.Answer(t.Context(), a.id(), allowOnce()); err != nil {
			t.Error(err)
		}
		<-a.done
		if a.err != nil || a.decision.Outcome != domain.OutcomeAllow {
			t.Errorf("%+v, %v", a.decision, a.err)
		}
		// What cannot be recorded when it ends by itself is never an allowance.
		b := ask(t, g, s, "Bash(make)")
		m.setFailure(errors.New("disk is full"))
		b.cancel()
		<-b.done
		if b.err == nil || b.decision.Outcome == domain.OutcomeAllow {
			t.Errorf("%+v, %v", b.decision, b.err)
		}
	})
}

func TestScopes(t *testing.T) {
	broker(t, func(t *testing.T, g *permission.Gate, m *memory, s permission.Subject) {
		other := subject(domain.ModeAsk) // of the same project
		a := ask(t, g, s, "Bash(go test ./a)")
		b := ask(t, g, s, "Bash(go test ./b)")
		c := ask(t, g, other, "Bash(go test ./c)")
		d := ask(t, g, s, "Bash(make)")
		got, err := g.Answer(t.Context(), a.id(), permission.Answer{Outcome: domain.OutcomeAllow, Scope: domain.ScopeSession})
		if err != nil || got.Rule != "Bash(go test:*)" || got.Scope != domain.ScopeSession {
			t.Fatalf("%+v, %v", got, err)
		}
		<-a.done
		<-b.done // covered by the same rule
		if b.decision.By != "grant" || b.decision.Rule != "Bash(go test:*)" || b.decision.Outcome != domain.OutcomeAllow || !c.waits() || !d.waits() {
			t.Errorf("%+v", b.decision)
		}
		if _, err := g.Answer(t.Context(), c.id(), permission.Answer{Outcome: domain.OutcomeAllow, Scope: domain.ScopeProject, Rule: "Bash(make:*)"}); err != nil {
			t.Fatal(err)
		}
		<-c.done
		<-d.done
		if d.decision.Scope != domain.ScopeProject {
			t.Errorf("%+v", d.decision)
		}
		if row := m.rows[1]; row.Project != app || row.SessionID != "" || row.RequestID != c.id() {
			t.Errorf("project grant %+v", row)
		}
		// Both count for the next calls: the one here, the other in new sessions too.
		for _, x := range []struct {
			s    permission.Subject
			call string
			want domain.Outcome
		}{
			{s, "Bash(go test ./z)", domain.OutcomeAllow},
			{other, "Bash(go test ./z)", ""},
			{s, "Bash(make z)", domain.OutcomeAllow},
			{subject(domain.ModeAsk), "Bash(make z)", domain.OutcomeAllow},
		} {
			if v := g.Judge(t.Context(), x.s, mustCall(t, x.call, app)); v.Outcome != x.want {
				t.Errorf("%s: %s, want %s", x.call, word(v.Outcome), word(x.want))
			}
		}
		// A denial for the session denies what waits, too.
		e := ask(t, g, s, "Bash(npm install a)")
		f := ask(t, g, s, "Bash(npm install b)")
		if _, err := g.Answer(t.Context(), e.id(), permission.Answer{Outcome: domain.OutcomeDeny, Scope: domain.ScopeSession, Rule: "Bash(npm:*)"}); err != nil {
			t.Fatal(err)
		}
		<-e.done
		<-f.done
		if f.decision.Outcome != domain.OutcomeDeny || f.decision.By != "grant" {
			t.Errorf("%+v", f.decision)
		}
		// Another gate over the same rows says the same.
		again := newGate(t, m, permission.Rules{})
		for call, want := range map[string]domain.Outcome{"Bash(go test ./z)": domain.OutcomeAllow, "Bash(make z)": domain.OutcomeAllow, "Bash(npm i)": domain.OutcomeDeny} {
			if v := again.Judge(t.Context(), s, mustCall(t, call, app)); v.Outcome != want {
				t.Errorf("after a restart %s: %s, want %s", call, word(v.Outcome), word(want))
			}
		}
	})
}

func TestBadAnswers(t *testing.T) {
	broker(t, func(t *testing.T, g *permission.Gate, m *memory, s permission.Subject) {
		a := ask(t, g, s, "Bash(sudo make)")
		defer func() { a.cancel(); <-a.done }()
		for _, bad := range []permission.Answer{
			{},
			{Outcome: domain.OutcomeExpired},
			{Outcome: domain.OutcomeAllow, Scope: "forever"},
			{Outcome: domain.OutcomeAllow, Input: json.RawMessage("{")},
			{Outcome: domain.OutcomeDeny, Input: json.RawMessage("{}")},
			{Outcome: domain.OutcomeAllow, Scope: domain.ScopeSession},
			{Outcome: domain.OutcomeAllow, Scope: domain.ScopeSession, Rule: "Bash(x"},
		} {
			if _, err := g.Answer(t.Context(), a.id(), bad); !errors.Is(err, permission.ErrBadAnswer) {
				t.Errorf("%+v: %v", bad, err)
			}
		}
		if !a.waits() || len(m.decisions) != 0 {
			t.Error("a bad answer ended the request")
		}
	})
}

// The first read of a directory is asked about once, for all reads in it.
func TestDirectoryIsGrantedOnce(t *testing.T) {
	broker(t, func(t *testing.T, g *permission.Gate, m *memory, _ permission.Subject) {
		s := subject(domain.ModeAsk)
		a := ask(t, g, s, "Read(a)")
		b := ask(t, g, s, "Bash(ls)")
		c := ask(t, g, s, "Edit(a)")
		if _, err := g.Answer(t.Context(), a.id(), allowOnce()); err != nil {
			t.Fatal(err)
		}
		<-a.done
		<-b.done
		if b.decision.By != "grant" || !c.waits() {
			t.Errorf("%+v", b.decision)
		}
		if len(m.rows) != 1 || m.rows[0].SessionID != s.SessionID || m.rows[0].Rule != "Read(/home/ann/app/**)" {
			t.Errorf("grants %+v", m.rows)
		}
		c.cancel()
		<-c.done
	})
}

// Relative rules of a session mean the directory of the day.
func TestRelativeRuleOfAnswer(t *testing.T) {
	broker(t, func(t *testing.T, g *permission.Gate, m *memory, s permission.Subject) {
		a := ask(t, g, s, "Edit(docs/a.md)")
		if _, err := g.Answer(t.Context(), a.id(), permission.Answer{Outcome: domain.OutcomeAllow, Scope: domain.ScopeSession, Rule: "Edit(./docs/**)"}); err != nil {
			t.Fatal(err)
		}
		<-a.done
		if m.rows[0].Rule != "Edit(/home/ann/app/docs/**)" {
			t.Errorf("saved %q", m.rows[0].Rule)
		}
		moved := s
		moved.Directory = "/home/ann/other"
		if v := g.Judge(t.Context(), moved, mustCall(t, "Edit(docs/a.md)", moved.Directory)); v.Outcome != "" {
			t.Errorf("it moved along: %s", v.Outcome)
		}
	})
}

// A sub-agent's request is announced where people look, and an approver there
// counts.
func TestSubagentAsksInParent(t *testing.T) {
	broker(t, func(t *testing.T, g *permission.Gate, m *memory, parent permission.Subject) {
		defer g.Attach(parent.SessionID, true)()
		child := subject(domain.ModeAsk)
		child.Parents, child.ParentToolCallID = []string{parent.SessionID}, "t0"
		a := ask(t, g, child, "Bash(make)")
		time.Sleep(time.Hour)
		if !a.waits() || len(g.Open(parent.SessionID)) != 1 {
			t.Fatal("it did not wait")
		}
		for _, id := range []string{parent.SessionID, child.SessionID} {
			ev, ok := m.eventsOf(id)[0].(domain.PermissionAsked)
			if !ok || ev.RequestID != a.id() || ev.SessionID != child.SessionID || ev.ParentToolCallID != "t0" || !ev.ExpiresAt.IsZero() ||
				ev.Action != "execute" || ev.Path != app || string(ev.Params) != "{}" || ev.Rule != "Bash(make)" {
				t.Errorf("event %+v", ev)
			}
		}
		if _, err := g.Answer(t.Context(), a.id(), allowOnce()); err != nil {
			t.Fatal(err)
		}
		<-a.done
	})
}

// Who asks although the gate allowed a call waits for a person: what allowed
// it before does not answer.
func TestAllowanceTakenBack(t *testing.T) {
	broker(t, func(t *testing.T, g *permission.Gate, _ *memory, s permission.Subject) {
		c := mustCall(t, "Bash(git log)", app)
		v := g.Judge(t.Context(), s, c)
		if v.Outcome != domain.OutcomeAllow {
			t.Fatalf("%s %s", word(v.Outcome), v.Reason)
		}
		v.Outcome, v.By, v.Decision, v.Reason = "", "", nil, "the repository is not to be trusted"
		done := make(chan domain.Decision, 1)
		go func() {
			d, _ := g.Ask(t.Context(), s, c, v)
			done <- d
		}()
		synctest.Wait()
		a := ask(t, g, s, "Bash(go test ./a)")
		if _, err := g.Answer(t.Context(), a.id(), permission.Answer{Outcome: domain.OutcomeAllow, Scope: domain.ScopeSession}); err != nil {
			t.Fatal(err)
		}
		<-a.done
		synctest.Wait()
		if len(g.Open(s.SessionID)) != 1 {
			t.Fatal("it was decided without a person")
		}
		if _, err := g.Answer(t.Context(), v.Request.ID, permission.Answer{Outcome: domain.OutcomeDeny}); err != nil {
			t.Fatal(err)
		}
		if d := <-done; d.Outcome != domain.OutcomeDeny || d.By != "person" {
			t.Errorf("%+v", d)
		}
	})
}

func TestForget(t *testing.T) {
	broker(t, func(t *testing.T, g *permission.Gate, _ *memory, s permission.Subject) {
		detach := g.Attach(s.SessionID, true)
		g.Forget(s.SessionID)
		if v := g.Judge(t.Context(), s, mustCall(t, "Read(a)", app)); v.Outcome != "" {
			t.Errorf("the grant of a deleted session counts: %s", v.Outcome)
		}
		detach()
		if g.HasApprover(s.SessionID) {
			t.Error("a client of it is still there")
		}
		g.Forget(s.SessionID)
	})
}
