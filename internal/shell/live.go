package shell

import (
	"fmt"
	"sync"
	"time"
	"unicode/utf8"
)

const (
	liveEvery = 100 * time.Millisecond // between two calls of Command.OnOutput
	liveBytes = 4 << 10                // of output in one call
)

// live passes output on while a command runs. It has its own goroutine, so that
// a slow receiver costs the command nothing but what it does not get to see.
type live struct {
	receive func(string)
	wake    chan struct{} // something is pending
	closing chan struct{}
	done    chan struct{}

	mu      sync.Mutex
	pending []byte // the newest output not passed on, at most liveBytes
	skipped int64  // bytes that were pending before it
}

func startLive(receive func(string)) *live {
	l := &live{
		receive: receive,
		wake:    make(chan struct{}, 1),
		closing: make(chan struct{}),
		done:    make(chan struct{}),
	}
	go l.run()
	return l
}

// add takes the next part of the output: valid UTF-8 of whole characters.
func (l *live) add(p []byte) {
	if len(p) == 0 {
		return
	}
	l.mu.Lock()
	if over := len(p) - liveBytes; over > 0 {
		p = p[over:]
		l.skipped += int64(over)
	}
	l.pending = append(l.pending, p...)
	over := max(0, len(l.pending)-liveBytes)
	for over < len(l.pending) && !utf8.RuneStart(l.pending[over]) {
		over++
	}
	l.skipped += int64(over)
	l.pending = append(l.pending[:0], l.pending[over:]...)
	l.mu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// close passes on what is pending and returns after the last call.
func (l *live) close() {
	close(l.closing)
	<-l.done
}

func (l *live) run() {
	defer close(l.done)
	defer l.flush()
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		select {
		case <-l.wake:
		case <-l.closing:
			return
		}
		select {
		case <-pause.C:
		case <-l.closing:
			return
		}
		l.flush()
		pause.Reset(liveEvery)
	}
}

func (l *live) flush() {
	l.mu.Lock()
	text, skipped := string(l.pending), l.skipped
	l.pending, l.skipped = l.pending[:0], 0
	l.mu.Unlock()
	if skipped > 0 {
		// The line end in front ends also an escape sequence that lost its end.
		text = fmt.Sprintf("\n[... %d bytes not shown ...]\n%s", skipped, text)
	}
	if text != "" {
		l.receive(text)
	}
}
