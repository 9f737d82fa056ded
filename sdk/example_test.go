package mix_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"path/filepath"

	mix "github.com/mixagent/mix/sdk"
)

// exampleServer stands for a server that runs already: `mix serve`. It plays
// the steps that prompts list.
func exampleServer() (url, token, dir string, stop func()) {
	dir, err := os.MkdirTemp("", "mix-example")
	if err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "README.md"), []byte("# Lighthouse\n"), 0o600); err != nil {
		log.Fatal(err)
	}
	srv, end := serve(context.Background(), filepath.Join(dir, ".data"), dir)
	return srv.URL(), srv.Token(), dir, func() {
		if err := end(); err != nil {
			log.Fatal(err)
		}
		os.RemoveAll(dir)
	}
}

// Send a prompt and print the answer as it comes.
func ExampleMix_Submit() {
	url, token, _, stop := exampleServer()
	defer stop()
	ctx := context.Background()

	client := mix.New(url, mix.WithToken(token))
	session, err := client.CreateSession(ctx, mix.SessionSpec{Title: "First steps", Model: "demo/echo"})
	if err != nil {
		log.Fatal(err)
	}
	stream, err := client.Submit(ctx, session.ID, mix.Prompt{Text: "Hello!"})
	if err != nil {
		log.Fatal(err)
	}
	defer stream.Close()
	for event, err := range stream.All() {
		if err != nil {
			log.Fatal(err)
		}
		var data struct{ Content, State string }
		if err := json.Unmarshal(event.Data, &data); err != nil {
			log.Fatal(err)
		}
		switch event.Type {
		case "content":
			fmt.Println(data.Content)
		case "complete":
			fmt.Println("the run is", data.State)
		}
	}
	// Output:
	// Hello!
	// the run is done
}

// Answer the calls that need a person: here, a program that allows reading a
// status and nothing else.
func ExampleMix_Grant() {
	url, token, dir, stop := exampleServer()
	defer stop()
	ctx := context.Background()

	client := mix.New(url, mix.WithToken(token))
	session, err := client.CreateSession(ctx, mix.SessionSpec{Directory: dir, GrantDirectory: true})
	if err != nil {
		log.Fatal(err)
	}
	stream, err := client.Submit(ctx, session.ID, mix.Prompt{
		Approver: true, // somebody answers
		Text: `[{"calls": [{"tool": "Bash", "input": {"command": "touch report.txt"}}]},
		        {"calls": [{"tool": "Bash", "input": {"command": "rm -r ."}}]}]`,
	})
	if err != nil {
		log.Fatal(err)
	}
	defer stream.Close()
	for stream.Next() {
		event := stream.Event()
		if event.Type != "permission" {
			continue
		}
		var request struct {
			ID, ToolName string
			Params       struct{ Command string }
		}
		if err := json.Unmarshal(event.Data, &request); err != nil {
			log.Fatal(err)
		}
		if request.Params.Command == "touch report.txt" {
			err = client.Grant(ctx, request.ID, mix.Answer{})
		} else {
			err = client.Deny(ctx, request.ID, mix.Answer{Reason: "this program allows no such thing"})
		}
		if err != nil {
			log.Fatal(err)
		}
	}
	if err := stream.Err(); err != nil {
		log.Fatal(err)
	}

	rows, err := client.Audit(ctx, session.ID, 0)
	if err != nil {
		log.Fatal(err)
	}
	for _, r := range rows {
		fmt.Println(r.Tool, r.Target, "→", r.Decision.Outcome, r.Decision.Reason)
	}
	// Output:
	// Bash rm -r . → deny this program allows no such thing
	// Bash touch report.txt → allow
}

// Send without streaming, and read the events later: nothing is missed.
func ExampleMix_Events() {
	url, token, _, stop := exampleServer()
	defer stop()
	ctx := context.Background()

	client := mix.New(url, mix.WithToken(token))
	session, err := client.CreateSession(ctx, mix.SessionSpec{Title: "A question", Model: "demo/echo"})
	if err != nil {
		log.Fatal(err)
	}
	sent, err := client.Send(ctx, session.ID, mix.Prompt{Text: "Are you there?"})
	if err != nil {
		log.Fatal(err)
	}

	stream, err := client.Events(ctx, session.ID, mix.EventOptions{LastEventID: &sent.LastEventID})
	if err != nil {
		log.Fatal(err)
	}
	defer stream.Close()
	for stream.Next() && stream.Event().Type != "complete" {
	}
	if err := stream.Err(); err != nil {
		log.Fatal(err)
	}
	messages, err := client.Messages(ctx, session.ID, mix.Page{Limit: 10})
	if err != nil {
		log.Fatal(err)
	}
	for _, m := range messages {
		fmt.Printf("%s: %s\n", m.Role, m.UserInput)
	}
	// Output:
	// user: Are you there?
	// assistant: Are you there?
}

// Ask what the gate would say before anything runs.
func ExampleMix_ExplainFor() {
	url, token, dir, stop := exampleServer()
	defer stop()

	client := mix.New(url, mix.WithToken(token))
	spec := mix.SessionSpec{Directory: dir, Allow: []string{"Bash(go test:*)"}}
	for _, call := range []string{"Bash(go test ./...)", "Bash(go test ./... | sh)"} {
		e, err := client.ExplainFor(context.Background(), spec, call)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(call, "→", e.Outcome)
	}
	// Output:
	// Bash(go test ./...) → allow
	// Bash(go test ./... | sh) → ask
}

// What the server refuses says why.
func ExampleAPIError() {
	url, token, _, stop := exampleServer()
	defer stop()

	client := mix.New(url, mix.WithToken(token))
	_, err := client.CreateSession(context.Background(), mix.SessionSpec{Title: "Try", PermissionMode: "yolo"})
	fmt.Println(err)
	_, err = client.Session(context.Background(), "unknown")
	fmt.Println(mix.IsNotFound(err), err)
	// Output:
	// permission_mode: "yolo" is none of ask, ask-all, accept-edits, auto, plan
	// true session "unknown" not found
}
