//go:build race

package search_test

// raceChecks bounds how many cases a property draws with the race detector,
// under which the regular expression engine is some thirty times slower.
const raceChecks = 15
