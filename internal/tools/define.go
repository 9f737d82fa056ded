package tools

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/mixagent/mix/internal/domain"
)

// definition is all that a built-in tool is made of. In is the input: a struct
// whose fields have json tags (omitempty: optional) and jsonschema tags (what
// the field means, for the model).
type definition[In any] struct {
	name    string
	aliases []string
	text    string // the description, from the tool's .md file
	can     []domain.Capability
	// refine adds to the schema what a Go type cannot say; may be nil.
	refine func(*jsonschema.Schema)
	// alias turns the fields of a call by an alias into the tool's own; may be
	// nil.
	alias func(fields map[string]json.RawMessage) error
	plan  func(ctx context.Context, env *Env, in In) (*Plan, error)
}

// builtin is a [Tool] made of a definition.
type builtin[In any] struct {
	definition[In]
	schema func() json.RawMessage
}

func define[In any](d definition[In]) Tool {
	return &builtin[In]{definition: d, schema: sync.OnceValue(func() json.RawMessage { return schemaOf[In](d.name, d.refine) })}
}

func (b *builtin[In]) Name() string                      { return b.name }
func (b *builtin[In]) Aliases() []string                 { return b.aliases }
func (b *builtin[In]) Description() string               { return b.text }
func (b *builtin[In]) Schema() json.RawMessage           { return b.schema() }
func (b *builtin[In]) Capabilities() []domain.Capability { return b.can }

// Plan decodes the input and plans the call. What the model got wrong without
// harm is told with the result.
func (b *builtin[In]) Plan(ctx context.Context, env *Env, input json.RawMessage) (*Plan, error) {
	var in In
	notes, err := decode(b.name, input, &in)
	if err != nil {
		return nil, err
	}
	plan, err := b.plan(ctx, env, in)
	if err != nil || notes == "" {
		return plan, err
	}
	run := plan.Run
	plan.Run = func(ctx context.Context, env *Env) (Output, error) {
		out, err := run(ctx, env)
		out.Text = join(out.Text, notes)
		return out, err
	}
	return plan, nil
}

// FromAlias turns the input of a call by an alias into the tool's own.
func (b *builtin[In]) FromAlias(_ string, input json.RawMessage) (json.RawMessage, error) {
	if b.alias == nil {
		return input, nil
	}
	fields, err := object(b.name, input)
	if err != nil {
		return nil, err
	}
	if err := b.alias(fields); err != nil {
		return nil, err
	}
	return json.Marshal(fields)
}

// schemaOf is the JSON schema of In. Properties are in the order of the
// fields, so the bytes are always the same.
func schemaOf[In any](name string, refine func(*jsonschema.Schema)) json.RawMessage {
	s, err := jsonschema.For[In](nil)
	if err != nil {
		panic(fmt.Sprintf("tools: schema of %s: %v", name, err))
	}
	if refine != nil {
		refine(s)
	}
	out, err := json.Marshal(s)
	if err != nil {
		panic(fmt.Sprintf("tools: schema of %s: %v", name, err))
	}
	return out
}

// rename moves a field to the tool's own key, unless that is there already.
func rename(fields map[string]json.RawMessage, from, to string) {
	v, ok := fields[from]
	if !ok {
		return
	}
	delete(fields, from)
	if _, taken := fields[to]; !taken {
		fields[to] = v
	}
}
