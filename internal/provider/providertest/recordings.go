package providertest

import (
	"encoding/base64"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

// Recording is one recorded conversation.
type Recording struct {
	Name         string // the file's path below the folder
	Interactions []Interaction
}

// Interaction is one request of a conversation and its answer.
type Interaction struct {
	URL, Request, Response string
}

// Streamed reports whether the answer is a stream of events.
func (i *Interaction) Streamed() bool {
	return !strings.HasPrefix(strings.TrimSpace(i.Response), "{")
}

// Recordings returns the conversations whose every address ends in the suffix.
// It skips the test where there is no folder, and fails it where the folder has
// none of them.
func Recordings(t testing.TB, suffix string) []Recording {
	t.Helper()
	root := folder(t)
	var all []Recording
	err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".yaml" {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		interactions, err := parse(string(data))
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		for _, i := range interactions {
			address, _, _ := strings.Cut(i.URL, "?")
			if !strings.HasSuffix(address, suffix) {
				return nil
			}
		}
		name, err := filepath.Rel(root, path)
		all = append(all, Recording{Name: filepath.ToSlash(name), Interactions: interactions})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		t.Fatalf("%s holds no recording of %s", root, suffix)
	}
	return all
}

// folder returns where the recordings are.
func folder(t testing.TB) string {
	t.Helper()
	root := os.Getenv("MIX_RECORDINGS")
	if root == "" {
		module, err := os.Getwd()
		for err == nil {
			if _, err := os.Stat(filepath.Join(module, "go.mod")); err == nil {
				break
			}
			if module == filepath.Dir(module) {
				t.Fatal("the working directory is in no module")
			}
			module = filepath.Dir(module)
		}
		root = filepath.Join(module, "..", "shared", "recordings")
	}
	if _, err := os.Stat(root); err != nil {
		t.Skipf("no recorded vendor traffic: MIX_RECORDINGS names no folder (%v)", err)
	}
	return root
}

// parse reads the few keys that tests need from a file of go-vcr's form. It
// reads the scalars that go-vcr writes, and fails on every other.
func parse(text string) ([]Interaction, error) {
	var all []Interaction
	section := ""
	lines := strings.Split(text, "\n")
	for n := 0; n < len(lines); n++ {
		line := strings.TrimLeft(lines[n], " ")
		key, value, _ := strings.Cut(line, ":")
		switch key {
		case "- id":
			all = append(all, Interaction{})
		case "request", "response":
			section = key
		case "url", "body":
			if len(all) == 0 {
				return nil, fmt.Errorf("line %d: %s before the first interaction", n+1, key)
			}
			indent := len(lines[n]) - len(line)
			scalar, used, err := parseScalar(strings.TrimSpace(value), lines[n+1:], indent)
			if err != nil {
				return nil, fmt.Errorf("line %d: %w", n+1, err)
			}
			n += used
			last := &all[len(all)-1]
			switch {
			case key == "url":
				last.URL = scalar
			case section == "request":
				last.Request = scalar
			default:
				last.Response = scalar
			}
		}
	}
	return all, nil
}

// parseScalar reads a scalar whose first line is value, and returns how many of
// the lines that follow belong to it.
func parseScalar(value string, rest []string, indent int) (scalar string, used int, err error) {
	switch {
	case strings.HasPrefix(value, "!!binary |"):
		scalar, used = blockScalar(rest, indent)
		data, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(scalar, "\n", ""))
		return string(data), used, err
	case value == "|" || value == "|+" || value == "|-":
		scalar, used = blockScalar(rest, indent)
		switch value {
		case "|":
			scalar = strings.TrimRight(scalar, "\n") + "\n"
		case "|-":
			scalar = strings.TrimRight(scalar, "\n")
		}
		return scalar, used, nil
	case len(value) > 1 && value[0] == '\'' && value[len(value)-1] == '\'':
		return strings.ReplaceAll(value[1:len(value)-1], "''", "'"), 0, nil
	case len(value) > 1 && value[0] == '"' && value[len(value)-1] == '"':
		scalar, err := unquote(value[1 : len(value)-1])
		return scalar, 0, err
	case value != "" && strings.IndexByte("|>'\"&*!%@`", value[0]) < 0:
		return value, 0, nil
	}
	return "", 0, fmt.Errorf("a scalar of unknown form: %.20s", value)
}

// blockScalar reads the lines that are indented more than their key.
func blockScalar(lines []string, indent int) (string, int) {
	var b strings.Builder
	own := -1
	for n, line := range lines {
		depth := len(line) - len(strings.TrimLeft(line, " "))
		if depth == len(line) && (own < 0 || depth < own) {
			b.WriteByte('\n')
			continue
		}
		if own < 0 {
			own = depth
		}
		if depth <= indent {
			return b.String(), n
		}
		b.WriteString(line[own:])
		b.WriteByte('\n')
	}
	return b.String(), len(lines)
}

// unquote reads a double-quoted scalar of one line.
func unquote(s string) (string, error) {
	var b strings.Builder
	for {
		i := strings.IndexByte(s, '\\')
		if i < 0 {
			b.WriteString(s)
			return b.String(), nil
		}
		b.WriteString(s[:i])
		s = s[i+1:]
		if s == "" {
			return "", fmt.Errorf("a backslash at the end")
		}
		c := s[0]
		s = s[1:]
		if i := strings.IndexByte("abefnrtv0\"\\/N_", c); i >= 0 {
			b.WriteString([]string{"\a", "\b", "\x1b", "\f", "\n", "\r", "\t", "\v", "\x00", "\"", "\\", "/", "\u0085", "\u00a0"}[i])
			continue
		}
		digits := map[byte]int{'x': 2, 'u': 4, 'U': 8}[c]
		if digits == 0 || len(s) < digits {
			return "", fmt.Errorf("an escape of unknown form: %c", c)
		}
		r, err := strconv.ParseUint(s[:digits], 16, 32)
		if err != nil || !utf8.ValidRune(rune(r)) {
			return "", fmt.Errorf("an escape of unknown form: %s", s[:digits])
		}
		b.WriteRune(rune(r))
		s = s[digits:]
	}
}
