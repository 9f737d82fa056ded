package agent_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mixagent/mix/internal/agent"
	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/eventlog"
	"github.com/mixagent/mix/internal/permission"
	"github.com/mixagent/mix/internal/provider"
	"github.com/mixagent/mix/internal/store"
	"github.com/mixagent/mix/internal/tools"
	"github.com/mixagent/mix/internal/wire"
)

// patience is how long a test waits for what has to happen.
const patience = 20 * time.Second

// rig is a whole engine over a data directory, with a scripted model.
type rig struct {
	t     testing.TB
	data  string // Mix's own directory
	dir   string // where sessions work
	model *model
	tune  func(*agent.Options)
	more  []tools.Tool // besides those that work on real files
	slow  bool         // what it does takes minutes

	store *store.Store
	log   *eventlog.Log
	gate  *permission.Gate
	agent *agent.Service
}

// newRig returns a recovered engine whose model plays the script. The functions
// change the options of the agent.
func newRig(t testing.TB, script func(int, *provider.Request) answer, tune ...func(*agent.Options)) *rig {
	t.Helper()
	r := bareRig(t, script, tune...)
	r.recover()
	return r
}

// bareRig is a rig before its recovery.
func bareRig(t testing.TB, script func(int, *provider.Request) answer, tune ...func(*agent.Options)) *rig {
	t.Helper()
	r := &rig{
		t: t, data: resolved(t, t.TempDir()), dir: resolved(t, t.TempDir()), model: newModel(script),
		tune: func(o *agent.Options) {
			for _, f := range tune {
				f(o)
			}
		},
	}
	db, err := emptyDatabase()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(r.data, "mix.db"), db, 0o600); err != nil {
		t.Fatal(err)
	}
	r.openStore(patience)
	r.open()
	t.Cleanup(func() {
		r.close()
		if err := r.store.Close(); err != nil {
			t.Errorf("close the store: %v", err)
		}
	})
	return r
}

func resolved(t testing.TB, dir string) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// emptyDatabase is the file of a new database. Making it once saves most of
// what a rig costs.
var emptyDatabase = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "mix-agent")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "mix.db")
	s, err := store.Open(context.Background(), store.Options{Path: path, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	if err := s.Close(); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})

// openStore opens the store; busy is how long a commit waits for another
// program.
func (r *rig) openStore(busy time.Duration) {
	r.t.Helper()
	var err error
	r.store, err = store.Open(context.Background(), store.Options{
		Path: filepath.Join(r.data, "mix.db"), BusyTimeout: busy, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		r.t.Fatal(err)
	}
}

// open builds everything above the store.
func (r *rig) open() {
	r.t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	r.log = eventlog.New(r.store, eventlog.Options{SegmentEvery: 10 * time.Millisecond})
	r.gate = permission.NewGate(permission.Options{Records: r.store, Events: r.log, Protected: []string{r.data}})
	registry := tools.NewRegistry(append(tools.Builtin(), r.more...)...)
	executor, err := tools.NewExecutor(registry, r.gate, tools.Options{Logger: quiet})
	if err != nil {
		r.t.Fatal(err)
	}
	o := agent.Options{
		Store: r.store, Log: r.log, Gate: r.gate, Executor: executor, Tools: registry, Models: models{r.model},
		SessionsDir:  filepath.Join(r.data, "sessions"),
		ProjectRules: func(string, bool) (*permission.Rules, error) { return nil, nil },
		DefaultModel: "test/priced", DefaultDir: r.dir, Protected: []string{r.data}, Logger: quiet,
	}
	r.tune(&o)
	if r.agent, err = agent.New(o); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) recover() {
	r.t.Helper()
	if err := r.agent.Recover(r.t.Context()); err != nil {
		r.t.Fatalf("Recover: %v", err)
	}
}

// close ends everything above the store and interrupts what runs.
func (r *rig) close() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := r.agent.Close(ctx, 0); err != nil {
		r.t.Errorf("Close: %v", err)
	}
	if err := r.log.Close(ctx); err != nil && !strings.Contains(err.Error(), domain.ErrClosed.Error()) {
		r.t.Errorf("close the log: %v", err)
	}
}

// restart is a new server over the same data.
func (r *rig) restart() {
	r.t.Helper()
	r.close()
	r.open()
	r.recover()
}

// session makes one that runs all tools without asking.
func (r *rig) session() string {
	r.t.Helper()
	return r.sessionOf(agent.NewSession{Policy: domain.Policy{Mode: domain.ModeAuto}})
}

func (r *rig) sessionOf(n agent.NewSession) string {
	r.t.Helper()
	s, err := r.agent.CreateSession(r.t.Context(), n)
	if err != nil {
		r.t.Fatalf("CreateSession: %v", err)
	}
	return s.ID
}

// send submits a prompt.
func (r *rig) send(session, text string) agent.Accepted {
	r.t.Helper()
	return r.submit(session, agent.Prompt{Text: text})
}

func (r *rig) submit(session string, p agent.Prompt) agent.Accepted {
	r.t.Helper()
	a, err := r.agent.Submit(r.t.Context(), session, p)
	if err != nil {
		r.t.Fatalf("Submit: %v", err)
	}
	return a
}

// run submits a prompt and waits for the end of its run. It returns the events
// from the prompt on.
func (r *rig) run(session, text string) events {
	r.t.Helper()
	return r.wait(session, r.send(session, text))
}

// wait returns the events of a run, from its prompt to its end.
func (r *rig) wait(session string, a agent.Accepted) events {
	r.t.Helper()
	return r.until(session, a.EventSeq, func(e event) bool {
		return e.name == domain.EventComplete && e.text("runId") == a.RunID
	})
}

// until returns the events behind the number after, up to the first that last
// reports true for.
func (r *rig) until(session string, after int64, last func(event) bool) events {
	r.t.Helper()
	limit := patience
	if r.slow {
		limit = 10 * time.Minute
	}
	ctx, cancel := context.WithTimeout(r.t.Context(), limit)
	defer cancel()
	c, err := r.log.Subscribe(ctx, session, after)
	if err != nil {
		r.t.Fatalf("Subscribe: %v", err)
	}
	defer c.Close()
	var seen events
	for {
		records, err := c.Next(ctx)
		if err != nil {
			r.t.Fatalf("waiting for an event: %v; so far: %v", err, seen.names())
		}
		for _, rec := range records {
			e := parse(r.t, rec.Block)
			seen = append(seen, e)
			if last(e) {
				return seen
			}
		}
	}
}

// all returns every event of a session that is on disk.
func (r *rig) all(session string) events { return r.since(session, 0) }

// since returns those behind the number after.
func (r *rig) since(session string, after int64) events {
	r.t.Helper()
	if err := r.log.Flush(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
	var seen events
	err := eventlog.ScanSegments(r.t.Context(), r.store, session, after, func(seq int64, name domain.EventType, data []byte) error {
		e := event{seq: seq, name: name}
		seen = append(seen, e.decode(r.t, data))
		return nil
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return seen
}

func (r *rig) history(session string) []domain.Message {
	r.t.Helper()
	list, err := r.store.History(r.t.Context(), session)
	if err != nil {
		r.t.Fatal(err)
	}
	return list
}

func (r *rig) runOf(id string) domain.Run {
	r.t.Helper()
	run, err := r.store.Run(r.t.Context(), id)
	if err != nil {
		r.t.Fatal(err)
	}
	return run
}

func (r *rig) sessionRow(id string) domain.Session {
	r.t.Helper()
	s, err := r.store.Session(r.t.Context(), id)
	if err != nil {
		r.t.Fatal(err)
	}
	return s
}

// file writes a file below the session's directory.
func (r *rig) file(name, text string) string {
	r.t.Helper()
	path := filepath.Join(r.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
	return path
}

// hang waits until an answer of the model hangs.
func (r *rig) hang() {
	r.t.Helper()
	select {
	case <-r.model.hanging:
	case <-time.After(patience):
		r.t.Fatal("the model does not hang")
	}
}

// event is one event as subscribers see it.
type event struct {
	seq    int64
	name   domain.EventType
	fields map[string]any
}

func parse(t testing.TB, block []byte) event {
	t.Helper()
	b, err := wire.ParseBlock(block)
	if err != nil {
		t.Fatal(err)
	}
	return event{seq: b.Seq, name: b.Name}.decode(t, b.Data)
}

func (e event) decode(t testing.TB, data []byte) event {
	t.Helper()
	if err := json.Unmarshal(data, &e.fields); err != nil {
		t.Fatalf("event %d: %v", e.seq, err)
	}
	return e
}

func (e event) text(key string) string {
	s, _ := e.fields[key].(string)
	return s
}

type events []event

func (es events) names() []domain.EventType {
	names := make([]domain.EventType, len(es))
	for i := range es {
		names[i] = es[i].name
	}
	return names
}

func (es events) of(name domain.EventType) events {
	return slices.DeleteFunc(slices.Clone(es), func(e event) bool { return e.name != name })
}

// end returns the last event, which ends a run.
func (es events) end() event { return es[len(es)-1] }

// failure returns the text of the error event that is not about a retry, ""
// where there is none.
func (es events) failure() (text, kind string) {
	for _, e := range es.of(domain.EventError) {
		if e.fields["attempt"] == nil {
			return e.text("error"), e.text("type")
		}
	}
	return "", ""
}

// texts are the messages of a history in short: role and visible text.
func texts(messages []domain.Message) []string {
	var out []string
	for i := range messages {
		out = append(out, string(messages[i].Role)+": "+messages[i].Text())
	}
	return out
}

func wantTexts(t testing.TB, messages []domain.Message, want ...string) {
	t.Helper()
	if got := texts(messages); !slices.Equal(got, want) {
		t.Errorf("messages:\n  %s\nwant:\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

func wantHolds(t testing.TB, what, text string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			t.Errorf("%s does not hold %q: %q", what, p, text)
		}
	}
}
