package config

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/tailscale/hujson"
)

// Value is a setting as it holds outside of any project.
type Value struct {
	Key string
	// JSON is the value; "null" for a list that is empty by default.
	JSON json.RawMessage
	// Source is where it comes from: "default", "flag", "MIX_MODEL", or file
	// and line.
	Source string
}

// Get returns a setting by its key, like "requests.expiry".
func (c *Config) Get(key string) (Value, error) {
	field, err := fieldOf(reflect.ValueOf(&c.Settings).Elem(), key)
	if err != nil {
		return Value{}, err
	}
	raw, err := json.Marshal(field.Interface())
	if err != nil {
		return Value{}, fmt.Errorf("encode %s: %w", key, err)
	}
	return Value{Key: key, JSON: raw, Source: c.source(key)}, nil
}

func (c *Config) source(key string) string {
	f := c.flags
	switch {
	case key == "model" && f.Model != "", key == "permissionMode" && f.PermissionMode != "",
		key == "maxSteps" && f.MaxSteps != 0, key == "maxCost" && f.MaxCost != 0:
		return "flag"
	case key == "model" && c.getenv("MIX_MODEL") != "":
		return "MIX_MODEL"
	case c.user != nil && c.user.lines[key] != 0:
		return fmt.Sprintf("%s:%d", c.user.file, c.user.lines[key])
	}
	return "default"
}

func fieldOf(v reflect.Value, key string) (reflect.Value, error) {
	if slices.Contains(Keys(), key) {
		for name := range strings.SplitSeq(key, ".") {
			v, _ = fieldNamed(v, name)
		}
		return v, nil
	}
	return reflect.Value{}, fmt.Errorf("unknown key %q%s", key, didYouMean(key, Keys()))
}

// Set writes a setting into the user's file, which is created where there is
// none. value is JSON, or for keys that take text the text itself; one word for
// a list is a list of one. Comments and everything else in the file stay. What
// [Load] would refuse is not written.
func Set(d Dirs, key, value string) error {
	field, err := fieldOf(reflect.ValueOf(&Settings{}).Elem(), key)
	if err != nil {
		return err
	}
	return edit(d, key, func(root *hujson.Value) error {
		return root.Patch(patch(root, key, written(field.Type(), value)))
	})
}

// Unset removes a setting from the user's file, so that its default holds.
// A setting that is not there is no error.
func Unset(d Dirs, key string) error {
	if _, err := fieldOf(reflect.ValueOf(&Settings{}).Elem(), key); err != nil {
		return err
	}
	return edit(d, key, func(root *hujson.Value) error {
		if root.Find(pointer(key)) == nil {
			return nil
		}
		op, err := json.Marshal([]map[string]string{{"op": "remove", "path": pointer(key)}})
		if err != nil {
			return err
		}
		return root.Patch(op)
	})
}

// edit changes the user's file by a function, checks the result and writes it.
func edit(d Dirs, key string, change func(*hujson.Value) error) error {
	file := d.Settings()
	data, err := readWhole(openAny, file)
	if err != nil {
		return fmt.Errorf("change the settings: %w", err)
	}
	if len(data) == 0 {
		data = []byte("{}\n")
	} else if _, err := parseLayer(file, data); err != nil {
		return err // patching what is broken already would hide where
	}
	root, err := hujson.Parse(data)
	if err != nil {
		return fmt.Errorf("change the settings: %w", err)
	}
	if err := change(&root); err != nil {
		return fmt.Errorf("change %s: %w", key, err)
	}
	root.Format()
	changed := root.Pack()
	if _, err := parseLayer(file, changed); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return fmt.Errorf("create the configuration directory: %w", err)
	}
	return WriteFile(file, changed)
}

// patch is the JSON patch that sets key, and the groups above it where they are
// missing.
func patch(root *hujson.Value, key string, value json.RawMessage) []byte {
	type op struct {
		Op    string          `json:"op"`
		Path  string          `json:"path"`
		Value json.RawMessage `json:"value"`
	}
	var ops []op
	for i, c := range key {
		if c == '.' && root.Find(pointer(key[:i])) == nil {
			ops = append(ops, op{"add", pointer(key[:i]), json.RawMessage("{}")})
		}
	}
	out, err := json.Marshal(append(ops, op{"add", pointer(key), value}))
	if err != nil {
		panic(err) // value is valid JSON by then
	}
	return out
}

// pointer is the JSON pointer of a key; none of ours needs escaping.
func pointer(key string) string { return "/" + strings.ReplaceAll(key, ".", "/") }

// written turns what a person typed into JSON for a field of type t.
func written(t reflect.Type, value string) json.RawMessage {
	if t.Kind() == reflect.Slice && !strings.HasPrefix(strings.TrimSpace(value), "[") {
		quoted, _ := json.Marshal([]string{value}) // strings always encode
		return quoted
	}
	text := t.Kind() == reflect.String || t == reflect.TypeFor[Duration]()
	if json.Valid([]byte(value)) && (!text || strings.HasPrefix(strings.TrimSpace(value), `"`)) {
		return json.RawMessage(value)
	}
	quoted, _ := json.Marshal(value)
	return quoted
}
