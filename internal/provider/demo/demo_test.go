package demo_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/provider"
	"github.com/mixagent/mix/internal/provider/demo"
	"github.com/mixagent/mix/internal/provider/providertest"
)

func user(text string) domain.Message {
	return domain.Message{Role: domain.RoleUser, Blocks: []domain.Block{
		{Type: domain.BlockText, Text: "Today's date: 2026-11-21\n", Context: true},
		{Type: domain.BlockText, Text: text},
	}}
}

func tools(names ...string) []provider.Tool {
	var ts []provider.Tool
	for _, name := range names {
		ts = append(ts, provider.Tool{Name: name, Schema: json.RawMessage(`{"type":"object"}`)})
	}
	return ts
}

func ask(t *testing.T, model string, ts []provider.Tool, history ...domain.Message) *providertest.Answer {
	t.Helper()
	req := &provider.Request{Model: model, Tools: ts, Messages: history}
	a, err := providertest.Collect(demo.Name, demo.New(demo.Options{}).Stream(t.Context(), req))
	if err != nil {
		t.Fatal(err)
	}
	if a.Usage != (domain.Usage{}) {
		t.Errorf("tokens were invented: %+v", a.Usage)
	}
	return a
}

func TestEcho(t *testing.T) {
	t.Parallel()
	a := ask(t, "echo", nil, user("first"), domain.Message{Role: domain.RoleAssistant}, user("say\nthis"))
	if a.Text() != "say\nthis" || a.Stop != domain.FinishEndTurn || len(a.Deltas) != 3 {
		t.Errorf("%q in %d deltas, %s", a.Text(), len(a.Deltas), a.Stop)
	}
}

func TestSteps(t *testing.T) {
	t.Parallel()
	history := []domain.Message{user(`[
		{"reasoning": "hm", "text": "one", "calls": [
			{"tool": "Bash", "input": {"command": "ls -l"}},
			{"tool": "Glob"},
			{"tool": "Edit", "input": "{not json"}]},
		{"text": "two"}]`)}
	a := ask(t, "steps", nil, history...)
	want := []domain.Block{
		{Type: domain.BlockReasoning, Vendor: "demo", Text: "hm"},
		{Type: domain.BlockText, Text: "one"},
		{Type: domain.BlockToolCall, CallID: "demo_1_0", Tool: "Bash", Input: `{"command":"ls -l"}`},
		{Type: domain.BlockToolCall, CallID: "demo_1_1", Tool: "Glob", Input: `{}`},
		{Type: domain.BlockToolCall, CallID: "demo_1_2", Tool: "Edit", Input: `{not json`},
	}
	if diff := cmp.Diff(want, a.Blocks); diff != "" || a.Stop != domain.FinishToolUse {
		t.Errorf("%s %s", a.Stop, diff)
	}
	history = append(history, domain.Message{Role: domain.RoleAssistant})
	if a := ask(t, "steps", nil, history...); a.Text() != "two" || a.Stop != domain.FinishEndTurn {
		t.Errorf("second step: %q, %s", a.Text(), a.Stop)
	}
	history = append(history, domain.Message{Role: domain.RoleAssistant})
	if a := ask(t, "steps", nil, history...); a.Text() != "There are no more steps." {
		t.Errorf("after the last: %q", a.Text())
	}
	// The next prompt starts over, with identifiers of its own.
	history = append(history, user(`[{"calls": [{"tool": "Glob"}]}]`))
	if a := ask(t, "steps", nil, history...); a.Calls()[0].CallID != "demo_4_0" {
		t.Errorf("next prompt: %+v", a.Calls())
	}
}

func TestRequestsThatNoScriptCanPlay(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		model, text string
		kind        provider.Kind
	}{
		{"steps", "hello", provider.KindBadRequest},
		{"steps", `[{"txt": "x"}]`, provider.KindBadRequest},
		{"steps", `[{"calls": [{"input": {}}]}]`, provider.KindBadRequest},
		{"gpt", "hello", provider.KindNotFound},
	} {
		req := &provider.Request{Model: tt.model, Messages: []domain.Message{user(tt.text)}}
		_, err := providertest.Collect(demo.Name, demo.New(demo.Options{}).Stream(t.Context(), req))
		var e *provider.Error
		if !errors.As(err, &e) || e.Kind != tt.kind || e.Transient() {
			t.Errorf("%s %s: %v", tt.model, tt.text, err)
		}
	}
}

// timeline plays a stream and notes when each delta came.
func timeline(t *testing.T, ctx context.Context, rate float64, text string) (at []time.Duration, got string, err error) {
	t.Helper()
	start := time.Now()
	plan, _ := json.Marshal([]map[string]string{{"text": text}})
	req := &provider.Request{Model: "steps", Messages: []domain.Message{user(string(plan))}}
	for d, e := range demo.New(demo.Options{Rate: rate}).Stream(ctx, req) {
		if err = e; e != nil {
			break
		}
		at = append(at, time.Since(start))
		got += d.Text
	}
	return at, got, err
}

func TestRate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		text := strings.Repeat("word ", 80) // 400 characters
		at, got, err := timeline(t, t.Context(), demo.DefaultRate, text)
		if err != nil || got != text {
			t.Fatal(got, err)
		}
		if at[0] != 0 || at[len(at)-1] != time.Second {
			t.Errorf("from %v to %v", at[0], at[len(at)-1])
		}
		for i := 1; i < len(at); i++ {
			if gap := at[i] - at[i-1]; gap > 50*time.Millisecond {
				t.Errorf("gap of %v", gap)
			}
		}
		if at, _, _ := timeline(t, t.Context(), 0, text); at[len(at)-1] != 0 {
			t.Errorf("without a rate it took %v", at[len(at)-1])
		}
	})
}

func TestCancelAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
		defer cancel()
		start := time.Now()
		_, got, err := timeline(t, ctx, 1, "slow words only")
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 1500*time.Millisecond || got == "" {
			t.Errorf("%v after %v, %q", err, time.Since(start), got)
		}
	})
}

func TestLeavingTheLoopEndsTheStream(t *testing.T) {
	t.Parallel()
	n := 0
	req := &provider.Request{Model: "survey", Messages: []domain.Message{user("x")}}
	for range demo.New(demo.Options{}).Stream(t.Context(), req) {
		if n++; n == 3 {
			break
		}
	}
	if n != 3 {
		t.Errorf("%d deltas", n)
	}
}

func TestPiecesEndAtWords(t *testing.T) {
	t.Parallel()
	text := "A few words, Grüße und 世界 " + strings.Repeat("x", 40) + " end.\n\n| a | b |\n"
	a := ask(t, "steps", nil, user(mustJSON(t, []map[string]string{{"text": text}})))
	if a.Text() != text {
		t.Fatalf("got %q", a.Text())
	}
	var pieces []string
	for _, d := range a.Deltas {
		if d.Kind == provider.DeltaText {
			pieces = append(pieces, d.Text)
		}
	}
	want := []string{
		"A few ", "words, ", "Grüße ", "und ", "世界 xxxxxxxxxxxxx", "xxxxxxxxxxxxxxxx", "xxxxxxxxxxx ", "end.\n\n", "| a ", "| b ", "|\n",
	}
	if diff := cmp.Diff(want, pieces); diff != "" {
		t.Error(diff)
	}
}

func mustJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func FuzzSteps(f *testing.F) {
	f.Add(`[{"text": "a", "calls": [{"tool": "Bash", "input": {}}]}]`)
	f.Add(`[{"calls": [{"tool": "Bash", "input": "\ud800"}]}]`)
	f.Fuzz(func(t *testing.T, text string) {
		req := &provider.Request{Model: "steps", Messages: []domain.Message{user(text)}}
		_, err := providertest.Collect(demo.Name, demo.New(demo.Options{}).Stream(t.Context(), req))
		var e *provider.Error
		if err != nil && !errors.As(err, &e) {
			t.Fatal(err)
		}
	})
}

func BenchmarkEcho(b *testing.B) {
	req := &provider.Request{Model: "echo", Messages: []domain.Message{user("hello")}}
	p := demo.New(demo.Options{})
	b.ReportAllocs()
	for b.Loop() {
		for _, err := range p.Stream(b.Context(), req) {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
}

func Example() {
	req := &provider.Request{Model: "echo", Messages: []domain.Message{
		{Role: domain.RoleUser, Blocks: []domain.Block{{Type: domain.BlockText, Text: "Hello."}}},
	}}
	for d, err := range demo.New(demo.Options{}).Stream(context.Background(), req) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Print(d.Text)
	}
	// Output: Hello.
}
