package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"syscall"

	mix "github.com/mixagent/mix/sdk"
)

// follower sends the prompt and reads its events until the run has ended,
// through the end of a server if need be.
type follower struct {
	o       *runOptions
	srv     *server
	session string
	prompt  mix.Prompt
	out     printer

	lastID  int64
	message string
	summary summary
	consent *consent
	// begun: the run is under way. What the stream brings before belongs to a
	// run of somebody else, behind which this one waits.
	begun bool
	held  *mix.Event // an error that is ours if the next complete is

	mute   bool           // nobody reads the output any more
	cancel func()         // cancels the run, in the background
	work   sync.WaitGroup // of cancel
}

// follow returns the exit code of the run.
func (f *follower) follow(ctx context.Context) (int, error) {
	if f.prompt.Approver {
		f.consent = newConsent(f.o.in, f.o.err, f.srv)
		defer f.consent.close()
	}
	sent := make(chan struct{})
	f.cancel = sync.OnceFunc(func() { f.work.Go(func() { f.cancelRun(ctx, sent) }) })
	defer f.work.Wait()
	f.srv.interrupts.on(func() {
		fmt.Fprintln(f.o.err, "Stopping… (once more to leave at once)")
		f.summary.interrupted.Store(true)
		f.cancel()
	})
	stream, err := f.attach(ctx)
	close(sent)
	if err != nil {
		return exitFailed, err
	}
	for {
		ended := f.read(ctx, stream)
		stream.Close()
		switch {
		case ended:
			return f.end(ctx)
		case ctx.Err() != nil:
			return exitInterrupted, ctx.Err()
		}
		f.out.notice("The server went away; looking for it, or going on in its place.")
		if stream, err = f.attach(ctx); err != nil {
			return exitFailed, err
		}
	}
}

// cancelRun cancels the run as soon as it is known to be there.
func (f *follower) cancelRun(ctx context.Context, sent <-chan struct{}) {
	<-sent
	// That it fails means that the run is over or the server is gone; the
	// stream tells which.
	_ = f.srv.retry(ctx, func(client *mix.Mix) error { return client.Cancel(ctx, f.session) })
}

// attach sends the prompt; once something was seen of its run, it goes on
// behind that. The prompt keeps its key, so that it runs once however often it
// is sent.
func (f *follower) attach(ctx context.Context) (stream *mix.EventStream, err error) {
	err = f.srv.retry(ctx, func(client *mix.Mix) error {
		if f.lastID > 0 {
			stream, err = client.Events(ctx, f.session, mix.EventOptions{LastEventID: &f.lastID, Approver: f.prompt.Approver})
			return err
		}
		sub, err := client.Submit(ctx, f.session, f.prompt)
		if err != nil {
			return err
		}
		stream, f.message = sub.EventStream, sub.MessageID
		f.summary.SessionID, f.summary.RunID = f.session, sub.RunID
		return nil
	})
	return stream, err
}

// read takes events until the stream or the run ends.
func (f *follower) read(ctx context.Context, stream *mix.EventStream) (ended bool) {
	for stream.Next() {
		ev := stream.Event()
		f.lastID = ev.ID
		if ev.Type == "connected" || ev.Type == "heartbeat" {
			continue
		}
		if f.consent != nil {
			f.consent.event(ctx, ev)
		}
		f.take(ev)
		if f.summary.complete {
			return true
		}
		if f.out.failed() != nil && !f.mute {
			f.mute = true // an answer that nobody reads is not worth its price
			f.cancel()
		}
	}
	return false
}

// take shows an event, if it belongs to the run.
func (f *follower) take(ev mix.Event) {
	if !f.begun && !f.begins(ev) {
		return
	}
	if f.begun && f.held != nil {
		f.show(*f.held)
		f.held = nil
	}
	f.show(ev)
}

// begins reports whether the run is seen to begin with ev, or has ended with
// it before anybody saw it begin: its beginning may have been lost in a crash.
func (f *follower) begins(ev mix.Event) bool {
	var d struct{ RunID, MessageID string }
	if json.Unmarshal(ev.Data, &d) != nil {
		return false
	}
	switch ev.Type {
	case "user_message_created":
		return d.MessageID == f.message
	case "run":
		f.begun = d.RunID == f.summary.RunID
	case "complete":
		f.begun = d.RunID == f.summary.RunID
		if !f.begun {
			f.held = nil
		}
	case "error":
		f.held = &ev
	}
	return f.begun
}

func (f *follower) show(ev mix.Event) {
	f.summary.add(ev)
	if !f.mute {
		f.out.event(ev)
	}
}

// end says what the run came to.
func (f *follower) end(ctx context.Context) (int, error) {
	if err := f.summary.settle(ctx, f.srv.api()); err != nil {
		return exitFailed, err
	}
	if !f.mute {
		f.out.end(&f.summary)
	}
	switch err := f.out.failed(); {
	case errors.Is(err, syscall.EPIPE):
		f.out.notice("Nobody reads the output any more, so the run was ended.")
		return exitInterrupted, nil
	case err != nil:
		return exitFailed, err
	}
	return f.summary.exitCode(), nil
}
