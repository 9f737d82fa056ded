package config_test

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/mixagent/mix/internal/config"
)

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestGet(t *testing.T) {
	t.Parallel()
	c := mustLoad(t, "{\n\"requests\": {\"expiry\": \"60s\"}, \"model\": \"a/b\"}", config.Flags{MaxSteps: 3}, "MIX_MODEL", "c/d")
	tests := []struct{ key, json, source string }{
		{"requests.expiry", `"1m"`, c.Dirs.Settings() + ":2"},
		{"requests.approverGrace", `"10m"`, "default"},
		{"model", `"c/d"`, "MIX_MODEL"},
		{"maxSteps", `3`, "flag"},
		{"permissions.deny", `null`, "default"},
	}
	for _, tt := range tests {
		v, err := c.Get(tt.key)
		if err != nil || string(v.JSON) != tt.json || v.Source != tt.source {
			t.Errorf("%s: %s from %s, %v", tt.key, v.JSON, v.Source, err)
		}
	}
	for _, key := range []string{"requests", "request.expiry", "", "requests.expiry.x"} {
		if _, err := c.Get(key); err == nil {
			t.Errorf("%q was found", key)
		}
	}
	for _, key := range config.Keys() {
		if _, err := c.Get(key); err != nil {
			t.Errorf("%s: %v", key, err)
		}
	}
}

func TestSet(t *testing.T) {
	t.Parallel()
	tests := []struct{ key, value, json string }{
		{"model", "openai/gpt-5.5", `"openai/gpt-5.5"`},
		{"model", `"quoted"`, `"quoted"`},
		{"model", "123", `"123"`},
		{"maxSteps", "12", `12`},
		{"maxCost", "1.5", `1.5`},
		{"requests.expiry", "2m", `"2m"`},
		{"server.trustLoopback", "true", `true`},
		{"permissions.allow", `["Read", "Bash(go vet:*)"]`, `["Read","Bash(go vet:*)"]`},
		{"permissions.allow", "Bash(ls:*)", `["Bash(ls:*)"]`},
		{"permissionMode", "plan", `"plan"`},
	}
	for _, tt := range tests {
		d := config.Dirs{Config: filepath.Join(t.TempDir(), "new")}
		if err := config.Set(d, tt.key, tt.value); err != nil {
			t.Errorf("%s %s: %v", tt.key, tt.value, err)
			continue
		}
		if m := mode(t, d.Settings()); runtime.GOOS != "windows" && m != 0o600 {
			t.Errorf("mode %o", m)
		}
		c, err := config.Load(config.Options{Dirs: d, Getenv: env()})
		if err != nil {
			t.Fatal(err)
		}
		if v, err := c.Get(tt.key); err != nil || string(v.JSON) != tt.json {
			t.Errorf("%s %s: %s, %v", tt.key, tt.value, v.JSON, err)
		}
	}
}

func TestSetKeepsComments(t *testing.T) {
	t.Parallel()
	d := config.Dirs{Config: t.TempDir()}
	write(t, d.Settings(), everything)
	for _, kv := range [][2]string{{"maxSteps", "51"}, {"queue.limit", "5"}, {"model", "demo"}} {
		if err := config.Set(d, kv[0], kv[1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := config.Unset(d, "server.trustLoopback"); err != nil {
		t.Fatal(err)
	}
	text := read(t, d.Settings())
	for _, want := range []string{"// my settings", "// for now", "/* bounded */", `"maxSteps": 51`, `"limit": 5`, `"model": "demo"`, `"Bash(rm:*)"`} {
		if !strings.Contains(strings.Join(strings.Fields(text), " "), want) {
			t.Errorf("%s is gone from\n%s", want, text)
		}
	}
	if strings.Contains(text, "trustLoopback") {
		t.Errorf("trustLoopback is still in\n%s", text)
	}
	if err := config.Unset(d, "server.trustLoopback"); err != nil {
		t.Errorf("the second time: %v", err)
	}
	entries, err := os.ReadDir(d.Config)
	if err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

func TestSetRefuses(t *testing.T) {
	t.Parallel()
	d := config.Dirs{Config: t.TempDir()}
	write(t, d.Settings(), `{"model": "a/b"}`)
	for _, tt := range [][3]string{
		{"modl", "x", `did you mean "model"?`},
		{"maxSteps", "0", "must be between 1 and 1000"},
		{"maxSteps", "many", "must be a whole number"},
		{"permissionMode", "yolo", "must be one of"},
		{"requests.expiry", "soon", "must be a time span"},
		{"server.trustLoopback", "perhaps", "must be true or false"},
		{"permissions.allow", "[1]", "must be a list of strings"},
	} {
		if err := config.Set(d, tt[0], tt[1]); err == nil || !strings.Contains(err.Error(), tt[2]) {
			t.Errorf("%s %s: %v", tt[0], tt[1], err)
		}
	}
	if got := read(t, d.Settings()); got != `{"model": "a/b"}` {
		t.Errorf("the file changed: %s", got)
	}
	write(t, d.Settings(), `{"model": "a/b", "old": 1}`)
	if err := config.Set(d, "maxSteps", "3"); err == nil || !strings.Contains(err.Error(), `unknown key "old"`) {
		t.Errorf("a broken file was changed: %v", err)
	}
	if err := config.Unset(d, "modl"); err == nil {
		t.Error("an unknown key was removed")
	}
}

func TestWriteFileKeepsLink(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	target, link := filepath.Join(dir, "dotfiles.json"), filepath.Join(dir, "config.json")
	write(t, target, "old")
	if err := os.Symlink(target, link); err != nil {
		t.Skip("no symbolic links here:", err)
	}
	if err := config.WriteFile(link, []byte("new")); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 || read(t, target) != "new" {
		t.Errorf("link replaced: %v, %v", info.Mode(), err)
	}
}
