package daemon

import (
	"context"
	"net"
	"sync"
)

// peer is what the server knows of the process at the other end of a
// connection. It is judged once for each connection, at its first request.
type peer struct {
	remote, local net.Addr

	once    sync.Once
	verdict peerVerdict
}

// peerVerdict says who is at the other end, as far as the system tells.
type peerVerdict struct {
	// sameUser: the process runs as the user of this server.
	sameUser bool
	// descendant: the process was started by this server, through a tool, a
	// hook or a tool server. It may not drive the agent, with or without a
	// token.
	descendant bool
	// gone: the other end is on this machine, and closed its socket before
	// anybody could look whose it was. A command could send a request with a
	// stolen token that way, so it counts as one.
	gone bool
}

type peerKey struct{}

// withPeer is the server's ConnContext.
func withPeer(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, peerKey{}, &peer{remote: c.RemoteAddr(), local: c.LocalAddr()})
}

// peerOf returns the peer of a request; nil where the connection is unknown.
func peerOf(ctx context.Context) *peer {
	p, _ := ctx.Value(peerKey{}).(*peer)
	return p
}

// judge finds out who is at the other end. What cannot be found out counts as
// a stranger.
func (p *peer) judge() peerVerdict {
	p.once.Do(func() {
		remote, ok1 := p.remote.(*net.TCPAddr)
		local, ok2 := p.local.(*net.TCPAddr)
		if ok1 && ok2 {
			p.verdict = judgePeer(remote, local)
		}
	})
	return p.verdict
}
