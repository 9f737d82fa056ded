package demo

import (
	"context"
	"fmt"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/provider"
)

// player streams one answer at a steady speed.
type player struct {
	ctx   context.Context
	yield func(provider.Delta, error) bool
	rate  float64 // characters a second; 0 or less: no delay

	started time.Time
	sent    int // characters so far
}

// play streams a. Identifiers of its calls are made of the length of the
// history, so that they differ from those of the answers before.
func (p *player) play(a answer, length int) {
	if a.whole {
		p.rate = 0
	}
	p.started = time.Now()
	p.all(a, length)
}

// all sends the deltas of a until one cannot be sent.
func (p *player) all(a answer, length int) bool {
	if !p.pieces(provider.Delta{Kind: provider.DeltaReasoning}, a.reasoning, a.whole) ||
		!p.pieces(provider.Delta{Kind: provider.DeltaText}, a.text, a.whole) {
		return false
	}
	stop := domain.FinishEndTurn
	for i, c := range a.calls {
		stop = domain.FinishToolUse
		id := fmt.Sprintf("demo_%d_%d", length, i)
		if !p.send(provider.Delta{Kind: provider.DeltaToolStart, Index: i, ID: id, Name: c.tool}) ||
			!p.pieces(provider.Delta{Kind: provider.DeltaToolInput, Index: i}, c.input, a.whole) ||
			!p.send(provider.Delta{Kind: provider.DeltaToolEnd, Index: i}) {
			return false
		}
	}
	return p.send(provider.Delta{Kind: provider.DeltaUsage}) &&
		p.send(provider.Delta{Kind: provider.DeltaStop, Stop: stop})
}

// pieces sends text as deltas like d.
func (p *player) pieces(d provider.Delta, text string, whole bool) bool {
	for text != "" {
		n := len(text)
		if !whole {
			n = pieceLength(text)
		}
		d.Text, text = text[:n], text[n:]
		if !p.send(d) {
			return false
		}
	}
	return true
}

// send waits until d is due and sends it. The time follows from all characters
// before, so that the speed holds over the whole answer.
func (p *player) send(d provider.Delta) bool {
	if err := p.wait(); err != nil {
		p.yield(provider.Delta{}, err)
		return false
	}
	p.sent += utf8.RuneCountInString(d.Text)
	return p.yield(d, nil)
}

func (p *player) wait() error {
	if p.rate > 0 {
		due := p.started.Add(time.Duration(float64(p.sent) / p.rate * float64(time.Second)))
		if d := time.Until(due); d > 0 {
			timer := time.NewTimer(d)
			defer timer.Stop()
			select {
			case <-timer.C:
			case <-p.ctx.Done():
			}
		}
	}
	return p.ctx.Err()
}

// pieceLength returns how many bytes of text are sent at once: a word with the
// space after it, very short words together, and of something long without
// spaces a part.
func pieceLength(text string) int {
	const short, long = 4, 16
	runes, afterSpace := 0, false
	for i, r := range text {
		space := unicode.IsSpace(r)
		if afterSpace && !space && runes >= short || runes >= long {
			return i
		}
		afterSpace = space
		runes++
	}
	return len(text)
}
