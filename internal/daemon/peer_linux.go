package daemon

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// canTellThePeer: the kernel knows whose every socket is.
const canTellThePeer = true

// judgePeer asks the kernel for the socket with exactly this pair of
// addresses, seen from its other end, and compares its owner.
func judgePeer(remote, local *net.TCPAddr) peerVerdict {
	uid, inode, err := socketOwner(remote, local)
	switch {
	case errors.Is(err, errNoSocket):
		return peerVerdict{gone: onThisMachine(remote.IP)}
	case err != nil:
		return peerVerdict{}
	}
	return peerVerdict{
		sameUser:   uid == uint32(os.Getuid()),
		descendant: startedHere(inode),
	}
}

// onThisMachine reports whether an address is one of this machine's own, so
// that the socket behind it must be here.
func onThisMachine(ip net.IP) bool {
	if ip.IsLoopback() {
		return true
	}
	own, err := net.InterfaceAddrs()
	if err != nil {
		return true
	}
	return slices.ContainsFunc(own, func(a net.Addr) bool {
		n, ok := a.(*net.IPNet)
		return ok && n.IP.Equal(ip)
	})
}

// errNoSocket: the kernel answered that there is no such open socket.
var errNoSocket = errors.New("the socket is not open")

// Layout of the kernel's socket diagnosis interface (linux/inet_diag.h).
const (
	diagByFamily   = 20 // SOCK_DIAG_BY_FAMILY
	diagRequestLen = 56 // struct inet_diag_req_v2
	diagMessageLen = 72 // struct inet_diag_msg
	diagUID        = 64 // offset of idiag_uid in inet_diag_msg
	diagInode      = 68 // offset of idiag_inode
	noCookie       = 0xff
)

// socketOwner returns the user and the inode of the socket whose own address
// is src and whose peer's is dst.
func socketOwner(src, dst *net.TCPAddr) (uid uint32, inode uint32, err error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return 0, 0, fmt.Errorf("open socket diagnosis: %w", err)
	}
	defer unix.Close(fd)
	// The kernel answers at once; the limit keeps a request from hanging
	// should it not.
	timeout := unix.Timeval{Sec: 1}
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout); err != nil {
		return 0, 0, fmt.Errorf("set a time limit: %w", err)
	}
	if err := unix.Sendto(fd, diagRequest(src, dst), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return 0, 0, fmt.Errorf("ask for the socket: %w", err)
	}
	buf := make([]byte, 1024)
	n, _, err := unix.Recvfrom(fd, buf, 0)
	if err != nil {
		return 0, 0, fmt.Errorf("read the answer: %w", err)
	}
	return parseDiag(buf[:n])
}

// diagRequest builds a request for one exact pair of addresses.
func diagRequest(src, dst *net.TCPAddr) []byte {
	b := make([]byte, unix.NLMSG_HDRLEN+diagRequestLen)
	native := binary.NativeEndian
	native.PutUint32(b[0:], uint32(len(b)))
	native.PutUint16(b[4:], diagByFamily)
	native.PutUint16(b[6:], unix.NLM_F_REQUEST)
	native.PutUint32(b[8:], 1)

	r := b[unix.NLMSG_HDRLEN:]
	family, srcIP, dstIP := byte(unix.AF_INET6), src.IP.To16(), dst.IP.To16()
	if v4, w4 := src.IP.To4(), dst.IP.To4(); v4 != nil && w4 != nil {
		family, srcIP, dstIP = unix.AF_INET, v4, w4
	}
	r[0], r[1] = family, unix.IPPROTO_TCP
	native.PutUint32(r[4:], 0xffffffff) // any state
	binary.BigEndian.PutUint16(r[8:], uint16(src.Port))
	binary.BigEndian.PutUint16(r[10:], uint16(dst.Port))
	copy(r[12:28], srcIP)
	copy(r[28:44], dstIP)
	for i := 48; i < 56; i++ {
		r[i] = noCookie
	}
	return b
}

// parseDiag reads the one message of an answer.
func parseDiag(b []byte) (uid uint32, inode uint32, err error) {
	if len(b) < unix.NLMSG_HDRLEN {
		return 0, 0, errors.New("short answer from socket diagnosis")
	}
	native := binary.NativeEndian
	if native.Uint16(b[4:]) != diagByFamily || len(b) < unix.NLMSG_HDRLEN+diagMessageLen {
		return 0, 0, errNoSocket
	}
	m := b[unix.NLMSG_HDRLEN:]
	uid, inode = native.Uint32(m[diagUID:]), native.Uint32(m[diagInode:])
	if inode == 0 {
		return 0, 0, errNoSocket // it lingers, but no process has it any more
	}
	return uid, inode, nil
}
