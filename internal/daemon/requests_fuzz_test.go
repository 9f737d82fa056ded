package daemon_test

import (
	"bytes"
	"io"
	"net/http"
	"testing"

	"github.com/mixagent/mix/internal/daemon"
)

// FuzzBodies: whatever is sent as a body, the answer is one of the contract's,
// and never a status that clients repeat.
func FuzzBodies(f *testing.F) {
	s := start(f, daemon.Config{Model: "demo/echo"})
	base, client := s.URL(), &http.Client{Transport: transport(f)}
	id := s.client().create(nil)
	paths := []string{
		"/api/sessions", "/api/sessions/" + id + "/messages", "/api/sessions/" + id + "/explain",
		"/api/permissions/explain", "/api/permissions/" + id + "/grant",
	}
	for _, body := range []string{
		`{"browserMode":"electron-embedded-browser","promptMode":"default","sessionType":"main","title":"x"}`,
		`{"plan_mode":false,"text":"hello"}`,
		`{"text":"\ud800","thinking_level":null,"max_steps":1e2}`,
		`{"call":"Bash(ls | (cat)"}`,
		`{"call":"Edit(/a)","session":{"project_path":"/tmp","allow":["Bash(:*)"]}}`,
		`{"title":"\u0000\u001b[2J","project_path":"\u0000","callbacks":[null,{}]}`,
		`{"scope":"session","rule":"","input":{}}`,
		"{\"text\":\"\xff\"}", `[[[[`, `"x"`, `0`, `nul`, "\ufeff{}", `{"text":{"text":{}}}`,
	} {
		for i := range paths {
			f.Add(i, []byte(body))
		}
	}
	f.Fuzz(func(t *testing.T, i int, body []byte) {
		path := paths[uint(i)%uint(len(paths))]
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+path, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		data, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		switch resp.StatusCode {
		case http.StatusOK, http.StatusCreated, http.StatusAccepted:
			return
		case http.StatusBadRequest, http.StatusNotFound, http.StatusConflict:
		default:
			t.Fatalf("status %d: %s", resp.StatusCode, data)
		}
		v, err := decodeStrict(data)
		if err == nil {
			err = errorSchema.check(v)
		}
		if err != nil {
			t.Errorf("status %d: %v: %s", resp.StatusCode, err, data)
		}
	})
}
