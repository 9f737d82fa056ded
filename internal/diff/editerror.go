package diff

import (
	"fmt"
	"strings"
)

// EditErrorKind says why an edit was not made.
type EditErrorKind int

// The kinds of [EditError].
const (
	NotFound  EditErrorKind = iota // the old text is not there
	Ambiguous                      // it is there more than once
	BlankOld                       // it is empty or only white space
	SameText                       // the new text is the same
)

// EditError says why [Replace] changed nothing, in words for whoever asked.
type EditError struct {
	Kind EditErrorKind
	// Matches is how often the old text is there, for Ambiguous; it is not
	// counted beyond 101. Lines are the lines on which those places begin.
	Matches int
	Lines   []int
	// Nearest, for NotFound, is the text that resembles the old text most; nil
	// where nothing does.
	Nearest *Nearest
	// Partly says that the file is so long that only its first 8 MiB were
	// looked through for Nearest.
	Partly bool
}

// Nearest is a place in a file that an old text was perhaps meant for.
type Nearest struct {
	// First and Last are line numbers from 1.
	First, Last int
	// Lines is the text there, in full.
	Lines []string
	// Why says what differs.
	Why string
}

// Error implements error.
func (e *EditError) Error() string {
	switch e.Kind {
	case Ambiguous:
		return e.ambiguous()
	case BlankOld:
		return "the old text is empty or only white space, which is at too many places: give the text to replace, or write the whole file"
	case SameText:
		return "the old and the new text are the same: nothing to change"
	}
	if e.Nearest == nil {
		return "the old text is not in the file, and nothing there" + e.partly() + " resembles it: read the file again"
	}
	var b strings.Builder
	n := e.Nearest
	fmt.Fprintf(&b, "the old text is not in the file. The nearest text%s is %s: %s.\n", e.partly(), lineRange(n.First, n.Last), n.Why)
	for i, line := range n.Lines {
		if i == shownLines {
			fmt.Fprintf(&b, "… %d more lines\n", len(n.Lines)-i)
			break
		}
		fmt.Fprintf(&b, "%6d\t%s\n", n.First+i, clip(line, shownBytes))
	}
	b.WriteString("Copy the text to replace exactly as it is in the file, without line numbers.")
	return b.String()
}

// How much of the nearest text the message shows.
const (
	shownLines = 20
	shownBytes = 300
)

func (e *EditError) partly() string {
	if e.Partly {
		return " in its first 8 MiB"
	}
	return ""
}

func (e *EditError) ambiguous() string {
	times := fmt.Sprint(e.Matches)
	if e.Matches > maxLines {
		times = fmt.Sprintf("more than %d", maxLines)
	}
	const listed = 20
	var lines []string
	for i, n := range e.Lines {
		if i == listed {
			lines = append(lines, "…")
			break
		}
		lines = append(lines, fmt.Sprint(n))
	}
	return fmt.Sprintf("the old text is in the file %s times, beginning on lines %s: add lines before or after it until it is unique, or replace all",
		times, strings.Join(lines, ", "))
}

func lineRange(first, last int) string {
	if first == last {
		return fmt.Sprintf("line %d", first)
	}
	return fmt.Sprintf("lines %d to %d", first, last)
}

// clip cuts a line for people and says how much is missing.
func clip(s string, n int) string {
	if len(s) <= n {
		return strings.ToValidUTF8(s, "\uFFFD")
	}
	return fmt.Sprintf("%s … [%d bytes cut]", strings.ToValidUTF8(s[:n], ""), len(s)-n)
}
