package permission

import (
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// maxSuggestion is the length in bytes of a rule that is suggested; a longer
// command is not one that comes again.
const maxSuggestion = 200

// suggestCommand returns the narrow rule for a command: its first words where
// those say what it does, else exactly this command.
func suggestCommand(p *part) string {
	if p.harm != "" || p.opaque != "" || len(p.forms) == 0 || !p.forms[0].allow {
		return ""
	}
	ws := p.forms[0].words
	n := stemLength(ws)
	prefix := n > 0
	if !prefix {
		n = len(ws)
	}
	var b strings.Builder
	b.WriteString(toolBash + "(")
	for i, w := range ws[:n] {
		quoted, err := syntax.Quote(w.text, syntax.LangBash)
		if !w.lit || err != nil || strings.ContainsRune(w.text, '\n') {
			return ""
		}
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(quoted)
	}
	if prefix {
		b.WriteString(":*")
	}
	b.WriteByte(')')
	if r, err := ParseRule(b.String()); err != nil || b.Len() > maxSuggestion || r.match(ws) != matchYes {
		return ""
	}
	return b.String()
}

// stemLength returns how many words of a known command say what it does; 0
// means that all of them do. Sub-commands that run whatever follows them are
// not stems.
func stemLength(ws []word) int {
	plain := 0
	for plain < min(3, len(ws)) && ws[plain].lit && !strings.HasPrefix(ws[plain].text, "-") {
		plain++
	}
	if plain < 2 {
		return 0
	}
	sub := ws[1].text
	switch ws[0].text {
	case "git":
		switch sub {
		case "add", "commit", "fetch", "pull", "push", "merge", "stash", "show", "log", "diff", "switch", "checkout", "branch", "tag", "mv":
			return 2
		}
	case "go":
		switch sub {
		case "build", "test", "vet", "fmt", "list", "doc", "mod":
			return 2
		}
	case "cargo":
		switch sub {
		case "build", "test", "check", "clippy", "fmt", "doc":
			return 2
		}
	case "npm", "yarn", "pnpm", "bun":
		switch sub {
		case "test", "ci", "ls", "outdated":
			return 2
		case "run":
			if plain > 2 {
				return 3
			}
		}
	case "docker", "podman":
		switch sub {
		case "ps", "images", "logs", "inspect", "build":
			return 2
		}
	case "kubectl":
		switch sub {
		case "get", "describe", "logs":
			return 2
		}
	case "gh":
		if plain > 2 {
			return 3
		}
	}
	return 0
}
