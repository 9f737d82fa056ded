package tools_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/mixagent/mix/internal/tools"
)

// TestSchemas: the schema of each tool is an object with the contract's keys,
// takes the example of its description, and has the same bytes each time.
func TestSchemas(t *testing.T) {
	t.Parallel()
	keys := map[string]string{
		"Bash":     "command* timeout",
		"Edit":     "file_path* old_string* new_string* replace_all",
		"Glob":     "pattern* path",
		"Grep":     "pattern* path glob type output_mode -i -n -A -B -C multiline head_limit",
		"ReadText": "file_path* offset limit",
		"Write":    "file_path* content*",
	}
	again := tools.NewRegistry(tools.Builtin()...)
	for _, tool := range tools.Builtin() {
		var s jsonschema.Schema
		must(t, json.Unmarshal(tool.Schema(), &s))
		other, _ := again.Lookup(tool.Name())
		if s.Type != "object" || string(other.Schema()) != string(tool.Schema()) {
			t.Errorf("%s: %s", tool.Name(), tool.Schema())
		}
		for _, key := range strings.Fields(keys[tool.Name()]) {
			name, required := strings.CutSuffix(key, "*")
			if p := s.Properties[name]; p == nil || p.Description == "" || p.Type == "" || required != contains(s.Required, name) {
				t.Errorf("%s: field %s: %+v", tool.Name(), name, p)
			}
			delete(s.Properties, name)
		}
		if len(s.Properties) > 0 {
			t.Errorf("%s has more fields than the contract: %v", tool.Name(), s.Properties)
		}
		_, example, found := strings.Cut(tool.Description(), "Example: ")
		whole := new(jsonschema.Schema)
		must(t, json.Unmarshal(tool.Schema(), whole))
		resolved, err := whole.Resolve(nil)
		must(t, err)
		var v any
		if err := json.Unmarshal([]byte(example), &v); !found || err != nil {
			t.Errorf("%s: the example %q: %v", tool.Name(), example, err)
		} else if err := resolved.Validate(v); err != nil {
			t.Errorf("%s: the example %s: %v", tool.Name(), example, err)
		}
	}
}

func contains(list []string, s string) bool {
	for _, v := range list {
		if v == s {
			return true
		}
	}
	return false
}

// FuzzDecode: no input of a model makes a plan panic or takes long.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{
		`{}`, `null`, `[]`, `{"file_path":"a","limit":"1e99"}`, `{"pattern":"(","-n":"maybe"}`,
		`{"command":"git ` + "`x`" + `","timeout":1e30}`, `{"file_path":"~/\u0000"}`, `{"old_string":"","new_string":"","file_path":"/"}`,
	} {
		f.Add([]byte(s))
	}
	p := newPlace(f, nil)
	f.Fuzz(func(t *testing.T, input []byte) {
		for _, tool := range tools.Builtin() {
			if plan, err := tool.Plan(t.Context(), &p.env, input); err == nil && (plan.Run == nil || len(plan.Accesses) == 0) {
				t.Errorf("%s made half a plan of %q", tool.Name(), input)
			}
			if a, isAlias := tool.(tools.AliasTool); isAlias {
				if out, err := a.FromAlias("alias", input); err == nil && json.Valid(input) && !json.Valid(out) {
					t.Errorf("%s made %q of %q", tool.Name(), out, input)
				}
			}
		}
	})
}

// BenchmarkSchemas makes the schemas of all tools, as the first request of a
// process does.
func BenchmarkSchemas(b *testing.B) {
	for b.Loop() {
		for _, tool := range tools.Builtin() {
			_ = tool.Schema()
		}
	}
}

// BenchmarkStep is one call that asks nobody, without its commits.
func BenchmarkStep(b *testing.B) {
	x := newBench(b, tools.Options{})
	for b.Loop() {
		x.lines, x.events = x.lines[:0], x.events[:0]
		clear(x.ended)
		clear(x.states)
		if _, err := x.x.Execute(b.Context(), x.batch(scriptCalls(allowed)...)); err != nil {
			b.Fatal(err)
		}
	}
}
