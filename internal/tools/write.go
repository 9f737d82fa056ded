package tools

import (
	"context"
	_ "embed"
	"errors"
	"fmt"

	"github.com/mixagent/mix/internal/diff"
	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/permission"
)

//go:embed write.md
var writeDoc string

type writeInput struct {
	FilePath string `json:"file_path" jsonschema:"Path of the file, absolute or relative to the session's directory"`
	Content  string `json:"content" jsonschema:"The whole content of the file"`
}

// Write returns the tool that writes whole files.
func Write() Tool {
	return define(definition[writeInput]{
		name: "Write", aliases: []string{"file_write"}, text: writeDoc,
		can:   []domain.Capability{domain.CanWrite},
		alias: pathAlias,
		plan:  planWrite,
	})
}

func planWrite(_ context.Context, env *Env, in writeInput) (*Plan, error) {
	t, err := env.locate(in.FilePath)
	if err != nil {
		return nil, err
	}
	plan := &Plan{
		Accesses:    []permission.Access{env.access(domain.CanWrite, t)},
		Description: "Write " + t.name,
		Run: func(_ context.Context, env *Env) (Output, error) {
			return runWrite(env, t, in.Content)
		},
	}
	if t.info == nil {
		plan.Diff = diff.Unified(t.name, "", in.Content).Text
		return plan, nil
	}
	if !below(env.Directory, t.path) && !env.Files.Known(t.path) {
		return plan, nil // nobody was asked yet whether the model may know of it
	}
	before, _, err := t.known(env)
	if err != nil {
		plan.Doomed = err
		return plan, nil
	}
	plan.Diff = diff.Unified(t.name, string(before), in.Content).Text
	return plan, nil
}

func runWrite(env *Env, t *target, content string) (Output, error) {
	if t.info == nil {
		return t.change(env, content)
	}
	before, info, err := t.known(env)
	if err != nil {
		return Output{}, err
	}
	if string(before) == content {
		return Output{}, errors.New(t.name + " holds exactly this content already, so nothing was written")
	}
	return t.save(env, fmt.Sprintf("Wrote %d bytes to %s", len(content), t.name), string(before), content, info)
}
