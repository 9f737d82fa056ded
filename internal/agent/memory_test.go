package agent_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/mixagent/mix/internal/agent"
	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/provider"
	"github.com/mixagent/mix/internal/store"
	"github.com/mixagent/mix/internal/tools"
)

// heap is what is in use after a collection, in bytes.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

const resultBytes = 1_000_000

// longTalk is a rig whose model calls a tool with a result of a megabyte in
// each step; measure is called with the number of each.
func longTalk(t testing.TB, measure func(n int)) (*rig, string) {
	t.Helper()
	r := newRig(t, func(n int, _ *provider.Request) answer {
		measure(n)
		return call("Custom", fmt.Sprintf(`{"n":%d}`, n))
	})
	r.model.forget = true
	blob := strings.Repeat("x", resultBytes)
	r.withTool(patience, func() tools.Output {
		return tools.Output{Text: "a line", Result: map[string]string{"blob": blob}}
	})
	return r, r.sessionOf(agent.NewSession{Policy: domain.Policy{Allow: []string{"Custom"}}})
}

// TestLargeResultsAreNotKept: a run keeps what the model reads of its results,
// not the results. It is not parallel, so that the heap is its own.
func TestLargeResultsAreNotKept(t *testing.T) {
	const first, last = 3, 10
	var before, after int64
	r, s := longTalk(t, func(n int) {
		switch n {
		case first:
			before = heap()
		case last - 1:
			after = heap()
		}
	})
	r.wait(s, r.submit(s, agent.Prompt{Text: "Go", MaxSteps: last}))
	if grown := after - before; grown > (last-first)*resultBytes/4 {
		t.Errorf("the heap grew by %d bytes over %d results of %d bytes", grown, last-1-first, resultBytes)
	}
	messages, err := r.store.Messages(t.Context(), s, store.MessageRange{Limit: last + 1})
	if err != nil {
		t.Fatal(err)
	}
	if c := messages[1].Calls[0]; len(c.Result) < resultBytes {
		t.Errorf("the stored result has %d bytes", len(c.Result))
	}
}

// BenchmarkLongTalk is a run of many steps with results of a megabyte; grown is
// how much the heap grows with each.
func BenchmarkLongTalk(b *testing.B) {
	var before int64
	r, s := longTalk(b, func(n int) {
		if n == 1 {
			before = heap()
		}
	})
	r.slow = true
	b.ResetTimer()
	r.wait(s, r.submit(s, agent.Prompt{Text: "Go", MaxSteps: max(b.N, 2)}))
	b.StopTimer()
	b.ReportMetric(float64(heap()-before)/float64(b.N), "grown/op")
}

// BenchmarkTextAnswer is a whole prompt with a model that answers at once.
func BenchmarkTextAnswer(b *testing.B) {
	r := newRig(b, answers(say("fine")))
	r.model.forget = true
	for b.Loop() {
		b.StopTimer()
		s := r.session()
		b.StartTimer()
		r.run(s, "Hi")
	}
}
