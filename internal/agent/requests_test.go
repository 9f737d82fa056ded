package agent_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/mixagent/mix/internal/agent"
	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/provider"
)

// wantPrefixes checks that every request begins with the whole request before
// it: vendors cache by prefix.
func wantPrefixes(t *testing.T, requests []provider.Request) {
	t.Helper()
	for i := 1; i < len(requests); i++ {
		before, now := requests[i-1], requests[i]
		if now.System != before.System || !reflect.DeepEqual(now.Tools, before.Tools) {
			t.Errorf("request %d has another system prompt or other tools", i)
		}
		a, b := turnsOf(before.Messages), turnsOf(now.Messages)
		if len(b) < len(a) || len(a) > 0 && !reflect.DeepEqual(a, b[:len(a)]) {
			t.Errorf("request %d does not begin with request %d:\n%+v\n%+v", i, i-1, b, a)
		}
	}
}

func TestRequestsAreAppendOnly(t *testing.T) {
	t.Parallel()
	thought := answer{}.with(
		provider.Delta{Kind: provider.DeltaReasoning, Text: "hm\xff"},
		provider.Delta{Kind: provider.DeltaSignature, Text: "SIG"})
	script := []answer{
		thought.with(say("I look \xc3").deltas...).call("ReadText", `{"file_path":"a.txt"}`, "Nothing", `{"x":"`+"\xff"+`"`),
		call("Bash", `{"command":"printf 'a\\0b\\377c'"}`),
		say("Done."),
	}
	r := newRig(t, func(n int, _ *provider.Request) answer { return script[n%3] })
	r.file("a.txt", "content\n")
	s := r.session()
	for i := range 3 {
		if end := r.run(s, fmt.Sprint("Do it ", i, "\xff")).end(); end.text("content") != "Done." {
			t.Fatalf("complete: %v", end)
		}
		// Neither the time nor the project's instructions change the prefix.
		r.file("AGENTS.md", fmt.Sprint("New rules ", i))
		r.restart()
	}
	requests := r.model.seen()
	if len(requests) != 9 {
		t.Fatalf("%d requests", len(requests))
	}
	wantPrefixes(t, requests)
}

// TestRequestsAfterTrouble: also what a failed, cancelled or capped run leaves
// is only added to.
func TestRequestsAfterTrouble(t *testing.T) {
	t.Parallel()
	r := newRig(t, answers(say("fine")))
	s := r.session()
	r.run(s, "one")
	r.model.play(answers(answer{cut: true}.with(say("Half").deltas...)))
	r.run(s, "two")
	r.model.play(answers(call("Glob", `{"pattern":"*"}`)))
	r.wait(s, r.submit(s, agent.Prompt{Text: "three", MaxSteps: 1}))
	r.model.play(answers(answer{hang: true}))
	sent := r.send(s, "four")
	r.hang()
	r.cancel(s)
	r.wantCancelled(s, sent)
	r.restart()
	r.model.play(answers(say("fine again")))
	r.run(s, "five")
	var requests []provider.Request
	for _, q := range r.model.seen() {
		// A message without an answer is joined by the next one: that is the
		// one turn that grows. What comes before it is the same.
		q.Messages = q.Messages[:len(q.Messages)-1]
		requests = append(requests, q)
	}
	wantPrefixes(t, requests[:4])
	wantTexts(t, r.model.last(t).Messages, "user: one", "assistant: fine", "user: two", "assistant: Half",
		"user: three", "assistant: ", "user: four", "user: five")
}

// TestSystemPrompt: what it holds, and what the first message holds instead.
func TestSystemPrompt(t *testing.T) {
	t.Parallel()
	r := newRig(t, answers(say("fine")), func(o *agent.Options) { o.Now = newClock().now })
	r.file("AGENTS.md", "Always wear a hat.\n")
	for name, c := range map[string]struct {
		mode     domain.PromptMode
		custom   string
		holds    []string
		holdsNot []string
	}{
		"default":            {domain.PromptDefault, "ignored", []string{"You are Mix", "Directory: " + r.dir, "Always wear a hat.", "Platform: "}, []string{"ignored", "2026"}},
		"append":             {domain.PromptAppend, "Work in $<cwd> with $<model>, not $<other>.", []string{"You are Mix", "Work in " + r.dir + " with test/priced, not $<other>."}, nil},
		"replace":            {domain.PromptReplace, "Only this, $<session_id>.", []string{"Only this, "}, []string{"You are Mix", "hat", "$<session_id>"}},
		"replace by nothing": {domain.PromptReplace, " \n", []string{"You are Mix"}, nil},
	} {
		s := r.sessionOf(agent.NewSession{PromptMode: c.mode, CustomPrompt: c.custom})
		r.run(s, "Hi")
		req := r.model.last(t)
		wantHolds(t, name, req.System, c.holds...)
		for _, not := range c.holdsNot {
			if strings.Contains(req.System, not) {
				t.Errorf("%s holds %q", name, not)
			}
		}
		first := req.Messages[0]
		if len(first.Blocks) != 2 || !first.Blocks[0].Context || first.Text() != "Hi" {
			t.Errorf("%s: the first message: %+v", name, first)
		}
		wantHolds(t, name, first.Blocks[0].Text, "Today's date: 2026-01-02", "not a repository")
		r.run(s, "And?")
		if m := r.model.last(t).Messages[2]; len(m.Blocks) != 1 {
			t.Errorf("%s: the second message: %+v", name, m)
		}
	}
}

func TestRepositoryInFirstMessage(t *testing.T) {
	t.Parallel()
	git, err := exec.LookPath("git")
	if err != nil {
		skipOrFail(t, "git is not installed")
	}
	r := newRig(t, answers(say("fine")))
	cmd := exec.Command(git, "init", "-q", "-b", "lighthouse", r.dir)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "HOME="+r.data)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	r.file("new.txt", "x")
	r.run(r.session(), "Hi")
	wantHolds(t, "the first message", r.model.last(t).Messages[0].Blocks[0].Text, "lighthouse", "new.txt")
}

// skipOrFail skips a test that needs what is not installed, or fails it where
// that has to be there.
func skipOrFail(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("MIX_TEST_REQUIRE") != "" {
		t.Fatal(why)
	}
	t.Skip(why)
}

// TestPlanMode: for one message, or for a session, the model sees no tool that
// writes or runs, and one that it calls anyway does nothing.
func TestPlanMode(t *testing.T) {
	t.Parallel()
	try := call("Write", `{"file_path":"made.txt","content":"x"}`, "Bash", `{"command":"touch ran"}`, "ReadText", `{"file_path":"a.txt"}`)
	r := newRig(t, answers(try, say("The plan.")))
	r.file("a.txt", "content\n")
	s := r.sessionOf(agent.NewSession{GrantDirectory: true, Policy: domain.Policy{Mode: domain.ModeAuto}})
	r.wait(s, r.submit(s, agent.Prompt{Text: "Plan it", PlanMode: true}))
	var names []string
	for _, tool := range r.model.last(t).Tools {
		names = append(names, tool.Name)
	}
	if got := strings.Join(names, " "); got != "Glob Grep ReadText" {
		t.Errorf("tools: %s", got)
	}
	calls := r.history(s)[1].Calls
	for _, c := range calls[:2] {
		if c.State != domain.CallDenied {
			t.Errorf("%s: %+v", c.Tool, c)
		}
		wantHolds(t, c.Tool, c.Text, "plan")
	}
	if calls[2].State != domain.CallFinished {
		t.Errorf("%+v", calls[2])
	}
	for _, name := range []string{"made.txt", "ran"} {
		if _, err := os.Stat(filepath.Join(r.dir, name)); err == nil {
			t.Errorf("%s was made", name)
		}
	}
	// The next message is an ordinary one.
	r.model.play(answers(try, say("Done.")))
	r.run(s, "Do it")
	if n := len(r.model.last(t).Tools); n != 6 {
		t.Errorf("%d tools", n)
	}
	for _, name := range []string{"made.txt", "ran"} {
		if _, err := os.Stat(filepath.Join(r.dir, name)); err != nil {
			t.Error(err)
		}
	}
}
