package tools

import (
	"sync"

	"github.com/mixagent/mix/internal/domain"
)

// liveText makes the live output of one call safe to show before it is passed
// on. Sequences and characters that are split over two pieces stay whole, so
// text may come out later than it went in.
type liveText struct {
	emit func(text string)

	mu    sync.Mutex
	clean domain.Sanitizer
	ended bool
}

// add takes the next piece.
func (l *liveText) add(chunk string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.ended {
		l.pass(l.clean.Append(nil, chunk))
	}
}

// end passes on what was held back. A tool's output after its end is dropped.
func (l *liveText) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
	l.pass(l.clean.Flush(nil))
}

func (l *liveText) pass(text []byte) {
	if len(text) > 0 {
		l.emit(string(text))
	}
}
