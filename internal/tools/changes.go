package tools

import (
	"fmt"
	"strings"

	"github.com/aymanbagabas/go-udiff"
)

// maxDiff bounds the text of a diff, in characters.
const maxDiff = 60_000

// changes is what an edit does to a file, for people.
type changes struct {
	diff           string // unified
	added, removed int    // lines
}

// compare says what turns before into after.
func compare(name, before, after string) changes {
	text := udiff.Unified("a/"+name, "b/"+name, before, after)
	var c changes
	body := text
	for range 2 { // the two lines that name the file
		_, body, _ = strings.Cut(body, "\n")
	}
	for line := range strings.SplitSeq(body, "\n") {
		switch {
		case strings.HasPrefix(line, "+"):
			c.added++
		case strings.HasPrefix(line, "-"):
			c.removed++
		}
	}
	c.diff = strings.ToValidUTF8(text, "\uFFFD")
	if n := headLen(c.diff, maxDiff); n < len(c.diff) {
		head := c.diff[:n]
		head = head[:strings.LastIndexByte(head, '\n')+1]
		c.diff = head + fmt.Sprintf("[… %d more lines of the diff left out …]\n", strings.Count(c.diff[len(head):], "\n"))
	}
	return c
}
