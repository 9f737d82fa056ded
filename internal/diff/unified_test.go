package diff_test

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/mixagent/mix/internal/diff"
)

func TestUnified(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name          string
		before, after string
		want          string
		added, gone   int
	}{
		{"equal", "a\n", "a\n", "", 0, 0},
		{"new file", "", "a\nb\n", "--- /dev/null\n+++ b/f.txt\n@@ -0,0 +1,2 @@\n+a\n+b\n", 2, 0},
		{"emptied", "a\n", "", "--- a/f.txt\n+++ b/f.txt\n@@ -1 +0,0 @@\n-a\n", 0, 1},
		{
			"in the middle", "1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\nfive\n6\n7\n8\n9\n",
			"--- a/f.txt\n+++ b/f.txt\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n", 1, 1,
		},
		{"no line break at the end", "a\nb", "a\nb\n", "--- a/f.txt\n+++ b/f.txt\n@@ -1,2 +1,2 @@\n a\n-b\n\\ No newline at end of file\n+b\n", 1, 1},
		{
			"two hunks", "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n", "0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n",
			"--- a/f.txt\n+++ b/f.txt\n@@ -1,3 +1,4 @@\n+0\n 1\n 2\n 3\n@@ -9,4 +10,3 @@\n 9\n 10\n 11\n-12\n", 1, 1,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := diff.Unified("f.txt", tt.before, tt.after)
			if d.Text != tt.want {
				t.Errorf("diff:\n got %q\nwant %q", d.Text, tt.want)
			}
			if d.Additions != tt.added || d.Removals != tt.gone || d.Truncated {
				t.Errorf("+%d -%d truncated %v, want +%d -%d", d.Additions, d.Removals, d.Truncated, tt.added, tt.gone)
			}
		})
	}
}

func TestUnifiedIsBounded(t *testing.T) {
	t.Parallel()
	var a, b strings.Builder
	for i := range 300_000 {
		fmt.Fprintf(&a, "line %d\n", i)
		fmt.Fprintf(&b, "other %d\n", i*7)
	}
	d := diff.Unified("f.txt", a.String(), b.String())
	if !d.Truncated || d.Additions != 300_000 || d.Removals != 300_000 || len(d.Text) > 1000 {
		t.Errorf("+%d -%d, truncated %v, %d bytes", d.Additions, d.Removals, d.Truncated, len(d.Text))
	}

	d = diff.Unified("f.txt", "", strings.Repeat(strings.Repeat("x", 99)+"\n", 15_000))
	if !d.Truncated || d.Additions != 15_000 || len(d.Text) > 300<<10 || !strings.Contains(d.Text, "too long to show") {
		t.Errorf("+%d, truncated %v, %d bytes", d.Additions, d.Truncated, len(d.Text))
	}
}

// TestUnifiedApplies applies generated diffs by the rules of the format.
func TestUnifiedApplies(t *testing.T) {
	t.Parallel()
	line := rapid.SampledFrom([]string{"a\n", "b\n", "c\n", "\n", "d\r\n", "é\n", "@@ -1 +1 @@\n"})
	rapid.Check(t, func(t *rapid.T) {
		lines := rapid.SliceOfN(line, 0, 40).Draw(t, "before")
		var after []string
		for _, l := range lines {
			switch rapid.IntRange(0, 9).Draw(t, "what") {
			case 0:
			case 1:
				after = append(after, l, line.Draw(t, "more"))
			case 2:
				after = append(after, line.Draw(t, "other"))
			default:
				after = append(after, l)
			}
		}
		end := rapid.SampledFrom([]string{"", "last"})
		a, b := strings.Join(lines, "")+end.Draw(t, "end"), strings.Join(after, "")+end.Draw(t, "end")
		d := diff.Unified("f", a, b)
		got, added, removed, err := apply(a, d.Text)
		if err != nil {
			t.Fatalf("%v in\n%s", err, d.Text)
		}
		if got != b {
			t.Fatalf("applied to %q the diff gives %q, want %q:\n%s", a, got, b, d.Text)
		}
		if added != d.Additions || removed != d.Removals {
			t.Fatalf("+%d -%d, the diff has +%d -%d", d.Additions, d.Removals, added, removed)
		}
	})
}

// apply is a strict reader of unified diffs.
func apply(a, patch string) (result string, added, removed int, err error) {
	old := strings.SplitAfter(a, "\n")
	if old[len(old)-1] == "" {
		old = old[:len(old)-1]
	}
	var out []string
	at := 0
	lines := strings.SplitAfter(patch, "\n")
	for i := 0; i < len(lines) && lines[i] != ""; i++ {
		if i < 2 {
			continue // the names
		}
		from, fromN, to, toN, err := header(lines[i])
		if err != nil {
			return "", 0, 0, err
		}
		for at < from {
			out = append(out, old[at])
			at++
		}
		if len(out) != to {
			return "", 0, 0, fmt.Errorf("header %q: %d lines written so far", lines[i], len(out))
		}
		for fromN > 0 || toN > 0 {
			i++
			kind, text := lines[i][0], lines[i][1:]
			if strings.HasPrefix(lines[i+1], `\`) {
				text = strings.TrimSuffix(text, "\n")
				i++
			}
			if kind != '+' {
				if old[at] != text {
					return "", 0, 0, fmt.Errorf("line %d is %q, the diff says %q", at+1, old[at], text)
				}
				at++
				fromN--
			}
			if kind != '-' {
				out = append(out, text)
				toN--
			}
			switch kind {
			case '+':
				added++
			case '-':
				removed++
			}
		}
	}
	out = append(out, old[at:]...)
	return strings.Join(out, ""), added, removed, nil
}

// header reads "@@ -1,2 +3 @@" as counts of lines before the hunk and in it.
func header(s string) (from, fromN, to, toN int, err error) {
	fields := strings.Fields(s)
	if len(fields) != 4 || fields[0] != "@@" || fields[3] != "@@" {
		return 0, 0, 0, 0, fmt.Errorf("bad header %q", s)
	}
	read := func(s string) (at, n int) {
		if k, _ := fmt.Sscanf(s, "%d,%d", &at, &n); k < 2 {
			n = 1
		}
		if n > 0 {
			at--
		}
		return at, n
	}
	from, fromN = read(strings.TrimPrefix(fields[1], "-"))
	to, toN = read(strings.TrimPrefix(fields[2], "+"))
	return from, fromN, to, toN, nil
}

func BenchmarkUnifiedWorstCase(b *testing.B) {
	var x, y strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&x, "line %d of one\n", i)
		fmt.Fprintf(&y, "line %d of the other\n", i*31%20_000)
	}
	for b.Loop() {
		diff.Unified("f.txt", x.String(), y.String())
	}
}
