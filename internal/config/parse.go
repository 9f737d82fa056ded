package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/tailscale/hujson"
)

// FileError is something wrong in a file that a person wrote.
type FileError struct {
	File    string
	Line    int    // from 1; 0 where it is about the whole file
	Problem string // a sentence without a full stop
}

// Error names file, line and problem.
func (e *FileError) Error() string {
	if e.Line == 0 {
		return e.File + ": " + e.Problem
	}
	return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Problem)
}

// layer is a settings file that was read: its values, and where each key is.
type layer struct {
	file  string
	lines map[string]int // line of every key that it sets
	text  []byte
	root  *hujson.Object
}

// apply sets the keys of the layer for which use returns true in s. The rules
// of permission lists are added to those that s has; everything else replaces.
func (l *layer) apply(s *Settings, use func(key string, now Settings) bool) error {
	return l.decode(l.root, reflect.ValueOf(s).Elem(), "", func(key string, target reflect.Value, raw []byte) error {
		old := target.Interface()
		value := reflect.New(target.Type())
		if err := json.Unmarshal(raw, value.Interface()); err != nil {
			return wrongType(target.Type(), err)
		}
		if string(raw) == "null" {
			return fmt.Errorf("must not be null; leave the key out for its default")
		}
		if err := check(key, value.Elem().Interface()); err != nil {
			return err
		}
		if !use(key, *s) {
			return nil
		}
		if rules, ok := old.([]string); ok && strings.HasPrefix(key, "permissions.") {
			all := append(append([]string{}, rules...), value.Elem().Interface().([]string)...)
			value.Elem().Set(reflect.ValueOf(all))
		}
		target.Set(value.Elem())
		return nil
	})
}

// parseLayer parses a settings file and checks every key and value.
func parseLayer(file string, data []byte) (*layer, error) {
	root, err := hujson.Parse(data)
	if err != nil {
		return nil, &FileError{File: file, Problem: "is not JSON: " + strings.TrimPrefix(err.Error(), "hujson: ")}
	}
	obj, ok := root.Value.(*hujson.Object)
	if !ok {
		return nil, &FileError{File: file, Line: lineAt(data, root.StartOffset), Problem: "must hold a JSON object"}
	}
	l := &layer{file: file, lines: map[string]int{}, text: data, root: obj}
	all := func(string, Settings) bool { return true }
	var scratch Settings
	return l, l.apply(&scratch, all)
}

// decode walks an object along the struct v and hands every known leaf to set,
// with its value as standard JSON. Keys that v does not have, and keys that
// stand twice, are errors: which of two would count is a guess.
func (l *layer) decode(obj *hujson.Object, v reflect.Value, prefix string, set func(string, reflect.Value, []byte) error) error {
	seen := map[string]bool{}
	for i := range obj.Members {
		m := &obj.Members[i]
		name := m.Name.Value.(hujson.Literal).String()
		key, line := prefix+name, lineAt(l.text, m.Name.StartOffset)
		fail := func(format string, args ...any) error {
			return &FileError{File: l.file, Line: line, Problem: fmt.Sprintf(format, args...)}
		}
		if seen[name] {
			return fail("key %q stands here a second time", key)
		}
		seen[name] = true
		field, ok := fieldNamed(v, name)
		if !ok {
			return fail("unknown key %q%s", key, didYouMean(key, Keys()))
		}
		if isGroup(field.Type()) {
			inner, ok := m.Value.Value.(*hujson.Object)
			if !ok {
				return fail("%q must be an object", key)
			}
			if err := l.decode(inner, field, key+".", set); err != nil {
				return err
			}
			continue
		}
		l.lines[key] = line
		raw := m.Value.Clone()
		raw.Standardize()
		if err := set(key, field, bytes.TrimSpace(raw.Pack())); err != nil {
			return fail("%q %s", key, err)
		}
	}
	return nil
}

func lineAt(data []byte, offset int) int {
	return 1 + bytes.Count(data[:min(offset, len(data))], []byte("\n"))
}

// isGroup reports whether t holds further keys.
func isGroup(t reflect.Type) bool { return t.Kind() == reflect.Struct }

func jsonName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}

func fieldNamed(v reflect.Value, name string) (reflect.Value, bool) {
	for f, field := range v.Fields() {
		if jsonName(f) == name {
			return field, true
		}
	}
	return reflect.Value{}, false
}

// Keys lists all keys of the settings, like "requests.expiry", in the order of
// [Settings].
func Keys() []string { return appendKeys(nil, reflect.TypeFor[Settings](), "") }

func appendKeys(keys []string, t reflect.Type, prefix string) []string {
	for f := range t.Fields() {
		if isGroup(f.Type) {
			keys = appendKeys(keys, f.Type, prefix+jsonName(f)+".")
			continue
		}
		keys = append(keys, prefix+jsonName(f))
	}
	return keys
}

// wrongType says what a value should have been, without showing the value.
func wrongType(t reflect.Type, err error) error {
	if errors.Is(err, errDuration) {
		return err
	}
	switch t.Kind() {
	case reflect.String:
		return fmt.Errorf("must be a string")
	case reflect.Bool:
		return fmt.Errorf("must be true or false")
	case reflect.Int:
		return fmt.Errorf("must be a whole number")
	case reflect.Float64:
		return fmt.Errorf("must be a number")
	case reflect.Slice:
		return fmt.Errorf("must be a list of strings")
	}
	return err
}

// didYouMean returns a hint to the name nearest to what was written, or "" when
// none is near.
func didYouMean(written string, names []string) string {
	best, distance := "", 1+len(written)/3
	for _, name := range names {
		d := editDistance(strings.ToLower(written), strings.ToLower(name))
		// The last part alone, when it stands in the wrong group.
		if written[strings.LastIndexByte(written, '.')+1:] == name[strings.LastIndexByte(name, '.')+1:] {
			d = min(d, 1)
		}
		if d <= distance && (best == "" || d < distance) {
			best, distance = name, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(", did you mean %q?", best)
}

// editDistance is the number of letters to add, remove or replace.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
