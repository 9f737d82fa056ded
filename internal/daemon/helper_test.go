package daemon_test

import (
	"context"
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

// helper is a client in a process of its own. It prints the status of the
// answer.
//
//	request METHOD URL [TOKEN [BODY]]  sends a request and reads the answer
//	leave METHOD URL TOKEN             sends it and ends without reading
//	serve DATA DIR                     is a server until its input ends
func helper(args []string) int {
	if len(args) < 3 {
		return 2
	}
	arg := func(i int) string {
		if i < len(args) {
			return args[i]
		}
		return ""
	}
	var err error
	switch args[0] {
	case "request":
		err = helperRequest(args[1], args[2], arg(3), arg(4))
	case "leave":
		err = helperLeave(args[1], args[2], arg(3))
	case "serve":
		err = helperServe(args[1], args[2])
	}
	if err != nil {
		fmt.Println("error:", err)
		return 1
	}
	return 0
}

func helperRequest(method, url, token, body string) error {
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		return err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := (&http.Client{Transport: &http.Transport{}}).Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 1000))
	fmt.Println(resp.StatusCode, strings.TrimSpace(string(text)))
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
