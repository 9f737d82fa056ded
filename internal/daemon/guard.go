package daemon

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/mixagent/mix/internal/discovery"
)

// guard decides who may talk to the server, before anything else looks at a
// request:
//
//   - The Host header names this machine or a configured host. Otherwise a web
//     page could reach the server under a name of its own (DNS rebinding).
//   - A process that this server started is refused, with or without a token:
//     what an agent runs must not be able to answer the agent's questions. So
//     is one of this machine that closed its socket before it was looked at.
//   - A request of a browser needs the token and an allowed origin, on loopback
//     too.
//   - Any other request needs the token, or comes over loopback from a process
//     of the same user. Published clients cannot send a token. Where the system
//     cannot tell whose process it is, the setting server.trustLoopback decides.
type guard struct {
	next           http.Handler
	refuse         func(w http.ResponseWriter, status int, message string)
	token          string
	hosts          []string // configured names, with or without a port, lower case
	origins        []string // configured origins, and the server's own
	trustLoopback  bool
	canTellThePeer bool
}

// ServeHTTP passes the request on or refuses it.
func (g *guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !g.hostAllowed(r.Host) {
		g.refuse(w, http.StatusUnauthorized, "the Host header names neither this machine nor a configured host; "+
			"use http://127.0.0.1, or add the name to server.allowedHosts")
		return
	}
	p := peerOf(r.Context())
	if p != nil && p.judge().descendant {
		g.refuse(w, http.StatusUnauthorized, "a process started by Mix may not use Mix's server")
		return
	}
	if p != nil && p.judge().gone {
		g.refuse(w, http.StatusUnauthorized, "the process behind this connection cannot be found; keep the connection open until the answer is there")
		return
	}
	if origin := r.Header.Get("Origin"); origin != "" && g.originAllowed(origin) {
		allowOrigin(w.Header(), origin)
		if r.Method == http.MethodOptions {
			w.WriteHeader(http.StatusNoContent)
			return
		}
	}
	if err := g.authenticate(r, p); err != nil {
		g.refuse(w, http.StatusUnauthorized, err.Error())
		return
	}
	g.next.ServeHTTP(w, r)
}

// authenticate says why a request may not pass.
func (g *guard) authenticate(r *http.Request, p *peer) error {
	sent, err := bearer(r)
	if err != nil {
		return err
	}
	if sent != "" && !discovery.EqualToken(sent, g.token) {
		return errors.New("the token is not this server's; read it from server.lock in the data directory, or set MIX_TOKEN")
	}
	if err := g.checkBrowser(r, sent != ""); err != nil {
		return err
	}
	if sent != "" || r.URL.Path == "/health" {
		return nil
	}
	if p == nil || !isLoopback(p.remote) {
		return errors.New("a request from another machine needs the token: send Authorization: Bearer TOKEN")
	}
	if g.canTellThePeer {
		if !p.judge().sameUser {
			return errors.New("a request of another user needs the token: send Authorization: Bearer TOKEN")
		}
		return nil
	}
	if !g.trustLoopback {
		return errors.New("send Authorization: Bearer TOKEN (see server.lock in the data directory); " +
			"this system cannot tell whose process a request comes from, and server.trustLoopback is off")
	}
	return nil
}

// checkBrowser applies the stricter rule for requests that a page can make.
func (g *guard) checkBrowser(r *http.Request, token bool) error {
	origin, site := r.Header.Get("Origin"), r.Header.Get("Sec-Fetch-Site")
	if origin == "" && site == "" {
		return nil
	}
	switch {
	case !token:
		return errors.New("a request of a browser needs the token: send Authorization: Bearer TOKEN")
	case origin != "" && !g.originAllowed(origin):
		return errors.New("the origin " + origin + " is not allowed; add it to server.allowedOrigins")
	case origin == "" && site != "same-origin" && site != "none":
		return errors.New("a request from another site is not allowed")
	}
	return nil
}

// hostAllowed compares the host itself, never a part of it: "127.evil.com" is
// not this machine.
func (g *guard) hostAllowed(hostport string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	host = strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
	if host == "localhost" || slices.Contains(g.hosts, host) || slices.Contains(g.hosts, strings.ToLower(hostport)) {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

func (g *guard) originAllowed(origin string) bool {
	return slices.Contains(g.origins, strings.ToLower(origin))
}

// allowOrigin lets a page of an allowed origin read answers and reconnect to
// streams.
func allowOrigin(h http.Header, origin string) {
	h.Set("Access-Control-Allow-Origin", origin)
	h.Add("Vary", "Origin")
	h.Set("Access-Control-Allow-Methods", "GET, POST, PUT, PATCH, DELETE, OPTIONS")
	h.Set("Access-Control-Allow-Headers", "Content-Type, Authorization, Idempotency-Key, Last-Event-ID, Cache-Control")
	h.Set("Access-Control-Expose-Headers", "Content-Disposition")
	h.Set("Access-Control-Max-Age", "86400")
}

// bearer returns the token of the request, "" where it has none.
func bearer(r *http.Request) (string, error) {
	h := r.Header.Get("Authorization")
	if h == "" {
		return "", nil
	}
	scheme, token, ok := strings.Cut(h, " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") || strings.TrimSpace(token) == "" {
		return "", errors.New("the Authorization header must read: Bearer TOKEN")
	}
	return strings.TrimSpace(token), nil
}

func isLoopback(a net.Addr) bool {
	tcp, ok := a.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}
