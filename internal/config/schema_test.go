package config_test

import (
	"encoding/json"
	"flag"
	"os"
	"reflect"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"
	"github.com/tailscale/hujson"

	"github.com/mixagent/mix/internal/config"
)

var update = flag.Bool("update", false, "write schema.json anew")

// TestSchemaIsFresh makes the schema from the Go type and compares it with the
// committed one; `go generate` writes it anew.
func TestSchemaIsFresh(t *testing.T) {
	t.Parallel()
	s, err := jsonschema.For[config.Settings](&jsonschema.ForOptions{TypeSchemas: map[reflect.Type]*jsonschema.Schema{
		reflect.TypeFor[config.Duration](): {Type: "string", Pattern: `^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$`},
	}})
	if err != nil {
		t.Fatal(err)
	}
	s.Schema = "https://json-schema.org/draft/2020-12/schema"
	s.Title = "Settings of Mix"
	addBounds(s, "")
	addDefaults(t, s)
	got, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	if *update {
		if err := os.WriteFile("schema.json", got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if string(got) != config.Schema() {
		t.Error("schema.json is not what the Go type says; run go generate ./internal/config")
	}
}

func addBounds(s *jsonschema.Schema, prefix string) {
	for name, p := range s.Properties {
		if p.Type == "object" {
			addBounds(p, prefix+name+".")
			continue
		}
		if len(p.Types) > 0 { // "null or array" of slices: null is refused
			p.Type, p.Types = "array", nil
		}
		lo, hi, one, ok := config.BoundsForTest(prefix + name)
		switch {
		case !ok:
		case len(one) > 0:
			for _, v := range one {
				p.Enum = append(p.Enum, v)
			}
		case p.Type == "integer", p.Type == "number":
			p.Minimum, p.Maximum = &lo, &hi
		}
	}
}

func addDefaults(t *testing.T, s *jsonschema.Schema) {
	d := config.Defaults()
	set := func(p *jsonschema.Schema, v any) {
		raw, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		p.Default = raw
	}
	set(s.Properties["permissionMode"], d.PermissionMode)
	set(s.Properties["maxSteps"], d.MaxSteps)
	set(s.Properties["maxCost"], d.MaxCost)
	set(s.Properties["requests"].Properties["expiry"], d.Requests.Expiry)
	set(s.Properties["requests"].Properties["approverGrace"], d.Requests.ApproverGrace)
	set(s.Properties["tools"].Properties["execution"], d.Tools.Execution)
	set(s.Properties["queue"].Properties["limit"], d.Queue.Limit)
	set(s.Properties["server"].Properties["trustLoopback"], d.Server.TrustLoopback)
}

func TestSchemaAgreesWithLoad(t *testing.T) {
	t.Parallel()
	var s jsonschema.Schema
	if err := json.Unmarshal([]byte(config.Schema()), &s); err != nil {
		t.Fatal(err)
	}
	resolved, err := s.Resolve(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		everything, `{}`, `{"modle": 1}`, `{"maxSteps": 0}`, `{"maxSteps": 1001}`, `{"maxSteps": 1.5}`, `{"model": null}`,
		`{"permissions": {"deny": "x"}}`, `{"permissions": {"deny": null}}`, `{"permissionMode": "yolo"}`,
		`{"requests": {"expiry": 3}}`, `{"requests": {"expiry": "soon"}}`, `{"tools": {"execution": "parallel"}}`,
		`{"server": {"trustLoopback": 1}}`, `{"maxCost": -1}`, `{"queue": []}`,
	} {
		_, loadErr := load(t, text, config.Flags{})
		std, err := hujson.Standardize([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		var v any
		if err := json.Unmarshal(std, &v); err != nil {
			t.Fatal(err)
		}
		if schemaErr := resolved.Validate(v); (schemaErr == nil) != (loadErr == nil) {
			t.Errorf("%s: schema says %v, Load says %v", text, schemaErr, loadErr)
		}
	}
}
