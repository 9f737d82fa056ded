// Package mix is the Go client of a Mix server.
//
//	client := mix.New("http://127.0.0.1:8088")
//	session, err := client.CreateSession(ctx, mix.SessionSpec{Title: "First steps"})
//	...
//	stream, err := client.Submit(ctx, session.ID, mix.Prompt{Text: "What is in this project?"})
//	...
//	defer stream.Close()
//	for stream.Next() {
//		event := stream.Event()
//		fmt.Println(event.Type, string(event.Data))
//	}
//
// A run belongs to the server: a client that goes away cancels nothing. It can
// come back with the number of the last event it saw (see [Mix.Events]) and
// misses nothing.
//
// Every POST carries an Idempotency-Key, so a request whose answer was lost can
// be sent again and is done once.
//
// The package needs nothing but the standard library.
package mix
