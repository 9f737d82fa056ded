// Command nothing does nothing. What it costs to start is what any Go program
// costs, and the baseline of the start-up budgets.
package main

func main() {}
