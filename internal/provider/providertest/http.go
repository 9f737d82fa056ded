package providertest

import (
	"io"
	"net/http"
	"strings"
)

// Client returns a client that answers every request with the same body, read
// through wrap, and reaches no network. A nil wrap changes nothing.
func Client(body string, wrap func(io.Reader) io.Reader) *http.Client {
	return &http.Client{Transport: roundTripper(func(req *http.Request) *http.Response {
		if req.Body != nil {
			_, _ = io.Copy(io.Discard, req.Body)
			_ = req.Body.Close()
		}
		var r io.Reader = strings.NewReader(body)
		if wrap != nil {
			r = wrap(r)
		}
		return &http.Response{
			StatusCode: http.StatusOK, ProtoMajor: 1, ProtoMinor: 1,
			Header: http.Header{}, Body: io.NopCloser(r), Request: req,
		}
	})}
}

type roundTripper func(*http.Request) *http.Response

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req), nil }

// Broken returns a reader of r whose end is that of a broken connection.
func Broken(r io.Reader) io.Reader { return io.MultiReader(r, failing{}) }

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
