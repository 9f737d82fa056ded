package store_test

import (
	"testing"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/eventlog"
	"github.com/mixagent/mix/internal/store"
)

func TestSessionComesBackAsItWas(t *testing.T) {
	t.Parallel()
	s := open(t)
	want := domain.Session{
		ID: id("session"), Kind: domain.SessionSubagent, Title: "Tidy up", TitleGiven: true,
		ParentSessionID: "parent", ParentToolCallID: "call", SubagentType: "general-purpose",
		Directory: "/work/here", Model: "anthropic/claude",
		Policy:      domain.Policy{Mode: domain.ModePlan, Allow: []string{"Bash(git diff:*)"}, Deny: []string{"Write(<&>)"}, Trust: true, MaxSteps: 7, MaxCostUSD: 1.5},
		BrowserMode: domain.BrowserRemoteCDP, CdpURL: "ws://x",
		Callbacks:  []domain.Callback{{ToolName: "*", Type: "bash_script", BashCommand: "true", BashTimeoutMillis: 120000}},
		PromptMode: domain.PromptAppend, CustomPrompt: "Be brief.", SystemPrompt: "You are Mix.",
		CreatedAt: at(0), UpdatedAt: at(1),
	}
	commit(t, s, func(b *store.Batch) { b.CreateSession(want, 4096) })
	got, err := s.Session(t.Context(), want.ID)
	if err != nil {
		t.Fatal(err)
	}
	wantEqual(t, got, want)
	if n, err := s.Reserved(t.Context(), want.ID); n != 4096 || err != nil {
		t.Errorf("reserved = %d, %v", n, err)
	}
	wantIs(t, try(s, func(b *store.Batch) { b.CreateSession(want, 1) }), domain.ErrConflict)
}

func TestSessionSettings(t *testing.T) {
	t.Parallel()
	s := open(t)
	session := addSession(t, s)
	commit(t, s, func(b *store.Batch) {
		b.SetTitle(session, "Derived", false)
		b.SetModel(session, "openai/o9")
		b.SetPolicy(session, domain.Policy{Mode: domain.ModeAuto})
		b.SetSystemPrompt(session, "You are Mix.")
		b.SetDirectory(session, "/elsewhere")
		b.SetCallbacks(session, []domain.Callback{{ToolName: "Edit", Type: "send_message"}})
		b.ReserveEvents(session, 9000)
		b.ReserveEvents(session, 5000)
	})
	got, err := s.Session(t.Context(), session)
	if err != nil {
		t.Fatal(err)
	}
	wantEqual(t, got, domain.Session{
		ID: session, Kind: domain.SessionMain, Title: "Derived", Model: "openai/o9", Directory: "/elsewhere",
		Policy: domain.Policy{Mode: domain.ModeAuto}, SystemPrompt: "You are Mix.",
		Callbacks: []domain.Callback{{ToolName: "Edit", Type: "send_message"}}, CreatedAt: at(0), UpdatedAt: at(0),
	})
	if n, _ := s.Reserved(t.Context(), session); n != 9000 {
		t.Errorf("reserved = %d, want the highest bound, 9000", n)
	}
	if err := s.Reserve(t.Context(), session, 9500); err != nil {
		t.Fatal(err)
	}
	if n, _ := s.Reserved(t.Context(), session); n != 9500 {
		t.Errorf("reserved = %d, want 9500", n)
	}
}

func TestDerivedTitleDoesNotReplaceAChosenOne(t *testing.T) {
	t.Parallel()
	s := open(t)
	session := addSession(t, s)
	for _, step := range []struct {
		title string
		given bool
		want  string
	}{{"derived", false, "derived"}, {"chosen", true, "chosen"}, {"derived again", false, "chosen"}, {"chosen again", true, "chosen again"}} {
		commit(t, s, func(b *store.Batch) { b.SetTitle(session, step.title, step.given) })
		got, err := s.Session(t.Context(), session)
		if err != nil || got.Title != step.want {
			t.Errorf("after %+v the title is %q (%v)", step, got.Title, err)
		}
	}
}

func TestUnknownSession(t *testing.T) {
	t.Parallel()
	s := open(t)
	for name, fill := range map[string]func(*store.Batch){
		"title":     func(b *store.Batch) { b.SetTitle("no", "x", true) },
		"model":     func(b *store.Batch) { b.SetModel("no", "x") },
		"policy":    func(b *store.Batch) { b.SetPolicy("no", domain.Policy{}) },
		"prompt":    func(b *store.Batch) { b.SetSystemPrompt("no", "x") },
		"directory": func(b *store.Batch) { b.SetDirectory("no", "x") },
		"callbacks": func(b *store.Batch) { b.SetCallbacks("no", nil) },
		"delete":    func(b *store.Batch) { b.DeleteSession("no") },
		"reserve":   func(b *store.Batch) { b.ReserveEvents("no", 1) },
		"message":   func(b *store.Batch) { b.AddMessage(text("no", domain.RoleUser, "hi", 1)) },
		"queue":     func(b *store.Batch) { b.QueueMessage(text("no", domain.RoleUser, "hi", 1)) },
		"place":     func(b *store.Batch) { b.PlaceMessage("no") },
		"unqueue":   func(b *store.Batch) { b.DeleteQueued("no") },
		"run":       func(b *store.Batch) { b.AddRun(domain.Run{ID: "r", SessionID: "no"}) },
		"update":    func(b *store.Batch) { b.UpdateRun(domain.Run{ID: "no"}) },
		"calls":     func(b *store.Batch) { b.AddCalls([]domain.ToolCall{{ID: "c", SessionID: "no", MessageID: "no"}}) },
		"start":     func(b *store.Batch) { b.StartCall("no", at(0)) },
		"set":       func(b *store.Batch) { b.SetCall("no", domain.CallAllowed) },
		"end":       func(b *store.Batch) { b.EndCall(domain.ToolCall{ID: "no", State: domain.CallFailed}) },
		"decision":  func(b *store.Batch) { b.AddDecision(domain.Decision{ID: "d", RequestID: "no"}) },
		"grant":     func(b *store.Batch) { b.AddGrant(domain.Grant{ID: "g", SessionID: "no"}) },
	} {
		t.Run(name, func(t *testing.T) { wantIs(t, try(s, fill), domain.ErrNotFound) })
	}
	for name, read := range map[string]func() error{
		"session":  func() error { _, err := s.Session(t.Context(), "no"); return err },
		"messages": func() error { _, err := s.Messages(t.Context(), "no", store.MessageRange{Queued: true}); return err },
		"history":  func() error { _, err := s.History(t.Context(), "no"); return err },
		"run":      func() error { _, err := s.Run(t.Context(), "no"); return err },
		"key":      func() error { _, err := s.RunByKey(t.Context(), "no", "k"); return err },
		"digest":   func() error { _, err := s.RunByDigest(t.Context(), "no", "d", at(0)); return err },
		"call":     func() error { _, err := s.Call(t.Context(), "no"); return err },
		"request":  func() error { _, _, err := s.Request(t.Context(), "no"); return err },
		"audit":    func() error { _, err := s.Audit(t.Context(), store.AuditFilter{Before: "no"}); return err },
		"reserved": func() error { _, err := s.Reserved(t.Context(), "no"); return err },
	} {
		t.Run("read "+name, func(t *testing.T) { wantIs(t, read(), domain.ErrNotFound) })
	}
}

func TestSessionsNewestFirst(t *testing.T) {
	t.Parallel()
	s := open(t)
	add := func(kind domain.SessionKind, dir string, second int) string {
		sess := domain.Session{ID: id("session"), Kind: kind, Directory: dir, CreatedAt: at(second), UpdatedAt: at(second)}
		commit(t, s, func(b *store.Batch) { b.CreateSession(sess, 1) })
		return sess.ID
	}
	a, b, c, d := add(domain.SessionMain, "/a", 1), add(domain.SessionMain, "/b", 2), add(domain.SessionSubagent, "/a", 3), add(domain.SessionMain, "/a", 4)
	commit(t, s, func(batch *store.Batch) { batch.AddMessage(text(a, domain.RoleUser, "again", 5)) }) // a is used again
	for _, test := range []struct {
		name   string
		filter store.SessionFilter
		want   []string
	}{
		{"main ones", store.SessionFilter{}, []string{a, d, b}},
		{"all", store.SessionFilter{Subagents: true}, []string{a, d, c, b}},
		{"of a directory", store.SessionFilter{Directory: "/a", Subagents: true}, []string{a, d, c}},
		{"two", store.SessionFilter{Limit: 2}, []string{a, d}},
		{"of no directory", store.SessionFilter{Directory: "/none"}, []string{}},
	} {
		sessions, err := s.Sessions(t.Context(), test.filter)
		if err != nil {
			t.Fatal(err)
		}
		got := make([]string, len(sessions))
		for i := range sessions {
			got[i] = sessions[i].ID
		}
		t.Run(test.name, func(t *testing.T) { wantEqual(t, got, test.want) })
	}
}

func TestDeleteSession(t *testing.T) {
	t.Parallel()
	s := open(t)
	gone, stays := addSession(t, s), addSession(t, s)
	requests := map[string]string{}
	for _, session := range []string{gone, stays} {
		c := addCall(t, s, session, domain.CallAsked)
		r := domain.Request{ID: id("request"), SessionID: session, SessionName: "Tidy up", CallID: c.ID, Asked: true, CreatedAt: at(1)}
		requests[session] = r.ID
		commit(t, s, func(b *store.Batch) {
			b.AddRun(domain.Run{ID: id("run"), SessionID: session, State: domain.RunRunning, CreatedAt: at(1)})
			b.AddRequest(r)
			b.AddDecision(domain.Decision{ID: id("decision"), RequestID: r.ID, SessionID: session, Outcome: domain.OutcomeAllow, CreatedAt: at(2)})
			b.AddGrant(domain.Grant{ID: id("grant"), SessionID: session, Rule: "Read(./**)", CreatedAt: at(2)})
			b.AddSegments([]eventlog.Segment{{SessionID: session, First: 1, Last: 5, Data: []byte("x"), CreatedAt: at(1)}})
		})
	}
	commit(t, s, func(b *store.Batch) { b.DeleteSession(gone) })

	_, err := s.Session(t.Context(), gone)
	wantIs(t, err, domain.ErrNotFound)
	for session, n := range map[string]int{gone: 0, stays: 1} {
		runs, err := s.Runs(t.Context(), session, 0)
		if err != nil || len(runs) != n {
			t.Errorf("%d runs (%v), want %d", len(runs), err, n)
		}
		grants, err := s.Grants(t.Context(), session, "")
		if err != nil || len(grants) != n {
			t.Errorf("%d grants (%v), want %d", len(grants), err, n)
		}
		segments, err := s.LoadSegments(t.Context(), session, 0, 1<<20)
		if err != nil || len(segments) != n {
			t.Errorf("%d segments (%v), want %d", len(segments), err, n)
		}
		messages, err := s.MessagesByEvent(t.Context(), session, -1, 10)
		if err != nil || len(messages) != n {
			t.Errorf("%d messages (%v), want %d", len(messages), err, n)
		}
		audit, err := s.Audit(t.Context(), store.AuditFilter{SessionID: session})
		if err != nil || len(audit) != 1 || audit[0].Decision == nil || audit[0].SessionName != "Tidy up" {
			t.Errorf("the audit of session %s is %+v (%v), want it to outlive the session", session, audit, err)
		}
	}
	calls, err := s.UnfinishedCalls(t.Context())
	if err != nil || len(calls) != 1 || calls[0].SessionID != stays {
		t.Errorf("unfinished calls = %+v (%v), want only those of the session that stays", calls, err)
	}
	if n, err := s.VerifyAudit(t.Context()); n != 4 || err != nil {
		t.Errorf("audit of %d rows, %v; want 4 rows that hold together", n, err)
	}
	if _, d, err := s.Request(t.Context(), requests[gone]); err != nil || d == nil {
		t.Errorf("request of a deleted session: decision %v, %v", d, err)
	}
}
