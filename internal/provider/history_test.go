package provider_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/provider"
)

func user(texts ...string) domain.Message {
	m := domain.Message{Role: domain.RoleUser}
	for _, s := range texts {
		m.Blocks = append(m.Blocks, domain.Block{Type: domain.BlockText, Text: s})
	}
	return m
}

func said(s string) domain.Block { return domain.Block{Type: domain.BlockText, Text: s} }

func thought(vendor, s, opaque string) domain.Block {
	return domain.Block{Type: domain.BlockReasoning, Vendor: vendor, Text: s, Opaque: opaque}
}

func called(id string) domain.Block {
	return domain.Block{Type: domain.BlockToolCall, CallID: id, Tool: "Read", Input: "{}"}
}

func row(id string, state domain.CallState, text string) domain.ToolCall {
	return domain.ToolCall{CallID: id, State: state, Text: text}
}

func assistant(blocks []domain.Block, calls ...domain.ToolCall) domain.Message {
	return domain.Message{Role: domain.RoleAssistant, Blocks: blocks, Calls: calls}
}

// outline writes turns in a form that is easy to compare.
func outline(turns []provider.Turn) []string {
	var all []string
	for _, t := range turns {
		line := string(t.Role) + ":"
		for _, r := range t.Results {
			line += " result " + r.CallID + "=" + r.Text
			if r.IsError {
				line += "!"
			}
		}
		for _, s := range t.Texts {
			line += " text " + s
		}
		for _, p := range t.Parts {
			switch {
			case p.Reasoning != nil:
				line += " reasoning " + p.Reasoning.Text
			case p.CallID != "":
				line += " call " + p.CallID + "=" + p.Tool
			default:
				line += " text " + p.Text
			}
		}
		all = append(all, line)
	}
	return all
}

func TestTurns(t *testing.T) {
	t.Parallel()
	const unknown = "The call was interrupted and its result is unknown. It may have had effects."
	for name, tt := range map[string]struct {
		in   []domain.Message
		want []string
	}{
		"plain":   {[]domain.Message{user("a", "b"), assistant([]domain.Block{said("c")}), user("d")}, []string{"user: text a text b", "assistant: text c", "user: text d"}},
		"blanks":  {[]domain.Message{user("a", "", " \n"), assistant([]domain.Block{said(" ")}), user("b")}, []string{"user: text a text b"}},
		"nothing": {[]domain.Message{user(""), assistant(nil)}, nil},
		"neighbours": {
			[]domain.Message{user("a"), user("b"), assistant([]domain.Block{said("c")}), assistant([]domain.Block{said("d")})},
			[]string{"user: text a text b", "assistant: text c text d"},
		},
		"results": {
			[]domain.Message{user("a"), assistant([]domain.Block{said("b"), called("1"), called("2"), called("3")}, row("1", domain.CallFinished, "x"), row("2", domain.CallDenied, "no"), row("3", domain.CallFinished, " ")), user("c")},
			[]string{"user: text a", "assistant: text b call 1=Read call 2=Read call 3=Read", "user: result 1=x result 2=no! result 3=(no output) text c"},
		},
		"rows in another order": {
			[]domain.Message{user("a"), assistant([]domain.Block{called("1"), called("2")}, row("2", domain.CallFinished, "y"), row("1", domain.CallFinished, "x"))},
			[]string{"user: text a", "assistant: call 1=Read call 2=Read", "user: result 1=x result 2=y"},
		},
		"calls that never ended": {
			[]domain.Message{user("a"), assistant([]domain.Block{called("1"), called("2")}, row("1", domain.CallStarted, ""))},
			[]string{"user: text a", "assistant: call 1=Read call 2=Read", "user: result 1=" + unknown + "! result 2=" + unknown + "!"},
		},
		"one identifier twice in a message": {
			[]domain.Message{user("a"), assistant([]domain.Block{called("1"), called("1")}, row("1", domain.CallFinished, "x"), row("1", domain.CallFinished, "y"))},
			[]string{"user: text a", "assistant: call 1=Read call 1_2=Read", "user: result 1=x result 1_2=y"},
		},
		"one identifier in two messages": {
			[]domain.Message{
				user("a"),
				assistant([]domain.Block{called("1")}, row("1", domain.CallFinished, "x")),
				assistant([]domain.Block{called("1")}, row("1", domain.CallFinished, "y")),
			},
			[]string{"user: text a", "assistant: call 1=Read", "user: result 1=x", "assistant: call 1_2=Read", "user: result 1_2=y"},
		},
		"reasoning": {
			[]domain.Message{user("a"), assistant([]domain.Block{thought("v", "own", "s"), thought("w", "other", "s"), thought("v", "", ""), said("b")})},
			[]string{"user: text a", "assistant: reasoning own text b"},
		},
		"reasoning that led to nothing": {
			[]domain.Message{user("a"), assistant([]domain.Block{said("b"), thought("v", "own", "s")}), user("c"), assistant([]domain.Block{thought("v", "own", "s")}), user("d")},
			[]string{"user: text a", "assistant: text b", "user: text c text d"},
		},
		"names": {
			[]domain.Message{user("a"), assistant([]domain.Block{{Type: domain.BlockToolCall, CallID: "1", Tool: "a b.c"}, {Type: domain.BlockToolCall, CallID: "2"}}, row("1", domain.CallFailed, "e"), row("2", domain.CallFailed, "f"))},
			[]string{"user: text a", "assistant: call 1=a_b_c call 2=unknown", "user: result 1=e! result 2=f!"},
		},
		"attachments": {
			[]domain.Message{{Role: domain.RoleUser, Blocks: []domain.Block{{Type: domain.BlockImage, Name: "a.png", Path: "files/a.png"}, {Type: domain.BlockFile, Name: "b"}}}},
			[]string{"user: text [attached image: a.png files/a.png] text [attached file: b]"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, outline(provider.Turns(provider.Shape{Vendor: "v"}, tt.in))); diff != "" {
				t.Errorf("turns differ (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTurnsIdentifiers(t *testing.T) {
	t.Parallel()
	id := func(id string, any bool) string {
		turns := provider.Turns(provider.Shape{AnyID: any}, []domain.Message{user("a"), assistant([]domain.Block{called(id)})})
		if turns[1].Parts[0].CallID != turns[2].Results[0].CallID {
			t.Errorf("call and result of %q differ", id)
		}
		return turns[1].Parts[0].CallID
	}
	const odd = "functions.read:0"
	if got := id(odd, true); got != odd {
		t.Errorf("%q becomes %q where every character is allowed", odd, got)
	}
	if got := id(odd, false); got == odd || got != id(odd, false) || got == id("functions.read:1", false) {
		t.Errorf("%q becomes %q", odd, got)
	}
	for _, any := range []bool{true, false} {
		for _, long := range []string{"", strings.Repeat("x", 41)} {
			if got := id(long, any); got == "" || len(got) > 40 || got == long {
				t.Errorf("%q becomes %q", long, got)
			}
		}
	}
	if a, b := provider.NewCallID(), provider.NewCallID(); a == b || len(a) > 40 || id(a, false) != a {
		t.Errorf("new identifiers %q and %q", a, b)
	}
}
