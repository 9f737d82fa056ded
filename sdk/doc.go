// Package mix is the Go client of a Mix server.
//
//	client := mix.New("http://127.0.0.1:8088")
//	session, err := client.CreateSession(ctx, mix.SessionSpec{Directory: "/home/me/src/project"})
//	...
//	stream, err := client.Submit(ctx, session.ID, mix.Prompt{Text: "What is in this project?"})
//	...
//	defer stream.Close()
//	for event, err := range stream.All() {
//		...
//		fmt.Println(event.Type, string(event.Data))
//	}
//
// # Runs and clients
//
// A prompt starts a run, and the run belongs to the server: a client that goes
// away cancels nothing, [Mix.Cancel] does. The client can come back with the
// number of the last event it saw (see [Mix.Events]) and misses nothing, also
// when the server was started again in between.
//
// [Mix.Submit] sends a prompt and streams its events; [Mix.Send] only sends,
// for who streams with Events. Either returns when the prompt is on disk.
//
// # Permissions
//
// A call that needs a person arrives as the event "permission", with the
// identifier that [Mix.Grant] and [Mix.Deny] take. A client that a person reads
// says so ([Prompt].Approver, [EventOptions].Approver): the server then waits
// for an answer; without any such client, a request is denied after a while.
//
// # Sending again
//
// Every POST carries an Idempotency-Key. For prompts the server remembers it: a
// prompt that is sent again with the same [Prompt].IdempotencyKey runs once,
// and its first answer is given again. Answering a request or cancelling twice
// does no harm either. A session that is created twice is two sessions.
//
// # Errors
//
// What the server refuses is an [*APIError]. Any other error means that the
// server was not reached, its answer was none of a Mix server, or the context
// ended; whether the server did what was asked is then not known.
//
// The package needs nothing but the standard library.
package mix
