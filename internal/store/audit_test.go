package store_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/store"
)

func request(session string) domain.Request {
	return domain.Request{
		ID: id("request"), SessionID: session, SessionName: "Tidy up", RunID: "run", CallID: "call", Kind: "permission",
		Tool: "Bash", Capability: domain.CanExecute, Target: "ls", Description: "List files", Input: json.RawMessage(`{"command":"ls"}`),
		Asked: true, Reason: "no rule", CreatedAt: at(1),
	}
}

func decision(r domain.Request) domain.Decision {
	return domain.Decision{
		ID: id("decision"), RequestID: r.ID, SessionID: r.SessionID, Outcome: domain.OutcomeAllow, By: "person",
		Rule: "Bash(ls:*)", Scope: domain.ScopeSession, Reason: "fine", Input: json.RawMessage(`{"command":"ls -l"}`), CreatedAt: at(2),
	}
}

func TestRequestAndDecision(t *testing.T) {
	t.Parallel()
	s := open(t)
	r := request("a session that need not exist")
	commit(t, s, func(b *store.Batch) { b.AddRequest(r) })
	got, d, err := s.Request(t.Context(), r.ID)
	if err != nil || d != nil {
		t.Fatal(d, err)
	}
	wantEqual(t, got, r)
	openOnes, err := s.OpenRequests(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	wantEqual(t, openOnes, []domain.Request{r})

	want := decision(r)
	grant := domain.Grant{ID: id("grant"), Project: "/work", Rule: "Bash(ls:*)", Outcome: domain.OutcomeAllow, RequestID: r.ID, CreatedAt: at(2)}
	if err := s.Decide(t.Context(), want, []domain.Grant{grant}); err != nil {
		t.Fatal(err)
	}
	if _, d, err = s.Request(t.Context(), r.ID); err != nil {
		t.Fatal(err)
	}
	wantEqual(t, d, &want)
	if openOnes, err = s.OpenRequests(t.Context()); err != nil || len(openOnes) > 0 {
		t.Errorf("open requests after the decision: %v, %v", openOnes, err)
	}
	grants, err := s.Grants(t.Context(), "any", "/work")
	if err != nil {
		t.Fatal(err)
	}
	wantEqual(t, grants, []domain.Grant{grant})

	other := decision(r)
	wantIs(t, s.Decide(t.Context(), other, []domain.Grant{{ID: id("grant"), Project: "/work", CreatedAt: at(3)}}), domain.ErrConflict)
	if grants, err = s.Grants(t.Context(), "any", "/work"); err != nil || len(grants) != 1 {
		t.Errorf("a refused decision left its grant behind: %v, %v", grants, err)
	}
	if n, err := s.VerifyAudit(t.Context()); n != 2 || err != nil {
		t.Errorf("audit of %d rows, %v; want 2", n, err)
	}
}

func TestRequestsThatNobodyWasAskedAreNotOpen(t *testing.T) {
	t.Parallel()
	s := open(t)
	r := request("s")
	r.Asked = false
	commit(t, s, func(b *store.Batch) { b.AddRequest(r) })
	if got, err := s.OpenRequests(t.Context()); err != nil || len(got) > 0 {
		t.Errorf("open requests: %v, %v", got, err)
	}
}

func TestGrants(t *testing.T) {
	t.Parallel()
	s := open(t)
	a, b := addSession(t, s), addSession(t, s)
	ofA := domain.Grant{ID: id("grant"), SessionID: a, Rule: "Read(./**)", CreatedAt: at(2)}
	ofAAndProject := domain.Grant{ID: id("grant"), SessionID: a, Project: "/work", Rule: "Read(./**)", CreatedAt: at(3)}
	ofWork := domain.Grant{ID: id("grant"), Project: "/work", Rule: "Edit", CreatedAt: at(1)}
	ofElse := domain.Grant{ID: id("grant"), Project: "/else", Rule: "Edit", CreatedAt: at(1)}
	commit(t, s, func(batch *store.Batch) {
		for _, g := range []domain.Grant{ofA, ofAAndProject, ofWork, ofElse} {
			batch.AddGrant(g)
		}
	})
	for _, test := range []struct {
		session, project string
		want             []domain.Grant
	}{
		{a, "/work", []domain.Grant{ofWork, ofA, ofAAndProject}},
		{b, "/work", []domain.Grant{ofWork}},
		{b, "/else", []domain.Grant{ofElse}},
		{b, "", []domain.Grant{}},
		{"", "", []domain.Grant{}},
	} {
		got, err := s.Grants(t.Context(), test.session, test.project)
		if err != nil {
			t.Fatal(err)
		}
		wantEqual(t, got, test.want)
	}
}

func TestAuditPages(t *testing.T) {
	t.Parallel()
	s := open(t)
	var all []domain.Request
	for i := range 6 {
		r := request(fmt.Sprint("session ", i%2))
		all = append(all, r)
		commit(t, s, func(b *store.Batch) {
			b.AddRequest(r)
			if i > 0 {
				b.AddDecision(decision(r))
			}
		})
	}
	for name, test := range map[string]struct {
		filter store.AuditFilter
		want   []int
	}{
		"all":           {store.AuditFilter{}, []int{5, 4, 3, 2, 1, 0}},
		"two":           {store.AuditFilter{Limit: 2}, []int{5, 4}},
		"of a session":  {store.AuditFilter{SessionID: "session 0"}, []int{4, 2, 0}},
		"the next page": {store.AuditFilter{Before: all[4].ID, Limit: 2}, []int{3, 2}},
		"before, of it": {store.AuditFilter{Before: all[4].ID, SessionID: "session 0"}, []int{2, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			rows, err := s.Audit(t.Context(), test.filter)
			if err != nil || len(rows) != len(test.want) {
				t.Fatalf("%d rows, %v", len(rows), err)
			}
			for i, row := range rows {
				wantEqual(t, row.Request, all[test.want[i]])
				if (row.Decision == nil) != (test.want[i] == 0) {
					t.Errorf("decision on request %d: %v", test.want[i], row.Decision)
				}
			}
		})
	}
}

func TestAuditIsAppendOnly(t *testing.T) {
	t.Parallel()
	s := open(t)
	r := request("s")
	commit(t, s, func(b *store.Batch) { b.AddRequest(r); b.AddDecision(decision(r)) })
	raw := rawDB(t, s.Path())
	for _, statement := range []string{
		"UPDATE requests SET target = 'rm'", "DELETE FROM requests",
		"UPDATE decisions SET outcome = 'deny'", "DELETE FROM decisions",
	} {
		if _, err := raw.Exec(statement); err == nil || !strings.Contains(err.Error(), "only ever added") {
			t.Errorf("%s: %v, want it refused", statement, err)
		}
	}
}

func TestVerifyAuditFindsChanges(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		tamper []string
		want   store.ChainError
	}{
		"nothing":       {nil, store.ChainError{}},
		"a request":     {[]string{"DROP TRIGGER requests_stay", "UPDATE requests SET target = 'innocent' WHERE position = 1201"}, store.ChainError{Position: 1201, Row: "request r1201"}},
		"a decision":    {[]string{"DROP TRIGGER decisions_stay", "UPDATE decisions SET outcome = 'deny' WHERE position = 2"}, store.ChainError{Position: 2, Row: "decision d2"}},
		"a row is gone": {[]string{"DROP TRIGGER decisions_remain", "DELETE FROM decisions WHERE position = 4"}, store.ChainError{Position: 4}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t)
			commit(t, s, func(b *store.Batch) {
				for position := 1; position < 1400; position += 2 { // more than a page of each
					r := request("s")
					r.ID = fmt.Sprint("r", position)
					d := decision(r)
					d.ID = fmt.Sprint("d", position+1)
					b.AddRequest(r)
					b.AddDecision(d)
				}
			})
			raw := rawDB(t, s.Path())
			for _, statement := range test.tamper {
				if _, err := raw.Exec(statement); err != nil {
					t.Fatal(err)
				}
			}
			n, err := s.VerifyAudit(t.Context())
			var broken *store.ChainError
			switch {
			case errors.As(err, &broken):
				wantEqual(t, *broken, test.want)
			case err != nil || test.tamper != nil || n != 1400:
				t.Errorf("verified %d rows, %v", n, err)
			}
		})
	}
}

func TestChainSurvivesConcurrencyAndFailures(t *testing.T) {
	t.Parallel()
	s := open(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 20 {
				r := request("s")
				err := try(s, func(b *store.Batch) {
					b.AddRequest(r)
					b.AddDecision(decision(r))
					if i%4 == 0 {
						b.AddDecision(decision(r)) // a second one: the batch fails
					}
				})
				if i%4 == 0 {
					wantIs(t, err, domain.ErrConflict)
				} else if err != nil {
					t.Error(err)
				}
				if _, err := s.VerifyAudit(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if n, err := s.VerifyAudit(t.Context()); n != 8*15*2 || err != nil {
		t.Errorf("audit of %d rows, %v; want %d", n, err, 8*15*2)
	}
}
