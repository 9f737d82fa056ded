package daemon_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"

	"github.com/mixagent/mix/internal/daemon"
)

// helperName is the first argument with which the test program is a client.
const helperName = "mix-test-helper"

// helper is a client in a process of its own, or a server.
//
//	requests FILE           sends the requests that the file (or "-") lists as JSON, each
//	                        over a connection of its own, and prints the answers
//	leave METHOD URL TOKEN  sends a request and ends without reading the answer
//	serve DATA DIR          is a server until its input ends
func helper(args []string) int {
	var err error
	switch {
	case len(args) == 2 && args[0] == "requests":
		err = helperRequests(args[1])
	case len(args) == 4 && args[0] == "leave":
		err = helperLeave(args[1], args[2], args[3])
	case len(args) == 3 && args[0] == "serve":
		err = helperServe(args[1], args[2])
	default:
		err = fmt.Errorf("arguments %q", args)
	}
	if err != nil {
		fmt.Println("error:", err)
		return 1
	}
	return 0
}

// helperCall is a request for the helper to send.
type helperCall struct{ Method, URL, Token, Body string }

func helperRequests(file string) error {
	in := os.Stdin
	if file != "-" {
		var err error
		if in, err = os.Open(file); err != nil {
			return err
		}
		defer in.Close()
	}
	var list []helperCall
	if err := json.NewDecoder(in).Decode(&list); err != nil {
		return err
	}
	for _, call := range list {
		req, err := http.NewRequest(call.Method, call.URL, strings.NewReader(call.Body))
		if err != nil {
			return err
		}
		if call.Token != "" {
			req.Header.Set("Authorization", "Bearer "+call.Token)
		}
		if call.Body != "" {
			req.Header.Set("Content-Type", "application/json")
		}
		resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
		if err != nil {
			return err
		}
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 1000))
		resp.Body.Close()
		fmt.Println(resp.StatusCode, strings.TrimSpace(string(text)))
	}
	return nil
}

func helperLeave(method, url, token string) error {
	req, err := http.NewRequest(method, url, http.NoBody)
	if err != nil {
		return err
	}
	conn, err := net.Dial("tcp", req.URL.Host)
	if err != nil {
		return err
	}
	fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Length: 0\r\n\r\n",
		method, req.URL.Path, req.URL.Host, token)
	conn.Close()
	fmt.Println("left")
	return nil
}

func helperServe(data, dir string) error {
	s, err := daemon.Start(context.Background(), daemon.Config{
		DataDir: data, Dir: dir, Addr: "127.0.0.1:0", Model: "demo/steps",
	})
	if err != nil {
		return err
	}
	fmt.Println(s.URL(), s.Token())
	_, _ = io.Copy(io.Discard, os.Stdin)
	return s.Stop(expired())
}

// helperCommand is a shell line that runs the helper.
func helperCommand(args ...string) string {
	self, err := os.Executable()
	if err != nil {
		panic(err)
	}
	var b strings.Builder
	for _, arg := range append([]string{self, helperName}, args...) {
		b.WriteString("'" + strings.ReplaceAll(arg, "'", `'\''`) + "' ")
	}
	return b.String()
}
