package tools_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/tools"
)

var (
	genPath = rapid.SampledFrom([]string{"/a", "/a/b", "/a/c", "/ab", "/d", "/d/e/f"})
	genTime = rapid.Custom(func(t *rapid.T) time.Duration {
		return time.Duration(rapid.IntRange(0, 9).Draw(t, "ms")) * time.Millisecond
	})
	genScript = rapid.Custom(func(t *rapid.T) script {
		s := drawScript(t)
		if s.Verdict == "" && rapid.IntRange(0, 3).Draw(t, "edits") == 0 {
			edited := drawScript(t)
			s.Edit = &edited
		}
		return s
	})
)

func drawScript(t *rapid.T) script {
	return script{
		Reads:    rapid.SliceOfN(genPath, 0, 2).Draw(t, "reads"),
		Writes:   rapid.SliceOfN(genPath, 0, 1).Draw(t, "writes"),
		Tree:     rapid.Bool().Draw(t, "tree"),
		Exec:     rapid.IntRange(0, 4).Draw(t, "exec") == 0,
		ReadOnly: rapid.Bool().Draw(t, "readonly"),
		Verdict:  rapid.SampledFrom([]domain.Outcome{"", "", domain.OutcomeAllow, domain.OutcomeAllow, domain.OutcomeDeny}).Draw(t, "verdict"),
		Answer:   rapid.SampledFrom([]domain.Outcome{domain.OutcomeAllow, domain.OutcomeAllow, domain.OutcomeDeny, domain.OutcomeExpired}).Draw(t, "answer"),
		Think:    genTime.Draw(t, "think"),
		Work:     genTime.Draw(t, "work"),
		End:      rapid.SampledFrom([]string{"", "", "", "error", "panic", "bad"}).Draw(t, "end"),
		Doomed:   rapid.IntRange(0, 9).Draw(t, "doomed") == 0,
	}
}

// scenario is a batch and what happens to it.
type scenario struct {
	scripts    []script
	task       bool // the last call is one that makes the batch sequential
	sequential bool
	plan       bool
	parallel   int
	cancel     time.Duration // 0: never
	journal    string        // the operation that fails
}

// TestExecutorKeepsItsPromises runs random batches against a scripted gate, a
// scripted tool and a journal, and checks what the package promises.
func TestExecutorKeepsItsPromises(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		s := scenario{
			scripts:    rapid.SliceOfN(genScript, 1, 6).Draw(rt, "calls"),
			task:       rapid.IntRange(0, 5).Draw(rt, "task") == 0,
			sequential: rapid.IntRange(0, 5).Draw(rt, "sequential") == 0,
			plan:       rapid.IntRange(0, 3).Draw(rt, "plan") == 0,
			parallel:   rapid.IntRange(1, 4).Draw(rt, "parallel"),
		}
		if rapid.Bool().Draw(rt, "cancels") {
			s.cancel = genTime.Draw(rt, "cancel")*2 + 500*time.Microsecond
		}
		if rapid.IntRange(0, 4).Draw(rt, "breaks") == 0 {
			s.journal = rapid.SampledFrom([]string{"propose", "started c1", "allow c1", "end c0", "end c2"}).Draw(rt, "journal")
		}
		var problem string
		synctest.Test(t, func(t *testing.T) { problem = s.play(t) })
		if problem != "" {
			rt.Fatal(problem)
		}
	})
}

func (s scenario) play(t *testing.T) string {
	b := newBench(t, tools.Options{Sequential: s.sequential, MaxParallel: s.parallel})
	b.fail = s.journal
	calls := scriptCalls(s.scripts...)
	if s.task {
		calls[len(calls)-1].Tool = "alias_of_Task"
		calls[0].Tool = "Task"
	}
	batch := b.batch(calls...)
	if s.plan {
		batch.Subject.Policy.Mode = domain.ModePlan
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if s.cancel > 0 {
		timer := time.AfterFunc(s.cancel, cancel)
		defer timer.Stop()
	}
	out, err := b.x.Execute(ctx, batch)
	if b.broke != (err != nil) {
		return fmt.Sprintf("the journal failed: %t, the executor says: %v", b.broke, err)
	}
	if s.journal == "propose" {
		if len(b.lines) != 1 {
			return "something happened after the proposal failed: " + strings.Join(b.lines, "; ")
		}
		return ""
	}
	if problem := s.check(b.trace, out, err != nil); problem != "" {
		return problem + "\n" + strings.Join(b.lines, "\n")
	}
	return ""
}

// check holds the trace against the promises.
func (s scenario) check(tr *trace, out []domain.ToolCall, broken bool) string {
	if len(out) != len(s.scripts) {
		return "calls are missing"
	}
	for i, c := range out {
		id := fmt.Sprintf("c%d", i)
		if c.ID != id || c.Index != i {
			return "results are out of order"
		}
		if !c.State.Ended() || c.EndedAt.IsZero() || c.Text == "" || len(c.Result) == 0 {
			return fmt.Sprintf("%s has no proper end: %+v", id, c)
		}
		if problem := s.checkCall(tr, c, broken); problem != "" {
			return id + ": " + problem
		}
	}
	return s.checkOverlap(tr)
}

func (s scenario) checkCall(tr *trace, c domain.ToolCall, broken bool) string {
	in := s.scripts[c.Index]
	run, started := tr.at("run %s", c.ID), tr.at("started %s", c.ID)
	if run >= 0 {
		switch {
		case started < 0 || started > run:
			return "ran before its start was committed"
		case in.Verdict == domain.OutcomeDeny:
			return "ran though the gate denied it"
		case in.Verdict == "" && (tr.at("answer allow %s", c.ID) < 0 || tr.at("answer allow %s", c.ID) > started):
			return "ran though nobody had allowed it"
		case in.Verdict == "" && in.Edit != nil && in.Edit.Verdict == domain.OutcomeDeny:
			return "ran with an input that a rule denies"
		case s.plan && !s.effective(c.Index).reads():
			return "ran in plan mode"
		case c.State == domain.CallDenied:
			return "ran and was denied"
		}
	}
	if c.State == domain.CallFinished && run < 0 {
		return "finished without having run"
	}
	complete := max(tr.at("event complete %s true", c.ID), tr.at("event complete %s false", c.ID))
	end := tr.at("end %s", c.ID)
	if end < 0 && run < 0 {
		end = tr.at("%s %s", c.State, c.ID) // ended in the proposal
	}
	if broken && (complete < 0 || end < 0) {
		return "" // what could not be recorded is not announced
	}
	if complete < 0 || end < 0 || end > complete || end < run {
		return fmt.Sprintf("end committed at %d, announced at %d, run at %d", end, complete, run)
	}
	if tr.at("event start %s", c.ID) > run && run >= 0 {
		return "the event of its start came after its start"
	}
	if got := tr.ended[c.ID]; got.State != c.State || got.Text != c.Text {
		return "the journal holds another end than the one returned"
	}
	return ""
}

// effective is the script that runs, after the person's change.
func (s scenario) effective(i int) script {
	if in := s.scripts[i]; in.Verdict == "" && in.Edit != nil {
		return *in.Edit
	}
	return s.scripts[i]
}

func (s script) reads() bool { return len(s.Writes) == 0 && (!s.Exec || s.ReadOnly) }

// checkOverlap looks at all pairs of calls that ran.
func (s scenario) checkOverlap(tr *trace) string {
	running, most := 0, 0
	for _, line := range tr.lines {
		if strings.HasPrefix(line, "run ") {
			running++
		}
		if strings.HasPrefix(line, "ran ") {
			running--
		}
		most = max(most, running)
	}
	if most > s.parallel {
		return fmt.Sprintf("%d calls ran at the same time, %d may", most, s.parallel)
	}
	for i := range s.scripts {
		for j := range i {
			a, b := fmt.Sprintf("c%d", j), fmt.Sprintf("c%d", i)
			if tr.at("run %s", a) < 0 || tr.at("run %s", b) < 0 {
				continue
			}
			apart := tr.at("ran %s", a) < tr.at("run %s", b) || tr.at("ran %s", b) < tr.at("run %s", a)
			if !apart && (s.sequential || s.task || collide(s.effective(i), s.effective(j))) {
				return a + " and " + b + " ran at the same time"
			}
			inOrder := tr.at("ran %s", a) < tr.at("run %s", b)
			// A person's change comes when others may be running already.
			if edited := s.scripts[i].Edit != nil || s.scripts[j].Edit != nil; edited {
				continue
			}
			if !inOrder && (s.sequential || s.task || collide(s.scripts[i], s.scripts[j])) {
				return b + " overtook " + a
			}
		}
	}
	return ""
}

// collide says, independently of the executor, whether two calls may not
// overlap.
func collide(a, b script) bool {
	touches := func(s script) bool { return s.Exec || len(s.Reads)+len(s.Writes) > 0 }
	wild := func(s script) bool { return s.Exec && !s.ReadOnly }
	writes := func(s script) bool { return wild(s) || len(s.Writes) > 0 }
	if wild(a) && touches(b) || wild(b) && touches(a) {
		return true
	}
	if a.Exec && writes(b) || b.Exec && writes(a) {
		return true
	}
	return hits(a, b) || hits(b, a)
}

// hits reports whether what a writes is something that b reads or writes.
func hits(a, b script) bool {
	for _, w := range a.Writes {
		for _, p := range append(append([]string{}, b.Reads...), b.Writes...) {
			if w == p || a.Tree && strings.HasPrefix(p, w+"/") || b.Tree && strings.HasPrefix(w, p+"/") {
				return true
			}
		}
	}
	return false
}
