package tools

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/permission"
)

//go:embed readtext.md
var readTextDoc string

// Limits of ReadText.
const (
	readLines     = 2000   // lines when no limit is given
	readLineChars = 2000   // characters kept of a line
	readChars     = 90_000 // characters of one answer
)

type readTextInput struct {
	FilePath string `json:"file_path" jsonschema:"Path of the file, absolute or relative to the session's directory"`
	Offset   int    `json:"offset,omitempty" jsonschema:"Number of lines to skip from the beginning; 0 is the first line"`
	Limit    int    `json:"limit,omitempty" jsonschema:"Number of lines to read; default 2000"`
}

type readTextResult struct {
	Content  string `json:"content"`
	FilePath string `json:"file_path"`
}

// ReadText returns the tool that reads text files.
func ReadText() Tool {
	return define(definition[readTextInput]{
		name: "ReadText", aliases: []string{"file_read"}, text: readTextDoc,
		can:    []domain.Capability{domain.CanRead, domain.CanNetwork},
		refine: func(s *jsonschema.Schema) { atLeast(s, 0, "offset"); atLeast(s, 1, "limit") },
		alias:  readTextAlias,
		plan:   planReadText,
	})
}

// readTextAlias: file_read names the file "path" and counts lines from 1.
func readTextAlias(fields map[string]json.RawMessage) error {
	rename(fields, "path", "file_path")
	var in struct {
		Offset int `json:"offset,omitempty"`
	}
	raw, ok := fields["offset"]
	if !ok {
		return nil
	}
	if err := fieldsOf(&in)[0].set(raw); err != nil {
		return errors.New(`the field "offset" of file_read must be the number of the first line, counted from 1`)
	}
	fields["offset"] = json.RawMessage(fmt.Sprint(max(0, in.Offset-1)))
	return nil
}

func planReadText(_ context.Context, env *Env, in readTextInput) (*Plan, error) {
	if in.Offset < 0 || in.Limit < 0 {
		return nil, errors.New("offset and limit must not be negative: offset is the number of lines to skip, limit how many to read")
	}
	if in.Limit == 0 {
		in.Limit = readLines
	}
	if url := webAddress(in.FilePath); url != "" {
		return &Plan{
			Accesses:    []permission.Access{{Can: domain.CanNetwork, URL: url}},
			Description: "Read " + url,
			Run: func(context.Context, *Env) (Output, error) {
				return Output{}, fmt.Errorf("%s is on the web: ReadText reads files only, fetching needs the tool WebFetch, which is not available here", url)
			},
		}, nil
	}
	t, err := env.locate(in.FilePath)
	if err != nil {
		return nil, err
	}
	return &Plan{
		Accesses:    []permission.Access{env.access(domain.CanRead, t)},
		Description: "Read " + t.name,
		Run: func(ctx context.Context, env *Env) (Output, error) {
			return runReadText(ctx, env, t, in)
		},
	}, nil
}

func webAddress(path string) string {
	if i := strings.Index(path, "://"); i > 0 {
		if scheme := strings.ToLower(path[:i]); scheme == "http" || scheme == "https" {
			return path
		}
	}
	return ""
}

func runReadText(ctx context.Context, env *Env, t *target, in readTextInput) (Output, error) {
	if t.info == nil {
		return Output{}, t.notFound()
	}
	f, info, err := t.open()
	if err != nil {
		return Output{}, err
	}
	defer func() { _ = f.Close() }()
	r := lineReader{skip: in.Offset, limit: in.Limit, whole: info.Size() <= maxEdit}
	if err := r.read(ctx, f); err != nil {
		return Output{}, fmt.Errorf("read %s: %w", t.name, plainPathError(err))
	}
	if r.binary {
		return Output{}, fmt.Errorf("%s is not a text file (%d bytes, %s); ReadText cannot show it", t.name, info.Size(), r.looks())
	}
	env.Files.record(t.path, info, r.sum())
	return Output{
		Result: readTextResult{Content: r.out.String(), FilePath: t.path},
		Text:   join(r.out.String(), r.remark(t.name)),
	}, nil
}
