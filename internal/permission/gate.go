package permission

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/mixagent/mix/internal/domain"
)

// Gate decides and waits. It is safe for concurrent use.
type Gate struct {
	o      Options
	places places

	mu sync.Mutex
	// version counts the grants that were recorded, so that what was worked
	// out from older ones is seen to be old.
	version  uint64
	sessions map[string]*session
	waiting  map[string]*waiter // by request
	ended    recent
	// anywhere counts approvers of the whole program.
	anywhere presence
}

// session is what the gate remembers of a session.
type session struct {
	presence presence
	grants   grantList
	bound    *boundRules
	// gone is true for a deleted session whose clients are still connected.
	gone bool
}

// NewGate returns a gate. It panics without Records or Events.
func NewGate(o Options) *Gate {
	if o.Records == nil || o.Events == nil {
		panic("permission: a gate needs records and events")
	}
	if o.Expiry <= 0 {
		o.Expiry = 30 * time.Second
	}
	if o.Grace <= 0 {
		o.Grace = 10 * time.Minute
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Gate{
		o:        o,
		places:   newPlaces(o.Home, o.Protected),
		sessions: make(map[string]*session),
		waiting:  make(map[string]*waiter),
	}
}

func (g *Gate) now() time.Time { return g.o.Now().UTC().Truncate(time.Millisecond) }

// state returns the session's entry. g.mu is held.
func (g *Gate) state(id string) *session {
	st := g.sessions[id]
	if st == nil {
		st = &session{}
		g.sessions[id] = st
	}
	return st
}

// Forget drops what is remembered of a deleted session. Its waiting requests
// end when the contexts of their calls do.
func (g *Gate) Forget(session string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	st := g.sessions[session]
	if st == nil {
		return
	}
	if st.presence.clients == 0 {
		delete(g.sessions, session)
		return
	}
	st.grants, st.bound, st.gone = grantList{}, nil, true
}

// grantList is the standing answers of one session, as far as they were read.
type grantList struct {
	project string
	loaded  bool
	rows    []domain.Grant // never changed in place
	// fresh are those recorded here since, also before the first reading.
	fresh []domain.Grant
}

// GrantDirectory returns the grant of reads below dir, which is resolved. The
// gate counts it from now on; the caller commits the row, together with the
// session where that is new.
func (g *Gate) GrantDirectory(session, dir string) domain.Grant {
	row := domain.Grant{
		ID: domain.NewID(), SessionID: session, Rule: directoryRule(dir),
		Outcome: domain.OutcomeAllow, CreatedAt: g.now(),
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.record(session, "", row)
	return row
}

// record makes grants count from now on. g.mu is held.
func (g *Gate) record(session, project string, rows ...domain.Grant) {
	g.version++
	for _, row := range rows {
		if row.Project == "" {
			st := g.state(session)
			st.grants.fresh = append(st.grants.fresh, row)
			st.grants.add(row)
			continue
		}
		for _, st := range g.sessions {
			if st.grants.project == project {
				st.grants.add(row)
			}
		}
	}
}

func (l *grantList) add(row domain.Grant) {
	if l.loaded {
		l.rows = append(slices.Clip(l.rows), row)
	}
}

// grants returns the standing answers of a session and its project; the store
// is asked once.
func (g *Gate) grants(ctx context.Context, id, project string) ([]domain.Grant, error) {
	for {
		g.mu.Lock()
		st, version := g.state(id), g.version
		if st.grants.loaded && st.grants.project == project {
			rows := st.grants.rows
			g.mu.Unlock()
			return rows, nil
		}
		g.mu.Unlock()

		rows, err := g.o.Records.Grants(ctx, id, project)
		if err != nil {
			return nil, err
		}
		g.mu.Lock()
		st = g.state(id)
		if version != g.version {
			g.mu.Unlock()
			continue // somebody recorded a grant while we read
		}
		for _, f := range st.grants.fresh {
			if !slices.ContainsFunc(rows, func(r domain.Grant) bool { return r.ID == f.ID }) {
				rows = append(rows, f)
			}
		}
		st.grants.rows, st.grants.project, st.grants.loaded = rows, project, true
		g.mu.Unlock()
		return rows, nil
	}
}
