package config_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mixagent/mix/internal/config"
	"github.com/mixagent/mix/internal/domain"
)

// load loads settings from a user's file with the given text, "" for none.
func load(t *testing.T, text string, flags config.Flags, kv ...string) (*config.Config, error) {
	t.Helper()
	d := config.Dirs{Data: t.TempDir(), Config: t.TempDir()}
	if text != "" {
		write(t, d.Settings(), text)
	}
	return config.Load(config.Options{Dirs: d, Getenv: env(kv...), Flags: flags})
}

func mustLoad(t *testing.T, text string, flags config.Flags, kv ...string) *config.Config {
	t.Helper()
	c, err := load(t, text, flags, kv...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	want := config.Settings{
		PermissionMode: domain.ModeAsk,
		Requests: config.Requests{
			Expiry:        config.Duration(30 * time.Second),
			ApproverGrace: config.Duration(10 * time.Minute),
		},
		Tools:    config.Tools{Execution: config.Parallel},
		Queue:    config.Queue{Limit: 16},
		MaxSteps: 25,
	}
	if diff := cmp.Diff(want, mustLoad(t, "", config.Flags{}).Settings); diff != "" {
		t.Error(diff)
	}
}

const everything = `// my settings
{
  "$schema": "https://example.com/schema.json",
  "model": "openai/gpt-5.5", // for now
  "permissionMode": "accept-edits",
  "permissions": {
    "allow": ["Bash(go test:*)"],
    "ask": ["WebFetch"],
    "deny": ["Bash(rm:*)", "Read(secrets/**)",],
  },
  "requests": {"expiry": "45s", "approverGrace": "1h"},
  "tools": {"execution": "sequential"},
  "shell": {"passEnv": ["NPM_TOKEN"]},
  "server": {"allowedHosts": ["box"], "allowedOrigins": ["https://box"], "trustLoopback": true},
  "queue": {"limit": 4},
  /* bounded */ "maxSteps": 50,
  "maxCost": 2.5,
}
`

func TestLoadFile(t *testing.T) {
	t.Parallel()
	want := config.Settings{
		Schema:         "https://example.com/schema.json",
		Model:          "openai/gpt-5.5",
		PermissionMode: domain.ModeAcceptEdits,
		Permissions: config.Permissions{
			Allow: []string{"Bash(go test:*)"}, Ask: []string{"WebFetch"}, Deny: []string{"Bash(rm:*)", "Read(secrets/**)"},
		},
		Requests: config.Requests{Expiry: config.Duration(45 * time.Second), ApproverGrace: config.Duration(time.Hour)},
		Tools:    config.Tools{Execution: config.Sequential},
		Shell:    config.Shell{PassEnv: []string{"NPM_TOKEN"}},
		Server: config.Server{
			AllowedHosts: []string{"box"}, AllowedOrigins: []string{"https://box"}, TrustLoopback: true,
		},
		Queue:    config.Queue{Limit: 4},
		MaxSteps: 50,
		MaxCost:  2.5,
	}
	if diff := cmp.Diff(want, mustLoad(t, everything, config.Flags{}).Settings); diff != "" {
		t.Error(diff)
	}
}

func TestLayers(t *testing.T) {
	t.Parallel()
	file := `{"model": "a/file", "maxSteps": 5}`
	if got := mustLoad(t, file, config.Flags{}).Settings.Model; got != "a/file" {
		t.Errorf("file: %s", got)
	}
	if got := mustLoad(t, file, config.Flags{}, "MIX_MODEL", "a/env").Settings.Model; got != "a/env" {
		t.Errorf("environment: %s", got)
	}
	flags := config.Flags{Model: "a/flag", PermissionMode: domain.ModePlan, MaxSteps: 7, MaxCost: 1}
	s := mustLoad(t, file, flags, "MIX_MODEL", "a/env").Settings
	if s.Model != "a/flag" || s.PermissionMode != domain.ModePlan || s.MaxSteps != 7 || s.MaxCost != 1 {
		t.Errorf("flags: %+v", s)
	}
}

func TestBadSettings(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, text, want string }{
		{"unknown key", "{\n  \"modle\": \"x\"\n}", `config.json:2: unknown key "modle", did you mean "model"?`},
		{"case counts", `{"Model": "x"}`, `:1: unknown key "Model", did you mean "model"?`},
		{"wrong group", "{\n\n\"permissions\": {\"limit\": 3}}", `:3: unknown key "permissions.limit", did you mean "queue.limit"?`},
		{"far from everything", `{"zzzzzzzz": 1}`, `unknown key "zzzzzzzz"`},
		{"twice", "{\"maxSteps\": 1,\n\"maxSteps\": 2}", `:2: key "maxSteps" stands here a second time`},
		{"wrong type", "{\n\"maxSteps\": \"many\"}", `:2: "maxSteps" must be a whole number`},
		{"fraction", `{"maxSteps": 1.5}`, `"maxSteps" must be a whole number`},
		{"wrong list", `{"permissions": {"deny": "Bash"}}`, `"permissions.deny" must be a list of strings`},
		{"not an object", `{"permissions": []}`, `"permissions" must be an object`},
		{"null", `{"model": null}`, `"model" must not be null`},
		{"number for a duration", `{"requests": {"expiry": 30}}`, `"requests.expiry" must be a time span like "30s"`},
		{"duration too short", `{"requests": {"expiry": "10ms"}}`, `"requests.expiry" must be between 1s and 24h`},
		{"out of bounds", `{"queue": {"limit": 0}}`, `"queue.limit" must be between 1 and 1000`},
		{"negative cost", `{"maxCost": -1}`, `"maxCost" must be between 0 and`},
		{"unknown mode", `{"permissionMode": "yolo"}`, `"permissionMode" must be one of ask, accept-edits, plan, auto, ask-all`},
		{"unknown execution", `{"tools": {"execution": "fast"}}`, `must be one of parallel, sequential`},
		{"not JSON", "{\n\"model\": }", `config.json: is not JSON: line 2, column 10`},
		{"a list", `[]`, `:1: must hold a JSON object`},
		{"too large", `{"model": "` + strings.Repeat("x", 1<<20) + `"}`, `is larger than 1048576 bytes`},
	}
	for _, tt := range tests {
		_, err := load(t, tt.text, config.Flags{})
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %s", tt.name, err, tt.want)
		}
	}
	for _, f := range []config.Flags{{PermissionMode: "yolo"}, {MaxSteps: -1}, {MaxCost: -2}} {
		if _, err := load(t, "", f); err == nil || !strings.HasPrefix(err.Error(), "--") {
			t.Errorf("%+v: %v", f, err)
		}
	}
}

func TestFileErrorIsTyped(t *testing.T) {
	t.Parallel()
	_, err := load(t, "{\n\n\"x\": 1}", config.Flags{})
	var fe *config.FileError
	if !errors.As(err, &fe) || fe.Line != 3 || filepath.Base(fe.File) != "config.json" {
		t.Errorf("got %#v", err)
	}
}

// repository makes a directory that is a repository with a project file, and
// returns a folder deep in it.
func repository(t *testing.T, settings string) (root, sub string) {
	t.Helper()
	root = t.TempDir()
	write(t, filepath.Join(root, ".git", "HEAD"), "ref: refs/heads/main\n")
	write(t, filepath.Join(root, ".mix", "config.json"), settings)
	sub = filepath.Join(root, "a", "b")
	write(t, filepath.Join(sub, "file"), "")
	return root, sub
}

func TestProject(t *testing.T) {
	t.Parallel()
	c := mustLoad(t, `{"permissions": {"deny": ["Bash(rm:*)"]}, "maxSteps": 20}`, config.Flags{})
	root, sub := repository(t, everything)

	p, err := c.Project(sub, false)
	if err != nil {
		t.Fatal(err)
	}
	if p.File != filepath.Join(root, ".mix", "config.json") || len(p.Hash) != 64 {
		t.Errorf("file %s, hash %s", p.File, p.Hash)
	}
	want := config.Defaults()
	want.Schema = "https://example.com/schema.json"
	want.MaxSteps, want.MaxCost = 20, 2.5
	want.Tools.Execution = config.Sequential
	want.Permissions = config.Permissions{Ask: []string{"WebFetch"}, Deny: []string{"Bash(rm:*)", "Bash(rm:*)", "Read(secrets/**)"}}
	if diff := cmp.Diff(want, p.Settings); diff != "" {
		t.Errorf("untrusted: %s", diff)
	}
	untrusted := map[string]int{}
	for _, i := range p.Ignored {
		untrusted[i.Key] = i.Line
	}
	if diff := cmp.Diff(map[string]int{
		"model": 4, "permissionMode": 5, "permissions.allow": 7, "requests.expiry": 11, "requests.approverGrace": 11,
		"shell.passEnv": 13, "server.allowedHosts": 14, "server.allowedOrigins": 14, "server.trustLoopback": 14,
		"queue.limit": 15, "maxSteps": 16,
	}, untrusted); diff != "" {
		t.Errorf("ignored: %s", diff)
	}

	p, err = c.Project(sub, true)
	if err != nil {
		t.Fatal(err)
	}
	want.Model, want.PermissionMode, want.MaxSteps = "openai/gpt-5.5", domain.ModeAcceptEdits, 50
	want.Permissions.Allow = []string{"Bash(go test:*)"}
	want.Shell.PassEnv = []string{"NPM_TOKEN"}
	if diff := cmp.Diff(want, p.Settings); diff != "" {
		t.Errorf("trusted: %s", diff)
	}
	for _, i := range p.Ignored {
		if i.Reason != "is only read from the user's settings" {
			t.Errorf("trusted: %+v", i)
		}
	}
	if diff := cmp.Diff([]string{"Bash(rm:*)"}, c.Settings.Permissions.Deny); diff != "" {
		t.Errorf("the program's own settings changed: %s", diff)
	}
}

func TestUntrustedProjectOnlyMakesStricter(t *testing.T) {
	t.Parallel()
	tests := []struct {
		project  string
		user     string
		mode     domain.PermissionMode
		maxSteps int
		maxCost  float64
	}{
		{`{"permissionMode": "plan"}`, "", domain.ModePlan, 25, 0},
		{`{"permissionMode": "ask-all"}`, "", domain.ModeAskAll, 25, 0},
		{`{"permissionMode": "ask-all"}`, `{"permissionMode": "plan"}`, domain.ModePlan, 25, 0},
		{`{"permissionMode": "auto"}`, "", domain.ModeAsk, 25, 0},
		{`{"permissionMode": "ask"}`, `{"permissionMode": "ask-all"}`, domain.ModeAskAll, 25, 0},
		{`{"maxSteps": 3, "maxCost": 0.5}`, "", domain.ModeAsk, 3, 0.5},
		{`{"maxSteps": 300, "maxCost": 9}`, `{"maxCost": 1}`, domain.ModeAsk, 25, 1},
		{`{"maxCost": 0}`, `{"maxCost": 1}`, domain.ModeAsk, 25, 1},
		{`{"tools": {"execution": "parallel"}}`, "", domain.ModeAsk, 25, 0},
	}
	for _, tt := range tests {
		c := mustLoad(t, tt.user, config.Flags{})
		_, sub := repository(t, tt.project)
		p, err := c.Project(sub, false)
		if err != nil {
			t.Fatal(err)
		}
		s := p.Settings
		if s.PermissionMode != tt.mode || s.MaxSteps != tt.maxSteps || s.MaxCost != tt.maxCost {
			t.Errorf("%s on %s: %s %d %g", tt.project, tt.user, s.PermissionMode, s.MaxSteps, s.MaxCost)
		}
	}
}

func TestFlagsWinOverProject(t *testing.T) {
	t.Parallel()
	c := mustLoad(t, "", config.Flags{MaxSteps: 9}, "MIX_MODEL", "a/env")
	_, sub := repository(t, `{"model": "a/project", "maxSteps": 3}`)
	p, err := c.Project(sub, true)
	if err != nil || p.Settings.Model != "a/env" || p.Settings.MaxSteps != 9 {
		t.Errorf("%+v, %v", p.Settings, err)
	}
}

func TestProjectWithoutFile(t *testing.T) {
	t.Parallel()
	c := mustLoad(t, "", config.Flags{})
	// Outside of a repository the folders above are none of the project's.
	root := t.TempDir()
	write(t, filepath.Join(root, ".mix", "config.json"), `{"maxSteps": 1}`)
	write(t, filepath.Join(root, "sub", "file"), "")
	p, err := c.Project(filepath.Join(root, "sub"), true)
	if err != nil || p.File != "" || p.Settings.MaxSteps != 25 {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestBrokenProjectFileIsAnError(t *testing.T) {
	t.Parallel()
	c := mustLoad(t, "", config.Flags{})
	_, sub := repository(t, `{"permissions": {"dny": ["Bash"]}}`)
	_, err := c.Project(sub, false)
	if err == nil || !strings.Contains(err.Error(), `did you mean "permissions.deny"?`) {
		t.Errorf("got %v", err)
	}
}

func TestDefaultModel(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, file    string
		env           []string
		model, reason string
	}{
		{"nothing", "", nil, "demo/survey", "no vendor's credential is set"},
		{"anthropic", "", []string{"ANTHROPIC_API_KEY", "k", "OPENAI_API_KEY", "k"}, "anthropic/claude-opus-5-5", "ANTHROPIC_API_KEY is set"},
		{"openai", "", []string{"OPENAI_API_KEY", "k"}, "openai/gpt-6.2-sol", "OPENAI_API_KEY is set"},
		{"others are not chosen", "", []string{"BRAVE_API_KEY", "k", "MIX_LOCAL_BASE_URL", "http://127.0.0.1:1"}, "demo/survey", "no vendor's credential is set"},
		{"chosen", `{"model": "demo"}`, []string{"OPENAI_API_KEY", "k"}, "demo/survey", "it was chosen"},
		{"chosen by name", "", []string{"MIX_MODEL", "claude-haiku-5-5"}, "anthropic/claude-haiku-5-5", "it was chosen"},
	}
	for _, tt := range tests {
		c := mustLoad(t, tt.file, config.Flags{}, tt.env...)
		got, err := c.DefaultModel(c.Settings)
		if err != nil || got.Model != tt.model || got.Reason != tt.reason {
			t.Errorf("%s: %+v, %v", tt.name, got, err)
		}
	}
	c := mustLoad(t, "", config.Flags{}, "ANTHROPIC_API_KEY", "a\x00b")
	if _, err := c.DefaultModel(c.Settings); err == nil {
		t.Error("a broken key was passed over in silence")
	}
}

func BenchmarkLoad(b *testing.B) {
	d := config.Dirs{Config: b.TempDir()}
	if err := config.Set(d, "permissions.deny", "Bash(rm:*)"); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := config.Load(config.Options{Dirs: d, Getenv: env()}); err != nil {
			b.Fatal(err)
		}
	}
}
