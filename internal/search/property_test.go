package search_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/mixagent/mix/internal/search"
)

// TestGrepAsRegexp compares Grep, with its literals, its second engine and its
// buffers, to the standard library on one line after the other.
func TestGrepAsRegexp(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		if n++; n > raceChecks {
			return
		}
		pattern := drawPattern(t)
		fold := rapid.Bool().Draw(t, "ignore case")
		expr := "(?m)" + pattern
		if fold {
			expr = "(?mi)" + pattern
		}
		re, err := regexp.Compile(expr)
		if err != nil {
			t.Skip("not a pattern")
		}
		content := drawContent(t)
		name := fmt.Sprint(n, ".txt")
		put(t, filepath.Join(dir, name), content)
		defer func() { _ = os.Remove(filepath.Join(dir, name)) }()

		o := search.GrepOptions{
			Tree: search.Tree{Root: dir, Path: name}, Pattern: pattern, IgnoreCase: fold, Output: search.OutputContent,
			Before: rapid.SampledFrom([]int{0, 0, 1, 3}).Draw(t, "before"), After: rapid.SampledFrom([]int{0, 0, 1, 3}).Draw(t, "after"),
			Limit: 1 << 20,
		}
		res, err := search.Grep(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		want := naiveGrep(re, content, o.Before, o.After)
		var got []search.Line
		if len(res.Files) > 0 {
			got = res.Files[0].Lines
		}
		if i := firstDifference(got, want); i >= 0 {
			t.Fatalf("%q: line %d of the result differs:\n got %+v\nwant %+v", pattern, i, at(got, i), at(want, i))
		}
	})
}

func naiveGrep(re *regexp.Regexp, content string, before, after int) []search.Line {
	lines := strings.Split(content, "\n")
	if lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	show := make([]int, len(lines)) // 1: context, 2: match
	for i, line := range lines {
		lines[i] = strings.TrimSuffix(line, "\r")
		if !re.MatchString(lines[i]) {
			continue
		}
		for j := max(0, i-before); j <= min(len(lines)-1, i+after); j++ {
			show[j] = max(show[j], 1)
		}
		show[i] = 2
	}
	var out []search.Line
	for i, s := range show {
		if s > 0 {
			out = append(out, search.Line{Number: i + 1, Text: lines[i], Match: s == 2})
		}
	}
	return out
}

func firstDifference(a, b []search.Line) int {
	for i := range max(len(a), len(b)) {
		if i >= len(a) || i >= len(b) || a[i] != b[i] {
			return i
		}
	}
	return -1
}

func at(lines []search.Line, i int) any {
	if i < len(lines) {
		return lines[i]
	}
	return "nothing"
}

func drawPattern(t *rapid.T) string {
	atom := rapid.SampledFrom([]string{
		"foo", "bar", "Error", "a", "k", "sk", "K", "x1", "=", "\\(", "é", "[a-c]", "[^a]", "\\w", "\\d", "\\s", "\\S", ".", "[kK]", "[Ff]oo",
		"^", "$", "\\b", "\\B", "(foo|bar)", "(?:foo|barn|ba)", "(a|)", "(?i:foo)", "[[:upper:]]", "foobar|barfoo", "\\x{17F}", "func",
	})
	suffix := rapid.SampledFrom([]string{"", "", "", "", "*", "+", "?", "{2}", "{1,3}", "*?", "{0,60}"})
	var b strings.Builder
	for range rapid.IntRange(1, 5).Draw(t, "parts") {
		a := atom.Draw(t, "atom")
		if s := suffix.Draw(t, "suffix"); s != "" {
			a = "(?:" + a + ")" + s
		}
		b.WriteString(a)
		if rapid.IntRange(0, 7).Draw(t, "or") == 0 {
			b.WriteByte('|')
		}
	}
	return b.String()
}

func drawLines(t *rapid.T, most int) []string {
	word := rapid.SampledFrom([]string{
		"foo", "bar", "Error", "error", "a", "k", "K", "\u212a", "\u017f", "sk", "SK", " ", "  ", "(", ")", "=", "x1", "é", "É", "FOO", "barfoo", "func", "1", "A", "\t",
	})
	line := rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(word, 0, 6).Draw(t, "words"), "")
	})
	return rapid.SliceOfN(line, 0, most).Draw(t, "lines")
}

// drawContent makes a few lines or, now and then, more than one buffer of them.
func drawContent(t *rapid.T) string {
	lines := drawLines(t, 12)
	if rapid.IntRange(0, 11).Draw(t, "long") == 0 && len(lines) > 0 {
		filler := strings.Repeat("-", rapid.IntRange(1, 100).Draw(t, "filler"))
		gap := slices.Repeat([]string{filler}, rapid.IntRange(250_000, 300_000).Draw(t, "bytes")/(len(filler)+1))
		lines = slices.Concat(lines, gap, lines, gap, lines)
	}
	eol := rapid.SampledFrom([]string{"\n", "\n", "\r\n"}).Draw(t, "eol")
	content := strings.Join(lines, eol)
	if rapid.Bool().Draw(t, "ends") && content != "" {
		content += eol
	}
	return content
}

// TestGrepMultilineAsRegexp compares whole-file matching to the standard library.
func TestGrepMultilineAsRegexp(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		pattern := drawPattern(t) + rapid.SampledFrom([]string{"", `\n`, `\s+`, `(?s:.*)`, `.*?`}).Draw(t, "across") + drawPattern(t)
		re, err := regexp.Compile("(?ms)" + pattern)
		if err != nil {
			t.Skip("not a pattern")
		}
		content := strings.Join(drawLines(t, 40), "\n") + rapid.SampledFrom([]string{"", "\n"}).Draw(t, "end")
		put(t, filepath.Join(dir, "f.txt"), content)
		res, err := search.Grep(t.Context(), search.GrepOptions{
			Tree: search.Tree{Root: dir}, Pattern: pattern, Multiline: true, Output: search.OutputCount,
		})
		if err != nil {
			t.Fatal(err)
		}
		want := 0
		for pos := 0; pos < len(content); {
			m := re.FindStringIndex(content[pos:])
			if m == nil || pos+m[0] == len(content) && strings.HasSuffix(content, "\n") {
				break
			}
			want++
			last := pos + max(m[0], m[1]-1)
			next := strings.IndexByte(content[min(last, len(content)):], '\n')
			if next < 0 {
				break
			}
			pos = last + next + 1
		}
		if res.Matches != want {
			t.Fatalf("%q: %d matches, want %d", pattern, res.Matches, want)
		}
	})
}
