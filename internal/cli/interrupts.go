package cli

import (
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// interrupts is what becomes of the signals that ask a command to end: the
// first does what [interrupts.on] says, one more ends the program at once.
type interrupts struct {
	signals chan os.Signal
	pipe    chan os.Signal
	done    chan struct{}
	stopped chan struct{}

	mu  sync.Mutex
	act func() // nil: leave at once
}

// watchInterrupts begins with act as what the first interrupt does.
func watchInterrupts(act func()) *interrupts {
	i := &interrupts{
		signals: make(chan os.Signal, 4), pipe: make(chan os.Signal, 1),
		done: make(chan struct{}), stopped: make(chan struct{}), act: act,
	}
	notify(i.signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	// Without this a write to a pipe that nobody reads ends the process, and
	// with it a server that may work for others.
	signal.Notify(i.pipe, syscall.SIGPIPE)
	go i.loop()
	return i
}

// notify is [signal.Notify] without the signals that the program was started
// to ignore, as nohup and background jobs of shells do.
func notify(c chan<- os.Signal, list ...os.Signal) {
	for _, sig := range list {
		if !signal.Ignored(sig) {
			signal.Notify(c, sig)
		}
	}
}

func (i *interrupts) loop() {
	defer close(i.stopped)
	for {
		select {
		case <-i.done:
			return
		case <-i.signals:
		}
		i.mu.Lock()
		act := i.act
		i.act = nil
		i.mu.Unlock()
		if act == nil {
			os.Exit(exitInterrupted)
		}
		act()
	}
}

// on says what the next interrupt does. act must not block.
func (i *interrupts) on(act func()) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.act = act
}

// release gives the signals back.
func (i *interrupts) release() {
	signal.Stop(i.signals)
	signal.Stop(i.pipe)
	close(i.done)
	<-i.stopped
}
