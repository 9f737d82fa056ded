package permission

import (
	"net/netip"
	"net/url"
	"strings"
)

// hostOf returns the host of a URL in lower case, or a problem that a person
// should see before anything is fetched.
func hostOf(raw string) (host, problem string) {
	u, err := url.Parse(strings.TrimSpace(raw))
	if err != nil {
		return "", "the URL cannot be read"
	}
	host = strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return host, "the URL is not http or https"
	case host == "":
		return "", "the URL names no host"
	case u.User != nil:
		return host, "the URL carries a user name or password"
	}
	return host, ""
}

// privateHost reports whether a host name means this machine or its network:
// special names, private and link-local addresses, and numbers that resolvers
// take for addresses. Names that resolve to such an address are caught when
// the connection is made.
func privateHost(host string) bool {
	if addr, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		addr = addr.Unmap()
		return addr.IsPrivate() || addr.IsLoopback() || addr.IsLinkLocalUnicast() || addr.IsMulticast() ||
			addr.IsUnspecified() || addr.IsInterfaceLocalMulticast() || sharedAddress(addr)
	}
	last := host[strings.LastIndexByte(host, '.')+1:]
	switch last {
	case "localhost", "local", "internal", "intranet", "lan", "home", "corp", "localdomain", "arpa", "":
		return true
	}
	if !strings.Contains(host, ".") {
		return true
	}
	// "0x7f.1", "2130706433" and the like are addresses to many resolvers.
	return last[0] >= '0' && last[0] <= '9'
}

// sharedAddress reports 0.0.0.0/8, 100.64.0.0/10 (carrier NAT), 192.0.0.0/24
// and the address translation range of IPv6.
func sharedAddress(a netip.Addr) bool {
	for _, p := range [...]string{"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "240.0.0.0/4", "64:ff9b::/96", "fec0::/10"} {
		if netip.MustParsePrefix(p).Contains(a) {
			return true
		}
	}
	return false
}

// matchHost reports whether a rule's domain means the host: the same name, or
// with "*." any name below it.
func matchHost(pattern, host string) bool {
	if suffix, ok := strings.CutPrefix(pattern, "*"); ok {
		return strings.HasSuffix(host, suffix)
	}
	return pattern == host
}
