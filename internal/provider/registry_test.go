package provider_test

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/mixagent/mix/internal/provider"
)

func TestRegistry(t *testing.T) {
	t.Parallel()
	var r provider.Registry
	made := 0
	for _, name := range []string{"openrouter", "anthropic", "demo"} {
		r.Register(name, func() (provider.Provider, error) {
			made++
			return &scripted{}, nil
		})
	}
	for name, rest := range map[string]string{
		"anthropic/claude-sonnet-4-5": "claude-sonnet-4-5",
		"openrouter/moonshotai/kimi":  "moonshotai/kimi",
		"demo":                        "",
		"demo/":                       "",
	} {
		p, model, err := r.Resolve(name)
		if err != nil || p == nil || model != rest {
			t.Errorf("Resolve(%q) = %v, %q, %v", name, p, model, err)
		}
	}
	first, _, _ := r.Resolve("demo")
	second, _, _ := r.Resolve("demo/x")
	if first != second || made != 3 {
		t.Errorf("instances are not kept: %d made", made)
	}
	r.Forget("demo")
	if third, _, _ := r.Resolve("demo"); third == first || made != 4 {
		t.Error("a forgotten instance is still there")
	}
	if got := strings.Join(r.Names(), " "); got != "anthropic demo openrouter" {
		t.Errorf("names are %s", got)
	}
}

func TestRegistryUnknown(t *testing.T) {
	t.Parallel()
	var r provider.Registry
	for _, name := range []string{"anthropic", "openai", "openrouter", "local", "demo"} {
		r.Register(name, func() (provider.Provider, error) { return &scripted{}, nil })
	}
	for model, want := range map[string]string{
		"antropic/claude":   `there is no model provider "antropic". Did you mean anthropic? Known are anthropic, demo, local, openai, openrouter.`,
		"OpenAI/gpt":        `there is no model provider "OpenAI". Did you mean openai? Known are anthropic, demo, local, openai, openrouter.`,
		"bedrock/x":         `there is no model provider "bedrock". Known are anthropic, demo, local, openai, openrouter.`,
		"claude-sonnet-4-5": `the model "claude-sonnet-4-5" names no provider: write PROVIDER/MODEL. Known are anthropic, demo, local, openai, openrouter.`,
		"":                  `the model "" names no provider: write PROVIDER/MODEL. Known are anthropic, demo, local, openai, openrouter.`,
		"dmeo":              `the model "dmeo" names no provider: write PROVIDER/MODEL. Did you mean demo? Known are anthropic, demo, local, openai, openrouter.`,
	} {
		_, _, err := r.Resolve(model)
		var unknown *provider.UnknownError
		if !errors.As(err, &unknown) || err.Error() != want {
			t.Errorf("Resolve(%q):\ngot  %v\nwant %s", model, err, want)
		}
	}
	var empty provider.Registry
	if _, _, err := empty.Resolve("a/b"); err == nil || err.Error() != `there is no model provider "a".` {
		t.Errorf("an empty registry says %v", err)
	}
}

func TestRegistryFailingFactory(t *testing.T) {
	t.Parallel()
	var r provider.Registry
	calls, broken := 0, errors.New("broken")
	r.Register("a", func() (provider.Provider, error) {
		if calls++; calls == 1 {
			return nil, broken
		}
		return &scripted{}, nil
	})
	if _, _, err := r.Resolve("a/b"); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	if _, _, err := r.Resolve("a/b"); err != nil {
		t.Errorf("a failure is kept: %v", err)
	}
}

func TestRegistryConcurrent(t *testing.T) {
	t.Parallel()
	var r provider.Registry
	var wg sync.WaitGroup
	r.Register("a", func() (provider.Provider, error) { return &scripted{}, nil })
	for range 8 {
		wg.Go(func() {
			for range 100 {
				_, _, _ = r.Resolve("a/b")
				r.Forget("a")
				r.Register("b", func() (provider.Provider, error) { return &scripted{}, nil })
				_ = r.Names()
			}
		})
	}
	wg.Wait()
}
