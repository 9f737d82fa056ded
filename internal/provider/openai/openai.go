package openai

import (
	"cmp"
	"context"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/provider"
	"github.com/mixagent/mix/internal/provider/sse"
)

// Options configure a provider.
type Options struct {
	Name string // the vendor's name
	// BaseURL is what goes before /chat/completions. An address without a
	// path gets "/v1".
	BaseURL string
	APIKey  string
	// KeyEnv names the variable that holds the key; where it is set, a call
	// without a key fails at once. Servers of one's own need none.
	KeyEnv string
	// BaseEnv names the variable that holds the address, for error texts.
	BaseEnv string
	// MaxTokensField is the key for the answer's bound: "max_tokens" (also
	// "") or "max_completion_tokens".
	MaxTokensField string
	// Effort says how the effort is written for a model; nil stands for
	// [EffortByModel].
	Effort func(model string, e domain.Effort) Effort
	// ReasoningField is the key under which a vendor wants its reasoning back
	// with the history, such as "reasoning_content"; "" sends none back.
	ReasoningField string
	// CacheKey sends the session's identifier as prompt_cache_key.
	CacheKey bool
	Client   *http.Client
	Idle     time.Duration // see [provider.Endpoint]
}

// Effort is how the effort of a call is written: as reasoning_effort, or where
// Object is set as {"effort":…} below "reasoning". An empty Level is not sent.
type Effort struct {
	Level  string
	Object bool
}

// OpenAI returns the options for the vendor itself. An empty baseURL is its
// own address.
func OpenAI(key, baseURL string) Options {
	return Options{
		Name: "openai", APIKey: key, KeyEnv: "OPENAI_API_KEY",
		BaseURL: cmp.Or(baseURL, "https://api.openai.com/v1"), BaseEnv: "OPENAI_BASE_URL",
		MaxTokensField: "max_completion_tokens", CacheKey: true,
	}
}

// OpenRouter returns the options for openrouter.ai, which takes the effort for
// every model and ignores it where it has no meaning.
func OpenRouter(key string) Options {
	return Options{
		Name: "openrouter", APIKey: key, KeyEnv: "OPENROUTER_API_KEY",
		BaseURL: "https://openrouter.ai/api/v1",
		Effort:  func(_ string, e domain.Effort) Effort { return Effort{Level: effortLevel(e), Object: true} },
	}
}

// Local returns the options for a server of one's own, which needs no key.
func Local(baseURL string) Options {
	return Options{Name: "local", BaseURL: baseURL, BaseEnv: "MIX_LOCAL_BASE_URL"}
}

// Provider is a vendor that speaks Chat Completions.
type Provider struct {
	endpoint provider.Endpoint
	options  Options
}

// New returns a provider. It makes no connection before the first call.
func New(o Options) *Provider {
	if o.Client == nil {
		o.Client = provider.NewHTTPClient()
	}
	if o.Effort == nil {
		o.Effort = EffortByModel
	}
	o.MaxTokensField = cmp.Or(o.MaxTokensField, "max_tokens")
	return &Provider{options: o, endpoint: provider.Endpoint{
		Vendor:  o.Name,
		BaseURL: withVersion(o.BaseURL),
		Key:     o.APIKey,
		KeyEnv:  o.KeyEnv,
		BaseEnv: o.BaseEnv,
		Client:  o.Client,
		Idle:    o.Idle,
	}}
}

// withVersion adds the path that nearly all servers have to an address without
// one.
func withVersion(base string) string {
	u, err := url.Parse(base)
	if err != nil || strings.Trim(u.Path, "/") != "" {
		return base
	}
	u.Path = "/v1"
	return u.String()
}

// Name implements [provider.Provider].
func (p *Provider) Name() string { return p.options.Name }

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
	if p.options.BaseURL == "" {
		return nil, p.endpoint.Fail(req.Model, provider.KindNotFound, "no address of a server is set")
	}
	header := http.Header{}
	header.Set("Accept", "text/event-stream")
	if p.endpoint.Key != "" {
		header.Set("Authorization", "Bearer "+p.endpoint.Key)
	}
	return p.endpoint.Post(ctx, req.Model, "/chat/completions", header, p.options.appendRequest(nil, req))
}

// maxWhole bounds an answer that is no stream, in bytes.
const maxWhole = 16 << 20

// run reads the answer to its end. It returns nil also when the loop over the
// stream was left.
func (d *decoder) run() error {
	first, err := d.body.Sniff()
	if err != nil {
		return err
	}
	switch first {
	case '<':
		return d.body.NoStream()
	case '{':
		return d.whole()
	}
	events := sse.NewReader(d.body, 0)
	for {
		event, err := events.Next()
		if err == io.EOF {
			return d.ended()
		}
		if err != nil {
			return provider.StreamError(d.body, err)
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

// whole reads an answer that is one JSON object.
func (d *decoder) whole() error {
	data, err := d.body.Whole(maxWhole)
	if err != nil {
		return err
	}
	if err := d.slowFrame(data); err != nil {
		return err
	}
	if d.stop == "" && !d.left {
		return d.body.Fail(provider.KindInvalid, "an object that is no answer")
	}
	return d.ended()
}

// ended ends an answer whose body ended cleanly.
func (d *decoder) ended() error {
	switch {
	case d.left:
	case d.stop == "":
		return d.body.Fail(provider.KindInterrupted, "the stream ended before the answer did")
	default:
		d.finish()
	}
	return nil
}
