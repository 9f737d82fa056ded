package daemon

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/mixagent/mix/internal/config"
	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/provider"
	"github.com/mixagent/mix/internal/provider/anthropic"
	"github.com/mixagent/mix/internal/provider/demo"
	"github.com/mixagent/mix/internal/provider/openai"
)

// models joins the providers with what the catalogue knows of their models.
type models struct {
	registry  provider.Registry
	catalogue func() (*config.Catalogue, error)
}

// newModels registers the vendors. A provider is made when it is first needed,
// with the credential that the environment has then.
func newModels(catalogue func() (*config.Catalogue, error), demoRate float64) *models {
	m := &models{catalogue: catalogue}
	client := provider.NewHTTPClient()
	m.registry.Register("demo", func() (provider.Provider, error) {
		return demo.New(demo.Options{Rate: demoRate}), nil
	})
	m.registry.Register("anthropic", func() (provider.Provider, error) {
		c, err := credential("anthropic")
		if err != nil {
			return nil, err
		}
		return retrying(anthropic.New(anthropic.Options{BaseURL: c.BaseURL, APIKey: c.Key.Reveal(), Client: client})), nil
	})
	m.registry.Register("openai", func() (provider.Provider, error) {
		c, err := credential("openai")
		if err != nil {
			return nil, err
		}
		o := openai.OpenAI(c.Key.Reveal(), c.BaseURL)
		o.Client = client
		return retrying(openai.New(o)), nil
	})
	m.registry.Register("local", func() (provider.Provider, error) {
		c, err := credential("local")
		if err != nil {
			return nil, err
		}
		o := openai.Local(c.BaseURL)
		o.Client = client
		return retrying(openai.New(o)), nil
	})
	return m
}

func retrying(p provider.Provider) provider.Provider {
	return provider.Retrying(p, provider.RetryPolicy{})
}

// credential reads a vendor's credential; that there is none is an
// authentication error like a wrong one.
func credential(vendor string) (config.Credential, error) {
	c, err := config.Credentials(vendor, os.Getenv)
	if err != nil {
		return c, &provider.Error{Kind: provider.KindAuthentication, Vendor: vendor, KeyEnv: c.Source, Message: noDot(err), Err: err, Final: true}
	}
	return c, nil
}

func noDot(err error) string { return strings.TrimRight(err.Error(), ".") }

// Resolve returns the provider of a full model name.
func (m *models) Resolve(model string) (provider.Provider, string, error) {
	return m.registry.Resolve(model)
}

// Canonical returns the full name of a model. A vendor that Mix does not speak
// to is an error; a model that the catalogue does not know is none.
func (m *models) Canonical(model string) (string, error) {
	cat, err := m.catalogue()
	if err != nil {
		return "", fmt.Errorf("load the model catalogue: %w", err)
	}
	full, err := cat.Resolve(model)
	if err != nil {
		return "", err
	}
	var unknown *provider.UnknownError
	if _, _, err := m.registry.Resolve(full); errors.As(err, &unknown) {
		return "", err
	}
	return full, nil
}

// Cost returns the price of a call.
func (m *models) Cost(model string, u domain.Usage) (float64, bool) {
	cat, err := m.catalogue()
	if err != nil {
		return 0, false
	}
	return cat.Cost(model, u)
}

// MaxOutput returns the bound on an answer in tokens; 0 where unknown.
func (m *models) MaxOutput(model string) int {
	cat, err := m.catalogue()
	if err != nil {
		return 0
	}
	known, _ := cat.Model(model)
	return int(known.MaxOutput)
}
