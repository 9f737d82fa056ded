package providertest

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/mixagent/mix/internal/provider"
)

func (w Wire) testConcurrent(t *testing.T) {
	want := sample()
	p := w.serve(t, func(rw http.ResponseWriter, _ *http.Request) { send(rw, w.Events(want)...) })
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			got, err := Collect(p.Name(), p.Stream(context.Background(), request()))
			if err != nil || got.Text() != want.Text() {
				t.Errorf("got %q, %v", got.Text(), err)
			}
		})
	}
	wg.Wait()
}

// testReuse ends each answer's body only after its end mark was read, as it
// happens over a network: the connection must serve the next call all the same.
func (w Wire) testReuse(t *testing.T) {
	var fresh atomic.Int32
	stopped := make(chan struct{})
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		send(rw, w.Events(sample())...)
		<-stopped
	}))
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			fresh.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	client := provider.NewHTTPClient()
	defer client.CloseIdleConnections()
	p := w.New(Setup{BaseURL: server.URL, Key: Key, Client: client})
	const calls = 8
	for range calls {
		for d, err := range p.Stream(t.Context(), request()) {
			if err != nil {
				t.Fatal(err)
			}
			if d.Kind == provider.DeltaStop {
				stopped <- struct{}{}
			}
		}
	}
	// A slow machine may miss the moment that is waited for, but not always.
	if n := fresh.Load(); n == calls {
		t.Errorf("%d calls in a row took a connection each", calls)
	}
}

// testHTTP2 reads an answer over HTTP/2, and leaves another in the middle: the
// stream must end while the connection stays.
func (w Wire) testHTTP2(t *testing.T) {
	var fresh atomic.Int32
	gone := make(chan struct{})
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 2 {
			t.Errorf("the call came over %s", r.Proto)
		}
		body, _ := io.ReadAll(r.Body)
		events := w.Events(sample())
		if !bytes.Contains(body, []byte("leave")) {
			send(rw, events...)
			return
		}
		send(rw, events[:len(events)-1]...)
		<-r.Context().Done()
		close(gone)
	}))
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			fresh.Add(1)
		}
	}
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	client := provider.NewHTTPClient()
	defer client.CloseIdleConnections()
	client.Transport.(*http.Transport).TLSClientConfig.RootCAs = server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	p := w.New(Setup{BaseURL: server.URL, Key: Key, Client: client})
	leaving := request()
	leaving.System = "leave"
	for d, err := range p.Stream(t.Context(), leaving) {
		if err != nil {
			t.Fatal(err)
		}
		if d.Kind == provider.DeltaText {
			break
		}
	}
	await(t, gone)
	if got, err := Collect(p.Name(), p.Stream(t.Context(), request())); err != nil || got.Text() != sample().Blocks[1].Text {
		t.Errorf("got %q, %v", got.Text(), err)
	}
	if n := fresh.Load(); n != 1 {
		t.Errorf("2 calls took %d connections", n)
	}
}
