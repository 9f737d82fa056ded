package permission

import (
	"sync"
	"time"
)

// presence is who is there to answer for a session.
type presence struct {
	clients   int // connected streams
	approvers int // those of them that said they can answer
	// answered is true once a person answered a request of the session; from
	// then on every client of it counts.
	answered bool
	// left is when the last one who can answer went; zero means never there.
	left time.Time
}

func (p *presence) present() bool {
	return p.approvers > 0 || p.answered && p.clients > 0
}

// Attach tells that a client's stream of the session is connected, until
// detach is called (once or more). An approver is a client that said it can
// answer. The session "" stands for the whole program: an approver there can
// answer for every session.
func (g *Gate) Attach(session string, approver bool) (detach func()) {
	g.attach(session, approver, 1)
	return sync.OnceFunc(func() { g.attach(session, approver, -1) })
}

func (g *Gate) attach(id string, approver bool, n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	p := &g.anywhere
	if id != "" {
		p = &g.state(id).presence
	}
	before := p.present()
	p.clients += n
	if approver {
		p.approvers += n
	}
	if before && !p.present() {
		p.left = time.Now()
	}
	if st := g.sessions[id]; st != nil && st.gone && p.clients == 0 {
		delete(g.sessions, id)
	}
	g.wake()
}

// HasApprover reports whether somebody who can answer for the session is
// connected now.
func (g *Gate) HasApprover(session string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.approver(session)
}

func (g *Gate) approver(sessions ...string) bool {
	if g.anywhere.present() {
		return true
	}
	for _, id := range sessions {
		if st := g.sessions[id]; st != nil && st.presence.present() {
			return true
		}
	}
	return false
}

// expires returns when a request ends by itself: never (the zero time) while
// somebody can answer, else after the expiry, counted from when the request
// was made or, if that is later, from when those who left stopped counting.
// g.mu is held.
func (g *Gate) expires(w *waiter) time.Time {
	if g.approver(w.sessions...) {
		return time.Time{}
	}
	from := w.asked
	for _, p := range g.presences(w.sessions) {
		if !p.left.IsZero() {
			if until := p.left.Add(g.o.Grace); until.After(from) {
				from = until
			}
		}
	}
	return from.Add(g.o.Expiry)
}

func (g *Gate) presences(sessions []string) []*presence {
	out := []*presence{&g.anywhere}
	for _, id := range sessions {
		if st := g.sessions[id]; st != nil {
			out = append(out, &st.presence)
		}
	}
	return out
}

// wake tells every waiting request to look at its expiry again. g.mu is held.
func (g *Gate) wake() {
	for _, w := range g.waiting {
		select {
		case w.changed <- struct{}{}:
		default:
		}
	}
}
