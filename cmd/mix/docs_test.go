package main_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/mixagent/mix/internal/permission"
)

var update = flag.Bool("update", false, "write generated parts of the documentation")

// userDocs are what people read who use the program.
var userDocs = []string{"README.md", "docs/running.md", "docs/server.md", "docs/permissions.md", "docs/configuration.md"}

func readDoc(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(repository(t), filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// helpOf returns the help of a command, and whether there is one.
func helpOf(t *testing.T, env []string, command ...string) (string, bool) {
	t.Helper()
	code, stdout, _ := run(t, t.TempDir(), env, append([]string{"help"}, command...)...)
	return stdout, code == 0
}

// TestDocumentedCommandsExist: every command and flag that the documentation
// names is one.
func TestDocumentedCommandsExist(t *testing.T) {
	t.Parallel()
	env := cleanEnv(t.TempDir())
	flags := map[string]bool{}
	for _, command := range [][]string{
		{}, {"run"}, {"serve"}, {"sessions", "list"}, {"sessions", "show"}, {"audit"}, {"permissions", "explain"}, {"doctor"},
	} {
		help, ok := helpOf(t, env, command...)
		if !ok {
			t.Fatalf("no help for %v", command)
		}
		for _, f := range regexp.MustCompile(`--[a-z][a-z-]+`).FindAllString(help, -1) {
			flags[f] = true
		}
	}
	var (
		code      = regexp.MustCompile("(?s)```.*?```|`[^`]+`")
		invoked   = regexp.MustCompile(`(?m)(?:^|[^a-z/.-])(?:go run \./cmd/mix|mix) ([a-z]+(?: [a-z]+)?)`)
		flagNames = regexp.MustCompile(`--[a-z][a-z-]+`)
		known     = map[string]bool{}
	)
	for _, doc := range userDocs {
		text := readDoc(t, doc)
		for _, part := range code.FindAllString(text, -1) {
			for line := range strings.Lines(part) {
				line = strings.Trim(line, "`")
				if !strings.HasPrefix(line, "--") && !invoked.MatchString(line) {
					continue // another program's
				}
				for _, f := range flagNames.FindAllString(line, -1) {
					if !flags[f] {
						t.Errorf("%s names the flag %s, which no command has: %s", doc, f, line)
					}
				}
			}
			for _, m := range invoked.FindAllStringSubmatch(part, -1) {
				words := strings.Fields(m[1])
				if words[0] == "listening" {
					continue // what the server prints
				}
				if _, seen := known[m[1]]; !seen {
					_, both := helpOf(t, env, words...)
					_, first := helpOf(t, env, words[0])
					group := slices.Contains([]string{"sessions", "config", "permissions"}, words[0])
					known[m[1]] = both || first && !(group && len(words) > 1)
				}
				if !known[m[1]] {
					t.Errorf("%s names the command mix %s, which does not exist", doc, m[1])
				}
			}
		}
	}
	if len(known) < 8 {
		t.Errorf("only %d commands were found in the documentation", len(known))
	}
}

// TestDocumentedSettings: the table of keys is the schema's, in both ways.
func TestDocumentedSettings(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(filepath.Join(repository(t), "internal", "config", "schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	type object struct {
		Properties map[string]json.RawMessage
	}
	var real []string
	var walk func(prefix string, raw json.RawMessage)
	walk = func(prefix string, raw json.RawMessage) {
		var o object
		if err := json.Unmarshal(raw, &o); err != nil {
			t.Fatal(err)
		}
		if len(o.Properties) == 0 {
			real = append(real, strings.TrimSuffix(prefix, "."))
		}
		for name, sub := range o.Properties {
			if name != "$schema" {
				walk(prefix+name+".", sub)
			}
		}
	}
	walk("", data)
	slices.Sort(real)

	var written []string
	for line := range strings.Lines(readDoc(t, "docs/configuration.md")) {
		cells := strings.Split(line, "|")
		if len(cells) != 5 || !strings.HasPrefix(cells[1], " `") || !regexp.MustCompile("^ `[a-z]").MatchString(cells[1]) {
			continue
		}
		prefix := ""
		for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cells[1], -1) {
			key := m[1]
			if strings.HasPrefix(key, ".") {
				key = prefix + key
			}
			prefix, _, _ = strings.Cut(key, ".")
			written = append(written, key)
		}
	}
	slices.Sort(written)
	if !slices.Equal(real, written) {
		t.Errorf("the schema has\n%v\ndocs/configuration.md has\n%v", real, written)
	}
	env := cleanEnv(t.TempDir())
	for _, key := range written {
		if code, stdout, stderr := run(t, t.TempDir(), env, "config", "get", key); code != 0 {
			t.Errorf("mix config get %s: %d\n%s\n%s", key, code, stdout, stderr)
		}
	}
}

// TestDocumentedRoutes: every route of docs/server.md answers.
func TestDocumentedRoutes(t *testing.T) {
	t.Parallel()
	s := startServer(t, t.TempDir(), t.TempDir(), cleanEnv(t.TempDir()))
	defer s.stop(t)
	routes := map[string]bool{}
	for line := range strings.Lines(readDoc(t, "docs/server.md")) {
		if !strings.HasPrefix(line, "| `") {
			continue
		}
		cell := strings.Split(line, "|")[1]
		method, last := "", ""
		for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cell, -1) {
			verb, path, ok := strings.Cut(m[1], " ")
			switch {
			case ok:
				method, last = verb, path
			case strings.HasPrefix(verb, "/"): // another end of the same path
				last = last[:strings.LastIndex(last, "/")] + verb
			default: // another method of the path that follows
				method = verb
				continue
			}
			routes[method+" "+last] = true
		}
	}
	if len(routes) < 15 {
		t.Errorf("only %d routes were found: %v", len(routes), slices.Sorted(maps.Keys(routes)))
	}
	for route := range routes {
		method, path, _ := strings.Cut(route, " ")
		path = strings.ReplaceAll(strings.ReplaceAll(path, "{id}", "nobody"), "=ID", "=nobody")
		req, err := http.NewRequestWithContext(t.Context(), method, s.url+path, strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode == http.StatusMethodNotAllowed || bytes.Contains(body, []byte("no route")) {
			t.Errorf("%s: %d %s", route, resp.StatusCode, body)
		}
	}
}

// TestDocumentedExitCodes: the table of docs/running.md is that of the help.
func TestDocumentedExitCodes(t *testing.T) {
	t.Parallel()
	help, _ := helpOf(t, cleanEnv(t.TempDir()), "run")
	_, help, _ = strings.Cut(help, "Exit codes: ")
	help, _, _ = strings.Cut(help, ".\n")
	var fromHelp, fromDocs []string
	for _, m := range regexp.MustCompile(`(?:^|, |\s)(\d+) [a-z]`).FindAllStringSubmatch(help, -1) {
		fromHelp = append(fromHelp, m[1])
	}
	for _, m := range regexp.MustCompile(`(?m)^\| (\d+) \|`).FindAllStringSubmatch(readDoc(t, "docs/running.md"), -1) {
		fromDocs = append(fromDocs, m[1])
	}
	if !slices.Equal(fromHelp, fromDocs) || len(fromDocs) != 6 {
		t.Errorf("the help has %v, docs/running.md %v", fromHelp, fromDocs)
	}
}

// TestDocumentedRules: the examples of docs/permissions.md are those that the
// gate is tested with. After a change of them: go test ./cmd/mix -run
// TestDocumentedRules -update.
func TestDocumentedRules(t *testing.T) {
	t.Parallel()
	const begin, end = "<!-- examples -->\n```\n", "```\n<!-- end of examples -->\n"
	text := readDoc(t, "docs/permissions.md")
	before, rest, ok := strings.Cut(text, begin)
	written, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatal("docs/permissions.md has no place for the examples")
	}
	var b bytes.Buffer
	if err := permission.WriteExamples(&b); err != nil {
		t.Fatal(err)
	}
	var trimmed strings.Builder
	for line := range strings.Lines(b.String()) {
		trimmed.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
	if written == trimmed.String() {
		return
	}
	if !*update {
		t.Error("the examples in docs/permissions.md are not those of the gate; run: go test ./cmd/mix -run TestDocumentedRules -update")
		return
	}
	path := filepath.Join(repository(t), "docs", "permissions.md")
	if err := os.WriteFile(path, []byte(before+begin+trimmed.String()+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}
