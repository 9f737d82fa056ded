package tools

import (
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/search"
)

//go:embed grep.md
var grepDoc string

// grepChars bounds the text of one answer; grepFiles the files and counts in
// it when no head_limit is given.
const (
	grepChars = 60_000
	grepFiles = 500
)

type grepInput struct {
	Pattern    string `json:"pattern" jsonschema:"Regular expression (RE2 syntax)"`
	Path       string `json:"path,omitempty" jsonschema:"File or directory to search; default the session's directory"`
	Glob       string `json:"glob,omitempty" jsonschema:"Only files that match this glob, such as *.js"`
	Type       string `json:"type,omitempty" jsonschema:"Only files of this type, such as js, py, rust, go"`
	OutputMode string `json:"output_mode,omitempty" jsonschema:"What to return; default files_with_matches"`
	IgnoreCase bool   `json:"-i,omitempty" jsonschema:"Ignore case"`
	Numbers    *bool  `json:"-n,omitempty" jsonschema:"Show line numbers (content mode); default true"`
	After      int    `json:"-A,omitempty" jsonschema:"Lines to show after each match (content mode)"`
	Before     int    `json:"-B,omitempty" jsonschema:"Lines to show before each match (content mode)"`
	Around     int    `json:"-C,omitempty" jsonschema:"Lines to show before and after each match (content mode)"`
	Multiline  bool   `json:"multiline,omitempty" jsonschema:"Let matches cross lines"`
	HeadLimit  int    `json:"head_limit,omitempty" jsonschema:"Most lines or files to return"`
}

type grepContent struct {
	Results         string `json:"results"`
	NumberOfMatches int    `json:"number_of_matches"`
	Truncated       bool   `json:"truncated"`
}

type grepFileList struct {
	Files []string `json:"files"`
	Count int      `json:"count"`
}

type grepCounts struct {
	Counts       map[string]int `json:"counts"`
	TotalMatches int            `json:"total_matches"`
}

// Grep returns the tool that searches files.
func Grep() Tool {
	return define(definition[grepInput]{
		name: "Grep", aliases: []string{"grep"}, text: grepDoc,
		can: []domain.Capability{domain.CanRead},
		refine: func(s *jsonschema.Schema) {
			oneOf(s, "output_mode", string(search.OutputFiles), string(search.OutputContent), string(search.OutputCount))
			for _, key := range []string{"-A", "-B", "-C", "head_limit"} {
				atLeast(s, 0, key)
			}
			n := s.Properties["-n"]
			n.Type, n.Types = "boolean", nil
		},
		alias: func(fields map[string]json.RawMessage) error {
			rename(fields, "include", "glob")
			return nil
		},
		plan: planGrep,
	})
}

func planGrep(_ context.Context, env *Env, in grepInput) (*Plan, error) {
	if in.Pattern == "" {
		return nil, errors.New("the pattern is empty; to list files use Glob")
	}
	if min(in.After, in.Before, in.Around, in.HeadLimit) < 0 {
		return nil, errors.New("-A, -B, -C and head_limit must not be negative")
	}
	switch search.Output(in.OutputMode) {
	case "":
		in.OutputMode = string(search.OutputFiles)
	case search.OutputFiles, search.OutputContent, search.OutputCount:
	default:
		return nil, fmt.Errorf("output_mode is %q but must be %q, %q or %q", cutText(in.OutputMode, 60), search.OutputFiles, search.OutputContent, search.OutputCount)
	}
	a, err := env.area(in.Path)
	if err != nil {
		return nil, err
	}
	return &Plan{
		Accesses:    env.searchAccess(a),
		Description: fmt.Sprintf("Search %s for %s", a.name, cutText(in.Pattern, 200)),
		Run: func(ctx context.Context, env *Env) (Output, error) {
			return runGrep(ctx, env, a, in)
		},
	}, nil
}

func runGrep(ctx context.Context, env *Env, a area, in grepInput) (Output, error) {
	tree, err := a.tree(env)
	if err != nil {
		return Output{}, err
	}
	mode := search.Output(in.OutputMode)
	limit := in.HeadLimit
	if limit == 0 && mode != search.OutputContent {
		limit = grepFiles
	}
	res, err := search.Grep(ctx, search.GrepOptions{
		Tree: tree, Pattern: in.Pattern, Glob: in.Glob, Type: in.Type, Output: mode,
		IgnoreCase: in.IgnoreCase, Multiline: in.Multiline,
		Before: cmp.Or(in.Before, in.Around), After: cmp.Or(in.After, in.Around), Limit: limit,
	})
	if err != nil && len(res.Files) == 0 {
		return Output{}, err
	}
	for i := range res.Files {
		res.Files[i].Path = a.shown(env, res.Files[i].Path)
	}
	var out Output
	switch mode {
	case search.OutputContent:
		out = grepLines(res, in.Numbers == nil || *in.Numbers)
	case search.OutputCount:
		out = grepCount(res)
	case search.OutputFiles:
		out = grepList(res)
	}
	if res.Matches == 0 {
		out.Text = fmt.Sprintf("No match for %s in %s (%d files searched). Files that .gitignore names, hidden and binary files are left out.", cutText(in.Pattern, 200), a.name, res.Searched)
	}
	if res.TooLarge > 0 {
		out.Text = join(out.Text, fmt.Sprintf("%d files are too large for a multiline search and were left out.", res.TooLarge))
	}
	out.Text = join(out.Text, blind(res.WalkStats))
	return out, err
}

func grepLines(res search.GrepResult, numbers bool) Output {
	for _, f := range res.Files {
		for i := range f.Lines {
			f.Lines[i].Text = oneLine(strings.TrimSuffix(f.Lines[i].Text, "\r"))
		}
	}
	for i := range res.Files {
		res.Files[i].Path = oneLine(res.Files[i].Path)
	}
	text := res.Content(numbers)
	cut := res.Truncated
	if n := headLen(text, grepChars); n < len(text) {
		cut = true
		text = text[:n]
		if end := strings.LastIndexByte(text, '\n'); end > 0 {
			text = text[:end+1]
		}
	}
	out := Output{
		Result: grepContent{Results: text, NumberOfMatches: res.Matches, Truncated: cut},
		Text:   text,
	}
	if cut {
		out.Text += fmt.Sprintf("\nNot everything is shown: there are %d matches in %d files. Narrow the search with path, glob or type, or count with output_mode \"count\".", res.Matches, res.FileCount)
	}
	return out
}

func grepList(res search.GrepResult) Output {
	files := make([]string, len(res.Files))
	for i, f := range res.Files {
		files[i] = f.Path
	}
	out := Output{Result: grepFileList{Files: files, Count: res.FileCount}, Text: strings.Join(oneLineEach(files), "\n")}
	if res.Truncated {
		out.Text = join(out.Text, fmt.Sprintf("These are the %d newest of %d files with a match.", len(files), res.FileCount))
	}
	return out
}

func grepCount(res search.GrepResult) Output {
	counts := make(map[string]int, len(res.Files))
	for _, f := range res.Files {
		counts[f.Path] = f.Count
	}
	var b strings.Builder
	for _, path := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(&b, "%s:%d\n", oneLine(path), counts[path])
	}
	fmt.Fprintf(&b, "\n%d matches in %d files.", res.Matches, res.FileCount)
	if res.Truncated {
		fmt.Fprintf(&b, " Only the first %d files are listed; narrow the search with path, glob or type.", len(counts))
	}
	return Output{Result: grepCounts{Counts: counts, TotalMatches: res.Matches}, Text: b.String()}
}
