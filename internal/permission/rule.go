package permission

import (
	"errors"
	"fmt"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// Rules are parsed rules, sorted by what they do. The zero value holds none.
type Rules struct {
	allow, ask, deny []Rule
}

// ParseRules parses three lists of rules. The error names every rule that
// cannot be read, with what is wrong and an example.
func ParseRules(allow, ask, deny []string) (Rules, error) {
	var r Rules
	var errs []error
	for _, list := range []struct {
		texts []string
		into  *[]Rule
	}{{allow, &r.allow}, {ask, &r.ask}, {deny, &r.deny}} {
		for _, text := range list.texts {
			rule, err := ParseRule(text)
			if err != nil {
				errs = append(errs, err)
				continue
			}
			*list.into = append(*list.into, rule)
		}
	}
	return r, errors.Join(errs...)
}

// Rule is one parsed rule: a tool, or a tool with a pattern. See [Examples].
type Rule struct {
	text string // as the person wrote it
	tool string // canonical name; "" means every tool
	kind ruleKind
	// words and prefix are the pattern of a command.
	words  []ruleWord
	prefix bool
	// path is the pattern of a path, with slashes, as written.
	path string
	// host is the pattern of a domain, in lower case.
	host string
}

// String returns the rule as it was written.
func (r Rule) String() string { return r.text }

type ruleKind uint8

const (
	ruleTool    ruleKind = iota // no pattern
	ruleCommand                 // Bash(...)
	rulePath                    // Read(...), Edit(...), Grep(...)
	ruleDomain                  // WebFetch(domain:...)
)

// ruleWord is one word of a command pattern. In a glob word "*" stands for any
// text; everything else is exact.
type ruleWord struct {
	text string
	glob bool
}

// RuleError says why a rule cannot be read. Its text names an example.
type RuleError struct{ Rule, Problem, Example string }

// Error returns the sentence.
func (e *RuleError) Error() string {
	return fmt.Sprintf("rule %q: %s; write for example %s", e.Rule, e.Problem, e.Example)
}

// ParseRule parses a rule: "Tool", "Tool(pattern)" or "*".
func ParseRule(text string) (Rule, error) {
	r := Rule{text: strings.TrimSpace(text)}
	bad := func(problem, example string) (Rule, error) {
		return Rule{}, &RuleError{Rule: text, Problem: problem, Example: example}
	}
	if r.text == "" {
		return bad("it is empty", "Bash(git diff:*)")
	}
	if r.text == "*" {
		return r, nil
	}
	name, pattern, hasPattern := strings.Cut(r.text, "(")
	if hasPattern {
		if !strings.HasSuffix(pattern, ")") {
			return bad("it has no closing parenthesis at its end", name+"(…)")
		}
		pattern = strings.TrimSpace(strings.TrimSuffix(pattern, ")"))
	}
	if !validToolName(name) {
		return bad("it does not start with the name of a tool", "Bash(git diff:*) or Read(./**)")
	}
	r.tool = canonicalTool(name)
	if !hasPattern {
		return r, nil
	}
	if pattern == "*" {
		return r, nil
	}
	switch kindOf(r.tool) {
	case ruleCommand:
		r.kind = ruleCommand
		if problem := r.parseCommand(pattern); problem != "" {
			return bad(problem, "Bash(npm test) for one command or Bash(git diff:*) for all that start so")
		}
	case rulePath:
		r.kind = rulePath
		if problem := r.parsePath(pattern); problem != "" {
			return bad(problem, name+"(src/**), "+name+"(~/notes/**) or "+name+"(/etc/hosts)")
		}
	case ruleDomain:
		r.kind = ruleDomain
		if problem := r.parseDomain(pattern); problem != "" {
			return bad(problem, name+"(domain:go.dev) or "+name+"(domain:*.go.dev)")
		}
	default:
		return bad("the tool "+r.tool+" takes no pattern", r.tool)
	}
	return r, nil
}

func (r *Rule) parsePath(pattern string) (problem string) {
	if after, ok := strings.CutPrefix(pattern, "//"); ok {
		pattern = "/" + after
	}
	switch {
	case pattern == "":
		return "the path is empty"
	case !doublestar.ValidatePattern(pattern):
		return "the path pattern has an unfinished [ or {"
	case strings.HasPrefix(pattern, "~") && pattern != "~" && !strings.HasPrefix(pattern, "~/"):
		return "only ~/ is understood, not another person's home"
	}
	for seg := range strings.SplitSeq(pattern, "/") {
		if seg == ".." {
			return `a path rule cannot contain ".."`
		}
	}
	r.path = pattern
	return ""
}

func (r *Rule) parseDomain(pattern string) (problem string) {
	host, ok := strings.CutPrefix(pattern, "domain:")
	if !ok {
		return `the pattern does not start with "domain:"`
	}
	host = strings.ToLower(strings.TrimSuffix(strings.TrimSpace(host), "."))
	if host == "" || strings.ContainsAny(host, "/ @?#") || strings.Contains(strings.TrimPrefix(host, "*."), "*") {
		return "a domain is a host name, with *. in front for all below it"
	}
	r.host = host
	return ""
}

// parseCommand reads the words of a command pattern with the same grammar as
// the lines that it is compared with, so that quotes mean the same in both.
func (r *Rule) parseCommand(pattern string) (problem string) {
	if rest, ok := strings.CutSuffix(pattern, ":*"); ok {
		pattern, r.prefix = rest, true
	} else if rest, ok := strings.CutSuffix(pattern, " *"); ok {
		pattern, r.prefix = rest, true
	}
	words, err := ruleWords(pattern)
	if err != nil {
		return err.Error()
	}
	r.words = words
	return ""
}

func validToolName(name string) bool {
	if name == "" {
		return false
	}
	for i, c := range name {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '_':
		case i > 0 && (c >= '0' && c <= '9' || c == '-' || c == '.' || c == ':' || c == '/'):
		case i > 0 && c == '*' && i == len(name)-1:
		default:
			return false
		}
	}
	return true
}

// Families of tools: a rule for Read covers everything that reads a file, a
// rule for Edit everything that writes one.
const (
	toolRead  = "Read"
	toolEdit  = "Edit"
	toolBash  = "Bash"
	toolFetch = "WebFetch"
)

// canonicalTool returns the name under which a tool is known, for its other
// names and for the names of families.
func canonicalTool(name string) string {
	switch name {
	case "Read", "ReadText", "file_read":
		return toolRead
	case "Edit", "Write", "file_edit", "file_write":
		return toolEdit
	case "bash":
		return toolBash
	case "web_fetch":
		return toolFetch
	case "grep":
		return "Grep"
	case "web_search":
		return "Search"
	case "todo_write":
		return "TodoWrite"
	case "todo_read":
		return "TodoRead"
	case "plan_enter":
		return "EnterPlanMode"
	case "plan_exit":
		return "ExitPlanMode"
	case "task":
		return "Task"
	case "list_files":
		return "ListFiles"
	case "ask_user":
		return "AskUser"
	case "patch_apply":
		return "ApplyPatch"
	case "git_status":
		return "GitStatus"
	}
	return name
}

// kindOf says what kind of pattern a tool's rules take; ruleTool means none.
func kindOf(tool string) ruleKind {
	switch tool {
	case toolBash:
		return ruleCommand
	case toolRead, toolEdit, "Grep", "Glob", "ListFiles", "MultiEdit", "ApplyPatch", "ReadMedia", "Show", "GitStatus":
		return rulePath
	case toolFetch:
		return ruleDomain
	}
	return ruleTool
}

// coversTool reports whether the rule's tool is the call's, looking at its
// other names too, and at a "*" that ends the rule's name.
func (r *Rule) coversTool(c *Call) bool {
	if r.tool == "" || r.tool == canonicalTool(c.Tool) {
		return true
	}
	if stem, ok := strings.CutSuffix(r.tool, "*"); ok {
		return strings.HasPrefix(c.Tool, stem)
	}
	for _, alias := range c.Aliases {
		if r.tool == alias || r.tool == canonicalTool(alias) {
			return true
		}
	}
	return false
}
