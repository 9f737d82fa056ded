package agent_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/mixagent/mix/internal/agent"
	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/permission"
	"github.com/mixagent/mix/internal/provider"
)

func TestTextOnly(t *testing.T) {
	t.Parallel()
	r := newRig(t, answers(say("Hello", " there")))
	s := r.session()
	sent := r.send(s, "Hi")
	got := r.wait(s, sent)
	want := []domain.EventType{
		domain.EventUserMessage, domain.EventRun, domain.EventContent, domain.EventContent,
		domain.EventUsage, domain.EventTitle, domain.EventRun, domain.EventComplete,
	}
	if !slices.Equal(got.names(), want) {
		t.Errorf("events: %v", got.names())
	}
	history := r.history(s)
	if end := got.end(); end.text("content") != "Hello there" || end.text("messageId") != history[1].ID || end.text("state") != "done" {
		t.Errorf("complete: %v", end)
	}
	wantTexts(t, history, "user: Hi", "assistant: Hello there")
	if got[0].seq != history[0].EventSeq || got[0].text("messageId") != sent.MessageID {
		t.Errorf("the message's number is %d, its event is %v", history[0].EventSeq, got[0])
	}
	run := r.runOf(sent.RunID)
	if run.State != domain.RunDone || run.Steps != 1 || run.Error != "" || run.EndedAt.IsZero() {
		t.Errorf("run: %+v", run)
	}
	req := r.model.last(t)
	if req.Model != "priced" || req.MaxTokens != 1234 || req.SessionID != s || len(req.Tools) != 6 {
		t.Errorf("request: %+v", req)
	}
}

func TestTools(t *testing.T) {
	t.Parallel()
	r := newRig(t, answers(
		say("I look. ").call("ReadText", `{"file_path":"a.txt"}`, "Glob", `{"pattern":"*.txt"}`),
		call("Bash", `{"command":"echo made > b.txt; echo done"}`),
		say("It is done.")))
	r.file("a.txt", "the content of a\n")
	s := r.session()
	got := r.run(s, "Do it")
	history := r.history(s)
	wantTexts(t, history, "user: Do it", "assistant: I look. ", "assistant: ", "assistant: It is done.")
	turns := turnsOf(r.model.last(t).Messages)
	if len(turns) != 5 || len(turns[2].Results) != 2 || len(turns[4].Results) != 1 {
		t.Fatalf("turns: %+v", turns)
	}
	wantHolds(t, "the first result", turns[2].Results[0].Text, "the content of a")
	wantHolds(t, "the second result", turns[2].Results[1].Text, "a.txt")
	wantHolds(t, "the third result", turns[4].Results[0].Text, "done")
	for _, m := range history {
		for _, c := range m.Calls {
			if c.State != domain.CallFinished || c.RunID != m.RunID || !json.Valid(c.Result) {
				t.Errorf("call: %+v", c)
			}
		}
	}
	// The order of one call on the stream.
	id := history[2].Calls[0].ID
	var order []domain.EventType
	for _, e := range got {
		if e.text("id") == id || e.text("toolCallId") == id || e.text("callId") == id {
			order = append(order, e.name)
		}
	}
	order = slices.DeleteFunc(slices.Compact(order), func(n domain.EventType) bool { return n == domain.EventOutput })
	want := []domain.EventType{
		domain.EventToolUse, domain.EventToolInput, domain.EventToolInputDone,
		domain.EventToolStart, domain.EventResult, domain.EventToolComplete,
	}
	if !slices.Equal(order, want) {
		t.Errorf("events of the call: %v", order)
	}
	if row := r.sessionRow(s); row.ToolCalls != 3 || row.AssistantMessages != 3 || row.UserMessages != 1 || row.MessageCount != 4 {
		t.Errorf("counters: %+v", row)
	}
}

// TestBadCalls: what a model gets wrong it is told, and the conversation stays
// one that every vendor takes.
func TestBadCalls(t *testing.T) {
	t.Parallel()
	big := `{"file_path":"x","content":"` + strings.Repeat("a", 5<<20) + `"}`
	for name, c := range map[string]struct{ tool, input, want string }{
		"invalid JSON": {"ReadText", `{"file_path": "a`, "not valid JSON"},
		"unknown tool": {"ReadTexts", `{}`, "did you mean ReadText"},
		"too large":    {"Write", big, "split the work"},
		"no input":     {"ReadText", ``, "file_path"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, answers(call(c.tool, c.input), say("I see.")))
			s := r.session()
			if got := r.run(s, "Go"); got.end().text("content") != "I see." {
				t.Errorf("complete: %v", got.end())
			}
			turns := turnsOf(r.model.last(t).Messages)
			wantHolds(t, "the result", turns[2].Results[0].Text, c.want)
			row := r.history(s)[1]
			if len(row.Blocks[0].Input) > 1<<20 || len(row.Calls[0].Input) > 2<<20 {
				t.Errorf("the input weighs %d and %d bytes", len(row.Blocks[0].Input), len(row.Calls[0].Input))
			}
		})
	}
}

// TestCallIdentifiers: vendors that send none, or one twice, or start a call
// at an index anew.
func TestCallIdentifiers(t *testing.T) {
	t.Parallel()
	start := func(index int, id string) []provider.Delta {
		return []provider.Delta{
			{Kind: provider.DeltaToolStart, Index: index, ID: id, Name: "Glob"},
			{Kind: provider.DeltaToolInput, Index: index, Text: `{"pattern":"` + id + `*"}`},
		}
	}
	first := answer{}.with(start(0, "same")...).with(start(1, "same")...).with(start(2, "")...).with(start(2, "other")...)
	r := newRig(t, answers(first, say("fine")))
	s := r.session()
	r.run(s, "Go")
	m := r.history(s)[1]
	seen := map[string]bool{}
	for i, c := range m.Calls {
		if c.CallID == "" || seen[c.CallID] || m.Blocks[i].CallID != c.CallID || c.State != domain.CallFinished {
			t.Errorf("call %d: %+v", i, c)
		}
		seen[c.CallID] = true
	}
	if len(m.Calls) != 4 {
		t.Errorf("%d calls", len(m.Calls))
	}
}

func TestStepCap(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		server, session, message, want int
	}{
		"default": {0, 0, 0, agent.DefaultMaxSteps},
		"server":  {3, 0, 0, 3},
		"session": {3, 2, 0, 2},
		"message": {3, 2, 4, 4},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, func(n int, _ *provider.Request) answer {
				return call("Glob", `{"pattern":"`+strings.Repeat("x", n)+`*"}`)
			}, func(o *agent.Options) { o.MaxSteps = c.server })
			s := r.sessionOf(agent.NewSession{Policy: domain.Policy{Mode: domain.ModeAuto, MaxSteps: c.session}})
			sent := r.submit(s, agent.Prompt{Text: "Go on", MaxSteps: c.message})
			got := r.wait(s, sent)
			if end := got.end(); end.text("reason") != "max_steps" || end.text("state") != "done" {
				t.Errorf("complete: %v", end)
			}
			if run := r.runOf(sent.RunID); run.Steps != c.want || len(r.model.seen()) != c.want || run.Reason != "max_steps" {
				t.Errorf("%d requests, run: %+v", len(r.model.seen()), run)
			}
			r.model.play(answers(say("I stopped.")))
			r.run(s, "And?")
			turns := turnsOf(r.model.last(t).Messages)
			last := turns[len(turns)-1]
			if len(last.Results) != 1 || len(last.Texts) != 1 || last.Texts[0] != "And?" {
				t.Errorf("the last turn: %+v", last)
			}
		})
	}
}

func TestMaxCost(t *testing.T) {
	t.Parallel()
	priced := say("That was dear.")
	priced.usage = domain.Usage{Input: 3, Output: 2}
	tool := call("Glob", `{"pattern":"*"}`)
	tool.usage = domain.Usage{Output: 4}
	r := newRig(t, answers(tool, priced))
	s := r.sessionOf(agent.NewSession{Policy: domain.Policy{Mode: domain.ModeAuto, MaxCostUSD: 9}})
	if end := r.run(s, "one").end(); end.text("reason") != "" || end.text("content") != "That was dear." {
		t.Errorf("within the bound: %v", end)
	}
	// 9 dollars are spent: no further call, not even the first of a run.
	for _, text := range []string{"two", "three"} {
		if end := r.run(s, text).end(); end.text("reason") != "max_cost" || end.text("state") != "done" {
			t.Errorf("beyond the bound: %v", end)
		}
	}
	if n := len(r.model.seen()); n != 2 {
		t.Errorf("%d model calls", n)
	}
}

// TestEndings: how the end of an answer without calls is told.
func TestEndings(t *testing.T) {
	t.Parallel()
	reasoning := provider.Delta{Kind: provider.DeltaReasoning, Text: "I think"}
	for name, c := range map[string]struct {
		answer          answer
		reason, answer2 string
	}{
		"refusal":                    {answer: answer{stop: domain.FinishRefusal}.with(say("No.").deltas...), reason: "refusal", answer2: "No."},
		"refusal without words":      {answer: answer{stop: domain.FinishRefusal}, reason: "refusal", answer2: "(The model refused to answer.)"},
		"refusal calls nothing":      {answer: answer{stop: domain.FinishRefusal}.call("Bash", `{"command":"touch ran"}`), reason: "refusal", answer2: "(The model refused to answer.)"},
		"max tokens":                 {answer: answer{stop: domain.FinishMaxTokens}.with(say("And th").deltas...), reason: "max_tokens", answer2: "And th"},
		"max tokens while it thinks": {answer: answer{stop: domain.FinishMaxTokens}.with(reasoning), reason: "max_tokens", answer2: "(The answer reached its limit of tokens before its first word.)"},
		"empty":                      {answer: answer{}, answer2: "(The model gave an empty answer.)"},
		"empty text":                 {answer: say("", ""), answer2: "(The model gave an empty answer.)"},
		"blank text":                 {answer: say(" \n"), answer2: " \n(The model gave an empty answer.)"},
		"only reasoning":             {answer: answer{}.with(reasoning), answer2: "(The model gave an empty answer.)"},
		"not UTF-8":                  {answer: say("a\xffb"), answer2: "a\uFFFDb"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, answers(c.answer, say("fine")))
			s := r.session()
			got := r.run(s, "Go")
			if end := got.end(); end.text("reason") != c.reason || end.text("content") != c.answer2 || end.text("state") != "done" {
				t.Errorf("complete: %v", end)
			}
			if strings.HasPrefix(c.answer2, "(") && len(got.of(domain.EventContent)) == 0 {
				t.Error("who reads only pieces reads nothing")
			}
			if got := r.run(s, "And?"); got.end().text("content") != "fine" {
				t.Errorf("the next message: %v", got.end())
			}
			wantTexts(t, r.model.last(t).Messages, "user: Go", "assistant: "+c.answer2, "user: And?")
			if got.of(domain.EventToolStart) != nil && len(got.of(domain.EventToolStart)) > 0 {
				t.Error("a tool ran")
			}
		})
	}
}

// TestFailures: an answer that fails ends its run with an error and one
// complete event, keeps what is whole of it, and the next message works.
func TestFailures(t *testing.T) {
	t.Parallel()
	reset := &provider.Error{Kind: provider.KindInterrupted, Vendor: "test", Message: "connection reset"}
	rich := answer{err: reset}.with(
		provider.Delta{Kind: provider.DeltaReasoning, Text: "signed"}, provider.Delta{Kind: provider.DeltaSignature, Text: "SIG"},
	).with(say("Half an ans").deltas...).with(
		provider.Delta{Kind: provider.DeltaReasoning, Text: "unsigned"},
	).call("Bash", `{"command":"touch ran"}`).with(
		provider.Delta{Kind: provider.DeltaToolStart, Index: 9, ID: "x", Name: "Bash"},
		provider.Delta{Kind: provider.DeltaToolInput, Index: 9, Text: `{"comm`})
	for name, c := range map[string]struct {
		answer answer
		kind   string
		holds  []string
		kept   string // of the answer
	}{
		"before the first delta": {answer: answer{err: reset}, kind: "interrupted_error", holds: []string{"broke off", "Send the message again"}},
		"in mid-answer":          {answer: rich, kind: "interrupted_error", holds: []string{"broke off"}, kept: "Half an ans"},
		"context too long": {
			answer: answer{err: &provider.Error{Kind: provider.KindContextTooLong, Vendor: "test", Status: 400, Message: "too many tokens"}},
			kind:   "context_too_long_error", holds: []string{"too long", "Start a new session"},
		},
		"without its end": {answer: answer{cut: true}.with(say("Well").deltas...), kind: "internal_error", holds: []string{"send the message again"}, kept: "Well"},
		"panic":           {answer: answer{panics: "oh"}.with(say("Wel").deltas...), kind: "internal_error", holds: []string{"oh", "send the message again"}, kept: "Wel"},
		"any error":       {answer: answer{err: errors.New("boom")}, kind: "internal_error", holds: []string{"boom"}},
		"only reasoning":  {answer: answer{err: reset}.with(provider.Delta{Kind: provider.DeltaReasoning, Text: "hm"}), kind: "interrupted_error"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, answers(c.answer, say("fine")))
			s := r.session()
			sent := r.send(s, "Go")
			got := r.wait(s, sent)
			text, kind := got.failure()
			if kind != c.kind {
				t.Errorf("the error is %q (%s)", text, kind)
			}
			wantHolds(t, "the error", text, c.holds...)
			if end := got.end(); end.text("state") != "failed" || end.text("content") != c.kept || len(got.of(domain.EventComplete)) != 1 {
				t.Errorf("complete: %v", end)
			}
			if run := r.runOf(sent.RunID); run.State != domain.RunFailed || run.Error != text || run.ErrorType != kind {
				t.Errorf("run: %+v", run)
			}
			if got := r.run(s, "Again"); got.end().text("content") != "fine" {
				t.Errorf("the next message: %v", got.end())
			}
			want := []string{"user: Go"}
			if c.kept != "" {
				want = append(want, "assistant: "+c.kept)
			}
			next := r.model.last(t).Messages
			wantTexts(t, next, append(want, "user: Again")...)
			for _, m := range next[1:] {
				if len(m.Calls) > 0 || m.Role == domain.RoleAssistant && m.FinishReason != domain.FinishError {
					t.Errorf("message: %+v", m)
				}
				for _, b := range m.Blocks {
					if b.Type == domain.BlockToolCall || b.Type == domain.BlockReasoning && b.Opaque == "" {
						t.Errorf("block: %+v", b)
					}
				}
			}
		})
	}
}

// TestNoAnswerAtAll: what keeps a run from asking the model is an error of the
// run, and not of who sent the message.
func TestNoAnswerAtAll(t *testing.T) {
	t.Parallel()
	broken := func(o *agent.Options) {
		o.ProjectRules = func(string, bool) (*permission.Rules, error) {
			return nil, errors.New("/p/.mix/config.json: line 3: no such key")
		}
	}
	for name, c := range map[string]struct {
		model string
		tune  func(*agent.Options)
		kind  string
		holds []string
	}{
		"missing key":      {model: "nokey/m", kind: "authentication_error", holds: []string{"needs an API key", "NOKEY_API_KEY"}},
		"project settings": {model: "test/m", tune: broken, kind: "invalid_request_error", holds: []string{"line 3", "mend them"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var tune []func(*agent.Options)
			if c.tune != nil {
				tune = append(tune, c.tune)
			}
			r := newRig(t, answers(say("unused")), tune...)
			s := r.sessionOf(agent.NewSession{Model: c.model})
			got := r.run(s, "Hi")
			text, kind := got.failure()
			if kind != c.kind || got.end().text("state") != "failed" {
				t.Errorf("%q (%s), %v", text, kind, got.end())
			}
			wantHolds(t, "the error", text, c.holds...)
			wantTexts(t, r.history(s), "user: Hi")
		})
	}
}

// TestModelThatIsGone: a session whose provider this version does not know.
func TestModelThatIsGone(t *testing.T) {
	t.Parallel()
	r := newRig(t, answers(say("unused")))
	w := newWreck(r)
	w.setModel("gone/m")
	text, kind := r.run(w.session, "Hi").failure()
	if kind != "not_found_error" {
		t.Errorf("%q (%s)", text, kind)
	}
	wantHolds(t, "the error", text, `no model provider "gone"`, "Known are nokey, test")
}

// TestReasoningSignatures: each signature stays with its own reasoning, also
// where the vendor does not show it.
func TestReasoningSignatures(t *testing.T) {
	t.Parallel()
	d := func(kind provider.DeltaKind, text string) provider.Delta {
		return provider.Delta{Kind: kind, Text: text}
	}
	r := newRig(t, answers(answer{}.with(
		d(provider.DeltaReasoning, "one "), d(provider.DeltaReasoning, "more"), d(provider.DeltaSignature, "S1"),
		d(provider.DeltaSignature, "S2"),
		d(provider.DeltaReasoning, ""), d(provider.DeltaSignature, "S3"),
		d(provider.DeltaRedacted, "R"),
		d(provider.DeltaReasoning, "last"), d(provider.DeltaText, "Text"),
	), say("fine")))
	s := r.session()
	got := r.run(s, "Think")
	if end := got.end(); end.text("reasoning") != "one morelast" {
		t.Errorf("complete: %v", end)
	}
	r.run(s, "And?")
	m := r.model.last(t).Messages[1]
	var have []string
	for _, b := range m.Blocks {
		have = append(have, string(b.Type)+":"+b.Text+":"+b.Opaque)
		if b.Type == domain.BlockReasoning && b.Vendor != "test" {
			t.Errorf("block: %+v", b)
		}
	}
	want := []string{"reasoning:one more:S1", "reasoning::S2", "reasoning::S3", "reasoning::R", "reasoning:last:", "text:Text:"}
	if !slices.Equal(have, want) {
		t.Errorf("blocks: %q", have)
	}
}
