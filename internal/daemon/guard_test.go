package daemon_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/mixagent/mix/internal/daemon"
)

// TestGuardHosts: a page whose name leads to this machine is not this machine.
func TestGuardHosts(t *testing.T) {
	t.Parallel()
	s := startWith(t, daemon.Config{}, object{"server": object{
		"allowedHosts": []string{"mix.example.com", "Other.example:9999"}, "trustLoopback": true,
	}})
	c := s.client()
	for _, tt := range []struct {
		host    string
		allowed bool
	}{
		{"127.0.0.1", true},
		{strings.TrimPrefix(s.URL(), "http://"), true},
		{"127.8.9.10:80", true},
		{"localhost", true},
		{"LocalHost:8088", true},
		{"localhost.", true},
		{"[::1]", true},
		{"[::1]:8088", true},
		{"[::ffff:127.0.0.1]", true},
		{"mix.example.com", true},
		{"MIX.example.com:8088", true},
		{"other.example:9999", true},

		{"127.evil.com", false},
		{"127.0.0.1.evil.com", false},
		{"127.0.0.1.nip.io:8088", false},
		{"localhost.evil.com", false},
		{"evil.com", false},
		{"evil.com:8088", false},
		{"xmix.example.com", false},
		{"mix.example.com.evil.com", false},
		{"other.example", false},
		{"other.example:9998", false},
		{"127.1", false},
		{"2130706433", false},
		{"0x7f000001", false},
		{"0.0.0.0", false},
		{"[::]", false},
		{"[::ffff:192.168.1.1]", false},
		{"192.168.1.1", false},
		{"[::1].evil.com", false},
	} {
		req := c.request("GET", "/api/sessions", "")
		req.Host = tt.host
		if tt.allowed {
			c.do(req, http.StatusOK, listOf(sessionSchema.check))
			continue
		}
		e := c.do(req, http.StatusUnauthorized, nil)["error"].(map[string]any)
		if e["type"] != "unauthorized" || !strings.Contains(e["message"].(string), "Host") {
			t.Errorf("%s: %v", tt.host, e)
		}
	}
	conn := dial(t, s)
	fmt.Fprint(conn, "GET /api/sessions HTTP/1.0\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp.Body.Close(); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("no Host at all: status %d", resp.StatusCode)
	}
}

// TestGuardTokens: what a program sends, and what a browser adds.
func TestGuardTokens(t *testing.T) {
	t.Parallel()
	const friend = "https://friend.example"
	s := startWith(t, daemon.Config{}, object{"server": object{
		"allowedOrigins": []string{friend}, "trustLoopback": true,
	}})
	c := s.client()
	good := "Bearer " + s.Token()
	for _, tt := range []struct {
		auth, origin, site string
		allowed            bool
	}{
		{"", "", "", true}, // a program of the same user
		{good, "", "", true},
		{"bearer " + s.Token(), "", "", true},
		{"Bearer " + s.Token() + "x", "", "", false},
		{"Bearer " + s.Token()[1:], "", "", false},
		{"Bearer ", "", "", false},
		{"Basic dXNlcjpwdw==", "", "", false},
		{s.Token(), "", "", false},

		{"", friend, "", false},
		{"", "", "none", false},
		{"", "", "same-origin", false},
		{"", "", "cross-site", false},
		{"", "null", "", false},
		{"", s.URL(), "same-origin", false},

		{good, friend, "cross-site", true},
		{good, friend, "", true},
		{good, s.URL(), "same-origin", true},
		{good, "", "same-origin", true},
		{good, "", "none", true},
		{good, "", "cross-site", false},
		{good, "", "same-site", false},
		{good, "https://evil.example", "", false},
		{good, "https://friend.example.evil.example", "", false},
		{good, "http://friend.example", "", false},
		{good, "null", "", false},
		{"Bearer wrong", friend, "", false},
	} {
		req := c.request("GET", "/api/sessions", "")
		for name, value := range map[string]string{"Authorization": tt.auth, "Origin": tt.origin, "Sec-Fetch-Site": tt.site} {
			if value != "" {
				req.Header.Set(name, value)
			}
		}
		status := http.StatusOK
		if !tt.allowed {
			status = http.StatusUnauthorized
		}
		c.do(req, status, listOf(sessionSchema.check))
	}
}

// TestGuardPreflight: only an allowed origin learns what it may send, and only
// it may read answers.
func TestGuardPreflight(t *testing.T) {
	t.Parallel()
	s := startWith(t, daemon.Config{}, object{"server": object{
		"allowedOrigins": []string{"https://friend.example"}, "trustLoopback": true,
	}})
	c := s.client()
	for _, tt := range []struct {
		origin string
		status int
		allow  string
	}{
		{"https://friend.example", http.StatusNoContent, "https://friend.example"},
		{"https://evil.example", http.StatusUnauthorized, ""},
	} {
		req := c.request("OPTIONS", "/api/sessions", "")
		req.Header.Set("Origin", tt.origin)
		req.Header.Set("Access-Control-Request-Method", "POST")
		resp, err := c.http.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != tt.status || resp.Header.Get("Access-Control-Allow-Origin") != tt.allow {
			t.Errorf("%s: %d %v", tt.origin, resp.StatusCode, resp.Header)
		}
		if tt.allow != "" && !strings.Contains(resp.Header.Get("Access-Control-Allow-Headers"), "Last-Event-ID") {
			t.Errorf("a stream could not be resumed: %v", resp.Header)
		}
	}
}

// TestGuardOtherAddresses: what does not come over loopback needs the token,
// and a Host that is allowed.
func TestGuardOtherAddresses(t *testing.T) {
	t.Parallel()
	ip := ownAddress(t)
	here := start(t, daemon.Config{Addr: net.JoinHostPort(ip, "0")})
	c := here.client()
	c.call("GET", "/health", "", http.StatusOK, healthSchema.check)
	if _, text := c.refused("GET", "/api/sessions", "", http.StatusUnauthorized); !strings.Contains(text, "Authorization: Bearer") {
		t.Errorf("without the token: %s", text)
	}
	withToken := func(c *strictClient, s *server) *http.Request {
		req := c.request("GET", "/api/sessions", "")
		req.Header.Set("Authorization", "Bearer "+s.Token())
		return req
	}
	c.do(withToken(c, here), http.StatusOK, listOf(sessionSchema.check))

	// A server for all addresses is reached at the one it names.
	everywhere := start(t, daemon.Config{Addr: "0.0.0.0:0"})
	everywhere.client().call("GET", "/api/sessions", "", http.StatusOK, listOf(sessionSchema.check))
	c = everywhere.client()
	_, port, err := net.SplitHostPort(strings.TrimPrefix(everywhere.URL(), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	c.base = "http://" + net.JoinHostPort(ip, port)
	c.do(withToken(c, everywhere), http.StatusUnauthorized, nil) // nobody configured this Host
	req := withToken(c, everywhere)
	req.Host = "localhost"
	c.do(req, http.StatusOK, listOf(sessionSchema.check))
	req = c.request("GET", "/api/sessions", "")
	req.Host = "localhost" // a rebound name, or a neighbour who guesses
	c.do(req, http.StatusUnauthorized, nil)
}

// ownAddress returns an address of this machine that is not loopback.
func ownAddress(t *testing.T) string {
	t.Helper()
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(addrs, func(a net.Addr) bool {
		n, ok := a.(*net.IPNet)
		return ok && n.IP.To4() != nil && n.IP.IsGlobalUnicast()
	})
	if i < 0 {
		skipOrFail(t, "this machine has no address but loopback")
	}
	return addrs[i].(*net.IPNet).IP.String()
}
