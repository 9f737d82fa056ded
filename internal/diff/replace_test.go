package diff_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/mixagent/mix/internal/diff"
)

func TestReplace(t *testing.T) {
	t.Parallel()
	const bom = "\uFEFF"
	for _, tt := range []struct {
		name               string
		content, old, with string
		all                bool
		want               string
		lines              []int
	}{
		{"one place", "a\nb\nc\n", "b", "B", false, "a\nB\nc\n", []int{2}},
		{"no line break at the end", "a\nb", "b", "c", false, "a\nc", []int{2}},
		{"delete", "a\nb\nc\n", "b\n", "", false, "a\nc\n", []int{2}},
		{"all", "x y x\nx\n", "x", "zz", true, "zz y zz\nzz\n", []int{1, 1, 2}},
		{"all, not overlapping", "aaaa", "aa", "b", true, "bb", []int{1, 1}},
		{"carriage returns", "a\r\nb\r\nc\r\n", "a\nb", "a\nx\nb", false, "a\r\nx\r\nb\r\nc\r\n", []int{1}},
		{"new lines within a line", "a\r\nb\r\n", "b", "b\nc", false, "a\r\nb\r\nc\r\n", []int{2}},
		{"new text with carriage returns", "a\r\nb\r\n", "a\r\nb", "x\r\ny", false, "x\r\ny\r\n", []int{1}},
		{"old text with carriage returns, file without", "a\nb\n", "a\r\nb", "x\r\ny", false, "x\ny\n", []int{1}},
		{"carriage returns asked for", "a\nb\n", "a", "a\r\nx", false, "a\r\nx\nb\n", []int{1}},
		{"mixed endings, untouched lines", "a\nb\r\nc\nd\r\n", "b\nc\nd", "b\nC\nd", false, "a\nb\r\nC\nd\r\n", []int{2}},
		{"mixed endings, line by line", "a\r\nb\nc\r\n", "a\nb\nc", "x\ny\nz", false, "x\r\ny\nz\r\n", []int{1}},
		{"all with carriage returns", "x\r\ny\r\nx\r\n", "x\n", "z\n\n", true, "z\r\n\r\ny\r\nz\r\n\r\n", []int{1, 3}},
		{"byte order mark", bom + "a\nb\n", "a", "x", false, bom + "x\nb\n", []int{1}},
		{"byte order mark in the old text", bom + "a\nb\n", bom + "a", bom + "x", false, bom + "x\nb\n", []int{1}},
		{"not UTF-8", "caf\xe9 \xff\nb", "b", "c", false, "caf\xe9 \xff\nc", []int{2}},
		{"dollar signs are text", "a", "a", "$1\\0", false, "$1\\0", []int{1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			res, err := diff.Replace(tt.content, tt.old, tt.with, tt.all)
			if err != nil {
				t.Fatal(err)
			}
			if res.Content != tt.want {
				t.Errorf("content %q, want %q", res.Content, tt.want)
			}
			if !slices.Equal(res.Lines, tt.lines) || res.Count != len(tt.lines) {
				t.Errorf("%d places on lines %v, want lines %v", res.Count, res.Lines, tt.lines)
			}
		})
	}
}

func TestReplaceErrors(t *testing.T) {
	t.Parallel()
	const source = "package main\n\nfunc main() {\n\tfmt.Println(\"hello\")\n\tos.Exit(0)\n}\n\nfunc other() {\n\tfmt.Println(“quoted”)\n\treturn a<b && c\n}\n"
	for _, tt := range []struct {
		name         string
		content, old string
		kind         diff.EditErrorKind
		says         []string
	}{
		{"empty", source, "", diff.BlankOld, []string{"only white space"}},
		{"blank", source, " \n\t\r\n", diff.BlankOld, []string{"only white space"}},
		{"same", source, "new", diff.SameText, []string{"nothing to change"}},
		{"twice", source, "fmt.Println", diff.Ambiguous, []string{"2 times", "lines 4, 9", "replace all"}},
		{"overlapping", "aaa", "aa", diff.Ambiguous, []string{"2 times"}},
		{"very often", strings.Repeat("ab\n", 500), "ab", diff.Ambiguous, []string{"more than 100 times", "20, …"}},
		{
			"indentation", source, "func main() {\n    fmt.Println(\"hello\")\n", diff.NotFound,
			[]string{"lines 3 to 4", "indentation differs", "the file indents with tabs, the old text with spaces", "     4\t\tfmt.Println(\"hello\")\n"},
		},
		{"white space at the end", source, "os.Exit(0)  \n}", diff.NotFound, []string{"lines 5 to 6", "white space at the end of lines differs"}},
		{"white space within", source, "func  main()  {", diff.NotFound, []string{"line 3:", "white space differs"}},
		{"quotes", source, `fmt.Println("quoted")`, diff.NotFound, []string{"line 9", "typographic"}},
		{"case", source, "FMT.println(\"hello\")", diff.NotFound, []string{"line 4", "upper and lower case differ"}},
		{"punctuation", source, "fmt.Println('hello');", diff.NotFound, []string{"line 4", "punctuation differs: the file has"}},
		{"line numbers", source, "     4\tfmt.Println(\"hello\")\n", diff.NotFound, []string{"line"}},
		{"line numbers of a listing", source, "     4\t\tfmt.Println(\"hello\")\n     5\t\tos.Exit(0)\n", diff.NotFound, []string{"lines 4 to 5", "line numbers in front"}},
		{"escapes", source, `func main() {\n\tfmt.Println("hello")`, diff.NotFound, []string{"lines 3 to 4", `escapes such as \n`}},
		{"markup", source, "return a&lt;b &amp;&amp; c", diff.NotFound, []string{"line 10", "&lt;"}},
		{
			"a line in between", source, "func main() {\n\tfmt.Println(\"hello\")\n\tlog.Fatal(1)\n}", diff.NotFound,
			[]string{"lines 3 to 6", "of 4 lines of the old text are there; on line 5 the file has", "log.Fatal(1)"},
		},
		{"unseen characters", "a\nfunc\u200b main() {\n}", "func main() {", diff.NotFound, []string{"line 2", `the file has characters that are not seen: "func\u200b main() {"`}},
		{"unseen characters asked for", source, "func main\u202e() {", diff.NotFound, []string{"line 3", `the old text has characters that are not seen: "func main\u202e() {"`}},
		{"similar line", source, "\tfmt.Printn(\"hallo\")", diff.NotFound, []string{"line 4", "resembles"}},
		{"nothing like it", source, "SELECT 1 FROM dual WHERE zzz", diff.NotFound, []string{"read the file again"}},
		{"empty file", "", "x", diff.NotFound, []string{"read the file again"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := diff.Replace(tt.content, tt.old, "new", false)
			var e *diff.EditError
			if !errors.As(err, &e) || e.Kind != tt.kind {
				t.Fatalf("error %v, want an EditError of kind %d", err, tt.kind)
			}
			for _, s := range tt.says {
				if !strings.Contains(err.Error(), s) {
					t.Errorf("error does not say %q:\n%v", s, err)
				}
			}
		})
	}
}

// TestReplaceErrorIsBounded: neither a huge file nor huge lines make a huge message.
func TestReplaceErrorIsBounded(t *testing.T) {
	t.Parallel()
	content := strings.Repeat(strings.Repeat("word ", 10_000)+"\n", 200) + strings.Repeat("more\n", 100_000)
	old := strings.ToUpper(strings.Repeat(strings.Repeat("word ", 10_000)+"\n", 60))
	_, err := diff.Replace(content, old, "new", false)
	var e *diff.EditError
	if !errors.As(err, &e) || e.Nearest == nil || !e.Partly {
		t.Fatalf("error %T without a nearest text", err)
	}
	if n := len(err.Error()); n > 10_000 {
		t.Errorf("a message of %d bytes", n)
	}
}

// checkReplace checks what holds for every replacement that was made.
func checkReplace(t interface{ Fatalf(string, ...any) }, content, old, with string, all bool, res diff.Result) {
	lf := func(s string) string { return strings.ReplaceAll(s, "\r\n", "\n") }
	text, isMarked := strings.CutPrefix(content, "\uFEFF")
	old, with = strings.TrimPrefix(old, "\uFEFF"), strings.TrimPrefix(with, "\uFEFF")
	got, stillMarked := strings.CutPrefix(res.Content, "\uFEFF")
	if isMarked && !stillMarked {
		t.Fatalf("the byte order mark is gone")
	}
	if !isMarked {
		got = res.Content
	}
	n := 1
	if all {
		n = -1
	}
	if want := strings.Replace(lf(text), lf(old), lf(with), n); lf(got) != want {
		t.Fatalf("content %q, want %q but for line endings", got, want)
	}
	if !strings.Contains(content, "\r\n") && !strings.Contains(old, "\r\n") {
		if want := strings.Replace(text, old, with, n); got != want {
			t.Fatalf("content %q, want exactly %q", got, want)
		}
	}
	if all {
		return
	}
	// Every byte before and after the replaced text is as it was.
	at := strings.Index(lf(text), lf(old))
	before, after := rawLength(text, at), rawLength(text, at+len(lf(old)))
	if !strings.HasPrefix(got, text[:before]) || !strings.HasSuffix(got, text[after:]) {
		t.Fatalf("bytes outside of %q changed: %q became %q", text[before:after], text, got)
	}
}

// rawLength is how many bytes of s are its first n without "\r" before "\n".
func rawLength(s string, n int) int {
	i := 0
	for ; n > 0; n-- {
		if strings.HasPrefix(s[i:], "\r\n") {
			i++
		}
		i++
	}
	return i
}

func TestReplaceProperties(t *testing.T) {
	t.Parallel()
	piece := rapid.SampledFrom([]string{"a", "b", "ab", " ", "\t", "\n", "\n", "\r\n", "\r\n", "é", "x1", "\uFEFF", "}", "aa"})
	join := func(t *rapid.T, label string, most int) string {
		return strings.Join(rapid.SliceOfN(piece, 0, most).Draw(t, label), "")
	}
	rapid.Check(t, func(t *rapid.T) {
		content := join(t, "before", 12)
		old := join(t, "old", 5)
		copies := rapid.IntRange(0, 2).Draw(t, "copies")
		for range copies {
			content += old + join(t, "between", 6)
		}
		if rapid.Bool().Draw(t, "one kind of line ending") {
			content = strings.ReplaceAll(strings.ReplaceAll(content, "\r\n", "\n"), "\n", "\r\n")
		}
		with := join(t, "with", 6)
		all := rapid.Bool().Draw(t, "all")
		res, err := diff.Replace(content, old, with, all)
		if err != nil {
			var e *diff.EditError
			if !errors.As(err, &e) || err.Error() == "" {
				t.Fatalf("error %v", err)
			}
			return
		}
		checkReplace(t, content, old, with, all, res)
		if !strings.Contains(strings.ReplaceAll(content, "\r\n", ""), "\n") && strings.Contains(content, "\r\n") {
			if strings.Contains(strings.ReplaceAll(res.Content, "\r\n", ""), "\n") {
				t.Fatalf("a file with \\r\\n only got another line ending: %q", res.Content)
			}
		}
	})
}

func FuzzReplace(f *testing.F) {
	f.Add("a\r\nb\nc", "b\n", "x\ny\n", false)
	f.Add("\uFEFFone two two", "two", "", true)
	f.Add("   12\tif x {\n", "if  x {", "{", false)
	f.Add("&lt;\\n\"", "<", "“", false)
	f.Fuzz(func(t *testing.T, content, old, with string, all bool) {
		res, err := diff.Replace(content, old, with, all)
		if err != nil {
			var e *diff.EditError
			if !errors.As(err, &e) || err.Error() == "" {
				t.Fatalf("error %v", err)
			}
			return
		}
		if strings.TrimSpace(old) == "" {
			t.Fatal("a blank old text matched")
		}
		// A lone carriage return can become part of a line ending when what
		// follows it is replaced; then the comparison below has no meaning.
		for _, s := range []string{content, old, with} {
			if strings.Contains(strings.ReplaceAll(s, "\r\n", ""), "\r") {
				return
			}
		}
		checkReplace(t, content, old, with, all, res)
	})
}

func BenchmarkReplace50MB(b *testing.B) {
	line := "some line of text that is about as long as lines are in programs\n"
	for name, content := range map[string]string{
		"lf":   strings.Repeat(line, 50<<20/len(line)) + "the last line\n",
		"crlf": strings.Repeat(line[:len(line)-1]+"\r\n", 50<<20/len(line)) + "the last line\r\n",
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				res, err := diff.Replace(content, "the last line\n", "the very last line\nof all\n", false)
				if err != nil {
					b.Fatal(err)
				}
				diff.Unified("big.txt", content, res.Content)
			}
		})
	}
	b.Run("not found", func(b *testing.B) {
		content := strings.Repeat(line, 50<<20/len(line))
		for b.Loop() {
			if _, err := diff.Replace(content, "the  LAST line\nof all", "x", false); err == nil {
				b.Fatal("found")
			}
		}
	})
}
