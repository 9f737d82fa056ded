package tools_test

import (
	"context"
	"encoding/json"
	"errors"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/permission"
	"github.com/mixagent/mix/internal/tools"
)

// hostile are texts that do something to who shows or reads them. Each stands
// on one line as "before", the text, "after".
var hostile = map[string]string{
	"colour":              "\x1b[31;1m",
	"clear screen":        "\x1b[2J\x1b[H",
	"window title":        "\x1b]0;owned\a",
	"clipboard":           "\x1b]52;c;cm0gLXJmIH4=\x1b\\",
	"link":                "\x1b]8;;http://evil.example/\x1b\\text\x1b]8;;\x1b\\",
	"device status":       "\x1b[6n",
	"answerback":          "\x05",
	"DCS":                 "\x1bP$q\"p\x1b\\",
	"APC":                 "\x1b_Gf=24;AAAA\x1b\\",
	"8-bit CSI":           "\u009b31m",
	"overwriting":         "rm -rf ~\recho hello",
	"backspaces":          "abc\b\b\b",
	"bell":                "\a",
	"open sequence":       "\x1b]0;",
	"broken sequence":     "\x1b[31\x1b[",
	"right to left":       "\u202etxt.exe\u202c",
	"isolates":            "\u2066admin\u2069",
	"zero width":          "pass\u200bword",
	"tags":                "\U000E0049\U000E0067\U000E006E\U000E006F\U000E0072\U000E0065",
	"line separator":      "one\u2028two",
	"byte order mark":     "a\ufeffb",
	"vertical tab, feed":  "a\vb\fc",
	"deletion":            "a\x7fb",
	"invisible operators": "1\u2062\u2063\u2064x",
}

// checkClean fails for text that has not passed the sanitiser.
func checkClean(t *testing.T, what, text string) {
	t.Helper()
	if clean := domain.Sanitize(text); clean != text {
		t.Errorf("%s: %q is %q when sanitised", what, text, clean)
	}
}

// execute runs one allowed call and returns it with the live output.
func execute(t *testing.T, env tools.Env, tool tools.Tool, input args) (domain.ToolCall, string) {
	t.Helper()
	raw, err := json.Marshal(input)
	must(t, err)
	x, err := tools.NewExecutor(tools.NewRegistry(tool), yes{}, tools.Options{Logger: quiet})
	must(t, err)
	var mu sync.Mutex
	var live strings.Builder
	b := newBench(t, tools.Options{})
	batch := b.batch(domain.ToolCall{ID: "c", Tool: tool.Name(), Input: raw, State: domain.CallProposed})
	batch.Env = env
	batch.Emitter = emit(func(ev domain.Event) {
		mu.Lock()
		defer mu.Unlock()
		switch ev := ev.(type) {
		case domain.Output:
			live.WriteString(ev.Text)
		case domain.Result:
			checkClean(t, tool.Name()+", event", ev.Text)
		}
	})
	out, err := x.Execute(t.Context(), batch)
	must(t, err)
	mu.Lock()
	defer mu.Unlock()
	return out[0], live.String()
}

// TestWhatModelsReadIsSanitised: whatever is in files, their names and the
// output of commands, the text for the model and the live output are clean, keep
// their lines, and hold what stands around.
func TestWhatModelsReadIsSanitised(t *testing.T) {
	t.Parallel()
	for name, text := range hostile {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			line := "before" + text + "after"
			p := newPlace(t, map[string]string{"f.txt": "first\n" + line + "\nlast\n"})
			for _, c := range []struct {
				tool  tools.Tool
				in    args
				lines int
			}{
				{tools.ReadText(), args{"file_path": "f.txt"}, 5},
				{tools.Grep(), args{"pattern": "first|before|last", "output_mode": "content"}, 3},
				{tools.Bash(), args{"command": "cat f.txt"}, 0},
				{tools.Bash(), args{"command": "cat f.txt >&2; exit 1"}, 0},
				{tools.ReadText(), args{"file_path": "absent" + strings.ToValidUTF8(line, "")}, 0},
				{tools.Edit(), args{"file_path": "f.txt", "old_string": "first\nbefore, after\nlast", "new_string": "x"}, 0},
			} {
				if c.tool.Name() == "Bash" && runtime.GOOS == "windows" {
					continue
				}
				call, live := execute(t, p.env, c.tool, c.in)
				checkClean(t, c.tool.Name(), call.Text)
				if n := strings.Count(strings.TrimSuffix(call.Text, "\n"), "\n") + 1; c.lines != 0 && n != c.lines {
					t.Errorf("%s: %d lines, want %d: %q", c.tool.Name(), n, c.lines, call.Text)
				}
				if !strings.Contains(call.Text, "before") || c.lines != 0 && !strings.Contains(call.Text, "last") {
					t.Errorf("%s: %q", c.tool.Name(), call.Text)
				}
				if c.tool.Name() == "Bash" && live != domain.Sanitize("first\n"+line+"\nlast\n") {
					t.Errorf("live output %q", live)
				}
			}
			call, _ := execute(t, p.env, tools.ReadText(), args{"file_path": "f.txt"})
			if !strings.Contains(call.Text, "left out above, of line 2;") {
				t.Errorf("it is not told that something is missing: %q", call.Text)
			}
		})
	}
}

// TestNamesOfFilesAreSanitised: a name cannot pass for two, or for another.
func TestNamesOfFilesAreSanitised(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("such names are not possible here")
	}
	p := newPlace(t, map[string]string{"a\nb.txt": "word\n", "c\x1b[31md.txt": "word\n", "e\u202ef.txt": "word\n"})
	for _, c := range []struct {
		tool tools.Tool
		in   args
	}{
		{tools.Glob(), args{"pattern": "*"}},
		{tools.Grep(), args{"pattern": "word"}},
		{tools.Grep(), args{"pattern": "word", "output_mode": "count"}},
		{tools.Grep(), args{"pattern": "word", "output_mode": "content"}},
	} {
		call, _ := execute(t, p.env, c.tool, c.in)
		checkClean(t, c.tool.Name(), call.Text)
		for _, name := range []string{"a⏎b.txt", "cd.txt", "ef.txt"} {
			if !strings.Contains("\n"+call.Text, "\n"+name) {
				t.Errorf("%s: no %q in %q", c.tool.Name(), name, call.Text)
			}
		}
	}
	if _, err := exec.LookPath("git"); err == nil {
		must(t, exec.Command("git", "-C", p.dir, "init", "-q").Run())
		checkClean(t, "state of the repository", tools.RepositoryState(t.Context(), p.dir))
	}
}

// TestPlainFilesAreNotVeiled: nothing is said of files that are shown as they
// are, with a byte order mark and line ends of any system.
func TestPlainFilesAreNotVeiled(t *testing.T) {
	t.Parallel()
	p := newPlace(t, map[string]string{"f": "\uFEFFone\r\ntw\to\r\nthree ü 👩‍🚀 ❤️\n"})
	if got, want := p.must(tools.ReadText(), args{"file_path": "f"}), "     1\tone\n     2\ttw\to\n     3\tthree ü 👩‍🚀 ❤️\n"; got != want {
		t.Errorf("%q", got)
	}
	if got, want := p.must(tools.Grep(), args{"pattern": "tw", "output_mode": "content"}), "f:2:tw\to\n"; got != want {
		t.Errorf("%q", got)
	}
}

// TestLiveOutputInPieces: however a text is split, what is shown of it is the
// sanitised whole; nothing is shown after the end.
func TestLiveOutputInPieces(t *testing.T) {
	t.Parallel()
	var texts []string
	for _, text := range hostile {
		texts = append(texts, text)
	}
	rapid.Check(t, func(rt *rapid.T) {
		whole := strings.Join(rapid.SliceOfN(rapid.SampledFrom(append(texts, "a", "\n", "\r\n", "👩‍🚀", "\xff")), 0, 12).Draw(rt, "text"), "")
		var late func(string)
		tool := printer{func(env *tools.Env) {
			late = env.Output
			for rest := whole; rest != ""; {
				n := rapid.IntRange(1, len(rest)).Draw(rt, "piece")
				env.Output(rest[:n])
				rest = rest[n:]
			}
		}}
		_, live := execute(t, tools.Env{Directory: "/"}, tool, args{})
		if want := domain.Sanitize(whole); live != want {
			rt.Errorf("%q, want %q", live, want)
		}
		late("too late")
	})
}

// printer is a tool that only prints.
type printer struct{ print func(env *tools.Env) }

func (printer) Name() string                      { return "Print" }
func (printer) Aliases() []string                 { return nil }
func (printer) Description() string               { return "prints" }
func (printer) Schema() json.RawMessage           { return json.RawMessage(`{"type":"object"}`) }
func (printer) Capabilities() []domain.Capability { return []domain.Capability{domain.CanRead} }

func (p printer) Plan(context.Context, *tools.Env, json.RawMessage) (*tools.Plan, error) {
	return &tools.Plan{
		Accesses: []permission.Access{{Can: domain.CanRead}},
		Run: func(_ context.Context, env *tools.Env) (tools.Output, error) {
			p.print(env)
			return tools.Output{}, errors.New("nothing but\x1b[2J output")
		},
	}, nil
}
