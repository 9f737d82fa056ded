package mix

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// HTTPClient sends requests; *[http.Client] is one. A client with a Timeout
// cuts event streams after that time.
type HTTPClient interface {
	Do(*http.Request) (*http.Response, error)
}

// Mix is a client of one server. It is safe for concurrent use.
type Mix struct {
	base   string
	client HTTPClient
	token  string
}

// SDKOption changes how a client works.
type SDKOption func(*Mix)

// WithClient sets what sends the requests. If not given, it is an
// [http.Client] without a time limit; requests end with their context.
func WithClient(c HTTPClient) SDKOption { return func(m *Mix) { m.client = c } }

// WithToken sets the server's token. A server on this machine needs none from
// its own user, where the system can tell.
func WithToken(token string) SDKOption { return func(m *Mix) { m.token = token } }

// New returns a client of the server at serverURL, for example
// "http://127.0.0.1:8088". It does not connect.
func New(serverURL string, opts ...SDKOption) *Mix {
	m := &Mix{base: strings.TrimRight(serverURL, "/"), client: &http.Client{}}
	for _, o := range opts {
		o(m)
	}
	return m
}

// APIError is what the server said when it refused a request.
type APIError struct {
	StatusCode int
	// Type is one of bad_request, not_found, internal_error, unauthorized and
	// validation_error; "" where the answer was none of the server's.
	Type    string
	Message string
	// Reason is a finer word than Type, where the server has one: queue_full,
	// prompt_too_large, already_answered, stopping (try again: the server, or
	// the next one, will be there soon) and others.
	Reason string
	// Field names the field of the request that is wrong.
	Field string
}

// Error returns the server's sentence.
func (e *APIError) Error() string {
	if e.Message == "" {
		return fmt.Sprintf("the server answered %d %s", e.StatusCode, http.StatusText(e.StatusCode))
	}
	return e.Message
}

// IsNotFound reports whether err says that the thing asked for is not there.
func IsNotFound(err error) bool {
	var e *APIError
	return errors.As(err, &e) && e.StatusCode == http.StatusNotFound
}

// maxError bounds what is read of an answer that is an error.
const maxError = 64 << 10

// ask sends a request and decodes the answer.
func ask[T any](ctx context.Context, m *Mix, method, path string, query url.Values, in any, header http.Header) (T, error) {
	var out T
	resp, err := m.send(ctx, method, path, query, in, header)
	if err != nil {
		return out, err
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil {
		return out, fmt.Errorf("decode the answer to %s %s: %w", method, path, err)
	}
	drain(resp.Body)
	return out, nil
}

// do sends a request whose answer says nothing but that it succeeded.
func (m *Mix) do(ctx context.Context, method, path string, in any) error {
	resp, err := m.send(ctx, method, path, nil, in, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	drain(resp.Body)
	return nil
}

// drain reads what is left of an answer: a connection whose body was read to
// its end can be used again.
func drain(body io.Reader) { _, _ = io.CopyN(io.Discard, body, maxError) }

// send sends a request and returns the answer to a success; the caller closes
// its body.
func (m *Mix) send(ctx context.Context, method, path string, query url.Values, in any, header http.Header) (*http.Response, error) {
	target := m.base + path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	var body io.Reader
	if in != nil {
		data, err := json.Marshal(in)
		if err != nil {
			return nil, fmt.Errorf("encode the request: %w", err)
		}
		body = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(ctx, method, target, body)
	if err != nil {
		return nil, fmt.Errorf("make the request: %w", err)
	}
	req.Header.Set("Accept", "application/json")
	for name, values := range header {
		req.Header[name] = values
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if method == http.MethodPost && req.Header.Get("Idempotency-Key") == "" {
		req.Header.Set("Idempotency-Key", newKey())
	}
	if m.token != "" {
		req.Header.Set("Authorization", "Bearer "+m.token)
	}
	resp, err := m.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("reach the Mix server: %w", err)
	}
	if resp.StatusCode >= 300 {
		defer resp.Body.Close()
		return nil, readError(resp)
	}
	return resp, nil
}

// readError turns an answer that is no success into an [APIError].
func readError(resp *http.Response) error {
	e := &APIError{StatusCode: resp.StatusCode}
	var body struct {
		Error struct {
			Message string `json:"message"`
			Type    string `json:"type"`
			Reason  string `json:"reason"`
			Field   string `json:"field"`
		} `json:"error"`
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxError))
	if err == nil && json.Unmarshal(data, &body) == nil {
		e.Message, e.Type = body.Error.Message, body.Error.Type
		e.Reason, e.Field = body.Error.Reason, body.Error.Field
	}
	return e
}

// newKey returns a key that no other request has.
func newKey() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // crypto/rand never fails
	return hex.EncodeToString(b[:])
}
