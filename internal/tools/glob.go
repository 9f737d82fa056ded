package tools

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strings"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/search"
)

//go:embed glob.md
var globDoc string

// globFiles is how many files Glob returns.
const globFiles = 100

type globInput struct {
	Pattern string `json:"pattern" jsonschema:"Glob to match, such as **/*.js"`
	Path    string `json:"path,omitempty" jsonschema:"Directory to search; default the session's directory"`
}

type globResult struct {
	Matches   []string `json:"matches"`
	Count     int      `json:"count"`
	Truncated bool     `json:"truncated"`
}

// Glob returns the tool that finds files by name.
func Glob() Tool {
	return define(definition[globInput]{
		name: "Glob", aliases: []string{"glob"}, text: globDoc,
		can:  []domain.Capability{domain.CanRead},
		plan: planGlob,
	})
}

func planGlob(_ context.Context, env *Env, in globInput) (*Plan, error) {
	if strings.TrimSpace(in.Pattern) == "" {
		return nil, errors.New(`the pattern is empty; "**" matches every file`)
	}
	a, err := env.area(in.Path)
	if err != nil {
		return nil, err
	}
	return &Plan{
		Accesses:    env.searchAccess(a),
		Description: fmt.Sprintf("Find files named %s in %s", in.Pattern, a.name),
		Run: func(ctx context.Context, env *Env) (Output, error) {
			return runGlob(ctx, env, a, in.Pattern)
		},
	}, nil
}

func runGlob(ctx context.Context, env *Env, a area, pattern string) (Output, error) {
	tree, err := a.tree(env)
	if err != nil {
		return Output{}, err
	}
	found, err := search.Glob(ctx, search.GlobOptions{Tree: tree, Pattern: pattern, Limit: globFiles})
	res := globResult{Matches: make([]string, len(found.Files)), Count: found.Count, Truncated: found.Truncated}
	for i, f := range found.Files {
		res.Matches[i] = a.shown(env, f.Path)
	}
	text := strings.Join(oneLineEach(res.Matches), "\n")
	switch {
	case res.Count == 0:
		text = fmt.Sprintf("No file matches %s in %s. Files that .gitignore names and hidden files are left out.", pattern, a.name)
	case res.Truncated:
		text = join(text, fmt.Sprintf("These are the %d newest of %d files. Use a narrower pattern or a path to see the others.", len(res.Matches), res.Count))
	}
	return Output{Result: res, Text: join(text, blind(found.WalkStats))}, err
}
