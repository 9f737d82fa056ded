package agent_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/mixagent/mix/internal/agent"
	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/permission"
	"github.com/mixagent/mix/internal/provider"
	"github.com/mixagent/mix/internal/tools"
)

// custom is a tool that does what a test says.
type custom struct{ run func() tools.Output }

func (custom) Name() string                      { return "Custom" }
func (custom) Aliases() []string                 { return nil }
func (custom) Description() string               { return "Does what the test says." }
func (custom) Schema() json.RawMessage           { return json.RawMessage(`{"type":"object"}`) }
func (custom) Capabilities() []domain.Capability { return []domain.Capability{domain.CanInteract} }

func (c custom) Plan(context.Context, *tools.Env, json.RawMessage) (*tools.Plan, error) {
	return &tools.Plan{
		Accesses: []permission.Access{{Can: domain.CanInteract}},
		Run:      func(context.Context, *tools.Env) (tools.Output, error) { return c.run(), nil },
	}, nil
}

// withTool gives a rig a further tool, and a store that waits for other
// programs only as long as busy.
func (r *rig) withTool(busy time.Duration, run func() tools.Output) {
	r.t.Helper()
	r.close()
	if err := r.store.Close(); err != nil {
		r.t.Fatal(err)
	}
	r.more = []tools.Tool{custom{run}}
	r.openStore(busy)
	r.open()
	r.recover()
}

// TestJournalFails: where the calls cannot be recorded, nothing runs, and the
// run ends on the stream although it cannot end on disk.
func TestJournalFails(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	r.model.play(func(int, *provider.Request) answer {
		if err := r.store.Close(); err != nil {
			t.Error(err)
		}
		return say("I do. ").call("Bash", `{"command":"touch ran"}`)
	})
	s := r.session()
	sent := r.send(s, "Go")
	got := r.wait(s, sent)
	text, _ := got.failure()
	wantHolds(t, "the error", text, "record the tool calls")
	if got.end().text("state") != "failed" || len(got.of(domain.EventToolStart)) > 0 {
		t.Errorf("%v", got.names())
	}
	if _, err := os.Stat(filepath.Join(r.dir, "ran")); err == nil {
		t.Error("the command ran")
	}
	for _, e := range got.of(domain.EventTitle) {
		t.Errorf("a title that is not stored: %v", e)
	}
	if _, err := r.agent.Submit(t.Context(), s, agent.Prompt{Text: "Again"}); err == nil {
		t.Error("a prompt was accepted that is not on disk")
	}
}

// TestDiskFailsForAMoment: the result of a call that the journal could not take
// is stored with the end of the run.
func TestDiskFailsForAMoment(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	unlock := func() {}
	free := func() {
		mu.Lock()
		defer mu.Unlock()
		unlock()
		unlock = func() {}
	}
	r := newRig(t, answers(call("Custom", `{}`), say("unused")), func(o *agent.Options) {
		// The first time that the agent asks for after the call is that of the
		// end of the run.
		o.Now = func() time.Time { free(); return time.Now() }
	})
	r.withTool(50*time.Millisecond, func() tools.Output {
		mu.Lock()
		defer mu.Unlock()
		unlock = r.blockDisk()
		return tools.Output{Text: "the work is done"}
	})
	s := r.session()
	sent := r.send(s, "Go")
	got := r.wait(s, sent)
	text, _ := got.failure()
	wantHolds(t, "the error", text, "record the result", "try again")
	if run := r.runOf(sent.RunID); run.State != domain.RunFailed || run.Error != text {
		t.Errorf("run: %+v", run)
	}
	if c := r.history(s)[1].Calls[0]; c.State != domain.CallFinished || c.Text != "the work is done" {
		t.Errorf("call: %+v", c)
	}
	turns := turnsOf(r.wantNextWorks(s))
	wantHolds(t, "the result", turns[2].Results[0].Text, "the work is done")
}

// TestDiskFailsLonger: clients are told of the end that could not be stored,
// the session goes on when the disk works again, and the next server puts the
// row in order without telling anybody twice.
func TestDiskFailsLonger(t *testing.T) {
	t.Parallel()
	unlocks := make(chan func(), 1)
	r := newRig(t, answers(call("Custom", `{}`)))
	r.withTool(20*time.Millisecond, func() tools.Output {
		unlocks <- r.blockDisk()
		return tools.Output{Text: "the work is done"}
	})
	s := r.session()
	sent := r.send(s, "Go")
	got := r.wait(s, sent)
	(<-unlocks)()
	if text, _ := got.failure(); text == "" || got.end().text("state") != "failed" {
		t.Errorf("%q, %v", text, got.end())
	}
	r.wantNextWorks(s)
	r.restart()
	if run := r.runOf(sent.RunID); run.State != domain.RunFailed {
		t.Errorf("run: %+v", run)
	}
	if c := r.history(s)[1].Calls[0]; c.State != domain.CallInterrupted {
		t.Errorf("call: %+v", c)
	}
	n := 0
	for _, e := range r.all(s).of(domain.EventComplete) {
		if e.text("runId") == sent.RunID {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d complete events", n)
	}
	r.wantNextWorks(s)
}
