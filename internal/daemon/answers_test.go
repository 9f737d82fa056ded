package daemon_test

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mixagent/mix/internal/daemon"
)

// impatient are settings under which nobody waits long.
func impatient() object {
	return object{"requests": object{"expiry": "1s", "approverGrace": "1ms"}}
}

// asking is a prompt whose only call needs an answer; it then says so.
func asking(command string) string { return plan(bash(command), step{Text: "Went on."}) }

// TestRequestExpires: where nobody can answer, a request is denied after its
// time, the audit says why, the model is told, and the run goes on. One that
// somebody can answer waits on.
func TestRequestExpires(t *testing.T) {
	t.Parallel()
	s := startWith(t, daemon.Config{}, impatient())
	c := s.client()
	attended, alone := c.create(nil), c.create(nil)
	person := c.events(attended, "", "approver=1")
	c.send(attended, asking("touch attended"))
	request := person.wait("permission") // asked before the other
	if request.data["expiresAt"] != nil {
		t.Errorf("a request that waits without limit expires at %v", request.data["expiresAt"])
	}

	reader := c.stream(alone, "") // a client, but none that said it can answer
	c.send(alone, asking("touch alone"))
	expired := reader.wait("permission").str("id")
	if got := reader.wait("complete").str("content"); got != "Went on." {
		t.Errorf("after the expiry: %q", got)
	}
	rows := c.audit(alone)
	i := slices.IndexFunc(rows, func(row map[string]any) bool { return row["id"] == expired })
	if i < 0 || !strings.Contains(encode(rows[i]), `"expired"`) || !strings.Contains(encode(rows[i]), "nobody who can answer") {
		t.Errorf("audit: %v", rows)
	}
	call := objects(c.messages(alone)[1]["toolCalls"])[0]
	if text, _ := call["text"].(string); call["state"] != "denied" || !strings.Contains(text, "Nobody answered") {
		t.Errorf("the call: %v", call)
	}
	c.refused("POST", "/api/permissions/"+expired+"/grant", "", http.StatusNotFound)

	c.grant(request.str("id"))
	person.wait("complete")
	for name, want := range map[string]bool{"attended": true, "alone": false} {
		if _, err := os.Stat(filepath.Join(s.cfg.Dir, name)); (err == nil) != want {
			t.Errorf("%s ran: %v", name, err == nil)
		}
	}
}

// TestApproverLeaves: when the one who could answer has gone, and the time that
// is given for coming back has passed, the request expires like any other.
func TestApproverLeaves(t *testing.T) {
	t.Parallel()
	s := startWith(t, daemon.Config{}, impatient())
	c := s.client()
	id := c.create(nil)
	person := c.events(id, "", "approver=1")
	st := c.stream(id, "")
	c.send(id, asking("touch made"))
	st.wait("permission")
	person.close()
	if got := st.wait("complete").str("content"); got != "Went on." {
		t.Errorf("after the expiry: %q", got)
	}
	if call := objects(c.messages(id)[1]["toolCalls"])[0]; call["state"] != "denied" {
		t.Errorf("the call: %v", call)
	}
}

// TestFirstAnswerWins: all clients are asked and told, the first answer counts,
// another one comes too late.
func TestFirstAnswerWins(t *testing.T) {
	t.Parallel()
	s := start(t, daemon.Config{})
	one, two := s.client(), s.client()
	id := one.create(nil)
	first, second := one.events(id, "", "approver=1"), two.events(id, "", "approver=1")
	one.send(id, asking("touch made"))
	request := first.wait("permission").str("id")
	if second.wait("permission").str("id") != request {
		t.Error("the clients were asked different things")
	}
	two.grant(request)
	if kind, text := one.refused("POST", "/api/permissions/"+request+"/deny", "", http.StatusNotFound); kind != "not_found" || !strings.Contains(text, "already") {
		t.Errorf("a late answer: %s: %s", kind, text)
	}
	two.grant(request) // the same again is a retry
	for _, st := range []*strictStream{first, second} {
		if ev := st.wait("request_resolved"); ev.str("id") != request || ev.str("outcome") != "allow" || ev.str("by") != "person" {
			t.Errorf("told: %v", ev.data)
		}
		st.wait("complete")
	}
	one.refused("POST", "/api/permissions/"+request+"/deny", "", http.StatusNotFound)
	if _, err := os.Stat(filepath.Join(s.cfg.Dir, "made")); err != nil {
		t.Errorf("what was granted did not run: %v", err)
	}
}

// TestAnswerBodies: scope, rule, reason and another input, and such as cannot
// be meant. A bad answer leaves the request open.
func TestAnswerBodies(t *testing.T) {
	t.Parallel()
	s := start(t, daemon.Config{})
	c := s.client()
	id := c.create(nil)
	person := c.events(id, "", "approver=1")
	c.send(id, plan(bash("touch one"), bash("touch two"), step{Text: "Done."}))
	request := person.wait("permission").str("id")
	for _, body := range []string{
		`{"scope":"forever"}`, `{"input":[]}`, `{"input":"x"}`, `{"scope":"session","rule":"Bash("}`, `{"scope":7}`, `{`, `[]`,
	} {
		if kind, _ := c.refused("POST", "/api/permissions/"+request+"/grant", body, http.StatusBadRequest); kind != "validation_error" {
			t.Errorf("%s: type %s", body, kind)
		}
	}
	if kind, _ := c.refused("POST", "/api/permissions/"+request+"/deny", `{"input":{"command":"x"}}`, http.StatusBadRequest); kind == "internal_error" {
		t.Errorf("a denial with an input: type %s", kind)
	}
	if n := len(objects(c.call("GET", "/api/sessions/"+id+"/requests", "", 200, listOf(isObject))["list"])); n != 1 {
		t.Fatalf("%d open requests after bad answers", n)
	}
	c.call("POST", "/api/permissions/"+request+"/grant", `{"scope":"session","rule":"Bash(touch:*)","reason":"fine"}`, 200, grantedSchema.check)
	if got := person.wait("complete").str("content"); got != "Done." {
		t.Errorf("the second call was not covered: %q", got)
	}
	c.send(id, plan(bash("mkdir three"), step{Text: "Done."}))
	request = person.wait("permission").str("id")
	c.call("POST", "/api/permissions/"+request+"/grant", `{"input":{"command":"mkdir four"}}`, 200, grantedSchema.check)
	person.wait("complete")
	for name, want := range map[string]bool{"one": true, "two": true, "three": false, "four": true} {
		if _, err := os.Stat(filepath.Join(s.cfg.Dir, name)); (err == nil) != want {
			t.Errorf("%s: there is %v, want %v", name, err == nil, want)
		}
	}
	if !strings.Contains(encode(c.audit(id)), "Bash(touch:*)") {
		t.Error("the audit does not name the rule")
	}
}
