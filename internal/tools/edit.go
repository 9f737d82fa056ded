package tools

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/mixagent/mix/internal/diff"
	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/permission"
)

//go:embed edit.md
var editDoc string

type editInput struct {
	FilePath   string `json:"file_path" jsonschema:"Path of the file, absolute or relative to the session's directory"`
	OldString  string `json:"old_string" jsonschema:"The text to replace; empty to create the file"`
	NewString  string `json:"new_string" jsonschema:"The text to put there; empty to remove the old one"`
	ReplaceAll bool   `json:"replace_all,omitempty" jsonschema:"Replace every occurrence; default false"`
}

// changeResult is what Edit and Write return.
type changeResult struct {
	Message   string `json:"message"`
	Diff      string `json:"diff"`
	Additions int    `json:"additions"`
	Removals  int    `json:"removals"`
}

// Edit returns the tool that replaces text in files.
func Edit() Tool {
	return define(definition[editInput]{
		name: "Edit", aliases: []string{"file_edit"}, text: editDoc,
		can:   []domain.Capability{domain.CanWrite},
		alias: pathAlias,
		plan:  planEdit,
	})
}

// pathAlias: file_edit and file_write name the file "path".
func pathAlias(fields map[string]json.RawMessage) error {
	rename(fields, "path", "file_path")
	return nil
}

func planEdit(_ context.Context, env *Env, in editInput) (*Plan, error) {
	t, err := env.locate(in.FilePath)
	if err != nil {
		return nil, err
	}
	create := in.OldString == ""
	plan := &Plan{
		Accesses:    []permission.Access{env.access(domain.CanWrite, t)},
		Description: "Edit " + t.name,
		Run: func(_ context.Context, env *Env) (Output, error) {
			if create {
				return t.change(env, in.NewString)
			}
			return runEdit(env, t, in)
		},
	}
	if create {
		plan.Description = "Create " + t.name
		plan.Diff = diff.Unified(t.name, "", in.NewString).Text
		if t.info != nil && env.Files.Known(t.path) {
			plan.Doomed = t.exists()
		}
		return plan, nil
	}
	plan.Diff, plan.Doomed = previewEdit(env, t, in)
	return plan, nil
}

// previewEdit shows what an edit would do to the file as it is, or why it
// cannot be done. Of places outside of the directory that the session has not
// read it does not even tell whether there is a file.
func previewEdit(env *Env, t *target, in editInput) (string, error) {
	switch {
	case t.info == nil && below(env.Directory, t.path):
		return "", fmt.Errorf("%s does not exist; to create it leave old_string empty, or use Write", t.name)
	case !env.Files.Known(t.path):
		return "", t.unread()
	case t.info == nil:
		return "", fmt.Errorf("%s does not exist any more", t.name)
	}
	content, _, err := t.known(env)
	if err != nil {
		return "", err
	}
	after, err := diff.Replace(string(content), in.OldString, in.NewString, in.ReplaceAll)
	if err != nil {
		return "", fmt.Errorf("%s: %w", t.name, err)
	}
	return diff.Unified(t.name, string(content), after.Content).Text, nil
}

func runEdit(env *Env, t *target, in editInput) (Output, error) {
	if t.info == nil {
		return Output{}, t.notFound()
	}
	content, info, err := t.known(env)
	if err != nil {
		return Output{}, err
	}
	after, err := diff.Replace(string(content), in.OldString, in.NewString, in.ReplaceAll)
	if err != nil {
		return Output{}, fmt.Errorf("%s: %w", t.name, err)
	}
	message := fmt.Sprintf("Edited %s at line %d", t.name, after.Lines[0])
	if after.Count > 1 {
		message = fmt.Sprintf("Edited %s at %d places, beginning on lines %s", t.name, after.Count, listed(after.Lines, after.Count))
	}
	return t.save(env, message, string(content), after.Content, info)
}

// known reads a file that the session knows, and that is as it knows it.
func (t *target) known(env *Env) ([]byte, fs.FileInfo, error) {
	if err := t.regular(); err != nil {
		return nil, nil, err
	}
	state, ok := env.Files.state(t.path)
	if !ok {
		return nil, nil, t.unread()
	}
	content, info, err := t.content()
	if err != nil {
		return nil, nil, err
	}
	if !state.same(info, content) {
		return nil, nil, fmt.Errorf("%s has changed since it was read in this session; read it again, then repeat the change", t.name)
	}
	return content, info, nil
}

func (t *target) unread() error {
	return fmt.Errorf("%s has not been read in this session; read it with ReadText first, so that nothing in it is overwritten unseen", t.name)
}

func (t *target) exists() error {
	return fmt.Errorf("%s exists already; read it with ReadText, then change it with Edit or replace it with Write", t.name)
}

// change makes a file that must not exist yet.
func (t *target) change(env *Env, content string) (Output, error) {
	if t.info != nil {
		return Output{}, t.exists()
	}
	return t.save(env, "Created "+t.name, "", content, nil)
}

// save writes the new content and says what changed.
func (t *target) save(env *Env, message, before, after string, info fs.FileInfo) (Output, error) {
	if info != nil && info.Mode().Perm()&0o222 == 0 {
		return Output{}, fmt.Errorf("%s is read-only; if it is meant to be changed, change its permissions first", t.name)
	}
	if strings.ContainsRune(after, 0) {
		return Output{}, errors.New("the new content holds a NUL character; this tool writes text only")
	}
	written, err := t.write([]byte(after), info)
	var remark string
	if unsynced := (*diff.SyncError)(nil); errors.As(err, &unsynced) {
		remark = unsynced.Error()
	} else if err != nil {
		return Output{}, err
	}
	sum := sha256.Sum256([]byte(after))
	env.Files.record(t.path, written, &sum)
	d := diff.Unified(t.name, before, after)
	message = fmt.Sprintf("%s (%d lines added, %d removed).", message, d.Additions, d.Removals)
	return Output{
		Result: changeResult{Message: message, Diff: d.Text, Additions: d.Additions, Removals: d.Removals},
		Text:   join(message, remark),
	}, nil
}

// maxListedLines is how many line numbers [listed] writes.
const maxListedLines = 10

// listed writes the first of count line numbers.
func listed(lines []int, count int) string {
	var b strings.Builder
	for i, n := range lines[:min(len(lines), maxListedLines)] {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprint(&b, n)
	}
	if count > maxListedLines {
		fmt.Fprintf(&b, " and %d more", count-maxListedLines)
	}
	return b.String()
}
