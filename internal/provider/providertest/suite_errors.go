package providertest

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/mixagent/mix/internal/provider"
)

func (w Wire) testRefusals(t *testing.T) {
	common := []Refusal{
		{"unreadable", 418, "teapot", provider.KindBadRequest, "teapot"},
		{"web page", 404, "<html>nginx</html>", provider.KindNotFound, "404"},
		{"gateway", 502, "<html>Bad Gateway</html>", provider.KindOverloaded, "502"},
		{"gateway time-out", 504, "", provider.KindOverloaded, "504"},
		{"too large", 413, "", provider.KindContextTooLong, "413"},
		{"no content", 204, "", provider.KindBadRequest, "204"},
		{"control characters", 400, "a\x1b[31mb\u202ec\nd", provider.KindBadRequest, "a [31mb c d"},
		{"endless", 400, strings.Repeat("x", 1<<20), provider.KindBadRequest, "x…"},
	}
	for _, r := range append(common, w.Refusals...) {
		t.Run(r.Name, func(t *testing.T) {
			p := w.serve(t, func(rw http.ResponseWriter, _ *http.Request) {
				rw.Header().Set("Request-Id", "req_1")
				rw.WriteHeader(r.Status)
				_, _ = io.WriteString(rw, r.Body)
			})
			_, err := Collect(p.Name(), p.Stream(t.Context(), request()))
			var failure *provider.Error
			if !errors.As(err, &failure) {
				t.Fatalf("got %v", err)
			}
			if failure.Kind != r.Kind || failure.Status != r.Status || failure.RequestID != "req_1" {
				t.Errorf("got kind %q, status %d, request %q", failure.Kind, failure.Status, failure.RequestID)
			}
			if !strings.Contains(err.Error(), r.Says) || len(err.Error()) > 1000 {
				t.Errorf("the text does not say %q: %s", r.Says, err)
			}
		})
	}
}

// testErrorsWith200 sends error bodies as if all were well.
func (w Wire) testErrorsWith200(t *testing.T) {
	for _, r := range w.Refusals {
		p := w.serve(t, func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(rw, r.Body)
		})
		_, err := Collect(p.Name(), p.Stream(t.Context(), request()))
		var failure *provider.Error
		if !errors.As(err, &failure) || failure.Kind == provider.KindInvalid || failure.Kind == provider.KindInterrupted {
			t.Errorf("%s: got %v", r.Name, err)
		}
	}
}

func (w Wire) testRetryAfter(t *testing.T) {
	for header, want := range map[string]struct{ least, most time.Duration }{
		"7":   {7 * time.Second, 7 * time.Second},
		"0.5": {500 * time.Millisecond, 500 * time.Millisecond},
		time.Now().Add(time.Hour).UTC().Format(http.TimeFormat): {50 * time.Minute, time.Hour},
		"-1":    {},
		"never": {},
	} {
		p := w.serve(t, func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Retry-After", header)
			rw.WriteHeader(http.StatusTooManyRequests)
		})
		_, err := Collect(p.Name(), p.Stream(t.Context(), request()))
		var failure *provider.Error
		if !errors.As(err, &failure) || failure.RetryAfter < want.least || failure.RetryAfter > want.most {
			t.Errorf("Retry-After %s gives %+v", header, failure)
		}
	}
}

// testSecret lets vendors and addresses echo the key.
func (w Wire) testSecret(t *testing.T) {
	check := func(err error) {
		t.Helper()
		if err == nil {
			t.Error("no error")
		}
		for ; err != nil; err = errors.Unwrap(err) {
			if text := fmt.Sprintf("%v %+v %#v", err, err, err); strings.Contains(text, Key) {
				t.Errorf("the key is in an error: %s", text)
			}
		}
	}
	p := w.serve(t, func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Request-Id", Key)
		rw.WriteHeader(http.StatusUnauthorized)
		_, _ = fmt.Fprintf(rw, `{"error":{"type":"authentication_error","message":"bad key %s!"}}`, Key)
	})
	_, err := Collect(p.Name(), p.Stream(t.Context(), request()))
	check(err)
	for _, base := range []string{
		"http://user:" + Key + "@127.0.0.1:1", "http://127.0.0.1:1/" + Key, "http://127.0.0.1:1/?key=" + Key,
		"http://" + Key + ":x:y/", "ftp://" + Key, "http://%zz" + Key, Key,
	} {
		p := w.New(Setup{BaseURL: base, Key: Key, Client: provider.NewHTTPClient()})
		_, err := Collect(p.Name(), p.Stream(t.Context(), request()))
		check(err)
	}
}

func (w Wire) testRedirect(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("a redirect was followed, with the header %q", r.Header.Get(w.KeyHeader))
	}))
	defer elsewhere.Close()
	p := w.serve(t, func(rw http.ResponseWriter, r *http.Request) {
		http.Redirect(rw, r, elsewhere.URL, http.StatusTemporaryRedirect)
	})
	if _, err := Collect(p.Name(), p.Stream(t.Context(), request())); KindOf(err) != provider.KindNotFound {
		t.Errorf("got %v", err)
	}
}

func (w Wire) testUnreachable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close()
	p := w.New(Setup{BaseURL: "http://" + address, Key: Key, Client: provider.NewHTTPClient()})
	_, err = Collect(p.Name(), p.Stream(t.Context(), request()))
	var failure *provider.Error
	if !errors.As(err, &failure) || failure.Kind != provider.KindNetwork || failure.Err == nil {
		t.Fatalf("got %v", err)
	}
	if failure.Transient() {
		t.Error("a port of this machine that nobody listens on is taken for a passing fault")
	}
}
