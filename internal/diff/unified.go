package diff

import (
	"fmt"
	"strings"

	udiff "github.com/aymanbagabas/go-udiff"
)

const (
	// maxCompared is how many lines of either side are compared line by line,
	// after what is common at both ends was set aside.
	maxCompared = 20_000
	// maxText is the longest diff that is returned, in bytes.
	maxText = 256 << 10
	// context is how many unchanged lines stand around a change.
	context = 3
)

// Diff is the difference of two texts.
type Diff struct {
	// Text is a unified diff, with three lines of context, empty when the
	// texts are equal. Where it would be longer than 256 KiB it is cut, and
	// says so.
	Text string
	// Additions and Removals count lines, also of what was cut.
	Additions, Removals int
	// Truncated says that Text does not show everything.
	Truncated bool
}

// Unified compares two versions of the file that name is the name of. An empty
// before is a new file. Where very long parts differ (over 20,000 lines)
// they are not compared line by line: all their lines count as removed and
// added, and Text summarises them. Time is linear in the size of the texts.
func Unified(name, before, after string) Diff {
	if before == after {
		return Diff{}
	}
	r := trim(before, after)
	oldLabel, newLabel := "a/"+name, "b/"+name
	if before == "" {
		oldLabel = "/dev/null"
	}
	old, fresh := before[r.from:r.oldTo], after[r.from:r.newTo]
	removed, added := countLines(old), countLines(fresh)
	if removed > maxCompared || added > maxCompared {
		text := fmt.Sprintf("--- %s\n+++ %s\n@@ -%d,%d +%d,%d @@\nThe change is too long to show: %d lines from line %d on were replaced by %d lines.\n",
			oldLabel, newLabel, r.line, removed, r.line, added, removed, r.line, added)
		return Diff{Text: text, Additions: added, Removals: removed, Truncated: true}
	}
	h := hunks{lines: splitLines(old), first: r.line, changes: changes(old, udiff.Lines(old, fresh))}
	return h.render(fmt.Sprintf("--- %s\n+++ %s\n", oldLabel, newLabel))
}

// region is what differs: lines from..oldTo of one text, from..newTo of the
// other, both with a few lines of context; line is the number of its first.
type region struct{ from, oldTo, newTo, line int }

func trim(a, b string) region {
	n := min(len(a), len(b))
	head := common(a, b, n)
	head = strings.LastIndexByte(a[:head], '\n') + 1
	for range context {
		if head == 0 {
			break
		}
		head = strings.LastIndexByte(a[:head-1], '\n') + 1
	}
	n -= head
	tail := commonEnd(a, b, n)
	end := len(a) - tail // of what differs in a
	for range context + 1 {
		i := strings.IndexByte(a[end:], '\n')
		if i < 0 {
			end = len(a)
			break
		}
		end += i + 1
	}
	return region{
		from: head, oldTo: end, newTo: len(b) - (len(a) - end),
		line: strings.Count(a[:head], "\n") + 1,
	}
}

// common returns the length of the common beginning, at most n, block by block
// since comparing strings is much faster than comparing bytes.
func common(a, b string, n int) int {
	const block = 4096
	i := 0
	for i+block <= n && a[i:i+block] == b[i:i+block] {
		i += block
	}
	for i < n && a[i] == b[i] {
		i++
	}
	return i
}

func commonEnd(a, b string, n int) int {
	const block = 4096
	i := 0
	for i+block <= n && a[len(a)-i-block:len(a)-i] == b[len(b)-i-block:len(b)-i] {
		i += block
	}
	for i < n && a[len(a)-1-i] == b[len(b)-1-i] {
		i++
	}
	return i
}

func countLines(s string) int {
	n := strings.Count(s, "\n")
	if s != "" && !strings.HasSuffix(s, "\n") {
		n++
	}
	return n
}
