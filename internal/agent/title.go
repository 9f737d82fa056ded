package agent

import (
	"strings"
	"unicode/utf8"

	"github.com/mixagent/mix/internal/domain"
)

// titleRunes bounds a derived title.
const titleRunes = 50

// titleOf derives a session's title from its first prompt: its words on one
// line, cut to 50 runes.
func titleOf(prompt string) string {
	if len(prompt) > 4096 {
		prompt = strings.ToValidUTF8(prompt[:4096], "")
	}
	title := strings.Join(strings.Fields(domain.Sanitize(prompt)), " ")
	if utf8.RuneCountInString(title) <= titleRunes {
		return title
	}
	return strings.TrimSpace(cut(title, titleRunes-1)) + "…"
}
