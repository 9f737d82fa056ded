package config

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tailscale/hujson"

	"github.com/mixagent/mix/internal/domain"
)

//go:embed catalogue.json
var embeddedCatalogue []byte

const demoVendor = "demo"

// Price is what a million tokens cost, in US dollars.
type Price struct {
	Input     float64 `json:"input"`
	Output    float64 `json:"output"`
	CacheRead float64 `json:"cacheRead"`
	// CacheWrite is the price of tokens that go into the cache for its usual,
	// shorter time. A vendor without one bills them as input; then it is left
	// out.
	CacheWrite *float64 `json:"cacheWrite,omitempty"`
}

// cost returns US dollars.
func (p Price) cost(u domain.Usage) float64 {
	write := p.Input
	if p.CacheWrite != nil {
		write = *p.CacheWrite
	}
	return (float64(u.Input)*p.Input + float64(u.Output)*p.Output +
		float64(u.CacheRead)*p.CacheRead + float64(u.CacheWrite)*write) / 1e6
}

// LongPrompt is the price of a whole request with more than Above prompt
// tokens, cached ones included.
type LongPrompt struct {
	Above int64 `json:"above"`
	Price Price `json:"price"`
}

// Model is what is known about a model.
type Model struct {
	Vendor string `json:"-"`
	Name   string `json:"name"`
	// Aliases are further names under which the vendor knows it.
	Aliases []string `json:"aliases,omitempty"`
	// ContextWindow and MaxOutput are in tokens; 0 where unknown.
	ContextWindow int64 `json:"contextWindow,omitempty"`
	MaxOutput     int64 `json:"maxOutput,omitempty"`
	// Price is nil where unknown.
	Price      *Price      `json:"price,omitempty"`
	LongPrompt *LongPrompt `json:"longPrompt,omitempty"` // nil: one price for all prompts
	Tools      bool        `json:"tools,omitempty"`
	Images     bool        `json:"images,omitempty"`
	// Reasoning says how its reasoning is set: "budget" in tokens, "effort" by
	// a word, "adaptive" by the model itself within an effort; "" for none.
	Reasoning string `json:"reasoning,omitempty"`
}

// ID is the model's name in Mix, "VENDOR/NAME".
func (m Model) ID() string { return m.Vendor + "/" + m.Name }

type vendor struct {
	Name    string  `json:"name"`
	Default string  `json:"default,omitempty"`
	Models  []Model `json:"models"`
}

// Catalogue is the list of known models. It does not change once loaded.
type Catalogue struct {
	date    time.Time
	vendors []vendor
	byID    map[string]*Model // also by alias
}

// LoadCatalogue returns the models that are part of the program, corrected and
// extended by a file of the same form, which need not exist: its models replace
// those of the same name, its defaults replace those of the vendor.
func LoadCatalogue(override string) (*Catalogue, error) {
	c := &Catalogue{byID: map[string]*Model{}}
	if err := c.merge(embeddedCatalogue); err != nil {
		return nil, fmt.Errorf("read the model catalogue: %w", err)
	}
	data, err := readWhole(openAny, override)
	if err != nil {
		return nil, fmt.Errorf("load the model catalogue: %w", err)
	}
	if data != nil {
		std, err := hujson.Standardize(data)
		if err == nil {
			err = c.merge(std)
		}
		if err != nil {
			return nil, &FileError{File: override, Problem: strings.TrimPrefix(err.Error(), "hujson: ")}
		}
	}
	for i := range c.vendors {
		c.index(&c.vendors[i])
	}
	return c, nil
}

func (c *Catalogue) index(v *vendor) {
	for i := range v.Models {
		m := &v.Models[i]
		c.byID[m.ID()] = m
		for _, alias := range m.Aliases {
			c.byID[v.Name+"/"+alias] = m
		}
	}
}

// merge adds the content of a catalogue file.
func (c *Catalogue) merge(data []byte) error {
	var file struct {
		Date    string   `json:"date"`
		Vendors []vendor `json:"vendors"`
	}
	dec := json.NewDecoder(strings.NewReader(string(data)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&file); err != nil {
		return err
	}
	if file.Date != "" {
		date, err := time.Parse(time.DateOnly, file.Date)
		if err != nil {
			return errors.New(`"date" must be written like 2026-01-31`)
		}
		c.date = date
	}
	for _, v := range file.Vendors {
		if err := c.mergeVendor(v); err != nil {
			return err
		}
	}
	return nil
}

func (c *Catalogue) mergeVendor(v vendor) error {
	if v.Name == "" || strings.Contains(v.Name, "/") {
		return fmt.Errorf("%q is not a vendor's name", v.Name)
	}
	at := slices.IndexFunc(c.vendors, func(w vendor) bool { return w.Name == v.Name })
	if at < 0 {
		at = len(c.vendors)
		c.vendors = append(c.vendors, vendor{Name: v.Name})
	}
	into := &c.vendors[at]
	if v.Default != "" {
		into.Default = v.Default
	}
	for _, m := range v.Models {
		if err := m.check(); err != nil {
			return fmt.Errorf("%s/%s: %w", v.Name, m.Name, err)
		}
		m.Vendor = v.Name
		if i := slices.IndexFunc(into.Models, func(w Model) bool { return w.Name == m.Name }); i >= 0 {
			into.Models[i] = m
		} else {
			into.Models = append(into.Models, m)
		}
	}
	return nil
}

func (m Model) check() error {
	if m.Name == "" {
		return errors.New("a model needs a name")
	}
	if m.ContextWindow < 0 || m.MaxOutput < 0 {
		return errors.New("token counts cannot be negative")
	}
	prices := []*Price{m.Price}
	if m.LongPrompt != nil {
		prices = append(prices, &m.LongPrompt.Price)
	}
	for _, p := range prices {
		if p != nil && (p.Input < 0 || p.Output < 0 || p.CacheRead < 0 || p.CacheWrite != nil && *p.CacheWrite < 0) {
			return errors.New("prices cannot be negative")
		}
	}
	return nil
}

// Date is the day of the prices.
func (c *Catalogue) Date() time.Time { return c.date }

// Models lists all models, vendor by vendor, the newest first.
func (c *Catalogue) Models() []Model {
	var all []Model
	for _, v := range c.vendors {
		all = append(all, v.Models...)
	}
	return all
}

// withoutDate removes the date that vendors append to a model's name to mean one
// fixed state of it: -20251001 or -2025-08-07.
func withoutDate(id string) string {
	for _, form := range []string{"-20060102", "-2006-01-02"} {
		if at := len(id) - len(form); at > 0 {
			if _, err := time.Parse(form, id[at:]); err == nil {
				return id[:at]
			}
		}
	}
	return id
}

// Model returns what is known about "VENDOR/NAME". A dated snapshot of a known
// model counts as that model.
func (c *Catalogue) Model(id string) (Model, bool) {
	m := c.byID[id]
	if m == nil {
		m = c.byID[withoutDate(id)]
	}
	if m == nil {
		return Model{}, false
	}
	return *m, true
}

// Cost returns what one call of a model cost, in US dollars. Where the price is
// not known it returns 0 and false: unknown, not free.
func (c *Catalogue) Cost(id string, u domain.Usage) (usd float64, known bool) {
	m, ok := c.Model(id)
	if !ok || m.Price == nil {
		return 0, false
	}
	if m.LongPrompt != nil && u.Prompt() > m.LongPrompt.Above {
		return m.LongPrompt.Price.cost(u), true
	}
	return m.Price.cost(u), true
}

// Resolve turns what a person wrote into "VENDOR/NAME": that itself, also for a
// model that the catalogue does not know; a vendor's name for its default model;
// or the name of a model that one vendor has.
func (c *Catalogue) Resolve(name string) (string, error) {
	name = strings.TrimSpace(name)
	if v, model, ok := strings.Cut(name, "/"); ok {
		if v == "" || model == "" {
			return "", fmt.Errorf("%q does not name a model: write PROVIDER/MODEL", name)
		}
		if m := c.byID[name]; m != nil && v == demoVendor {
			return m.ID(), nil
		}
		return name, nil
	}
	if id := c.defaultOf(name); id != "" {
		return id, nil
	}
	var names []string
	for _, v := range c.vendors {
		if m, ok := c.Model(v.Name + "/" + name); ok {
			return m.Vendor + "/" + name, nil
		}
		names = append(names, v.Name)
		for _, m := range v.Models {
			names = append(names, m.Name)
		}
	}
	return "", fmt.Errorf("unknown model %q%s; write PROVIDER/MODEL for one that Mix does not know, or see mix models",
		name, didYouMean(name, names))
}

// defaultOf returns the default model of a vendor as "VENDOR/NAME", or "".
func (c *Catalogue) defaultOf(name string) string {
	for _, v := range c.vendors {
		if v.Name == name && v.Default != "" {
			return v.Name + "/" + v.Default
		}
	}
	return ""
}
