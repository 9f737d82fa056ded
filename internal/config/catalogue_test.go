package config_test

import (
	"math"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mixagent/mix/internal/config"
	"github.com/mixagent/mix/internal/domain"
)

// catalogue loads the catalogue with an override of the given text.
func catalogue(t *testing.T, override string) (*config.Catalogue, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "models.json")
	if override != "" {
		write(t, file, override)
	}
	return config.LoadCatalogue(file)
}

func mustCatalogue(t *testing.T, override string) *config.Catalogue {
	t.Helper()
	c, err := catalogue(t, override)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCatalogueIsWhole(t *testing.T) {
	t.Parallel()
	c := mustCatalogue(t, "")
	if c.Date().Before(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("dated %v", c.Date())
	}
	seen := map[string]bool{}
	for _, m := range c.Models() {
		if seen[m.ID()] {
			t.Errorf("%s is there twice", m.ID())
		}
		seen[m.ID()] = true
		if m.ContextWindow <= m.MaxOutput || m.MaxOutput <= 0 || m.Price == nil || !m.Tools {
			t.Errorf("%s lacks something: %+v", m.ID(), m)
			continue
		}
		p := m.Price
		if m.Vendor != "demo" && !(0 < p.CacheRead && p.CacheRead < p.Input && p.Input < p.Output) {
			t.Errorf("%s has odd prices: %+v", m.ID(), *p)
		}
		if l := m.LongPrompt; l != nil && (l.Above <= 0 || l.Above >= m.ContextWindow || l.Price.Input <= p.Input || l.Price.Output <= p.Output) {
			t.Errorf("%s has odd prices for long prompts: %+v", m.ID(), *l)
		}
		if got, err := c.Resolve(m.ID()); err != nil || got != m.ID() {
			t.Errorf("Resolve(%s) = %s, %v", m.ID(), got, err)
		}
	}
	for _, vendor := range []string{"anthropic", "openai", "demo"} {
		id, err := c.Resolve(vendor)
		if err != nil || !seen[id] {
			t.Errorf("default of %s: %s, %v", vendor, id, err)
		}
	}
}

const testModels = `{
  // prices of a test
  "vendors": [
    {"name": "v", "default": "m", "models": [
      {"name": "m", "contextWindow": 1000, "maxOutput": 100,
       "price": {"input": 1, "output": 10, "cacheRead": 0.1, "cacheWrite": 1.25},
       "longPrompt": {"above": 1000000, "price": {"input": 2, "output": 15, "cacheRead": 0.2, "cacheWrite": 2.5}}},
      {"name": "nowrite", "price": {"input": 4, "output": 8, "cacheRead": 1}},
      {"name": "unpriced"},
    ]},
    {"name": "anthropic", "default": "claude-opus-5", "models": [
      {"name": "claude-opus-5-5", "price": {"input": 100, "output": 200, "cacheRead": 10}},
    ]},
  ],
}`

func TestCost(t *testing.T) {
	t.Parallel()
	c := mustCatalogue(t, testModels)
	tests := []struct {
		model string
		usage domain.Usage
		usd   float64
		known bool
	}{
		{"v/m", domain.Usage{}, 0, true},
		{"v/m", domain.Usage{Input: 400_000, Output: 100_000, CacheRead: 500_000, CacheWrite: 100_000}, 0.4 + 1 + 0.05 + 0.125, true},
		{"v/m", domain.Usage{Output: 100, Reasoning: 50}, 0.001, true}, // output includes reasoning
		{"v/m", domain.Usage{Input: 1_000_000}, 1, true},
		{"v/m", domain.Usage{Input: 1, CacheRead: 1_000_000, Output: 1_000_000}, 0.200002 + 15, true},
		{"v/nowrite", domain.Usage{CacheWrite: 1_000_000}, 4, true},
		{"v/unpriced", domain.Usage{Input: 1}, 0, false},
		{"v/unheard-of", domain.Usage{Input: 1}, 0, false},
		{"demo/survey", domain.Usage{Input: 1_000_000}, 0, true},
	}
	for _, tt := range tests {
		usd, known := c.Cost(tt.model, tt.usage)
		if math.Abs(usd-tt.usd) > 1e-9 || known != tt.known {
			t.Errorf("%s %+v: %g, %v; want %g, %v", tt.model, tt.usage, usd, known, tt.usd, tt.known)
		}
	}
}

func TestCatalogueOverride(t *testing.T) {
	t.Parallel()
	c := mustCatalogue(t, testModels)
	if m, ok := c.Model("anthropic/claude-opus-5-5"); !ok || m.Price.Input != 100 || m.Vendor != "anthropic" {
		t.Errorf("not corrected: %+v", m)
	}
	if _, ok := c.Model("anthropic/claude-sonnet-5-5"); !ok {
		t.Error("the other models are gone")
	}
	if id, err := c.Resolve("anthropic"); err != nil || id != "anthropic/claude-opus-5" {
		t.Errorf("default %s, %v", id, err)
	}
	for _, text := range []string{
		`{"vendors": [{"name": "v", "models": [{"name": "m", "prize": 1}]}]}`,
		`{"vendors": [{"name": "v", "models": [{"name": ""}]}]}`,
		`{"vendors": [{"name": "a/b"}]}`,
		`{"vendors": [{"name": "v", "models": [{"name": "m", "price": {"input": -1, "output": 1, "cacheRead": 0}}]}]}`,
		`{"vendors": [{"name": "v", "models": [{"name": "m", "contextWindow": -1}]}]}`,
		`{"date": "yesterday"}`,
		`{`,
	} {
		if _, err := catalogue(t, text); err == nil || !strings.Contains(err.Error(), "models.json: ") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestModelSnapshot(t *testing.T) {
	t.Parallel()
	c := mustCatalogue(t, "")
	for id, want := range map[string]string{
		"anthropic/claude-haiku-4-5-20251001": "claude-haiku-4-5",
		"openai/gpt-4o-2024-08-06":            "gpt-4o",
		"openai/gpt-5.6":                      "gpt-5.6-sol",
	} {
		if m, ok := c.Model(id); !ok || m.Name != want {
			t.Errorf("%s is %+v", id, m)
		}
	}
	for _, id := range []string{"anthropic/claude-haiku-4-5-20259999", "anthropic/claude-haiku-4-5-1", "anthropic/", ""} {
		if m, ok := c.Model(id); ok {
			t.Errorf("%s is %+v", id, m)
		}
	}
}

func TestResolve(t *testing.T) {
	t.Parallel()
	c := mustCatalogue(t, "")
	for name, want := range map[string]string{
		"demo":                            "demo/survey",
		"demo/demo":                       "demo/survey",
		"demo/steps":                      "demo/steps",
		" claude-opus-5-5 ":               "anthropic/claude-opus-5-5",
		"claude-haiku-4-5-20251001":       "anthropic/claude-haiku-4-5-20251001",
		"openai/something-new":            "openai/something-new",
		"openrouter/qwen/qwen3":           "openrouter/qwen/qwen3",
		"openai/gpt-5.6":                  "openai/gpt-5.6",
		"anthropic/claude-opus-5-5":       "anthropic/claude-opus-5-5",
		"local/llama3.3:70b-instruct-q4":  "local/llama3.3:70b-instruct-q4",
		"anthropic/claude-unheard-of-1-0": "anthropic/claude-unheard-of-1-0",
	} {
		if got, err := c.Resolve(name); err != nil || got != want {
			t.Errorf("Resolve(%q) = %q, %v; want %q", name, got, err, want)
		}
	}
	for name, want := range map[string]string{
		"claude-opus-55": `did you mean "claude-opus-5-5"?`,
		"antropic":       `did you mean "anthropic"?`,
		"qqqqqqqqqqqq":   "write PROVIDER/MODEL",
		"/x":             "write PROVIDER/MODEL",
		"openai/":        "write PROVIDER/MODEL",
		"":               "write PROVIDER/MODEL",
	} {
		if got, err := c.Resolve(name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Resolve(%q) = %q, %v; want %s", name, got, err, want)
		}
	}
}

func BenchmarkLoadCatalogue(b *testing.B) {
	file := filepath.Join(b.TempDir(), "models.json")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := config.LoadCatalogue(file); err != nil {
			b.Fatal(err)
		}
	}
}
