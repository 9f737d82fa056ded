package tools

import (
	"fmt"
	"strings"
)

// Bounds of the search for what a model may have meant.
const (
	likeLines   = 40     // lines of the wanted text that are compared
	likeFile    = 50_000 // lines of the file
	likeShown   = 20     // lines that are shown
	likeLetters = 200    // letters of a line that are compared
	likeTries   = 5_000  // lines that are compared letter by letter
)

// notThere is the error for a text that a file does not hold: it shows what is
// most like it and says how that differs.
func notThere(text, old string) error {
	const sorry = "old_string is not in the file"
	have := strings.Split(text, "\n")
	want := strings.Split(strings.Trim(old, "\n"), "\n")
	if len(have) > likeFile {
		have = have[:likeFile]
	}
	if len(want) > likeLines {
		want = want[:likeLines]
	}
	line, equal := bestWindow(have, want)
	switch {
	case line >= 0 && equal == len(want):
		return fmt.Errorf("%s. At line %d is text that differs only in blanks, tabs or line ends. It reads exactly:\n%s\nUse it as it stands there", sorry, line+1, show(have, line, len(want)))
	case line >= 0:
		return fmt.Errorf("%s. The nearest text is at line %d (%d of %d lines are the same):\n%s\nRead the file again if you are not sure what it holds", sorry, line+1, equal, len(want), show(have, line, len(want)))
	}
	if line = nearestLine(have, want); line >= 0 {
		return fmt.Errorf("%s. The nearest line is:\n%s\nRead the file again if you are not sure what it holds", sorry, show(have, line, 1))
	}
	return fmt.Errorf("%s, and neither is anything like it; read the file again", sorry)
}

// bestWindow finds the lines of have that agree with want in most places, apart
// from blanks, and counts those places; -1 when no line with letters agrees.
func bestWindow(have, want []string) (line, equal int) {
	key := func(s string) string { return strings.Join(strings.Fields(s), " ") }
	places := map[string][]int{} // of the lines of want
	blank := 0
	for i, w := range want {
		k := key(w)
		if k == "" {
			blank++
		}
		places[k] = append(places[k], i)
	}
	scores := make([]int, len(have)+len(want)) // by the line where the window begins, shifted
	solid := make([]bool, len(scores))
	for i, h := range have {
		k := key(h)
		for _, p := range places[k] {
			if begin := i - p; begin >= 0 {
				scores[begin]++
				solid[begin] = solid[begin] || len(k) > 1
			}
		}
	}
	line = -1
	for begin := range have {
		if solid[begin] && scores[begin] > equal {
			line, equal = begin, scores[begin]
		}
	}
	return line, equal
}

// nearestLine finds the line most like the longest wanted one; -1 when none is.
func nearestLine(have, want []string) int {
	longest := ""
	for _, w := range want {
		if w = strings.TrimSpace(w); len(w) > len(longest) {
			longest = w
		}
	}
	if len(longest) < 3 || len(longest) > likeLetters {
		return -1
	}
	best, least, tries := -1, len(longest)*2/5+1, 0
	for i, h := range have {
		h = strings.TrimSpace(h)
		if abs(len(h)-len(longest)) >= least || len(h) > likeLetters {
			continue
		}
		if tries++; tries > likeTries {
			break
		}
		if d := distance(longest, h); d < least {
			best, least = i, d
		}
	}
	return best
}

func abs(n int) int { return max(n, -n) }

// show prints lines with their numbers, as ReadText does.
func show(have []string, from, n int) string {
	var b strings.Builder
	for i := from; i < min(from+min(n, likeShown), len(have)); i++ {
		fmt.Fprintf(&b, "%6d\t%s\n", i+1, cutText(strings.ToValidUTF8(have[i], "\uFFFD"), 2*likeLetters))
	}
	return strings.TrimSuffix(b.String(), "\n")
}
