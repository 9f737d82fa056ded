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

func (w Wire) testReuse(t *testing.T) {
	var fresh atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		send(rw, w.Events(sample())...)
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
	for range 5 {
		if _, err := Collect(p.Name(), p.Stream(t.Context(), request())); err != nil {
			t.Fatal(err)
		}
	}
	if n := fresh.Load(); n != 1 {
		t.Errorf("5 calls in a row took %d connections", n)
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
