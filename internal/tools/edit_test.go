package tools_test

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/tools"
)

func (p place) seen(name string) {
	p.t.Helper()
	p.must(tools.ReadText(), args{"file_path": name})
}

func TestEdit(t *testing.T) {
	t.Parallel()
	p := newPlace(t, map[string]string{"a.go": "package a\n\nfunc one() {}\nfunc two() {}\n"})
	p.seen("a.go")
	out, err := p.call(tools.Edit(), args{"file_path": "a.go", "old_string": "func two() {}\n", "new_string": "func two() {\n\tone()\n}\n"})
	if err != nil {
		t.Fatal(err)
	}
	if got := p.read("a.go"); got != "package a\n\nfunc one() {}\nfunc two() {\n\tone()\n}\n" {
		t.Errorf("%q", got)
	}
	if out.Text != "Edited a.go at line 4 (3 lines added, 1 removed)." {
		t.Error(out.Text)
	}
	r := result(t, out)
	for _, want := range []string{`"message":"Edited a.go`, `"diff":"--- a/a.go\n+++ b/a.go\n`, `-func two() {}\n+func two() {\n+\tone()\n+}\n`, `"additions":3`, `"removals":1`} {
		if !strings.Contains(r, want) {
			t.Errorf("%s has no %s", r, want)
		}
	}
	// The session knows what it wrote: no reading again.
	p.must(tools.Edit(), args{"file_path": "a.go", "old_string": "func one() {}\n", "new_string": ""})
	p.must(tools.Edit(), args{"file_path": "a.go", "old_string": "one", "new_string": "two", "replace_all": true})
	if got := p.read("a.go"); got != "package a\n\nfunc two() {\n\ttwo()\n}\n" {
		t.Errorf("%q", got)
	}
}

func TestEditPlanShowsTheDiff(t *testing.T) {
	t.Parallel()
	p := newPlace(t, map[string]string{"a": "one\n"})
	in := args{"file_path": "a", "old_string": "one", "new_string": "two"}
	plan, err := p.plan(tools.Edit(), in)
	if err != nil || plan.Doomed == nil || !strings.Contains(plan.Doomed.Error(), "has not been read") || plan.Diff != "" {
		t.Errorf("%v %+v", err, plan)
	}
	p.seen("a")
	plan, err = p.plan(tools.Edit(), in)
	if err != nil || plan.Doomed != nil || !strings.Contains(plan.Diff, "-one\n+two\n") {
		t.Errorf("%v %+v", err, plan)
	}
	if a := plan.Accesses; len(a) != 1 || a[0].Can != domain.CanWrite || a[0].Path != p.path("a") {
		t.Errorf("%+v", a)
	}
	if p.read("a") != "one\n" {
		t.Error("planning changed the file")
	}
	in["old_string"] = "absent"
	if plan, err = p.plan(tools.Edit(), in); err != nil || plan.Doomed == nil {
		t.Errorf("%v %+v", err, plan)
	}
}

// TestPlanTellsNothingOfForeignFiles: before anybody was asked, a call learns
// nothing about files outside of the directory, not even that they exist.
func TestPlanTellsNothingOfForeignFiles(t *testing.T) {
	t.Parallel()
	p := newPlace(t, nil)
	p.write("../foreign", "secret\n")
	for _, tool := range []tools.Tool{tools.Edit(), tools.Write()} {
		var told [2]string
		for i, name := range []string{"../foreign", "../absentee"} {
			plan, err := p.plan(tool, args{"file_path": name, "old_string": "x", "new_string": "y", "content": "y"})
			must(t, err)
			if plan.Doomed != nil {
				told[i] = strings.ReplaceAll(plan.Doomed.Error(), filepath.Base(name), "")
			}
			if strings.Contains(plan.Diff, "secret") {
				t.Errorf("%s shows %s", tool.Name(), plan.Diff)
			}
		}
		if told[0] != told[1] {
			t.Errorf("%s tells a file from none: %q", tool.Name(), told)
		}
	}
	p.fails(tools.Write(), args{"file_path": "../foreign", "content": "y"}, "has not been read")
}

func TestEditRefuses(t *testing.T) {
	t.Parallel()
	p := newPlace(t, map[string]string{
		"unread":  "x\n",
		"changed": "x\n",
		"a.go":    "package a\n\nfunc f() {\n\tif x {\n\t\treturn  1\n\t}\n\treturn 2\n}\n\nfunc g() {\n\treturn 2\n}\n",
	})
	for _, name := range []string{"changed", "a.go"} {
		p.seen(name)
	}
	p.write("changed", "y\n")
	edit := func(file, from, to string) args {
		return args{"file_path": file, "old_string": from, "new_string": to}
	}
	for _, tc := range []struct {
		in   args
		says []string
	}{
		{edit("unread", "x", "y"), []string{"unread has not been read in this session", "ReadText"}},
		{edit("changed", "x", "z"), []string{"changed has changed since it was read", "read it again"}},
		{edit("absent", "x", "y"), []string{"absent does not exist"}},
		{edit("../absent", "x", "y"), []string{"does not exist"}},
		{edit("a.go", " \n\t", "y"), []string{"only white space"}},
		{edit("a.go", "func", "func"), []string{"the same"}},
		{edit("a.go", "return 2", "return 3"), []string{"2 times", "7, 11", "replace all"}},
		{edit("a.go", "if x {\n    return 1\n}", ""), []string{"lines 4 to 6", "white space differs", "     4\t\tif x {\n     5\t\t\treturn  1\n     6\t\t}"}},
		{edit("a.go", "func f() {\n\tif y {\n\t\treturn  1\n", ""), []string{"lines 3 to 5", "2 of 3 lines", "     4\t\tif x {"}},
		{edit("a.go", "packet a", "y"), []string{"line 1", "     1\tpackage a"}},
		{edit("a.go", "SELECT * FROM users", "y"), []string{"nothing there resembles it"}},
		{edit("a.go", "", "y"), []string{"a.go exists already", "Edit"}},
		{edit("a.go", "package a", "\x00"), []string{"NUL"}},
		{args{"file_path": "a.go", "old_string": "x"}, []string{`"new_string" is missing`}},
	} {
		p.fails(tools.Edit(), tc.in, tc.says...)
	}
	if p.read("changed") != "y\n" || p.read("unread") != "x\n" {
		t.Error("a refused edit changed its file")
	}
}

// TestEditAfterTouch: the content counts, not the time.
func TestEditAfterTouch(t *testing.T) {
	t.Parallel()
	p := newPlace(t, map[string]string{"a": "x\n"})
	p.seen("a")
	p.write("a", "x\n")
	p.must(tools.Edit(), args{"file_path": "a", "old_string": "x", "new_string": "y"})
}

func TestEditCreates(t *testing.T) {
	t.Parallel()
	p := newPlace(t, nil)
	out, err := p.call(tools.Edit(), args{"file_path": "new/dir/a.txt", "old_string": "", "new_string": "hello\n"})
	if err != nil {
		t.Fatal(err)
	}
	if p.read("new/dir/a.txt") != "hello\n" || !strings.Contains(result(t, out), `"additions":1,"removals":0`) {
		t.Error(result(t, out))
	}
	p.must(tools.Edit(), args{"file_path": "new/dir/a.txt", "old_string": "hello", "new_string": "bye"})
}

// TestEditKeeps line ends, byte order mark, permissions and what is not UTF-8.
func TestEditKeeps(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ before, from, to, after string }{
		"crlf":           {"a\r\nb\r\nc\r\n", "a\nb\n", "x\ny\nz\n", "x\r\ny\r\nz\r\nc\r\n"},
		"crlf written":   {"a\r\nb\r\n", "a\r\nb", "c\r\nd", "c\r\nd\r\n"},
		"lf":             {"a\nb\n", "a\r\n", "x\r\ny\r\n", "x\ny\nb\n"},
		"mixed":          {"a\r\nb\nc\n", "b\n", "x\ny\n", "a\r\nx\ny\nc\n"},
		"one line":       {"a\r\nb\r\nc", "b", "x", "a\r\nx\r\nc"},
		"bom":            {"\uFEFFa\nb\n", "a\nb", "c", "\uFEFFc\n"},
		"bom and crlf":   {"\uFEFFa\r\nb\r\n", "b\n", "c\n", "\uFEFFa\r\nc\r\n"},
		"latin1":         {"caf\xe9\nb\n", "b", "c", "caf\xe9\nc\n"},
		"no end of line": {"a\nb", "b", "c", "a\nc"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t, map[string]string{"f": tc.before})
			if err := os.Chmod(p.path("f"), 0o750); err != nil {
				t.Fatal(err)
			}
			p.seen("f")
			p.must(tools.Edit(), args{"file_path": "f", "old_string": tc.from, "new_string": tc.to})
			if got := p.read("f"); got != tc.after {
				t.Errorf("%q", got)
			}
			info, err := os.Stat(p.path("f"))
			if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o750 {
				t.Errorf("%v %v", err, info.Mode())
			}
			if left, _ := filepath.Glob(p.path(".mix-*")); len(left) > 0 {
				t.Errorf("left behind: %q", left)
			}
		})
	}
}

// TestEditIsReplace: on text with one kind of line end Edit does what
// strings.Replace does, and undoing it gives the first text back.
func TestEditIsReplace(t *testing.T) {
	t.Parallel()
	p := newPlace(t, nil)
	word := rapid.StringMatching(`[ab\n ]{1,4}`)
	rapid.Check(t, func(rt *rapid.T) {
		crlf := rapid.Bool().Draw(rt, "crlf")
		ends := func(s string) string {
			if crlf {
				return strings.ReplaceAll(s, "\n", "\r\n")
			}
			return s
		}
		text := "x" + strings.Join(rapid.SliceOf(word).Draw(rt, "text"), "") + "\n\n"
		from, to := word.Draw(rt, "from"), word.Draw(rt, "to")
		p.write("f", ends(text))
		p.seen("f")
		_, err := p.call(tools.Edit(), args{"file_path": "f", "old_string": from, "new_string": to, "replace_all": true})
		works := strings.TrimSpace(from) != "" && from != to && strings.Contains(text, from)
		if (err == nil) != works {
			rt.Fatalf("%q in %q: %v", from, text, err)
		}
		want := text
		if works {
			want = strings.ReplaceAll(text, from, to)
		}
		if got := p.read("f"); got != ends(want) {
			rt.Fatalf("%q, want %q", got, ends(want))
		}
	})
}

func TestWrite(t *testing.T) {
	t.Parallel()
	p := newPlace(t, map[string]string{"old": "a\nb\n", "ro": "x"})
	out, err := p.call(tools.Write(), args{"file_path": "deep/er/new.txt", "content": "one\ntwo\n"})
	if err != nil {
		t.Fatal(err)
	}
	if p.read("deep/er/new.txt") != "one\ntwo\n" || !strings.Contains(result(t, out), `"additions":2,"removals":0`) {
		t.Error(result(t, out))
	}
	over := args{"file_path": "old", "content": "a\nc\n"}
	p.fails(tools.Write(), over, "old has not been read in this session")
	p.seen("old")
	out, err = p.call(tools.Write(), over)
	if err != nil || p.read("old") != "a\nc\n" || !strings.Contains(result(t, out), `"additions":1,"removals":1`) {
		t.Errorf("%v %s", err, result(t, out))
	}
	p.fails(tools.Write(), over, "holds exactly this content already")
	p.write("old", "by somebody else\n")
	p.fails(tools.Write(), over, "has changed since it was read")
	p.fails(tools.Write(), args{"file_path": "deep", "content": ""}, "is a directory")
	p.fails(tools.Write(), args{"file_path": "old/x", "content": ""}, "old is not a directory")
	p.must(tools.Write(), args{"file_path": "empty", "content": ""})
	p.seen("ro")
	if err := os.Chmod(p.path("ro"), 0o444); err != nil {
		t.Fatal(err)
	}
	p.fails(tools.Write(), args{"file_path": "ro", "content": "y"}, "read-only")
}

// TestWriteFileThatCameMeanwhile: what appears between the permission and the
// writing is not overwritten.
func TestWriteFileThatCameMeanwhile(t *testing.T) {
	t.Parallel()
	p := newPlace(t, nil)
	plan, err := p.plan(tools.Write(), args{"file_path": "a", "content": "mine"})
	if err != nil {
		t.Fatal(err)
	}
	p.write("a", "theirs")
	if _, err := plan.Run(t.Context(), &p.env); err == nil || !strings.Contains(err.Error(), "came into being meanwhile") || p.read("a") != "theirs" {
		t.Errorf("%v, %q", err, p.read("a"))
	}
	if left, _ := filepath.Glob(p.path(".mix-*")); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

// TestLargeWrite: a content of almost 1 MiB, and a diff that stays small.
func TestLargeWrite(t *testing.T) {
	t.Parallel()
	p := newPlace(t, nil)
	plan, err := p.plan(tools.Write(), args{"file_path": "big", "content": lines(1, 80_000)})
	if err != nil {
		t.Fatal(err)
	}
	if len(plan.Diff) > 300_000 || plan.Diff == "" {
		t.Errorf("a diff of %d bytes", len(plan.Diff))
	}
	out, err := plan.Run(t.Context(), &p.env)
	if err != nil || !strings.Contains(out.Text, "80000 lines added, 0 removed") {
		t.Errorf("%v %s", err, out.Text)
	}
}
