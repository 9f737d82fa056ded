// Package budgets measures what Mix promises about its speed and size, on the
// program as people run it: real processes, real sockets, a real disk. Only
// the model vendor is a mock, and it answers at once.
//
// Times of a machine that does other things mean little, so a row has a
// baseline, measured in the same run, wherever there is something to compare
// with: a bare relay, two syncs of the same disk, a Go program that does
// nothing. Every number is a median of several rounds.
package budgets
