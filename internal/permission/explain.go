package permission

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/mixagent/mix/internal/domain"
)

// Explanation is a verdict with the steps to it.
type Explanation struct {
	Verdict Verdict
	// Steps has one or more entries for each part of the call, in order; the
	// strictest of them is the verdict.
	Steps []Step
}

// Explain judges like [Gate.Judge] and tells how it came to the verdict.
func (g *Gate) Explain(ctx context.Context, s Subject, c Call) Explanation {
	j := g.judge(ctx, &s, &c)
	return Explanation{Verdict: j.verdict(), Steps: j.steps}
}

// String returns the explanation for people: a line for the verdict and one
// for each step.
func (e Explanation) String() string {
	var b strings.Builder
	b.WriteString(outcomeWord(e.Verdict.Outcome))
	if e.Verdict.ReadOnly {
		b.WriteString(" (a read)")
	}
	if e.Verdict.Reason != "" {
		b.WriteString(": " + e.Verdict.Reason)
	}
	b.WriteByte('\n')
	for _, s := range e.Steps {
		fmt.Fprintf(&b, "  %-5s  %s", outcomeWord(s.Outcome), oneLine(s.Part))
		if s.By != "" {
			b.WriteString("  by " + s.By)
			if s.Rule != "" {
				b.WriteString(" " + s.Rule)
			}
		}
		if s.Reason != "" {
			b.WriteString("  (" + s.Reason + ")")
		}
		b.WriteByte('\n')
	}
	if e.Verdict.Suggest != "" {
		b.WriteString("an answer for longer would save " + e.Verdict.Suggest + "\n")
	}
	return b.String()
}

func outcomeWord(o domain.Outcome) string {
	if o == "" {
		return "ask"
	}
	return string(o)
}

// ParseCallText makes a call from a person's description of one: "Bash(ls)",
// "Edit(src/a.go)", "WebFetch(https://go.dev)", "TodoWrite". Paths are seen
// from dir.
func ParseCallText(text, dir string) (Call, error) {
	text = strings.TrimSpace(text)
	name, arg, has := strings.Cut(text, "(")
	if !validToolName(name) || has && !strings.HasSuffix(arg, ")") {
		return Call{}, fmt.Errorf("%q is not a call; write for example Bash(git log | sh), Edit(src/a.go) or WebFetch(https://go.dev)", text)
	}
	arg = strings.TrimSuffix(arg, ")")
	c := Call{Tool: name, Input: json.RawMessage("{}"), Description: text}
	tool := canonicalTool(name)
	switch kindOf(tool) {
	case ruleCommand:
		if strings.TrimSpace(arg) == "" {
			return Call{}, fmt.Errorf("%s needs a command, as in Bash(go test ./...)", name)
		}
		c.Tool = tool
		c.Accesses = []Access{{Can: domain.CanExecute, Command: arg}}
	case ruleDomain:
		c.Tool = tool
		c.Accesses = []Access{{Can: domain.CanNetwork, URL: arg}}
	case rulePath:
		path, err := Resolve(dir, filepath.FromSlash(cmp.Or(arg, ".")))
		if err != nil {
			return Call{}, err
		}
		a := Access{Can: domain.CanRead, Path: path}
		switch tool {
		case toolEdit, "MultiEdit", "ApplyPatch":
			a.Can = domain.CanWrite
		case "Grep", "Glob", "ListFiles":
			a.Tree, a.Filtered = true, true
		}
		c.Accesses = []Access{a}
	default:
		c.Accesses = []Access{{Can: capabilityOf(name)}}
	}
	return c, nil
}

// capabilityOf returns what a tool without a pattern does; an unknown one may
// do anything.
func capabilityOf(tool string) domain.Capability {
	switch canonicalTool(tool) {
	case "TodoWrite", "TodoRead", "AskUser", "Notify", "EnterPlanMode", "ExitPlanMode", "Task":
		return domain.CanInteract
	case "Search":
		return domain.CanNetwork
	}
	return domain.CanExecute
}
