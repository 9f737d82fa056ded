package demo_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/provider"
	"github.com/mixagent/mix/internal/provider/providertest"
)

// result is what a tool of a test returns.
type result struct {
	json  string
	text  string
	state domain.CallState // "": finished
}

// run plays a survey with tools that return the given results by tool and
// input, as "Tool input", and returns the answers.
func run(t *testing.T, offered []provider.Tool, results map[string]result) []*providertest.Answer {
	t.Helper()
	history := []domain.Message{user("What is in this project?")}
	var answers []*providertest.Answer
	for {
		a := ask(t, "survey", offered, history...)
		answers = append(answers, a)
		if len(answers) > 4 {
			t.Fatal("more than 4 steps")
		}
		if a.Stop != domain.FinishToolUse {
			return answers
		}
		m := domain.Message{Role: domain.RoleAssistant, Blocks: a.Blocks}
		for i, b := range a.Calls() {
			r, ok := results[b.Tool+" "+b.Input]
			if !ok {
				t.Fatalf("unexpected call %s %s", b.Tool, b.Input)
			}
			c := domain.ToolCall{
				CallID: b.CallID, Tool: b.Tool, Input: json.RawMessage(b.Input), Index: i,
				Result: json.RawMessage(r.json), Text: r.text, State: r.state,
			}
			if c.State == "" {
				c.State = domain.CallFinished
			}
			c.IsError = c.State != domain.CallFinished
			m.Calls = append(m.Calls, c)
		}
		history = append(history, m)
	}
}

const (
	globAll  = `Glob {"pattern":"**/*"}`
	readMe   = `ReadText {"file_path":"README.md"}`
	grepMark = `Grep {"pattern":"\\b(TODO|FIXME)\\b","output_mode":"count"}`
	bashLog  = `Bash {"command":"git log --oneline -n 5"}`
)

func allTools() []provider.Tool {
	return tools("Bash", "Edit", "Glob", "Grep", "ReadText", "Write")
}

func project() map[string]result {
	return map[string]result{
		globAll: {json: `{"matches": ["a.go", "b/c.go", "README.md", "Makefile"], "count": 4, "truncated": false}`},
		readMe: {json: mustEncode(map[string]string{"file_path": "/p/README.md", "content": "     1\t# Example\n     2\t\n" +
			"     3\t[![badge](x)](y)\n     4\t\n     5\tExample counts things,\n     6\tquickly.\n     7\t\n     8\tMore.\n"})},
		grepMark: {json: `{"counts": {"a.go": 2, "b/c.go": 3}, "total_matches": 5}`},
		bashLog:  {json: `{"output": "1a2b3c4 Count faster\n5d6e7f8 First commit\n", "exitCode": 0}`},
	}
}

func mustEncode(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func TestSurvey(t *testing.T) {
	t.Parallel()
	answers := run(t, allTools(), project())
	if len(answers) != 2 || answers[0].Reasoning() == "" || len(answers[0].Calls()) != 4 {
		t.Fatalf("%d answers, first %+v", len(answers), answers[0].Blocks)
	}
	want := "This is the report of Mix's demonstration model, a script that repeats what the tools returned.\n" + `
## Files

4 files in all, without hidden and ignored ones:

| type | files |
| --- | ---: |
| ` + "`.go`" + ` | 2 |
| ` + "`.md`" + ` | 1 |
| others | 1 |

## What the README says

` + "`README.md`" + `, titled “Example” begins:

> Example counts things, quickly.

## TODO and FIXME

5 marks in 2 files:

| file | marks |
| --- | ---: |
| ` + "`b/c.go`" + ` | 3 |
| ` + "`a.go`" + ` | 2 |

## Recent commits

- ` + "`1a2b3c4`" + ` Count faster
- ` + "`5d6e7f8`" + ` First commit

I am only a demonstration: to have a real model work here, set ANTHROPIC_API_KEY or OPENAI_API_KEY and run Mix without ` + "`--model demo`.\n"
	if diff := cmp.Diff(want, answers[1].Text()); diff != "" {
		t.Error(diff)
	}
}

func TestSurveyIsHonest(t *testing.T) {
	t.Parallel()
	answers := run(t, allTools(), project())
	first, last := answers[0].Text(), answers[len(answers)-1].Text()
	if !strings.HasPrefix(first, "I am Mix's demonstration model: a script, not an AI") {
		t.Errorf("first: %s", first)
	}
	for _, text := range []string{first, last} {
		for _, want := range []string{"demonstration", "ANTHROPIC_API_KEY", "OPENAI_API_KEY", "--model demo"} {
			if !strings.Contains(text, want) {
				t.Errorf("%q does not say %s", text, want)
			}
		}
	}
}

func TestSurveyIsDeterministic(t *testing.T) {
	t.Parallel()
	r := project()
	r[grepMark] = result{json: `{"counts": {"a": 1, "b": 1, "c": 1, "d": 1, "e": 1, "f": 1, "g": 1, "h": 1, "i": 1, "j": 1}, "total_matches": 10}`}
	want := run(t, allTools(), r)
	for range 5 {
		if diff := cmp.Diff(want, run(t, allTools(), r)); diff != "" {
			t.Fatal(diff)
		}
	}
	if text := want[1].Text(); !strings.Contains(text, "and in 2 files more.") || strings.Contains(text, "`i`") {
		t.Error(text)
	}
}

func TestSurveyFindsAnotherReadme(t *testing.T) {
	t.Parallel()
	r := project()
	r[globAll] = result{json: `{"matches": ["docs/readme.md", "readme.rst", "x/README.md"], "count": 3}`}
	r[readMe] = result{text: "README.md does not exist", state: domain.CallFailed}
	r[`ReadText {"file_path":"readme.rst"}`] = result{json: mustEncode(map[string]string{"content": "     1\tTitle\n     2\t=====\n     3\tText here.\n"})}
	answers := run(t, allTools(), r)
	if len(answers) != 3 || !strings.Contains(answers[1].Text(), "`readme.rst` looks like one") {
		t.Fatalf("%d answers, second %q", len(answers), answers[1].Text())
	}
	if text := answers[2].Text(); !strings.Contains(text, "`readme.rst`, titled “Title” begins:\n\n> Text here.") {
		t.Error(text)
	}
}

func TestSurveyCountsTypesOfLargeProjects(t *testing.T) {
	t.Parallel()
	var names []string
	for i := range 60 {
		names = append(names, fmt.Sprintf("f%d.go", i))
	}
	for i := range 40 {
		names = append(names, fmt.Sprintf("f%d.{a,b}", i)) // would not mean itself in a glob
	}
	names[0] = "x.md"
	r := project()
	r[globAll] = result{json: mustEncode(map[string]any{"matches": names, "count": 12345, "truncated": true})}
	r[`Glob {"pattern":"**/*.go"}`] = result{json: `{"matches": [], "count": 9000, "truncated": true}`}
	r[`Glob {"pattern":"**/*.md"}`] = result{json: `{"matches": [], "count": 45, "truncated": false}`}
	answers := run(t, allTools(), r)
	text := answers[len(answers)-1].Text()
	for _, want := range []string{"12,345 files in all, without hidden and ignored ones:", "| `.go` | 9,000 |", "| `.md` | 45 |", "| others | 3,300 |"} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is missing in\n%s", want, text)
		}
	}

	r[`Glob {"pattern":"**/*.go"}`] = result{text: "no", state: domain.CallDenied}
	r[`Glob {"pattern":"**/*.md"}`] = result{text: "no", state: domain.CallDenied}
	answers = run(t, allTools(), r)
	text = answers[len(answers)-1].Text()
	for _, want := range []string{"12,345 files in all", "the types of the 100 newest:", "| `.go` | 59 |", "| others | 40 |"} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is missing in\n%s", want, text)
		}
	}
}

func TestSurveySaysWhatFailed(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		call string
		r    result
		want string
	}{
		{"denied", globAll, result{text: "Denied: nobody could be asked.\nmore", state: domain.CallDenied}, "I could not list the files: it was denied: Denied: nobody could be asked."},
		{"interrupted", grepMark, result{text: "interrupted, may have had effects", state: domain.CallInterrupted}, "I could not search for them: interrupted, may have had effects."},
		{"unreadable", grepMark, result{json: `[]`}, "I could not search for them: its result cannot be read."},
		{"without a reason", grepMark, result{state: domain.CallFailed}, "no reason was given."},
		{"no readme", readMe, result{text: "Error: README.md does not exist.", state: domain.CallFailed}, "I could not read `README.md`: README.md does not exist."},
		{"empty readme", readMe, result{json: `{"content": "     1\t# Only a title\n"}`}, "`README.md`, titled “Only a title” has no text to quote."},
		{"no files", globAll, result{json: `{"matches": [], "count": 0}`}, "There are none, except hidden and ignored ones."},
		{"no marks", grepMark, result{json: `{"counts": {}, "total_matches": 0}`}, "No file has such a mark."},
		{
			"no repository", bashLog,
			result{json: `{"output": "fatal: not a git repository (or any of the parent directories): .git\n", "exitCode": 128}`, text: "exit 128", state: domain.CallFailed},
			"There is nothing to show: this is not a git repository.",
		},
		{"no commits", bashLog, result{json: `{"output": "fatal: your current branch 'main' does not have any commits yet\n", "exitCode": 128}`}, "the repository has no commits yet."},
		{"no git", bashLog, result{json: `{"output": "bash: git: command not found\n", "exitCode": 127}`}, "There is nothing to show: bash: git: command not found."},
		{"bash denied", bashLog, result{text: "No.", state: domain.CallDenied}, "There is nothing to show: it was denied: No."},
		{"silent git", bashLog, result{json: `{"output": "", "exitCode": 0}`}, "Git shows none."},
	}
	for _, tt := range tests {
		r := project()
		r[tt.call] = tt.r
		answers := run(t, allTools(), r)
		if text := answers[len(answers)-1].Text(); !strings.Contains(text, tt.want) {
			t.Errorf("%s: %q is missing in\n%s", tt.name, tt.want, text)
		}
	}
}

func TestSurveyUsesOnlyOfferedTools(t *testing.T) {
	t.Parallel()
	answers := run(t, tools("Glob", "Other"), project())
	text := answers[len(answers)-1].Text()
	for _, want := range []string{"4 files in all", "I had no tool to read it.", "I had no tool to search for them.", "I had no tool to ask git."} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	answers = run(t, tools("Other"), nil)
	if text := answers[0].Text(); len(answers) != 1 || !strings.Contains(text, "nothing that I can do") || !strings.Contains(text, "demonstration") {
		t.Errorf("without tools: %s", text)
	}
}

func TestSurveyShowsNothingDangerous(t *testing.T) {
	t.Parallel()
	r := project()
	r[readMe] = result{json: mustEncode(map[string]string{"content": "     1\t# T\x1b]0;x\x07\n     2\tText \x1b[31mred\u202e.\n"})}
	r[bashLog] = result{json: mustEncode(map[string]any{"output": "1a2b3c4 sub\x1b[2Jject\nnot a commit\n"})}
	r[grepMark] = result{json: mustEncode(map[string]any{"counts": map[string]int{"a|b`c": 1}, "total_matches": 1})}
	answers := run(t, allTools(), r)
	text := answers[len(answers)-1].Text()
	if domain.Sanitize(text) != text || strings.Contains(text, "not a commit") {
		t.Errorf("%q", text)
	}
	for _, want := range []string{"> Text red.", "- `1a2b3c4` subject", "| a¦b'c | 1 |"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
}

func TestReadmeOpenings(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, readme, want string }{
		{"html and comments", "<p align=center>\n<!-- a\nb -->\n\n# Name #\n\n![pic](x)\nReal text.\n", "titled “Name” begins:\n\n> Real text."},
		{"code first", "# N\n```\nnot this\n```\nThis.\n", "> This."},
		{"rule after text", "# N\nThis.\n---\nnot this\n", "> This.\n"},
		{"quote", "# N\n> Quoted words.\n", "> Quoted words."},
		{"no title", "Just text.\n", "`README.md` begins:\n\n> Just text."},
		{"long", "# N\n" + strings.Repeat("long words ", 100), "> " + strings.TrimSpace(strings.Repeat("long words ", 36)) + "…\n"},
	}
	for _, tt := range tests {
		var numbered strings.Builder
		i := 0
		for line := range strings.Lines(tt.readme) {
			i++
			fmt.Fprintf(&numbered, "%6d\t%s", i, line)
		}
		r := project()
		r[readMe] = result{json: mustEncode(map[string]string{"content": numbered.String()})}
		answers := run(t, allTools(), r)
		if text := answers[len(answers)-1].Text(); !strings.Contains(text, tt.want) {
			t.Errorf("%s: %q is missing in\n%s", tt.name, tt.want, text)
		}
	}
}
