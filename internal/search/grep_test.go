package search_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"unicode/utf16"

	"github.com/mixagent/mix/internal/search"
)

const sample = `
-- main.go --
package main

func main() {
	run()
}
-- lib/run.go --
package lib

// Run runs.
func Run() error {
	return nil
}
-- lib/run_test.go --
package lib

func TestRun(t *testing.T) {}
-- web/app.ts --
function run(): void {}
-- web/App.tsx --
export function Run() {}
-- .github/ci.yml --
run: go test
-- .env --
RUN=1
`

func TestGrepFiles(t *testing.T) {
	t.Parallel()
	dir := writeTree(t, sample)
	touch(t, filepath.Join(dir, "web", "app.ts"), 10)
	touch(t, filepath.Join(dir, "main.go"), 20)
	for _, tt := range []struct {
		name string
		o    search.GrepOptions
		want []string
	}{
		{"newest first, then by path", search.GrepOptions{Pattern: "run|Run"}, []string{"main.go", "web/app.ts", "lib/run.go", "lib/run_test.go", "web/App.tsx"}},
		{"ignore case", search.GrepOptions{Pattern: "RUN", IgnoreCase: true, Glob: "*.tsx"}, []string{"web/App.tsx"}},
		{"type", search.GrepOptions{Pattern: "run", Type: "ts", IgnoreCase: true}, []string{"web/app.ts", "web/App.tsx"}},
		{"extension as type", search.GrepOptions{Pattern: "run", Type: "tsx", IgnoreCase: true}, []string{"web/App.tsx"}},
		{"glob on names", search.GrepOptions{Pattern: "package", Glob: "*_test.go"}, []string{"lib/run_test.go"}},
		{"globs and exclusion", search.GrepOptions{Pattern: ".", Glob: "*.{go,ts} !*_test.go"}, []string{"main.go", "web/app.ts", "lib/run.go"}},
		{"excluded directory", search.GrepOptions{Pattern: ".", Glob: "!lib, !web/"}, []string{"main.go"}},
		{"glob on paths", search.GrepOptions{Pattern: ".", Glob: "lib/*.go"}, []string{"lib/run.go", "lib/run_test.go"}},
		{"glob at the top", search.GrepOptions{Pattern: "package", Glob: "/*.go"}, []string{"main.go"}},
		{"path", search.GrepOptions{Pattern: "package", Tree: search.Tree{Path: "lib"}}, []string{"lib/run.go", "lib/run_test.go"}},
		{"path and glob below it", search.GrepOptions{Pattern: ".", Tree: search.Tree{Path: "lib"}, Glob: "/run.go"}, []string{"lib/run.go"}},
		{"path of a file", search.GrepOptions{Pattern: "package", Tree: search.Tree{Path: "lib/run.go"}, Glob: "*.ts"}, []string{"lib/run.go"}},
		{"hidden by option", search.GrepOptions{Pattern: "(?i)^run[:=]", Tree: search.Tree{Hidden: true}}, []string{".env", ".github/ci.yml"}},
		{"hidden by glob", search.GrepOptions{Pattern: "run", Glob: "{.github,x}/**"}, []string{".github/ci.yml"}},
		{"hidden by name", search.GrepOptions{Pattern: "RUN", Glob: ".env*"}, []string{".env"}},
		{"hidden by path", search.GrepOptions{Pattern: "run", Tree: search.Tree{Path: ".github"}}, []string{".github/ci.yml"}},
		{"nothing", search.GrepOptions{Pattern: "nowhere to be found"}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.o.Root, tt.o.GlobalIgnore = dir, os.DevNull
			res := grep(t, tt.o)
			equal(t, "files", matchedPaths(res), tt.want)
			if res.FileCount != len(tt.want) || res.Matches != len(tt.want) || res.Truncated {
				t.Errorf("FileCount %d, Matches %d, Truncated %v for %d files", res.FileCount, res.Matches, res.Truncated, len(tt.want))
			}
		})
	}
}

func TestGrepContent(t *testing.T) {
	t.Parallel()
	dir := writeTree(t, `
-- b.txt --
one
two match
three
four
five
six match
seven match
eight
-- a.txt --
match
x
-- crlf.txt --
`)
	writeFile(t, filepath.Join(dir, "crlf.txt"), "first\r\nthe end\r\nno end \r\n")
	for _, tt := range []struct {
		name    string
		o       search.GrepOptions
		numbers bool
		want    string
		matches int
	}{
		{"plain, in path order", search.GrepOptions{Pattern: "match"}, false, "a.txt:match\nb.txt:two match\nb.txt:six match\nb.txt:seven match\n", 4},
		{"numbers", search.GrepOptions{Pattern: "^match|seven"}, true, "a.txt:1:match\nb.txt:7:seven match\n", 2},
		{
			"context",
			search.GrepOptions{Pattern: "match", Before: 1, After: 1, Glob: "b.txt"},
			true,
			"b.txt-1-one\nb.txt:2:two match\nb.txt-3-three\n--\nb.txt-5-five\nb.txt:6:six match\nb.txt:7:seven match\nb.txt-8-eight\n", 3,
		},
		{
			"context that meets",
			search.GrepOptions{Pattern: "match", Before: 2, After: 2, Glob: "b.txt"},
			true,
			"b.txt-1-one\nb.txt:2:two match\nb.txt-3-three\nb.txt-4-four\nb.txt-5-five\nb.txt:6:six match\nb.txt:7:seven match\nb.txt-8-eight\n", 3,
		},
		{"gap between files", search.GrepOptions{Pattern: "^(match|one)", After: 1}, true, "a.txt:1:match\na.txt-2-x\n--\nb.txt:1:one\nb.txt-2-two match\n", 2},
		{"end of a line with a carriage return", search.GrepOptions{Pattern: "end$"}, true, "crlf.txt:2:the end\n", 1},
		{"the same without a literal", search.GrepOptions{Pattern: `\w\w$`, Glob: "crlf.txt"}, true, "crlf.txt:1:first\ncrlf.txt:2:the end\n", 2},
		{"multiline", search.GrepOptions{Pattern: `two.*four`, Multiline: true}, true, "b.txt:2:two match\nb.txt:3:three\nb.txt:4:four\n", 1},
		{"multiline with a class", search.GrepOptions{Pattern: `match\s+\w+ match`, Multiline: true}, true, "b.txt:6:six match\nb.txt:7:seven match\n", 1},
		{"multiline with carriage returns", search.GrepOptions{Pattern: `first$\s+^the`, Multiline: true}, true, "crlf.txt:1:first\ncrlf.txt:2:the end\n", 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.o.Tree, tt.o.Output = tree(dir), search.OutputContent
			res := grep(t, tt.o)
			if got := res.Content(tt.numbers); got != tt.want {
				t.Errorf("content:\n got %q\nwant %q", got, tt.want)
			}
			if res.Matches != tt.matches {
				t.Errorf("%d matches, want %d", res.Matches, tt.matches)
			}
		})
	}
}

func TestGrepCountAndLimits(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for i := range 50 {
		fmt.Fprintf(&b, "-- f%02d.txt --\n%s", i, strings.Repeat("hit\nmiss\n", i%3+1))
	}
	dir := writeTree(t, b.String())
	for i := range 50 {
		touch(t, filepath.Join(dir, fmt.Sprintf("f%02d.txt", i)), i)
	}

	res := grep(t, search.GrepOptions{Tree: tree(dir), Pattern: "hit", Output: search.OutputCount})
	if res.Matches != 99 || res.FileCount != 50 || len(res.Files) != 50 || res.Files[1].Count != 2 || res.Truncated {
		t.Errorf("count: %d matches in %d files, %d listed, second has %d, truncated %v", res.Matches, res.FileCount, len(res.Files), res.Files[1].Count, res.Truncated)
	}

	res = grep(t, search.GrepOptions{Tree: tree(dir), Pattern: "hit", Limit: 3})
	equal(t, "the newest", matchedPaths(res), []string{"f49.txt", "f48.txt", "f47.txt"})
	if res.FileCount != 50 || !res.Truncated {
		t.Errorf("FileCount %d, Truncated %v", res.FileCount, res.Truncated)
	}

	res = grep(t, search.GrepOptions{Tree: tree(dir), Pattern: "hit", Limit: 4, Output: search.OutputContent})
	if got, want := res.Content(true), "f00.txt:1:hit\nf01.txt:1:hit\nf01.txt:3:hit\nf02.txt:1:hit\n"; got != want {
		t.Errorf("first lines:\n got %q\nwant %q", got, want)
	}
	if res.Matches != 99 || res.FileCount != 50 || !res.Truncated {
		t.Errorf("Matches %d, FileCount %d, Truncated %v: totals must not depend on the limit", res.Matches, res.FileCount, res.Truncated)
	}

	res = grep(t, search.GrepOptions{Tree: tree(dir), Pattern: "hit", Limit: 99, Output: search.OutputContent})
	if res.Truncated {
		t.Error("all 99 lines fit but the result says it was cut")
	}
}

func TestGrepFileContents(t *testing.T) {
	t.Parallel()
	dir := writeTree(t, "-- last.txt --\nneedle\n")
	utf16le := []byte{0xff, 0xfe}
	for _, u := range utf16.Encode([]rune("first\r\nüber needle\r\n")) {
		utf16le = append(utf16le, byte(u), byte(u>>8))
	}
	long := strings.Repeat("x", 500_000) + "needle" + strings.Repeat("y", 400_000)
	for name, content := range map[string]string{
		"bom.txt":       "\xef\xbb\xbfneedle first",
		"utf16.txt":     string(utf16le),
		"binary":        "needle\x00",
		"late.bin":      "needle\n" + strings.Repeat("text\n", 4000) + "\x00needle\n",
		"latin1.txt":    "caf\xe9 needle\n",
		"empty.txt":     "",
		"noeol.txt":     "a\nneedle",
		"long.txt":      "short\n" + long + "\nneedle again\n",
		"longer.txt":    strings.Repeat("z", 3<<20) + "needle" + strings.Repeat("z", 3<<20) + "needle\nneedle\n",
		"many-lines.md": strings.Repeat("line\n", 300_000) + "needle\n",
	} {
		writeFile(t, filepath.Join(dir, name), content)
	}
	for _, pattern := range []string{"needle", "n[e]{2}d(l|x)e", "[m-o]eed[a-z]{2}"} {
		res := grep(t, search.GrepOptions{Tree: tree(dir), Pattern: pattern, Output: search.OutputContent, MaxLine: 40})
		want := "bom.txt:1:needle first\n" +
			"last.txt:1:needle\n" +
			"late.bin:1:needle\n" +
			"latin1.txt:1:caf\uFFFD needle\n" +
			"long.txt:2:[499990 bytes cut] xxxxxxxxxxneedleyyyyyyyyyyyyyyyyyyyyyyyy [399976 bytes cut]\n" +
			"long.txt:3:needle again\n"
		got := res.Content(true)
		if !strings.HasPrefix(got, want) {
			t.Errorf("%s:\n got %q\nwant %q", pattern, got, want)
		}
		for _, line := range []string{"longer.txt:2:needle\n", "many-lines.md:300001:needle\n", "noeol.txt:2:needle\n", "utf16.txt:2:über needle\n"} {
			if !strings.Contains(got, line) {
				t.Errorf("%s: no %q in %q", pattern, line, got)
			}
		}
		if n := strings.Count(got, "longer.txt:1:"); n != 1 {
			t.Errorf("%s: the first line of longer.txt is there %d times", pattern, n)
		}
		if res.Binary != 2 {
			t.Errorf("%s: %d binary files, want 2", pattern, res.Binary)
		}
	}
}

func TestGrepPatternErrors(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for pattern, want := range map[string]string{
		"":             "empty",
		"a(b":          `missing closing ): a(b (at character 1); write \( and \)`,
		"x[a":          `missing closing ]: [a (at character 2)`,
		"*a":           `write \*`,
		`foo(?=bar)`:   "look-around does not exist",
		`(?<!a)b`:      "look-around does not exist",
		`(a)\1`:        "back-references do not exist",
		`a{2000}`:      "at most 1000",
		`a\`:           `write \\`,
		`one\ntwo`:     "(at character 4); set multiline",
		"one\ntwo":     "set multiline",
		`\8`:           "back-references",
		"é(":           "(at character 1)",
		"\xff":         "UTF-8",
		`(?P<n>a)(?P`:  "RE2",
		`(?>atomic)`:   "no atomic groups",
		`[[:nothing:]`: "at character 2",
	} {
		_, err := search.Grep(context.Background(), search.GrepOptions{Tree: tree(dir), Pattern: pattern})
		var bad *search.PatternError
		if !errors.As(err, &bad) {
			t.Errorf("%q: error %v is not a PatternError", pattern, err)
			continue
		}
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %q does not say %q", pattern, err, want)
		}
	}
	for _, pattern := range []string{`interface{}`, `\p{Greek}+`, `\p{Letter}`, `(?<name>a)`, `a\/b\"\_`, `\x{1F600}`, `^$`, `{`, `a{,3}`, `}`, `]`, `\bfoo\B`, `(?i)x(?-i)y`, `[^a]`} {
		if _, err := search.Grep(context.Background(), search.GrepOptions{Tree: tree(dir), Pattern: pattern}); err != nil {
			t.Errorf("%q: %v", pattern, err)
		}
	}
}

func TestGrepBadOptions(t *testing.T) {
	t.Parallel()
	dir := writeTree(t, "-- in/a.txt --\nx\n-- out/b.txt --\nx\n")
	root := filepath.Join(dir, "in")
	for name, tt := range map[string]struct {
		o    search.GrepOptions
		want string
	}{
		"type":          {search.GrepOptions{Tree: tree(root), Pattern: "x", Type: "klingon"}, `unknown file type "klingon"`},
		"glob":          {search.GrepOptions{Tree: tree(root), Pattern: "x", Glob: "[a"}, "glob \"[a\" is not valid"},
		"output":        {search.GrepOptions{Tree: tree(root), Pattern: "x", Output: "lines"}, "unknown output mode"},
		"limit":         {search.GrepOptions{Tree: tree(root), Pattern: "x", Limit: -1}, "negative"},
		"relative root": {search.GrepOptions{Tree: search.Tree{Root: "in"}, Pattern: "x"}, "absolute"},
		"no such path":  {search.GrepOptions{Tree: search.Tree{Root: root, Path: "nope"}, Pattern: "x"}, "there is no file or directory"},
		"above":         {search.GrepOptions{Tree: search.Tree{Root: root, Path: "../out"}, Pattern: "x"}, "outside"},
		"elsewhere":     {search.GrepOptions{Tree: search.Tree{Root: root, Path: filepath.Join(dir, "out")}, Pattern: "x"}, "outside"},
		"skipped": {
			search.GrepOptions{Tree: search.Tree{Root: root, Path: "a.txt", Skip: func(p string) bool { return filepath.Base(p) == "a.txt" }}, Pattern: "x"},
			"must not be searched",
		},
	} {
		_, err := search.Grep(context.Background(), tt.o)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v does not say %q", name, err, tt.want)
		}
		if (name == "above" || name == "elsewhere") && !errors.Is(err, search.ErrOutside) {
			t.Errorf("%s: error %v is not ErrOutside", name, err)
		}
	}
}

func TestGrepSkip(t *testing.T) {
	t.Parallel()
	dir := writeTree(t, "-- a.txt --\nx\n-- secret/b.txt --\nx\n-- key --\nx\n")
	o := search.GrepOptions{Tree: tree(dir), Pattern: "x"}
	o.Skip = func(p string) bool { return p == filepath.Join(dir, "secret") || p == filepath.Join(dir, "key") }
	equal(t, "files", matchedPaths(grep(t, o)), []string{"a.txt"})
}

func TestGrepCancel(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for i := range 200 {
		fmt.Fprintf(&b, "-- d%d/f.txt --\nneedle\n", i)
	}
	dir := writeTree(t, b.String())
	ctx, cancel := context.WithCancelCause(context.Background())
	stop := errors.New("the person pressed escape")
	o := search.GrepOptions{Tree: tree(dir), Pattern: "needle"}
	o.Skip = func(p string) bool {
		if strings.HasSuffix(p, "f.txt") {
			cancel(stop)
		}
		return false
	}
	res, err := search.Grep(ctx, o)
	if !errors.Is(err, stop) {
		t.Errorf("error %v, want the cause of the cancellation", err)
	}
	if res.FileCount > 100 {
		t.Errorf("%d files were searched after the cancellation", res.FileCount)
	}
	if _, err := search.Glob(ctx, search.GlobOptions{Tree: tree(dir), Pattern: "**"}); !errors.Is(err, stop) {
		t.Errorf("Glob: error %v", err)
	}
}

// countdown is a context that ends when it was asked so many times.
type countdown struct {
	context.Context
	left atomic.Int64
}

func (c *countdown) Err() error {
	if c.left.Add(-1) < 0 {
		return context.Canceled
	}
	return nil
}

// TestGrepCancelWithinLine: an expression that takes microseconds for each
// character is stopped in the middle of a line.
func TestGrepCancelWithinLine(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "f.txt"), strings.Repeat("abcdefghij", 5000))
	for _, multiline := range []bool{false, true} {
		ctx := &countdown{Context: context.Background()}
		ctx.left.Store(20)
		_, err := search.Grep(ctx, search.GrepOptions{
			Tree: tree(dir), Pattern: `(.{0,200}[a-f]){3}.{0,200}[0-9]`, Multiline: multiline,
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("multiline %v: error %v", multiline, err)
		}
	}
}

// TestGrepMemory is not parallel: it measures what the process allocates.
func TestGrepMemory(t *testing.T) {
	dir := t.TempDir()
	for _, f := range []struct{ name, piece string }{{"lines.txt", "some text of a line\n"}, {"one-line.json", "[1, 2, 3], "}} {
		piece := strings.Repeat(f.piece, 1<<20/len(f.piece))
		out, err := os.Create(filepath.Join(dir, f.name))
		if err != nil {
			t.Fatal(err)
		}
		for range 96 {
			if _, err := out.WriteString(piece); err != nil {
				t.Fatal(err)
			}
		}
		if err := out.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for _, pattern := range []string{"nowhere", "nowhere|text|3"} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		res := grep(t, search.GrepOptions{Tree: tree(dir), Pattern: pattern, Output: search.OutputContent, Limit: 10})
		runtime.ReadMemStats(&after)
		if got := (after.TotalAlloc - before.TotalAlloc) >> 20; got > 16 {
			t.Errorf("%q: %d MiB allocated for files of 96 MiB", pattern, got)
		}
		if res.Searched != 2 {
			t.Errorf("%d files searched", res.Searched)
		}
	}
}
