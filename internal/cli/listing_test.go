package cli_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestEmpty: nothing was stored yet, and looking makes nothing.
func TestEmpty(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	for _, tt := range []struct{ args, out string }{
		{"sessions list", "ID  STARTED  MESSAGES  COST  TITLE  DIRECTORY\n"},
		{"sessions list --format json", "[]\n"},
		{"audit", "WHEN  SESSION  CALL  OUTCOME  BY  WHY\n"},
		{"audit --format json", "[]\n"},
		{"audit --session nope", "WHEN  SESSION  CALL  OUTCOME  BY  WHY\n"},
	} {
		if r := p.mix(strings.Fields(tt.args)...); r != (result{0, tt.out, ""}) {
			t.Errorf("mix %s: %s", tt.args, r)
		}
	}
	if r := p.mix("doctor"); r.code != 0 || !strings.Contains(r.out, "does not exist yet") || !strings.Contains(r.out, "nothing is stored yet") {
		t.Error(r)
	}
	if _, err := os.Stat(p.data); !os.IsNotExist(err) {
		t.Errorf("the data directory is there: %v", err)
	}
}

// TestListings: the same with a server and without one.
func TestListings(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	given(t, p)
	if r := p.run(writeFile, "--allow", "Bash(touch:*)"); r.code != 0 {
		t.Fatal(r)
	}
	if r := p.run(writeFile, "--deny", "Bash"); r.code != 3 {
		t.Fatal(r)
	}
	list := p.sessions()
	if len(list) != 2 {
		t.Fatal(list)
	}
	commands := [][]string{
		{"sessions", "list"},
		{"sessions", "list", "--limit", "1"},
		{"sessions", "list", "--format", "json"},
		{"sessions", "show", list[1].ID},
		{"sessions", "show", list[1].ID, "--format", "json"},
		{"sessions", "export", list[1].ID},
		{"audit"},
		{"audit", "--session", list[0].ID},
		{"audit", "--format", "json", "--limit", "1"},
		{"sessions", "show", "nope"},
		{"sessions", "export", "nope"},
	}
	var without []result
	for _, c := range commands {
		without = append(without, p.mix(c...))
	}
	p.serve()
	for i, c := range commands {
		if diff := cmp.Diff(without[i].String(), p.mix(c...).String()); diff != "" {
			t.Errorf("mix %v (-without +with a server):\n%s", c, diff)
		}
	}

	prompt := strings.ReplaceAll(writeFile, "\n", "")
	if got, want := p.steady(without[3].out), "(no title)\nID · demo/steps · DIR · $0.0000\n\n[user] TIME\n"+prompt+
		"\n\n[assistant] TIME\nI write. \n• Bash touch made.txt (finished)\n\n[assistant] TIME\nIt is written.\n"; !strings.HasSuffix(got, want[strings.Index(want, "\n"):]) {
		t.Errorf("show:\n%s\nwant:\n%s", got, want)
	}
	var export struct {
		ID       string
		Messages []struct{ Role, Content string }
	}
	if err := json.Unmarshal([]byte(without[5].out), &export); err != nil || export.ID != list[1].ID || len(export.Messages) < 3 {
		t.Errorf("%v\n%s", err, without[5])
	}
	if r := without[6]; !strings.Contains(r.out, "touch made.txt") || strings.Count(r.out, "\n") != 3 || !strings.Contains(r.out, "Bash(touch:*)") {
		t.Error(r)
	}
	if r := without[7]; strings.Count(r.out, "\n") != 2 || !strings.Contains(r.out, "deny") || strings.Contains(r.out, list[1].ID) {
		t.Error(r)
	}
}

// TestDelete deletes with a server and without one; the audit stays.
func TestDelete(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	for range 3 {
		if r := p.run(writeFile, "--deny", "Bash"); r.code != 3 {
			t.Fatal(r)
		}
	}
	list := p.sessions()
	if r := p.mix("sessions", "delete", list[0].ID); r != (result{0, "deleted " + list[0].ID + "\n", ""}) {
		t.Error(r)
	}
	p.serve()
	if r := p.mix("sessions", "delete", list[1].ID, "nope", list[2].ID); r.code != 2 || r.out != "deleted "+list[1].ID+"\n" || !strings.Contains(r.err, "there is no session nope") {
		t.Error(r)
	}
	if left := p.sessions(); len(left) != 1 || left[0].ID != list[2].ID {
		t.Errorf("%+v", left)
	}
	if r := p.mix("audit"); strings.Count(r.out, "\n") != 4 {
		t.Error(r)
	}
	if _, err := os.Stat(filepath.Join(p.data, "sessions", list[0].ID)); !os.IsNotExist(err) {
		t.Errorf("its folder is still there: %v", err)
	}
}

func TestExplain(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	if r := p.run(sayDone, "--deny", "Bash(rm:*)"); r.code != 0 {
		t.Fatal(r)
	}
	id := p.sessions()[0].ID
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"Bash(git log | head)"}, "allow"},
		{[]string{"Bash(go test ./...)"}, "ask"},
		{[]string{"--allow", "Bash(go test:*)", "Bash(go test ./...)"}, "allow  by rule Bash(go test:*)"},
		{[]string{"--allow", "Bash(go test:*)", "Bash(go test ./... && rm -r x)"}, "ask"},
		{[]string{"--permission-mode", "plan", "Edit(a.txt)"}, "deny"},
		{[]string{"--permission-mode", "auto", "Bash(rm -r build)"}, "ask"},
		{[]string{"--session", id, "Bash(rm a)"}, "deny  by rule Bash(rm:*)"},
	} {
		for _, serving := range []bool{false, true} {
			if serving && tt.args[0] == "--session" {
				continue
			}
			r := p.mix(append([]string{"permissions", "explain", "--dir", p.dir}, tt.args...)...)
			if r.code != 0 || !strings.HasPrefix(r.out, tt.want) {
				t.Errorf("%v: want %q, %s", tt.args, tt.want, r)
			}
		}
	}
	r := p.mix("permissions", "explain", "--dir", p.dir, "--format", "json", "Bash(ls; rm x)")
	var e struct {
		Outcome string
		Steps   []any
	}
	if err := json.Unmarshal([]byte(r.out), &e); err != nil || e.Outcome != "ask" || len(e.Steps) < 2 {
		t.Errorf("%v %s", err, r)
	}
	if r := p.mix("permissions", "explain", "--dir", p.dir, "nonsense("); r.code == 0 {
		t.Error(r)
	}
	if r := p.mix("permissions", "explain", "--dir", p.dir, "--session", "nope", "Bash(ls)"); r.code != 2 || !strings.Contains(r.err, "there is no session nope") {
		t.Error(r)
	}
	if n := len(p.sessions()); n != 1 {
		t.Errorf("explaining made sessions: %d", n)
	}
}

// TestDoctor finds what is there and what is wrong.
func TestDoctor(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	if r := p.run(writeFile, "--deny", "Bash"); r.code != 3 {
		t.Fatal(r)
	}
	r := p.mix("doctor")
	if r.code != 0 || !strings.Contains(r.out, "rows of the audit are as they were written") || !strings.Contains(r.out, "none is running") {
		t.Error(r)
	}
	client := p.serve()
	health, err := client.Health(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r = p.mix("doctor", "--format", "json")
	var found []struct{ Name, Status, Text string }
	if err := json.Unmarshal([]byte(r.out), &found); err != nil {
		t.Fatalf("%v %s", err, r)
	}
	status := map[string]string{}
	for _, f := range found {
		status[f.Name] = f.Status
		if f.Name == "server" && !strings.Contains(f.Text, "version "+health.Version) {
			t.Error(f)
		}
	}
	for _, name := range []string{"version", "data", "settings", "database", "server"} {
		if status[name] != "ok" {
			t.Errorf("%s is %q", name, status[name])
		}
	}
	for _, name := range []string{"anthropic", "openai", "local"} {
		if status[name] != "note" {
			t.Errorf("%s is %q", name, status[name])
		}
	}
	if err := os.Chmod(p.data, 0o755); err != nil {
		t.Fatal(err)
	}
	if r := p.mix("doctor"); r.code != 1 || !strings.Contains(r.out, "run: chmod 700 "+p.data) {
		t.Error(r)
	}
}

// TestDamage: a database that is none, from every command.
func TestDamage(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	if err := os.MkdirAll(p.data, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(p.data, "mix.db"), []byte(strings.Repeat("this is no database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range []string{"sessions list", "sessions show x", "sessions export x", "audit", "doctor", "run hi", "sessions delete x", "serve --port 0"} {
		r := p.mix(strings.Fields(args)...)
		if r.code != 1 || !strings.Contains(r.out+r.err, filepath.Join(p.data, "mix.db")) {
			t.Errorf("mix %s: %s", args, r)
		}
	}
}
