package agent

import (
	"regexp"
	"strings"
	"sync"

	"github.com/mixagent/mix/internal/domain"
)

// effortWords finds the words that ask a model to think. Users of such
// programs know them; a level that a client sends goes first.
var effortWords = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?i)\b(ultrathink|megathink|think(?:\s+(?:harder|hard|deeply|more|a lot))?)\b`)
})

// effortOf derives the effort from the words of a prompt.
func effortOf(text string) domain.Effort {
	level := domain.EffortOff
	if !strings.Contains(strings.ToLower(text), "think") {
		return level // a look at a large text in no time
	}
	for _, w := range effortWords().FindAllString(text, -1) {
		switch words := strings.Fields(strings.ToLower(w)); {
		case words[0] == "ultrathink" || len(words) > 1 && words[1] == "harder":
			return domain.EffortMaximum
		case words[0] == "megathink" || len(words) > 1:
			level = domain.EffortMedium
		case level == domain.EffortOff:
			level = domain.EffortBasic
		}
	}
	return level
}
