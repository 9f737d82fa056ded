package agent_test

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/provider"
)

// answer is what the scripted model says to one request.
type answer struct {
	deltas []provider.Delta
	usage  domain.Usage
	stop   domain.FinishReason // "" means what the deltas suggest
	hang   bool                // until the call is cancelled, after the deltas
	err    error               // after the deltas, instead of the end
	cut    bool                // no end at all
	panics string              // after the deltas
}

// say is an answer in words.
func say(pieces ...string) answer {
	var a answer
	for _, p := range pieces {
		a.deltas = append(a.deltas, provider.Delta{Kind: provider.DeltaText, Text: p})
	}
	return a
}

// call is an answer that calls tools: name, input, name, input …
func call(pairs ...string) answer { return answer{}.call(pairs...) }

func (a answer) call(pairs ...string) answer {
	a.deltas = slices.Clone(a.deltas)
	for i := 0; i < len(pairs); i += 2 {
		a.deltas = append(a.deltas,
			provider.Delta{Kind: provider.DeltaToolStart, Index: i, ID: fmt.Sprintf("c%d", i), Name: pairs[i]},
			provider.Delta{Kind: provider.DeltaToolInput, Index: i, Text: pairs[i+1]},
			provider.Delta{Kind: provider.DeltaToolEnd, Index: i})
	}
	return a
}

func (a answer) with(deltas ...provider.Delta) answer {
	a.deltas = append(slices.Clone(a.deltas), deltas...)
	return a
}

func (a answer) end() domain.FinishReason {
	if a.stop != "" {
		return a.stop
	}
	for _, d := range a.deltas {
		if d.Kind == provider.DeltaToolStart {
			return domain.FinishToolUse
		}
	}
	return domain.FinishEndTurn
}

// model is a provider that plays a script, the n-th answer (from 0) to the
// n-th request, and keeps the requests.
type model struct {
	mu       sync.Mutex
	script   func(n int, req *provider.Request) answer
	requests []provider.Request
	forget   bool          // keep no messages of them
	hanging  chan struct{} // gets a value when an answer begins to hang
}

func newModel(script func(n int, req *provider.Request) answer) *model {
	return &model{script: script, hanging: make(chan struct{}, 64)}
}

// answers plays one answer after the other; the last one again and again.
func answers(list ...answer) func(int, *provider.Request) answer {
	return func(n int, _ *provider.Request) answer { return list[min(n, len(list)-1)] }
}

func (m *model) Name() string { return "test" }

func (m *model) Stream(ctx context.Context, req *provider.Request) iter.Seq2[provider.Delta, error] {
	return func(yield func(provider.Delta, error) bool) {
		a := m.next(req)
		for _, d := range a.deltas {
			if !yield(d, nil) {
				return
			}
		}
		if a.hang {
			m.hanging <- struct{}{}
			<-ctx.Done()
			yield(provider.Delta{}, ctx.Err())
			return
		}
		if a.panics != "" {
			panic(a.panics)
		}
		if a.usage != (domain.Usage{}) && !yield(provider.Delta{Kind: provider.DeltaUsage, Usage: a.usage}, nil) {
			return
		}
		switch {
		case a.err != nil:
			yield(provider.Delta{}, a.err)
		case !a.cut:
			yield(provider.Delta{Kind: provider.DeltaStop, Stop: a.end()}, nil)
		}
	}
}

func (m *model) next(req *provider.Request) answer {
	m.mu.Lock()
	defer m.mu.Unlock()
	kept := *req
	kept.Messages = slices.Clone(kept.Messages)
	for i := range kept.Messages {
		kept.Messages[i].Blocks = slices.Clone(kept.Messages[i].Blocks)
		kept.Messages[i].Calls = slices.Clone(kept.Messages[i].Calls)
	}
	if m.forget {
		kept.Messages = nil
	}
	m.requests = append(m.requests, kept)
	return m.script(len(m.requests)-1, req)
}

// play replaces the script.
func (m *model) play(script func(n int, req *provider.Request) answer) {
	m.mu.Lock()
	defer m.mu.Unlock()
	before := len(m.requests)
	m.script = func(n int, req *provider.Request) answer { return script(n-before, req) }
}

func (m *model) seen() []provider.Request {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.requests)
}

// last returns the latest request.
func (m *model) last(t testing.TB) provider.Request {
	t.Helper()
	all := m.seen()
	if len(all) == 0 {
		t.Fatal("the model was not asked")
	}
	return all[len(all)-1]
}

// models are two models of the scripted provider: "test/priced" costs a dollar
// a token, of "test/free" no price is known.
type models struct{ m *model }

func (ms models) Resolve(name string) (provider.Provider, string, error) {
	vendor, model, _ := strings.Cut(name, "/")
	switch vendor {
	case "test":
		return ms.m, model, nil
	case "nokey":
		return nil, "", &provider.Error{Kind: provider.KindAuthentication, Vendor: "nokey", KeyEnv: "NOKEY_API_KEY", Final: true}
	}
	return nil, "", &provider.UnknownError{Model: name, Known: []string{"nokey", "test"}}
}

func (ms models) Canonical(name string) (string, error) {
	_, _, err := ms.Resolve(name)
	if strings.HasPrefix(name, "nokey/") {
		err = nil
	}
	return name, err
}

func (models) Cost(name string, u domain.Usage) (float64, bool) {
	if name == "test/priced" {
		return float64(u.Total()), true
	}
	return 0, false
}

func (models) MaxOutput(string) int { return 1234 }

// turnsOf returns what a provider would send of a history, turn by turn.
func turnsOf(messages []domain.Message) []provider.Turn {
	return provider.Turns(provider.Shape{Vendor: "test", AnyID: true}, messages)
}
