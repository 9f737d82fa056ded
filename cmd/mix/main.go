// Command mix is an AI agent that lives on its user's machine.
package main

import (
	"context"
	"os"

	"github.com/mixagent/mix/internal/cli"
)

func main() {
	os.Exit(cli.Main(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
