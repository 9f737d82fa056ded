package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	mix "github.com/mixagent/mix/sdk"
)

// Settings of the crash test. MIX_TEST_KILLS sets how often a server is killed.
const (
	defaultKills = 20
	crashServers = 4
	// textSlack is how much of the streamed text a crash may take: the quarter
	// of a second between two savings, and room for a slow disk.
	textSlack = 250*time.Millisecond + 750*time.Millisecond
)

// TestCrash kills real servers at random instants and looks, after every
// restart, for anything that was acknowledged and is gone, anything that ran
// twice, and anything that a client waits for in vain.
func TestCrash(t *testing.T) {
	t.Parallel()
	kills := defaultKills
	if s := os.Getenv("MIX_TEST_KILLS"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		kills = n
	}
	for i := range crashServers {
		t.Run(fmt.Sprintf("server%d", i), func(t *testing.T) {
			t.Parallel()
			seed := uint64(time.Now().UnixNano())
			t.Logf("seed %d", seed)
			newCrasher(t, rand.New(rand.NewPCG(seed, uint64(i)))).run(kills / crashServers)
		})
	}
}

// crasher drives one server through its crashes.
type crasher struct {
	t       *testing.T
	rnd     *rand.Rand
	vendor  *vendor
	workDir string
	dataDir string
	home    string
	server  *serverProc

	session string
	seen    *observer
	sent    []sentPrompt
}

type sentPrompt struct{ text, messageID, runID string }

func newCrasher(t *testing.T, rnd *rand.Rand) *crasher {
	c := &crasher{t: t, rnd: rnd, workDir: t.TempDir(), dataDir: t.TempDir(), home: t.TempDir(), seen: newObserver()}
	c.vendor = newVendor(t, c.answer)
	return c
}

// answer is the model: text, then a command with an effect, again, then text.
// Each call leaves a mark of its own, so that a call that runs twice shows.
func (c *crasher) answer(conv conversation) reply {
	if _, line, ok := strings.Cut(conv.Prompt, "run: "); ok && len(conv.Results) == 0 {
		return reply{Calls: []call{{"Bash", fmt.Sprintf(`{"command":%q}`, line)}}}
	}
	pieces := make([]string, 15)
	for i := range pieces {
		pieces[i] = fmt.Sprintf("word%d-%d ", conv.Number, i)
	}
	r := reply{Pieces: pieces, Pause: 4 * time.Millisecond}
	if len(conv.Results) < 2 {
		r.Calls = []call{
			{"Bash", fmt.Sprintf(`{"command":"echo %d-a >> effects.txt; sleep 0.05"}`, conv.Number)},
			{"ReadText", `{"file_path":"given.txt"}`},
		}
	}
	return r
}

func (c *crasher) run(kills int) {
	if err := os.WriteFile(filepath.Join(c.workDir, "given.txt"), []byte("given\n"), 0o600); err != nil {
		c.t.Fatal(err)
	}
	c.start()
	s, err := c.server.client.CreateSession(c.t.Context(), mix.SessionSpec{Title: "crash", GrantDirectory: true, Model: "openai/mock"})
	if err != nil {
		c.t.Fatal(err)
	}
	c.session = s.ID
	for k := range kills {
		c.round(k)
	}
	c.finish()
}

func (c *crasher) start() {
	env := cleanEnv(c.home, c.vendor.env()...)
	c.server = startServer(c.t, c.workDir, c.dataDir, env, "--permission-mode", "auto")
}

// round sends prompts, kills the server at some instant, restarts it and checks.
func (c *crasher) round(k int) {
	ctx, cancel := context.WithCancel(c.t.Context())
	defer cancel()
	watching := c.watch(ctx)
	kill := c.plan(k)
	for i := range 1 + c.rnd.IntN(2) {
		text := fmt.Sprintf("prompt %d.%d", k, i)
		sent, err := c.server.client.Send(ctx, c.session, mix.Prompt{Text: text})
		if err != nil {
			break // the server went before it answered
		}
		c.sent = append(c.sent, sentPrompt{text, sent.MessageID, sent.RunID})
	}
	kill.wait()
	killed := time.Now()
	c.server.kill()
	cancel()
	watching.Wait()
	c.seen.forgetTextSince(killed.Add(-textSlack))
	c.start()
	c.check()
	if k%4 == 0 {
		c.cancel(k)
	}
}

// cancel shows that the restarted server goes on without any client, and that
// cancelling reaches the command of a run and ends it.
func (c *crasher) cancel(k int) {
	c.t.Helper()
	ctx, stop := context.WithTimeout(c.t.Context(), 30*time.Second)
	defer stop()
	mark := fmt.Sprintf("sleep 600.%d%d", os.Getpid(), c.rnd.IntN(1<<30))
	sent, err := c.server.client.Send(ctx, c.session, mix.Prompt{Text: "run: " + mark})
	if err != nil {
		c.t.Fatal(err)
	}
	c.sent = append(c.sent, sentPrompt{"run: " + mark, sent.MessageID, sent.RunID})
	for !running(mark) {
		if ctx.Err() != nil {
			c.t.Fatalf("round %d: nobody ran the command\n%s", k, c.server.log.String())
		}
		runtime.Gosched()
	}
	if c.rnd.IntN(2) == 0 {
		// A crash must not leave the command behind either.
		c.server.kill()
		c.start()
		if running(mark) {
			c.t.Errorf("round %d: the command outlives its killed server", k)
		}
		return
	}
	if err := c.server.client.Cancel(ctx, c.session); err != nil {
		c.t.Errorf("round %d: cancel: %v", k, err)
	}
	if running(mark) {
		c.t.Errorf("round %d: the command outlives its cancelled run", k)
	}
}

// running reports whether a process has the command line.
func running(line string) bool {
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, f := range files {
		data, _ := os.ReadFile(f)
		if string(bytes.ReplaceAll(bytes.TrimRight(data, "\x00"), []byte{0}, []byte(" "))) == line {
			return true
		}
	}
	return false
}

// instant is when to kill.
type instant struct {
	c     *crasher
	after time.Duration
	event string
}

// plan picks an instant: at an event, or after some time.
func (c *crasher) plan(k int) instant {
	events := []string{"", "", "user_message_created", "content", "tool_execution_start", "tool_execution_complete", "usage", "complete"}
	return instant{c, time.Duration(c.rnd.IntN(300)) * time.Millisecond, events[(k+c.rnd.IntN(2))%len(events)]}
}

func (i instant) wait() {
	if i.event == "" {
		timer := time.NewTimer(i.after)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-i.c.t.Context().Done():
		}
		return
	}
	i.c.seen.waitFor(i.event, 400*time.Millisecond)
}

// watch follows the session's events from the last one that was seen, over
// and over, until ctx ends.
func (c *crasher) watch(ctx context.Context) *sync.WaitGroup {
	var wg sync.WaitGroup
	client := c.server.client
	wg.Add(1)
	go func() {
		defer wg.Done()
		last := c.seen.position()
		stream, err := client.Events(ctx, c.session, mix.EventOptions{LastEventID: &last})
		if err != nil {
			return
		}
		defer stream.Close()
		for stream.Next() {
			if err := c.seen.add(stream.Event()); err != nil {
				c.t.Error(err)
			}
		}
	}()
	return &wg
}

// check holds the restarted server against what was seen before the crash.
func (c *crasher) check() {
	c.t.Helper()
	messages, err := c.server.client.Messages(c.t.Context(), c.session, mix.Page{})
	if err != nil {
		c.t.Fatal(err)
	}
	byID := map[string]mix.Message{}
	calls := map[string]mix.ToolCall{}
	for _, m := range messages {
		byID[m.ID] = m
		for _, call := range m.ToolCalls {
			calls[call.ID] = call
		}
	}
	for _, s := range c.sent {
		if m, ok := byID[s.messageID]; !ok || m.UserInput != s.text {
			c.t.Errorf("the message %q was acknowledged and is gone", s.text)
		}
	}
	for id, text := range c.seen.results() {
		call, ok := calls[id]
		if !ok || !call.Finished || call.Result == "" {
			c.t.Errorf("the result of call %s (%s) was announced and is gone: %+v", id, text, call)
		}
	}
	for id, text := range c.seen.texts() {
		if m := byID[id]; !strings.HasPrefix(m.AssistantResponse, text) {
			c.t.Errorf("of message %s, %q was streamed in time and %q is left", id, text, m.AssistantResponse)
		}
	}
	c.checkEffects()
	if problems := c.vendor.trouble(); len(problems) > 0 {
		c.t.Errorf("the vendor refused requests: %v", problems)
	}
}

// checkEffects looks for commands that ran twice.
func (c *crasher) checkEffects() {
	data, err := os.ReadFile(filepath.Join(c.workDir, "effects.txt"))
	if err != nil && !os.IsNotExist(err) {
		c.t.Fatal(err)
	}
	count := map[string]int{}
	for line := range strings.Lines(string(data)) {
		if count[line]++; count[line] > 1 {
			c.t.Errorf("the command with the mark %q ran twice", strings.TrimSpace(line))
		}
	}
}

// finish lets the last server work in peace: every run that was acknowledged
// must have come to its one end on the stream.
func (c *crasher) finish() {
	ctx, cancel := context.WithCancel(c.t.Context())
	watching := c.watch(ctx)
	sent, err := c.server.client.Send(ctx, c.session, mix.Prompt{Text: "last prompt"})
	if err != nil {
		c.t.Fatal(err)
	}
	c.sent = append(c.sent, sentPrompt{"last prompt", sent.MessageID, sent.RunID})
	if !c.seen.waitForRun(sent.RunID, 30*time.Second) {
		c.t.Errorf("the last run did not end\n%s", c.server.log.String())
	}
	cancel()
	watching.Wait()
	for _, s := range c.sent {
		if n := c.seen.completes(s.runID); n != 1 {
			c.t.Errorf("the run of %q has %d complete events", s.text, n)
		}
	}
	c.check()
	c.server.stop(c.t)
}

// observer remembers what a client saw over all connections.
type observer struct {
	mu    sync.Mutex
	cond  *sync.Cond
	last  int64
	count map[string]int // by event name
	done  map[string]int // complete events by run
	ended map[string]string
	text  map[string][]piece
}

type piece struct {
	at   time.Time
	text string
}

func newObserver() *observer {
	o := &observer{count: map[string]int{}, done: map[string]int{}, ended: map[string]string{}, text: map[string][]piece{}}
	o.cond = sync.NewCond(&o.mu)
	return o
}

// add takes an event; its number must be higher than all before.
func (o *observer) add(ev mix.Event) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	defer o.cond.Broadcast()
	if ev.Type == "connected" || ev.Type == "heartbeat" {
		return nil
	}
	if ev.ID <= o.last {
		return fmt.Errorf("event %s has number %d after %d", ev.Type, ev.ID, o.last)
	}
	o.last = ev.ID
	o.count[ev.Type]++
	var d struct{ RunID, ToolCallID, Content, AssistantMessageID, Text string }
	if err := json.Unmarshal(ev.Data, &d); err != nil {
		return fmt.Errorf("event %d: %w", ev.ID, err)
	}
	switch ev.Type {
	case "complete":
		o.done[d.RunID]++
	case "tool_result":
		o.ended[d.ToolCallID] = d.Text
	case "content":
		o.text[d.AssistantMessageID] = append(o.text[d.AssistantMessageID], piece{time.Now(), d.Content})
	}
	return nil
}

func (o *observer) position() int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.last
}

func (o *observer) results() map[string]string {
	o.mu.Lock()
	defer o.mu.Unlock()
	out := make(map[string]string, len(o.ended))
	for id, text := range o.ended {
		out[id] = text
	}
	return out
}

func (o *observer) completes(run string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.done[run]
}

// forgetTextSince drops the text that a crash may have taken.
func (o *observer) forgetTextSince(then time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for id, pieces := range o.text {
		o.text[id] = slices.DeleteFunc(pieces, func(p piece) bool { return p.at.After(then) })
	}
}

// texts is the text of each message that no crash may have taken.
func (o *observer) texts() map[string]string {
	o.mu.Lock()
	defer o.mu.Unlock()
	out := map[string]string{}
	for id, pieces := range o.text {
		for _, p := range pieces {
			out[id] += p.text
		}
	}
	return out
}

// waitFor waits until one more event of the name has come, or for some time.
func (o *observer) waitFor(name string, patience time.Duration) {
	o.mu.Lock()
	before := o.count[name]
	o.mu.Unlock()
	o.wait(patience, func() bool { return o.count[name] > before })
}

func (o *observer) waitForRun(run string, patience time.Duration) bool {
	return o.wait(patience, func() bool { return o.done[run] > 0 })
}

// wait waits for a condition on what was seen.
func (o *observer) wait(patience time.Duration, met func() bool) bool {
	deadline := time.Now().Add(patience)
	timer := time.AfterFunc(patience, func() { o.cond.Broadcast() })
	defer timer.Stop()
	o.mu.Lock()
	defer o.mu.Unlock()
	for !met() && time.Now().Before(deadline) {
		o.cond.Wait()
	}
	return met()
}
