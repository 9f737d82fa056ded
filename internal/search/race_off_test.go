//go:build !race

package search_test

// raceChecks bounds nothing without the race detector.
const raceChecks = 1 << 30
