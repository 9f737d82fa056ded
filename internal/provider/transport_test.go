package provider_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mixagent/mix/internal/provider"
)

// post calls an endpoint and reads the answer to its end.
func post(ctx context.Context, e *provider.Endpoint) (string, error) {
	body, err := e.Post(ctx, "model", "/v1/x", http.Header{}, []byte("{}"))
	if err != nil {
		return "", err
	}
	defer body.Close()
	data, err := io.ReadAll(body)
	return string(data), err
}

func kindOf(err error) provider.Kind {
	var failure *provider.Error
	if errors.As(err, &failure) {
		return failure.Kind
	}
	return ""
}

// TestIdle drives a whole HTTP connection in virtual time.
func TestIdle(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		serve func(w io.Writer, wait func(time.Duration))
		want  provider.Kind
		after time.Duration
	}{
		"no answer": {func(io.Writer, func(time.Duration)) {}, provider.KindIdle, provider.DefaultIdle},
		"silence after the head": {
			func(w io.Writer, _ func(time.Duration)) {
				_, _ = io.WriteString(w, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
			}, provider.KindIdle, provider.DefaultIdle,
		},
		"silence after slow pieces": {
			func(w io.Writer, wait func(time.Duration)) {
				_, _ = io.WriteString(w, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
				for range 10 {
					wait(provider.DefaultIdle - time.Second)
					_, _ = io.WriteString(w, "1\r\na\r\n")
				}
			}, provider.KindIdle, 11*provider.DefaultIdle - 10*time.Second,
		},
		"slow but whole": {
			func(w io.Writer, wait func(time.Duration)) {
				wait(provider.DefaultIdle - time.Second)
				_, _ = io.WriteString(w, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
				wait(provider.DefaultIdle - time.Second)
				_, _ = io.WriteString(w, "1\r\na\r\n0\r\n\r\n")
			}, "", 2*provider.DefaultIdle - 2*time.Second,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ours, theirs := net.Pipe()
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan struct{})
				go func() {
					defer close(done)
					req, err := http.ReadRequest(bufio.NewReader(theirs))
					if err != nil {
						return
					}
					_, _ = io.Copy(io.Discard, req.Body)
					tt.serve(theirs, func(d time.Duration) {
						select {
						case <-time.After(d):
						case <-ctx.Done():
						}
					})
				}()
				client := &http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return ours, nil }}}
				start := time.Now()
				_, err := post(ctx, &provider.Endpoint{Vendor: "v", BaseURL: "http://v.test", Client: client})
				if kindOf(err) != tt.want || time.Since(start) != tt.after {
					t.Errorf("%v after %v, want %q after %v", err, time.Since(start), tt.want, tt.after)
				}
				cancel()
				client.CloseIdleConnections()
				_ = theirs.Close()
				<-done
				synctest.Wait()
			})
		})
	}
}

// TestSlowReader shows that the time a reader takes is not the vendor's.
func TestSlowReader(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client := &http.Client{Transport: answer("abc")}
		e := &provider.Endpoint{Vendor: "v", BaseURL: "http://v.test", Client: client}
		body, err := e.Post(t.Context(), "m", "/", http.Header{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer body.Close()
		for range 3 {
			time.Sleep(10 * provider.DefaultIdle)
			if _, err := body.Read(make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// answer is a vendor in memory. Its body ends with its context.
type answer string

func (a answer) RoundTrip(r *http.Request) (*http.Response, error) {
	body := &boundBody{ctx: r.Context(), Reader: strings.NewReader(string(a))}
	return &http.Response{StatusCode: http.StatusOK, Body: body, Header: http.Header{}, Request: r}, nil
}

type boundBody struct {
	ctx context.Context
	io.Reader
}

func (b *boundBody) Read(p []byte) (int, error) {
	if err := b.ctx.Err(); err != nil {
		return 0, err
	}
	return b.Reader.Read(p)
}

func (b *boundBody) Close() error { return nil }

func TestClientAvoidsProxyOnLoopback(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "direct") }))
	defer server.Close()
	client := provider.NewHTTPClient()
	defer client.CloseIdleConnections()
	for _, base := range []string{server.URL, strings.Replace(server.URL, "127.0.0.1", "localhost", 1)} {
		got, err := post(t.Context(), &provider.Endpoint{Vendor: "v", BaseURL: base, Client: client})
		if got != "direct" || err != nil {
			t.Errorf("%s: %q, %v", base, got, err)
		}
	}
	_, err := post(t.Context(), &provider.Endpoint{Vendor: "v", BaseURL: "http://vendor.test", Client: client})
	if kindOf(err) != provider.KindNetwork || !strings.Contains(err.Error(), "proxyconnect") {
		t.Errorf("an address elsewhere does not go through the proxy: %v", err)
	}
}

func TestTargets(t *testing.T) {
	t.Parallel()
	var path string
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { path = r.URL.String() }))
	defer server.Close()
	client := provider.NewHTTPClient()
	defer client.CloseIdleConnections()
	for base, want := range map[string]string{
		server.URL:                      "/v1/x",
		server.URL + "/":                "/v1/x",
		server.URL + "/a/b/":            "/a/b/v1/x",
		server.URL + "/a?api-version=1": "/a/v1/x?api-version=1",
		server.URL + "/a#fragment":      "/a/v1/x",
	} {
		if _, err := post(t.Context(), &provider.Endpoint{Vendor: "v", BaseURL: base, Client: client}); err != nil || path != want {
			t.Errorf("%s calls %s, want %s: %v", base, path, want, err)
		}
	}
	for _, base := range []string{"", "vendor.test", "ftp://vendor.test", "http://", "http:///x", "http://a b", "://"} {
		_, err := post(t.Context(), &provider.Endpoint{Vendor: "v", BaseURL: base, BaseEnv: "V_BASE_URL", Client: client})
		if kindOf(err) != provider.KindBadRequest || !strings.Contains(err.Error(), "base URL") {
			t.Errorf("%q gives %v", base, err)
		}
	}
}

// TestUnknownHost checks that a name that does not exist is not called again.
func TestUnknownHost(t *testing.T) {
	t.Parallel()
	client := &http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "vendor.test", IsNotFound: true}}
	}}}
	_, err := post(t.Context(), &provider.Endpoint{Vendor: "v", BaseURL: "http://vendor.test", Client: client})
	var failure *provider.Error
	if !errors.As(err, &failure) || failure.Kind != provider.KindNetwork || failure.Transient() {
		t.Errorf("got %v", err)
	}
}
