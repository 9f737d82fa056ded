package provider

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/mixagent/mix/internal/provider/sse"
)

const (
	// DefaultIdle is how long a vendor may send nothing, before the answer's
	// head and between any two pieces of it.
	DefaultIdle = 120 * time.Second

	connectTimeout = 15 * time.Second
	tlsTimeout     = 15 * time.Second

	maxErrorBody = 64 << 10 // bytes read of a body that is no stream
	maxAnswer    = 256 << 20
	drainTime    = 100 * time.Millisecond
	drainBytes   = 4 << 10
)

// NewHTTPClient returns the client for calls to model vendors; one serves all
// providers. It has no limit on the time of a whole call, because answers take
// minutes: [Endpoint.Post] watches for silence instead. It follows no
// redirect, which would carry the key to another host. Proxies come from the
// environment; loopback addresses are always called directly.
func NewHTTPClient() *http.Client {
	dialer := &net.Dialer{Timeout: connectTimeout, KeepAlive: 30 * time.Second}
	return &http.Client{
		Transport: &http.Transport{
			Proxy:                  http.ProxyFromEnvironment, // skips loopback
			DialContext:            dialer.DialContext,
			TLSHandshakeTimeout:    tlsTimeout,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
			ForceAttemptHTTP2:      true,
			HTTP2:                  &http.HTTP2Config{SendPingTimeout: 30 * time.Second, PingTimeout: 15 * time.Second},
			DisableCompression:     true, // a compressor may hold deltas back
			MaxIdleConnsPerHost:    16,
			IdleConnTimeout:        90 * time.Second,
			MaxResponseHeaderBytes: 256 << 10,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Endpoint is a vendor's address, and what every wire does with it.
type Endpoint struct {
	Vendor  string
	BaseURL string // http or https; its query is kept
	Key     string // never shown
	// KeyEnv and BaseEnv name the environment variables of Key and BaseURL, ""
	// where there is none.
	KeyEnv, BaseEnv string
	Client          *http.Client  // as [NewHTTPClient] makes it
	Idle            time.Duration // 0 stands for [DefaultIdle]
}

// Post sends body to path below the base URL, and returns the answer once it
// began well. Any other outcome is an *[Error], or wraps the context's error.
func (e *Endpoint) Post(ctx context.Context, model, path string, header http.Header, body []byte) (*Body, error) {
	target, err := e.target(path)
	if err != nil {
		return nil, e.fail(model, KindBadRequest, "the base URL is not a valid http address", nil)
	}
	parent := ctx
	ctx, cancel := context.WithCancelCause(parent)
	idle := cmp.Or(e.Idle, DefaultIdle)
	b := &Body{endpoint: e, model: model, ctx: ctx, parent: parent, cancel: cancel, idle: idle}
	b.timer = time.AfterFunc(idle, func() { cancel(errIdle) })
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target.String(), bytes.NewReader(body))
	if err != nil {
		b.Close()
		return nil, e.fail(model, KindBadRequest, "the base URL is not a valid http address", nil)
	}
	req.Header = header
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "mix")
	b.resp, err = e.Client.Do(req)
	b.timer.Stop()
	if err != nil {
		err = b.failure(err, KindNetwork)
		b.Close()
		return nil, err
	}
	if b.resp.StatusCode != http.StatusOK {
		defer b.Close()
		return nil, b.refusal()
	}
	return b, nil
}

func (e *Endpoint) target(path string) (*url.URL, error) {
	u, err := url.Parse(e.BaseURL)
	if err != nil {
		return nil, err
	}
	if (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return nil, errors.New("no http address")
	}
	u.Path = strings.TrimRight(u.Path, "/") + path
	u.RawPath, u.Fragment = "", ""
	return u, nil
}

// Check returns the error of a call that cannot be made for want of a model's
// name or of a key, where the vendor has a variable for one.
func (e *Endpoint) Check(model string) error {
	if model == "" {
		return e.fail(model, KindNotFound, "no model is named", nil)
	}
	if e.Key == "" && e.KeyEnv != "" {
		return e.fail(model, KindAuthentication, "", nil)
	}
	return nil
}

// Fail returns an error of a call that was not made.
func (e *Endpoint) Fail(model string, kind Kind, message string) *Error {
	return e.fail(model, kind, message, nil)
}

func (e *Endpoint) fail(model string, kind Kind, message string, err error) *Error {
	return &Error{
		Kind: kind, Vendor: e.Vendor, Model: model, Message: tidy(message, e.Key),
		KeyEnv: e.KeyEnv, BaseEnv: e.BaseEnv, Err: err,
	}
}

var errIdle = errors.New("nothing received for too long")

// Body is the answer of a vendor while it streams. Reading it fails with
// [io.EOF] at its clean end, and otherwise with an *[Error] or an error that
// wraps the context's. It must be closed.
type Body struct {
	endpoint *Endpoint
	model    string
	resp     *http.Response
	ctx      context.Context // ends the call, with errIdle as the cause of silence
	parent   context.Context // the caller's
	cancel   context.CancelCauseFunc
	timer    *time.Timer
	idle     time.Duration
	total    int64
	head     []byte // read already by Sniff
	headErr  error
}

// Read implements [io.Reader].
func (b *Body) Read(p []byte) (int, error) {
	if len(b.head) > 0 {
		n := copy(p, b.head)
		b.head = b.head[n:]
		return n, nil
	}
	if b.headErr != nil {
		return 0, b.headErr
	}
	return b.read(p)
}

func (b *Body) read(p []byte) (int, error) {
	b.timer.Reset(b.idle)
	n, err := b.resp.Body.Read(p)
	b.timer.Stop() // whoever reads may take its time
	if b.total += int64(n); b.total > maxAnswer {
		return n, b.Fail(KindInvalid, "the answer is too large")
	}
	if err != nil && err != io.EOF {
		err = b.failure(err, KindInterrupted)
	}
	return n, err
}

// Sniff returns the first byte of the body that is not white space, without
// taking it away, or 0 at its end. A '{' or '<' there means that the body is no
// stream of events, whatever its content type says.
func (b *Body) Sniff() (byte, error) {
	for {
		if rest := bytes.TrimLeft(b.head, " \t\r\n"); len(rest) > 0 {
			return rest[0], nil
		}
		if b.headErr == io.EOF {
			return 0, nil
		}
		if b.headErr != nil || len(b.head) >= maxErrorBody {
			return 0, b.headErr
		}
		chunk := make([]byte, 2<<10)
		n, err := b.read(chunk)
		b.head, b.headErr = append(b.head, chunk[:n]...), err
	}
}

// Whole reads a body that is no stream, up to limit bytes.
func (b *Body) Whole(limit int64) ([]byte, error) {
	return io.ReadAll(io.LimitReader(b, limit))
}

// Drain reads what follows the end mark, for a moment, so that the connection
// can serve the next call. HTTP/2 connections do not need it.
func (b *Body) Drain() {
	if b.resp.ProtoMajor >= 2 {
		return
	}
	b.idle = min(b.idle, drainTime)
	stop := time.AfterFunc(drainTime, func() { b.cancel(errIdle) })
	defer stop.Stop()
	_, _ = io.CopyN(io.Discard, b, drainBytes)
}

// Close ends the call and closes its connection if the body was not read to
// its end.
func (b *Body) Close() {
	b.timer.Stop()
	if b.resp != nil {
		_ = b.resp.Body.Close()
	}
	b.cancel(context.Canceled)
}

// Fail returns an error about this answer.
func (b *Body) Fail(kind Kind, message string) *Error {
	err := b.endpoint.fail(b.model, kind, message, nil)
	err.RequestID = b.requestID()
	return err
}

// Report returns the error that a vendor reported within an answer that began
// well.
func (b *Body) Report(data []byte) *Error {
	report, ok := ParseReport(data)
	if !ok {
		return b.Fail(KindInvalid, "an error that cannot be read")
	}
	err := b.Fail(report.kind(0), report.Message)
	err.Status = report.Status
	return err
}

// NoStream returns the error for a body that is no stream, and no answer of
// another form either.
func (b *Body) NoStream() error {
	data, err := b.Whole(maxErrorBody)
	if err != nil {
		return err
	}
	if _, ok := ParseReport(data); ok {
		return b.Report(data)
	}
	if bytes.HasPrefix(bytes.TrimSpace(data), []byte("<")) {
		return b.Fail(KindInvalid, "a web page came instead of a stream")
	}
	return b.Fail(KindInvalid, "something else came instead of a stream")
}

// refusal is the error for an answer with another status than 200.
func (b *Body) refusal() error {
	status := b.resp.StatusCode
	if status >= 300 && status < 400 {
		err := b.Fail(KindNotFound, "the address redirects elsewhere, which is not followed")
		err.Status = status
		return err
	}
	data, err := b.Whole(maxErrorBody)
	if err != nil && b.parent.Err() != nil {
		return err
	}
	report, ok := ParseReport(data)
	if !ok && !bytes.HasPrefix(bytes.TrimSpace(data), []byte("<")) {
		report.Message = string(data)
	}
	failure := b.Fail(report.kind(status), report.Message)
	failure.Status = status
	failure.RetryAfter = retryAfter(b.resp.Header, time.Now())
	failure.Final = b.resp.Header.Get("X-Should-Retry") == "false"
	return failure
}

func (b *Body) requestID() string {
	if b.resp == nil {
		return ""
	}
	h := b.resp.Header
	return tidy(cmp.Or(h.Get("Request-Id"), h.Get("X-Request-Id")), b.endpoint.Key)
}

// failure turns an error of the network into ours.
func (b *Body) failure(err error, kind Kind) error {
	if cause := b.parent.Err(); cause != nil {
		return &canceledError{vendor: b.endpoint.Vendor, err: cause}
	}
	if errors.Is(context.Cause(b.ctx), errIdle) {
		return b.Fail(KindIdle, "nothing came for "+b.idle.String())
	}
	var outer *url.Error
	if errors.As(err, &outer) {
		err = outer.Err // the outer text holds the whole address
	}
	message := err.Error()
	if strings.Contains(message, "proxy address") {
		message, err = "the proxy's address in the environment is not valid", nil
	}
	failure := b.Fail(kind, message)
	failure.Err = err
	failure.Final = kind == KindNetwork && hopeless(err)
	return failure
}

// hopeless reports whether calling again is no use: there is no such host, its
// certificate is not good, or nothing listens on this machine's own port.
func hopeless(err error) bool {
	var dns *net.DNSError
	var cert *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	if (errors.As(err, &dns) && dns.IsNotFound) || errors.As(err, &cert) || errors.As(err, &record) {
		return true
	}
	var op *net.OpError
	if !errors.As(err, &op) || !isRefused(err) {
		return false
	}
	addr, ok := op.Addr.(*net.TCPAddr)
	return ok && addr.IP.IsLoopback()
}

// canceledError is the end of a call whose context ended.
type canceledError struct {
	vendor string
	err    error
}

func (e *canceledError) Error() string { return "the call of " + e.vendor + " was cancelled" }
func (e *canceledError) Unwrap() error { return e.err }

// StreamError returns the error for a stream of events that cannot be read
// further: the body's own, or that of an event that is too large.
func StreamError(b *Body, err error) error {
	var over *sse.LimitError
	if errors.As(err, &over) {
		return b.Fail(KindInvalid, over.Error())
	}
	return err
}
