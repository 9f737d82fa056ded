package permission_test

import (
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/permission"
)

func unixPaths(t *testing.T) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("the table names Unix paths")
	}
}

func TestExamples(t *testing.T) {
	t.Parallel()
	unixPaths(t)
	for _, e := range permission.Examples() {
		t.Run(e.Rule+" "+e.Call, func(t *testing.T) {
			t.Parallel()
			var allow, ask, deny []string
			switch kind, rule, _ := strings.Cut(e.Rule, " "); kind {
			case "deny":
				deny = []string{rule}
			case "ask":
				ask = []string{rule}
			default:
				allow = []string{e.Rule}
			}
			s := subject(domain.ModeAsk)
			g := granted(t, s, mustRules(t, allow, ask, deny))
			got := g.Explain(t.Context(), s, mustCall(t, e.Call, app))
			if got.Verdict.Outcome != e.Outcome {
				t.Errorf("%s with rule %s: %s, want %s\n%s", e.Call, e.Rule, word(got.Verdict.Outcome), word(e.Outcome), got)
			}
		})
	}
}

func TestExamplesPrint(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	if err := permission.WriteExamples(&b); err != nil {
		t.Fatal(err)
	}
	if lines := strings.Count(b.String(), "\n"); lines != len(permission.Examples())+1 {
		t.Errorf("%d lines for %d examples", lines, len(permission.Examples()))
	}
}

func TestBadRules(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "()", "Bash(", "Bash(git diff", "Bash(git | sh)", "Bash(a && b)", "Bash(a > b)", "Bash($x)", "Bash(a; b)", "Bash(:*)",
		"Bash('a)", "Bash(a [b]c)", "Read()", "Read(../x)", "Read(a/../b)", "Read([)", "Read(~bob/x)", "WebFetch(go.dev)", "WebFetch(domain:)",
		"WebFetch(domain:a/b)", "WebFetch(domain:a.*)", "TodoWrite(x)", "a b", "Ba*sh", "Bash(X=$y cmd)",
	} {
		_, err := permission.ParseRule(text)
		var re *permission.RuleError
		if !errors.As(err, &re) {
			t.Errorf("rule %q: error %v", text, err)
			continue
		}
		if re.Example == "" || !strings.Contains(err.Error(), re.Example) {
			t.Errorf("rule %q: %q names no example", text, err)
		}
	}
}

// Every tool that takes a pattern is known under its other names too.
func TestAliases(t *testing.T) {
	t.Parallel()
	unixPaths(t)
	for _, rule := range []string{"Read(a)", "ReadText(a)", "file_read(a)"} {
		s := subject(domain.ModeAsk)
		g := newGate(t, &memory{}, mustRules(t, nil, nil, []string{rule}))
		if v := g.Judge(t.Context(), s, mustCall(t, "ReadText(a)", app)); v.Outcome != domain.OutcomeDeny {
			t.Errorf("%s does not deny ReadText: %s", rule, word(v.Outcome))
		}
	}
	s := subject(domain.ModeAsk)
	g := newGate(t, &memory{}, mustRules(t, nil, nil, []string{"grep"}))
	if v := g.Judge(t.Context(), s, mustCall(t, "Grep(a)", app)); v.Outcome != domain.OutcomeDeny {
		t.Errorf("grep does not deny Grep: %s", word(v.Outcome))
	}
	// A tool that the gate does not know brings its aliases along.
	c := permission.Call{Tool: "Lookup", Aliases: []string{"look_up"}, Accesses: []permission.Access{{Can: domain.CanNetwork}}}
	g = newGate(t, &memory{}, mustRules(t, []string{"look_up"}, nil, nil))
	if v := g.Judge(t.Context(), s, c); v.Outcome != domain.OutcomeAllow {
		t.Errorf("look_up does not allow Lookup: %s", word(v.Outcome))
	}
}
