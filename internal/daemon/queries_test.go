package daemon_test

import (
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/mixagent/mix/internal/daemon"
)

// TestExplain asks what the gate would say, of a session and of one that does
// not exist. Nothing runs and nothing is recorded.
func TestExplain(t *testing.T) {
	t.Parallel()
	s := start(t, daemon.Config{})
	c := s.client()
	id := c.create(object{"deny": []string{"Bash(make:*)"}})
	explained := schema{"outcome*": oneOf("allow", "deny", "ask"), "readOnly*": isBool, "steps*": listOf(isObject), "rule": isString, "reason": isString}
	ask := func(call string) map[string]any {
		return c.call("POST", "/api/sessions/"+id+"/explain", object{"call": call}.String(), http.StatusOK, explained.check)
	}
	if e := ask("Bash(touch x)"); e["outcome"] != "ask" || e["readOnly"] != false {
		t.Errorf("a command that writes: %v", e)
	}
	if e := ask("Bash(make all)"); e["outcome"] != "deny" || !strings.Contains(encode(e), "Bash(make:*)") {
		t.Errorf("a command that is denied: %v", e)
	}
	for call, want := range map[string]string{"Bash(ls)": "allow", "Bash(touch x)": "ask"} {
		body := object{"call": call, "session": object{"project_path": s.cfg.Dir, "grant_directory": true}}
		if e := c.call("POST", "/api/permissions/explain", body.String(), http.StatusOK, explained.check); e["outcome"] != want {
			t.Errorf("%s where a person started Mix: %v", call, e)
		}
	}
	for path, body := range map[string]string{
		"/api/sessions/" + id + "/explain": `{"call":"no call"}`,
		"/api/permissions/explain":         `{"call":"Bash(ls)"}`,
	} {
		if kind, _ := c.refused("POST", path, body, http.StatusBadRequest); kind != "validation_error" {
			t.Errorf("%s %s: type %s", path, body, kind)
		}
	}
	c.refused("POST", "/api/permissions/explain", `{"call":"Bash(ls)","session":{"project_path":"/does/not/exist"}}`, http.StatusBadRequest)
	if rows := c.audit(id); len(rows) != 0 {
		t.Errorf("audit: %v", rows)
	}
}

// TestListings: sessions by directory and number, the audit by session.
func TestListings(t *testing.T) {
	t.Parallel()
	s := start(t, daemon.Config{})
	c := s.client()
	elsewhere, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	first := c.create(object{"permission_mode": "auto"})
	second := c.create(object{"project_path": elsewhere, "permission_mode": "auto"})
	list := func(query string) string {
		var ids []string
		for _, m := range objects(c.call("GET", "/api/sessions?"+query, "", http.StatusOK, listOf(sessionSchema.check))["list"]) {
			ids = append(ids, m["id"].(string))
		}
		return strings.Join(ids, " ")
	}
	if got := list(""); got != second+" "+first {
		t.Errorf("newest first: %s", got)
	}
	if got := list("limit=1&includeSubagents=true"); got != second {
		t.Errorf("the newest: %s", got)
	}
	if got := list("directory=" + elsewhere); got != second {
		t.Errorf("of a directory: %s", got)
	}
	for _, query := range []string{"limit=0", "limit=x", "includeSubagents=perhaps"} {
		c.refused("GET", "/api/sessions?"+query, "", http.StatusBadRequest)
	}

	for _, id := range []string{first, second} {
		st := c.stream(id, "")
		c.send(id, asking("touch made"))
		st.wait("complete")
	}
	for _, id := range []string{first, second} {
		rows := c.audit(id)
		if len(rows) != 1 || rows[0]["sessionId"] != id || !strings.Contains(encode(rows[0]), "touch made") {
			t.Errorf("audit: %v", rows)
		}
	}
	c.call("DELETE", "/api/sessions/"+first, "", http.StatusNoContent, nil)
	if n := len(c.audit(first)); n != 1 {
		t.Errorf("%d rows of a session that is deleted", n)
	}
	all := objects(c.call("GET", "/api/audit?limit=1", "", http.StatusOK, listOf(isObject))["list"])
	if len(all) != 1 || all[0]["sessionId"] != second {
		t.Errorf("the newest row: %v", all)
	}
	c.refused("GET", "/api/audit?limit=0", "", http.StatusBadRequest)
}

// TestPolicyOfServer: what the server was started with binds sessions that
// clients create, who can only add.
func TestPolicyOfServer(t *testing.T) {
	t.Parallel()
	s := start(t, daemon.Config{})
	s.stop()
	s.cfg.Policy.Deny = []string{"Bash(touch:*)"}
	s.cfg.Policy.MaxSteps = 2
	s.run()
	c := s.client()
	id := c.create(object{"permission_mode": "auto", "allow": []string{"Bash(touch:*)"}})
	st := c.stream(id, "")
	c.send(id, plan(bash("touch made"), bash("echo two"), bash("echo three"), step{Text: "Never."}))
	end := st.wait("complete")
	if end.str("reason") != "max_steps" {
		t.Errorf("complete: %v", end.data)
	}
	list := c.messages(id)
	if call := objects(list[1]["toolCalls"])[0]; call["state"] != "denied" {
		t.Errorf("the call: %v", call)
	}
	if len(list) != 3 {
		t.Errorf("%d messages, want 3", len(list))
	}
}

// TestMissingKey: a vendor without a credential is an error that names the
// variable, on the stream and not as a status that clients retry.
func TestMissingKey(t *testing.T) {
	t.Parallel()
	c := start(t, daemon.Config{}).client()
	id := c.create(object{"model_id": "anthropic/claude-sonnet-4-5"})
	st := c.stream(id, "")
	c.send(id, "hello")
	events := st.until("complete")
	failure := events[len(events)-2]
	if failure.name != "error" || failure.str("type") != "authentication_error" || !strings.Contains(failure.str("error"), "ANTHROPIC_API_KEY") {
		t.Errorf("%s %v", failure.name, failure.data)
	}
}

// TestFiles: what the server writes belongs to its user alone.
func TestFiles(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("the modes of files say nothing on Windows")
	}
	s := start(t, daemon.Config{})
	s.client().create(nil)
	err := filepath.WalkDir(s.cfg.DataDir, func(path string, e os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if log := read(filepath.Join(s.cfg.DataDir, "logs", "mix.log")); !strings.Contains(log, "listening") || strings.Contains(log, s.Token()) {
		t.Errorf("the log: %s", log)
	}
}

// TestWaitIdle returns when no run is under way.
func TestWaitIdle(t *testing.T) {
	t.Parallel()
	s := start(t, daemon.Config{})
	c := s.client()
	open := make(chan struct{})
	id := c.create(object{"model_id": model(t, func(a *answer) { <-open; a.text("So.") })})
	c.send(id, "work")
	s.WaitIdle(expired())
	if s.Busy() != 1 {
		t.Errorf("%d runs under way", s.Busy())
	}
	close(open)
	s.WaitIdle(t.Context())
	if got := c.messages(id); s.Busy() != 0 || len(got) != 2 {
		t.Errorf("%d runs under way, messages %v", s.Busy(), got)
	}
}
