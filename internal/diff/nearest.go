package diff

import (
	"fmt"
	"html"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mixagent/mix/internal/domain"
)

// maxExplained is how much of a file is looked through for the nearest text,
// in bytes.
const maxExplained = 8 << 20

// notFound explains why old is not in content. It compares skeletons: what is
// left of a line without white space, punctuation and case.
func notFound(content, old string) *EditError {
	e := &EditError{Kind: NotFound}
	if len(content) > maxExplained {
		content, e.Partly = content[:maxExplained], true
	}
	lines := strings.Split(content, "\n")
	if e.Nearest = rewritten(content, lines, old); e.Nearest != nil {
		return e
	}
	oldLines := strings.Split(strings.Trim(old, "\n"), "\n")
	bones := make([]string, len(lines))
	for i, line := range lines {
		bones[i] = skeleton(line)
	}
	if i := findSkeleton(bones, oldLines); i >= 0 {
		e.Nearest = nearest(lines, i, i+len(oldLines), explain(lines[i:i+len(oldLines)], oldLines))
		return e
	}
	if i, same := similarWindow(bones, oldLines); same > 0 {
		end := min(i+len(oldLines), len(lines))
		e.Nearest = nearest(lines, i, end, firstDifference(lines[i:end], oldLines, i, same))
		return e
	}
	if i := similarLine(lines, oldLines); i >= 0 {
		e.Nearest = nearest(lines, i, i+1, "only this line resembles a line of the old text, and other characters differ too")
	}
	return e
}

func nearest(lines []string, from, to int, why string) *Nearest {
	return &Nearest{First: from + 1, Last: to, Lines: append([]string(nil), lines[from:to]...), Why: why}
}

// Line numbers as listings show them: "  12\ttext", "12→text", "12: text".
var numbered = regexp.MustCompile(`^\s*\d+(\t|→|:|\|)[ ]?`)

// rewritten looks for old as it may have been meant: without the line numbers
// of a listing, or with its escapes read.
func rewritten(content string, lines []string, old string) *Nearest {
	for _, r := range []struct {
		why   string
		apply func(string) string
	}{
		{"the old text has line numbers in front of its lines that are not in the file", dropNumbers},
		{`the old text has escapes such as \n, \t or \" where the file has the characters`, strings.NewReplacer(`\n`, "\n", `\t`, "\t", `\"`, `"`, `\'`, `'`, `\\`, `\`).Replace},
		{"the old text has escapes such as &lt; or &amp; where the file has the characters", html.UnescapeString},
		{"the file has escapes such as &lt; or &amp; where the old text has the characters", html.EscapeString},
	} {
		meant := r.apply(old)
		if meant == old || strings.TrimSpace(meant) == "" {
			continue
		}
		at := strings.Index(content, meant)
		if at < 0 {
			continue
		}
		first := strings.Count(content[:at], "\n")
		return nearest(lines, first, first+strings.Count(strings.TrimSuffix(meant, "\n"), "\n")+1, r.why)
	}
	return nil
}

func dropNumbers(old string) string {
	lines := strings.Split(old, "\n")
	for i, line := range lines {
		if strings.TrimSpace(line) == "" {
			continue
		}
		loc := numbered.FindStringIndex(line)
		if loc == nil {
			return old
		}
		end := loc[1]
		if strings.HasSuffix(line[:end], "\t ") || strings.HasSuffix(line[:end], "→ ") {
			end-- // the space belongs to the text
		}
		lines[i] = line[end:]
	}
	return strings.Join(lines, "\n")
}

func skeleton(line string) string {
	var b []byte
	for _, r := range line {
		switch {
		case 'a' <= r && r <= 'z' || '0' <= r && r <= '9':
			b = append(b, byte(r))
		case 'A' <= r && r <= 'Z':
			b = append(b, byte(r)+'a'-'A')
		case r >= utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r)):
			b = utf8.AppendRune(b, unicode.ToLower(r))
		}
	}
	return string(b)
}

// findSkeleton returns the first line where the skeletons of old's lines are
// one after the other, -1 for none. The first line of old may be the end of a
// line of the file, the last one its beginning.
func findSkeleton(bones, old []string) int {
	want := make([]string, len(old))
	empty := true
	for i, line := range old {
		want[i] = skeleton(line)
		empty = empty && want[i] == ""
	}
	if empty {
		return -1
	}
	last := len(want) - 1
	if last == 0 {
		return closestLine(bones, want[0])
	}
	for i := 0; i+last < len(bones); i++ {
		if !strings.HasSuffix(bones[i], want[0]) || !strings.HasPrefix(bones[i+last], want[last]) {
			continue
		}
		k := 1
		for k < last && bones[i+k] == want[k] {
			k++
		}
		if k == last {
			return i
		}
	}
	return -1
}

// closestLine returns the shortest line that holds a skeleton, -1 for none.
func closestLine(bones []string, want string) int {
	best := -1
	for i, s := range bones {
		if (best < 0 || len(s) < len(bones[best])) && len(want) > 2 && strings.Contains(s, want) || s == want && best < 0 {
			best = i
		}
	}
	return best
}

// similarWindow returns where the most lines of old are close together, and
// how many lines that are.
func similarWindow(bones, old []string) (first, same int) {
	offset := map[string]int{} // skeleton of a line of old: its place
	for i, line := range old {
		if s := skeleton(line); len(s) > 2 {
			if _, twice := offset[s]; !twice {
				offset[s] = i
			}
		}
	}
	score, window := 0, len(old)
	for i, s := range bones {
		if _, ok := offset[s]; ok {
			score++
		}
		if i >= window {
			if _, ok := offset[bones[i-window]]; ok {
				score--
			}
		}
		if score > same {
			// The line that was found last says where the window lies.
			same, first = score, max(0, i-offset[s])
		}
	}
	return first, same
}

// similarLine returns the line that has the most pairs of characters in common
// with the longest line of old, -1 when that is less than half of them.
func similarLine(lines, old []string) int {
	longest := ""
	for _, line := range old {
		if s := strings.TrimSpace(line); len(s) > len(longest) {
			longest = s
		}
	}
	if len(longest) < 4 {
		return -1
	}
	var pairs [1 << 16]bool
	for i := 1; i < len(longest); i++ {
		pairs[pair(longest, i)] = true
	}
	best, at := 0.5, -1
	for i, line := range lines {
		line = strings.TrimSpace(line)
		if len(line) > 4*len(longest) || len(line)*4 < len(longest) {
			continue
		}
		hits := 0
		for j := 1; j < len(line); j++ {
			if pairs[pair(line, j)] {
				hits++
			}
		}
		if score := float64(2*hits) / float64(len(line)+len(longest)-2); score > best {
			best, at = score, i
		}
	}
	return at
}

func pair(s string, i int) int { return int(s[i-1])<<8 | int(s[i]) }

// differences are ways in which texts with the same skeleton can differ, each
// with the form in which that difference is gone, the smallest first.
var differences = []struct {
	why  string
	form func(string) string
}{
	{"white space at the end of lines differs", func(s string) string { return strings.TrimRightFunc(s, unicode.IsSpace) }},
	{"the indentation differs", strings.TrimSpace},
	{"white space differs", squeeze},
	{"quotes, dashes or spaces differ in kind: plain in one, typographic in the other", plain},
	{"upper and lower case differ", strings.ToLower},
	{"white space and the kind of quotes, dashes or spaces differ", func(s string) string { return squeeze(plain(s)) }},
	{"white space and upper and lower case differ", func(s string) string { return strings.ToLower(squeeze(s)) }},
	{"white space, upper and lower case and the kind of quotes differ", func(s string) string { return strings.ToLower(squeeze(plain(s))) }},
}

// squeeze removes all white space but one space between words.
func squeeze(s string) string { return strings.Join(strings.Fields(s), " ") }

// plain replaces typographic characters by those of a keyboard.
func plain(s string) string {
	return strings.NewReplacer(
		"\u2018", "'", "\u2019", "'", "\u201a", "'", "\u2032", "'", "\u201c", `"`, "\u201d", `"`, "\u201e", `"`, "\u00ab", `"`, "\u00bb", `"`,
		"\u2010", "-", "\u2011", "-", "\u2012", "-", "\u2013", "-", "\u2014", "-", "\u2212", "-", "\u2026", "...",
		"\u00a0", " ", "\u202f", " ", "\u2009", " ", "\u200b", "", "\ufeff", "",
	).Replace(s)
}

// explain says how old differs from lines, whose skeletons are the same.
func explain(lines, old []string) string {
	if why := unseen(lines, old); why != "" {
		return why
	}
	for _, d := range differences {
		if !sameIn(lines, old, d.form) {
			continue
		}
		why := d.why
		if tabs := detailOfTabs(lines, old); tabs != "" {
			why += " (" + tabs + ")"
		}
		return why
	}
	return firstDifference(lines, old, -1, 0)
}

// unseen shows the characters that keep old from matching although nobody sees
// them; "" when there is another difference.
func unseen(lines, old []string) string {
	if !sameIn(lines, old, domain.Sanitize) {
		return ""
	}
	for _, side := range []struct {
		who   string
		lines []string
	}{{"the file", lines}, {"the old text", old}} {
		for _, line := range side.lines {
			if domain.Sanitize(line) != line {
				return fmt.Sprintf("%s has characters that are not seen: %q", side.who, clip(line, shownBytes))
			}
		}
	}
	return ""
}

func sameIn(lines, old []string, form func(string) string) bool {
	last := len(old) - 1
	if last == 0 {
		return strings.Contains(form(lines[0]), form(old[0]))
	}
	for i, want := range old {
		got, want := form(lines[i]), form(want)
		switch i {
		case 0:
			if !strings.HasSuffix(got, want) {
				return false
			}
		case last:
			if !strings.HasPrefix(got, want) {
				return false
			}
		default:
			if got != want {
				return false
			}
		}
	}
	return true
}

func detailOfTabs(lines, old []string) string {
	file, asked := indentedWith(lines), indentedWith(old)
	if file == asked || file == "" || asked == "" {
		return ""
	}
	return fmt.Sprintf("the file indents with %s, the old text with %s", file, asked)
}

func indentedWith(lines []string) string {
	for _, line := range lines {
		switch {
		case strings.HasPrefix(line, "\t"):
			return "tabs"
		case strings.HasPrefix(line, " "):
			return "spaces"
		}
	}
	return ""
}

// firstDifference names the first line that differs by more than white space,
// with what both sides say. base is the index of lines[0] in the file, -1 when
// the message should not count lines.
func firstDifference(lines, old []string, base, same int) string {
	for i, want := range old {
		if i == len(lines) {
			break
		}
		got := lines[i]
		if got == want || base >= 0 && skeleton(got) == skeleton(want) {
			continue
		}
		said := fmt.Sprintf("the file has %q where the old text has %q", clip(got, 120), clip(want, 120))
		if base >= 0 {
			return fmt.Sprintf("%d of %d lines of the old text are there; on line %d %s", same, len(old), base+i+1, said)
		}
		return "punctuation differs: " + said
	}
	return fmt.Sprintf("%d of %d lines of the old text are there", same, len(old))
}
