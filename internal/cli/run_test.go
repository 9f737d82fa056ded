package cli_test

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mixagent/mix/internal/cli"
	mix "github.com/mixagent/mix/sdk"
)

func given(t *testing.T, p *place) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(p.dir, "given.txt"), []byte("given\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestTextOutput: the answer and nothing else on standard output.
func TestTextOutput(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, prompt string
		flags        []string
		code         int
		out, err     string
	}{
		{"answer", sayDone, nil, 0, "All is well.\n", ""},
		{"no line end", `[{"text":"All is well."}]`, nil, 0, "All is well.\n", ""},
		{"reading", readFile, nil, 0, "I have read it.\n", "• ReadText given.txt\n"},
		{"a failing call", readAbsent, nil, 0, "It is not there.\n", "• ReadText absent.txt\n✗ ReadText absent.txt: Error: absent.txt does not exist. Use Glob to find the file\n"},
		{"allowed", writeFile, []string{"--allow", "Bash(touch:*)"}, 0, "I write. \n\nIt is written.\n", "• Bash touch made.txt\n"},
		{"denied", writeFile, []string{"--deny", "Bash(touch:*)"}, 3, "I write. \n\nIt is written.\n", "✗ Bash touch made.txt: DENIED\n"},
		{"cap on steps", readFile, []string{"--max-steps", "1"}, 4, "", "• ReadText given.txt\nStopped at the cap on steps; send another message to go on, or raise --max-steps.\n"},
		{"an error", "no steps", nil, 1, "", "! demo did not accept the request: REASON\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			given(t, p)
			r := p.run(tt.prompt, tt.flags...)
			if diff := cmp.Diff(result{tt.code, tt.out, tt.err}.String(), result{r.code, r.out, p.steady(r.err)}.String()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestJSONOutput: one object, whatever the run came to.
func TestJSONOutput(t *testing.T) {
	t.Parallel()
	const noUse = `"usage":{"input":0,"output":0,"cacheRead":0,"cacheWrite":0,"reasoning":0},"cost":0,`
	for _, tt := range []struct {
		name, prompt string
		flags        []string
		code         int
		want         string
	}{
		{"answer", sayDone, nil, 0, `{"sessionId":"ID","runId":"ID","status":"done","result":"All is well.\n",` + noUse + `"denied":[]}` + "\n"},
		{
			"denied", writeFile,
			[]string{"--deny", "Bash(touch:*)"},
			3,
			`{"sessionId":"ID","runId":"ID","status":"done","result":"It is written.",` + noUse +
				`"denied":[{"tool":"Bash","input":"{\"command\":\"touch made.txt\"}","reason":"DENIED"}]}` + "\n",
		},
		{
			"cap on steps", readFile,
			[]string{"--max-steps", "1"},
			4,
			`{"sessionId":"ID","runId":"ID","status":"done","reason":"max_steps","result":"",` + noUse + `"denied":[]}` + "\n",
		},
		{
			"an error", `[{"calls":[{}]}]`, nil, 1,
			`{"sessionId":"ID","runId":"ID","status":"failed","error":"demo did not accept the request: REASON","result":"",` +
				`"usage":{"input":0,"output":0,"cacheRead":0,"cacheWrite":0,"reasoning":0},"cost":0,"denied":[]}` + "\n",
		},
		{"hostile", `[{"text":"\u001b[31m\u009b31m\u202e\u007f\ufeff\udb40\udc41 end"}]`, nil, 0, `{"sessionId":"ID","runId":"ID","status":"done","result":"\u001b[31m\u009b31m\u202e\u007f\ufeff\udb40\udc41 end",` + noUse + `"denied":[]}` + "\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			given(t, p)
			r := p.run(tt.prompt, append(tt.flags, "--format", "json")...)
			if diff := cmp.Diff(tt.want, p.steady(r.out)); diff != "" || r.code != tt.code || r.err != "" {
				t.Errorf("(-want +got):\n%s%s", diff, r)
			}
		})
	}
}

// TestStreamJSON: an event a line, the last line is the object.
func TestStreamJSON(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	const script = `[{"calls":[{"tool":"Glob","input":{"pattern":"*"}}]},{"text":"Read."}]`
	r := p.run(script, "--format", "stream-json")
	const noUse = `{"input":0,"output":0,"cacheRead":0,"cacheWrite":0,"reasoning":0}`
	const use = `{"id":N,"event":"usage","data":{"type":"usage","messageId":"ID","model":"demo/steps","usage":` + noUse +
		`,"cost":0,"costUnknown":false,"sessionUsage":` + noUse + `,"sessionCost":0,"sessionCostUnknown":false}}`
	prompt, err := json.Marshal(script)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		`{"id":N,"event":"user_message_created","data":{"type":"user_message_created","messageId":"ID","content":` + string(prompt) + `}}`,
		`{"id":N,"event":"run","data":{"type":"run","runId":"ID","messageId":"ID","state":"running"}}`,
		`{"id":N,"event":"tool_use_start","data":{"type":"tool_use_start","id":"ID","name":"Glob","assistantMessageId":"ID"}}`,
		`{"id":N,"event":"tool_use_parameter_delta","data":{"type":"tool_use_parameter_delta","toolCallId":"ID","input":"{\"pattern\":\"*\"}","assistantMessageId":"ID"}}`,
		`{"id":N,"event":"tool_use_parameter_streaming_complete","data":{"type":"tool_use_parameter_streaming_complete","id":"ID","name":"Glob","input":"{\"pattern\":\"*\"}","assistantMessageId":"ID"}}`,
		use,
		`{"id":N,"event":"tool_execution_start","data":{"type":"tool_execution_start","toolName":"Glob","progress":"Executing tool: Glob","toolCallId":"ID"}}`,
		`tool_result`,
		`{"id":N,"event":"tool_execution_complete","data":{"type":"tool_execution_complete","toolName":"Glob","progress":"Glob finished","success":true,"toolCallId":"ID"}}`,
		`{"id":N,"event":"content","data":{"type":"content","content":"Read.","assistantMessageId":"ID"}}`,
		use,
		`{"id":N,"event":"run","data":{"type":"run","runId":"ID","messageId":"ID","state":"done"}}`,
		`{"id":N,"event":"complete","data":{"type":"complete","done":true,"content":"Read.","messageId":"ID","runId":"ID","state":"done"}}`,
		`{"type":"result","sessionId":"ID","runId":"ID","status":"done","result":"Read.","usage":` + noUse + `,"cost":0,"denied":[]}`,
	}
	var got []string
	for line := range strings.Lines(p.steady(r.out)) {
		line = strings.TrimSuffix(line, "\n")
		if strings.Contains(line, `"event":"tool_result"`) {
			line = "tool_result" // its text is the tool's business
		}
		if strings.Contains(line, `"event":"title"`) {
			continue // it comes when it is ready
		}
		got = append(got, line)
	}
	if diff := cmp.Diff(want, got); diff != "" || r.code != 0 || r.err != "" {
		t.Errorf("(-want +got):\n%s%s", diff, r)
	}
}

// TestHostileOutput: nothing of a model or a tool reaches a terminal raw.
func TestHostileOutput(t *testing.T) {
	t.Parallel()
	const evil = `\u001b]52;c;ZXZpbA==\u0007\u001b[2J\u009b31m\u202ered\u2066\u200b\u001b]0;title\u001b\\\u0008\r`
	prompt := `[{"text":"one` + evil + `two \u001b]0;open","calls":[
		{"tool":"ReadText","input":{"file_path":"` + evil + `"}},
		{"tool":"` + evil + `","input":{"x":"` + evil + `"}},
		{"tool":"Bash","input":{"command":"printf '\\033]52;c;ZXZpbA==\\007\\033[31mloud\\302\\233' >&2; exit 3"}}]},
		{"text":"three"}]`
	for _, format := range []string{"text", "json", "stream-json"} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			r := p.run(prompt, "--format", format, "--permission-mode", "auto")
			safe(t, r)
			if !strings.Contains(r.out, "three") || r.code != 0 {
				t.Error(r)
			}
			if format == "text" && (!strings.Contains(r.out, "one") || !strings.Contains(r.err, "loud")) {
				t.Errorf("something is missing: %s", r)
			}
			if format != "text" {
				return
			}
			for _, args := range [][]string{
				{"sessions", "list"},
				{"sessions", "show", p.sessions()[0].ID},
				{"sessions", "export", p.sessions()[0].ID},
				{"sessions", "show", "--format", "json", p.sessions()[0].ID},
				{"audit"},
				{"audit", "--format", "json"},
				{"permissions", "explain", "--dir", p.dir, "Bash(echo \x1b[31m\u202e)"},
				{"permissions", "explain", "--dir", p.dir, "--format", "json", "Bash(echo \x1b[31m\u202e)"},
				{"run", "--dir", p.dir + "/\x1b[31m\u202e", "x"},
				{"sessions", "show", "\x1b[31m\u202e"},
				{"config", "get", "\x1b[31m\u202e"},
			} {
				safe(t, p.mix(args...))
			}
		})
	}
}

// safe fails for a character that a terminal would act upon or hide.
func safe(t *testing.T, r result) {
	t.Helper()
	for _, s := range []string{r.out, r.err} {
		for _, c := range s {
			if c < 0x20 && c != '\n' && c != '\t' || c >= 0x7F && c <= 0x9F || c >= 0x202A && c <= 0x202E || c >= 0x2066 && c <= 0x2069 || c == 0x200B {
				t.Fatalf("%U is in the output:\n%q", c, s)
			}
		}
	}
}

func TestPrompts(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.serve()
	for _, tt := range []struct {
		name  string
		in    io.Reader
		args  []string
		code  int
		out   string
		error string
	}{
		{"words", nil, []string{"two", "words"}, 0, "two words\n", ""},
		{"standard input", strings.NewReader("from a pipe\n"), nil, 0, "from a pipe\n", ""},
		{"a dash", strings.NewReader("from a pipe"), []string{"-"}, 0, "from a pipe\n", ""},
		{"arguments win", strings.NewReader("unread"), []string{"said"}, 0, "said\n", ""},
		{"lines", strings.NewReader("a\r\n\tb\n\n\nc\n\n"), nil, 0, "a\n\tb\n\n\nc\n\n", ""},
		{"not utf-8", strings.NewReader("a\xffb"), nil, 0, "a\ufffdb\n", ""},
		{"blank", strings.NewReader(" \n\t"), nil, 2, "", "the prompt is empty"},
		{"an empty argument", strings.NewReader(""), []string{""}, 2, "", "the prompt is empty"},
		{"a dash and nothing", strings.NewReader(""), []string{"-"}, 2, "", "the prompt is empty"},
		{"large", strings.NewReader(strings.Repeat("x", 4<<20)), nil, 0, strings.Repeat("x", 4<<20) + "\n", ""},
		{"too large", strings.NewReader(strings.Repeat("x", 4<<20+1)), nil, 2, "", "larger than 4 MiB; put it into a file"},
		{"broken input", io.MultiReader(strings.NewReader("x"), failing{}), nil, 1, "", "read the prompt from standard input: it broke"},
		{"like a flag", nil, []string{"--", "--model"}, 0, "--model\n", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if tt.in == nil {
				tt.in = strings.NewReader("")
			}
			r := mixWith(t, tt.in, append([]string{"run", "--data-dir", p.data, "--dir", p.dir, "--model", "demo/echo"}, tt.args...)...)
			if r.code != tt.code || r.out != tt.out || !strings.Contains(r.err, tt.error) {
				if len(r.out) > 1000 {
					r.out = r.out[:1000]
				}
				t.Error(r)
			}
		})
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("it broke") }

// TestResume continues sessions, and says what cannot be changed.
func TestResume(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(p.dir, link); err != nil {
		t.Skip(err)
	}
	echo := func(flags ...string) result {
		return p.mix(append([]string{"run", "hi"}, flags...)...)
	}
	if r := echo("-c", "--dir", p.dir); r.code != 2 || !strings.Contains(r.err, "there is no session of "+p.dir+" to continue") {
		t.Error(r)
	}
	if r := echo("--model", "demo/echo", "--dir", link, "--permission-mode", "plan"); r.code != 0 {
		t.Fatal(r)
	}
	id := p.sessions()[0].ID
	for _, flags := range [][]string{
		{"-c", "--dir", p.dir},
		{"--continue", "--dir", link, "--model", "demo/echo", "--permission-mode", "plan", "--max-steps", "3"},
		{"-c", "--dir", p.dir, "--model", "demo"},
		{"--session", id, "--dir", t.TempDir()},
	} {
		if r := echo(flags...); r.code != 0 || r.out != "hi\n" {
			t.Errorf("%v: %s", flags, r)
		}
	}
	list := p.sessions()
	if len(list) != 1 || list[0].UserMessageCount != 5 {
		t.Errorf("%+v", list)
	}
	for _, tt := range []struct {
		flags []string
		want  string
	}{
		{[]string{"-c", "--dir", p.dir, "--model", "demo/steps"}, "uses demo/echo, not demo/steps"},
		{[]string{"-c", "--dir", p.dir, "--permission-mode", "auto"}, "has the permission mode plan, not auto"},
		{[]string{"--session", "nope"}, "there is no session nope"},
		{[]string{"--session", "../../x"}, "there is no session ../../x"},
	} {
		if r := echo(tt.flags...); r.code != 2 || !strings.Contains(r.err, tt.want) || r.out != "" {
			t.Errorf("%v: %s", tt.flags, r)
		}
	}
}

// TestWaitsBehindAnotherRun: a prompt for a busy session waits its turn, and
// nothing of the run before it counts as its own.
func TestWaitsBehindAnotherRun(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	client := p.serve()
	s, err := client.CreateSession(t.Context(), mix.SessionSpec{Title: "busy", Deny: []string{"Bash(rm:*)"}})
	if err != nil {
		t.Fatal(err)
	}
	first, err := client.Submit(t.Context(), s.ID, mix.Prompt{Approver: true, Text: `[
		{"text":"not yours","calls":[{"tool":"Bash","input":{"command":"rm x"}},{"tool":"Bash","input":{"command":"touch x"}}]},
		{"text":"neither","calls":[{"tool":""}]}]`})
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	next := func(name string) mix.Event {
		for first.Next() {
			if first.Event().Type == name {
				return first.Event()
			}
		}
		t.Fatalf("no %s: %v", name, first.Err())
		return mix.Event{}
	}
	var ask struct{ ID string }
	if err := json.Unmarshal(next("permission").Data, &ask); err != nil {
		t.Fatal(err)
	}
	formats := []string{"text", "json", "stream-json"}
	results := make([]chan result, len(formats))
	for i, format := range formats {
		results[i] = make(chan result, 1)
		go func() {
			results[i] <- p.mix("run", "--session", s.ID, "--format", format, `[{"text":"mine"}]`)
		}()
		next("queue") // it waits
	}
	if err := client.Grant(t.Context(), ask.ID, mix.Answer{}); err != nil {
		t.Fatal(err)
	}
	for i, format := range formats {
		r := <-results[i]
		if r.code != 0 || strings.Contains(r.out+r.err, "neither") || strings.Contains(r.out+r.err, "yours") || strings.Contains(r.out+r.err, "no tool") {
			t.Errorf("%s: %s", format, r)
		}
		if format == "text" && (r.out != "mine\n" || r.err != "") {
			t.Error(r)
		}
		if format == "json" && !strings.Contains(p.steady(r.out), `"status":"done","result":"mine"`) {
			t.Error(r)
		}
	}
}

// TestOutputBreaks: a reader that goes away ends the run.
func TestOutputBreaks(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		err  error
		code int
		want string
	}{
		{syscall.EPIPE, 130, "Nobody reads the output any more, so the run was ended."},
		{syscall.ENOSPC, 1, "no space left on device"},
	} {
		for _, format := range []string{"text", "stream-json", "json"} {
			p := newPlace(t)
			out := &breaking{err: tt.err}
			var notes lockedBuffer
			code := cli.Main(t.Context(), []string{
				"run", "--data-dir", p.data, "--dir", p.dir, "--model", "demo/steps", "--permission-mode", "auto", "--format", format,
				`[{"text":"one","calls":[{"tool":"Bash","input":{"command":"touch ran"}}]},{"text":"two"}]`,
			}, strings.NewReader(""), out, &notes)
			if code != tt.code || !strings.Contains(notes.String(), tt.want) {
				t.Errorf("%s, %v: exit code %d\n%s", format, tt.err, code, notes.String())
			}
		}
	}
}

// breaking is an output that cannot be written to.
type breaking struct{ err error }

func (b *breaking) Write([]byte) (int, error) { return 0, b.err }
