package anthropic

import (
	"cmp"
	"context"
	"io"
	"iter"
	"net/http"
	"strings"
	"time"

	"github.com/mixagent/mix/internal/provider"
	"github.com/mixagent/mix/internal/provider/sse"
)

const (
	defaultBaseURL = "https://api.anthropic.com"
	apiVersion     = "2023-06-01"
)

// Options configure a provider. Zero values stand for the vendor's own.
type Options struct {
	Name    string // "anthropic"
	BaseURL string // without "/v1"
	APIKey  string
	KeyEnv  string // "ANTHROPIC_API_KEY": the variable that errors name
	BaseEnv string // "ANTHROPIC_BASE_URL"
	Client  *http.Client
	Idle    time.Duration // see [provider.Endpoint]
}

// Provider is a vendor that speaks Messages.
type Provider struct{ endpoint provider.Endpoint }

// New returns a provider. It makes no connection before the first call.
func New(o Options) *Provider {
	client := o.Client
	if client == nil {
		client = provider.NewHTTPClient()
	}
	base := strings.TrimRight(cmp.Or(o.BaseURL, defaultBaseURL), "/")
	return &Provider{provider.Endpoint{
		Vendor:  cmp.Or(o.Name, "anthropic"),
		BaseURL: strings.TrimSuffix(base, "/v1"),
		Key:     o.APIKey,
		KeyEnv:  cmp.Or(o.KeyEnv, "ANTHROPIC_API_KEY"),
		BaseEnv: cmp.Or(o.BaseEnv, "ANTHROPIC_BASE_URL"),
		Client:  client,
		Idle:    o.Idle,
	}}
}

// Name implements [provider.Provider].
func (p *Provider) Name() string { return p.endpoint.Vendor }

// Stream implements [provider.Provider].
func (p *Provider) Stream(ctx context.Context, req *provider.Request) iter.Seq2[provider.Delta, error] {
	return func(yield func(provider.Delta, error) bool) {
		body, err := p.post(ctx, req)
		if err != nil {
			yield(provider.Delta{}, err)
			return
		}
		defer body.Close()
		d := decoder{body: body, yield: yield}
		if err := d.run(); err != nil {
			yield(provider.Delta{}, err)
		}
	}
}

func (p *Provider) post(ctx context.Context, req *provider.Request) (*provider.Body, error) {
	if err := p.endpoint.Check(req.Model); err != nil {
		return nil, err
	}
	header := http.Header{}
	header.Set("Accept", "text/event-stream")
	header.Set("Anthropic-Version", apiVersion)
	header.Set("X-Api-Key", p.endpoint.Key)
	return p.endpoint.Post(ctx, req.Model, "/v1/messages", header, appendRequest(nil, p.Name(), req))
}

// run reads the answer to its end. It returns nil also when the loop over the
// stream was left.
func (d *decoder) run() error {
	first, err := d.body.Sniff()
	if err != nil {
		return err
	}
	if first == '{' || first == '<' {
		return d.body.NoStream()
	}
	events := sse.NewReader(d.body, 0)
	for {
		event, err := events.Next()
		if err != nil {
			return d.ended(err)
		}
		err = d.frame(event.Data)
		switch {
		case err != nil:
			return err
		case d.left:
			return nil
		case d.done:
			d.body.Drain()
			return nil
		}
	}
}

// ended is the error for a stream that ended before its end mark.
func (d *decoder) ended(err error) error {
	if err == io.EOF {
		return d.body.Fail(provider.KindInterrupted, "the stream ended before the answer did")
	}
	return provider.StreamError(d.body, err)
}
