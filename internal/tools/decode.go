package tools

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// field is a field of a tool's input.
type field struct {
	key      string
	required bool
	value    reflect.Value
}

// decode reads a model's input into the struct that in points to. It is as
// lenient as it can be without guessing: keys it does not know are left out and
// reported in the notes, null counts as absent, and "10", 10.0 and "true" are
// taken for the number and the truth value they are. Any other error names the
// field and shows the expected shape.
func decode(tool string, input json.RawMessage, in any) (notes string, err error) {
	raw, err := object(tool, input)
	if err != nil {
		return "", err
	}
	fields := fieldsOf(in)
	unknown := unknownKeys(raw, fields)
	for _, f := range fields {
		v, ok := raw[f.key]
		if ok && string(v) == "null" {
			ok = false
		}
		if !ok && f.required {
			return "", inputError(tool, fields, fmt.Sprintf("the field %q is missing%s", f.key, guess(f.key, unknown)))
		}
		if !ok {
			continue
		}
		if err := f.set(v); err != nil {
			return "", inputError(tool, fields, fmt.Sprintf("the field %q must be %s, but is %s", f.key, shape(f.value.Type()), excerpt(v)))
		}
	}
	return strings.Join(complaints(unknown, fields), "\n"), nil
}

// object takes the input apart.
func object(tool string, input json.RawMessage) (map[string]json.RawMessage, error) {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(input, &raw); err != nil || raw == nil {
		return nil, fmt.Errorf("the input of %s must be one JSON object, but is %s", tool, excerpt(input))
	}
	return raw, nil
}

func fieldsOf(in any) []field {
	v := reflect.ValueOf(in).Elem()
	fields := make([]field, 0, v.NumField())
	for i := range v.NumField() {
		key, options, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		fields = append(fields, field{key: key, required: options == "", value: v.Field(i)})
	}
	return fields
}

func unknownKeys(raw map[string]json.RawMessage, fields []field) []string {
	var unknown []string
	for key := range raw {
		if !slices.ContainsFunc(fields, func(f field) bool { return f.key == key }) {
			unknown = append(unknown, key)
		}
	}
	slices.Sort(unknown)
	return unknown
}

// complaints are what the model should know about keys that were left out.
func complaints(unknown []string, fields []field) []string {
	const most = 5
	if len(unknown) > most {
		unknown = unknown[:most]
	}
	keys := make([]string, len(fields))
	for i, f := range fields {
		keys[i] = f.key
	}
	var out []string
	for _, key := range unknown {
		text := fmt.Sprintf("Note: the input has no field %q; it was ignored", cutText(key, 60))
		if near := nearest(key, keys); near != "" {
			text += fmt.Sprintf(" (did you mean %q?)", near)
		}
		out = append(out, text+".")
	}
	return out
}

func guess(key string, unknown []string) string {
	if near := nearest(key, unknown); near != "" {
		return fmt.Sprintf(" (you wrote %q)", near)
	}
	return ""
}

// set decodes v into the field.
func (f field) set(v json.RawMessage) error {
	err := json.Unmarshal(v, f.value.Addr().Interface())
	if err == nil {
		return nil
	}
	var text string
	if json.Unmarshal(v, &text) != nil {
		text = string(v)
	}
	text = strings.TrimSpace(text)
	value := f.value
	if value.Kind() == reflect.Pointer {
		value = reflect.New(value.Type().Elem()).Elem()
		f.value.Set(value.Addr())
	}
	switch value.Kind() {
	case reflect.Bool:
		b, perr := strconv.ParseBool(strings.ToLower(text))
		if perr != nil {
			return err
		}
		value.SetBool(b)
	case reflect.Int, reflect.Int64:
		n, perr := strconv.ParseFloat(text, 64)
		if perr != nil || n != float64(int64(n)) || n > 1<<53 || n < -(1<<53) {
			return err
		}
		value.SetInt(int64(n))
	default:
		return err
	}
	return nil
}

func inputError(tool string, fields []field, what string) error {
	parts := make([]string, len(fields))
	for i, f := range fields {
		parts[i] = strconv.Quote(f.key) + ": " + shape(f.value.Type())
		if !f.required {
			parts[i] += " (optional)"
		}
	}
	return errors.New(what + ". The input of " + tool + " is {" + strings.Join(parts, ", ") + "}")
}

// shape names a type as a model knows it.
func shape(t reflect.Type) string {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int64:
		return "a whole number"
	case reflect.Slice:
		return "a list"
	default:
		return "an object"
	}
}

// excerpt shows the beginning of a value.
func excerpt(v json.RawMessage) string {
	const most = 80
	s := strings.ToValidUTF8(string(v[:min(len(v), most)]), "?")
	if len(v) > most {
		s += "…"
	}
	return s
}
