package demo

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	reportOpening = "This is the report of Mix's demonstration model, a script that repeats what the tools returned.\n"
	closing       = "I am only a demonstration: to have a real model work here, set ANTHROPIC_API_KEY or OPENAI_API_KEY " +
		"and run Mix without `--model demo`.\n"
	// rows bounds the tables.
	rows = 8
	// quoted bounds what is quoted of a README, in characters.
	quoted = 400
)

// report writes what was found, as Markdown.
func report(f findings) string {
	var b strings.Builder
	b.WriteString(reportOpening)
	reportFiles(&b, f)
	reportReadme(&b, f.readme)
	reportMarks(&b, f.marks)
	reportLog(&b, f.log)
	b.WriteString("\n" + closing)
	return b.String()
}

func heading(b *strings.Builder, text string) { fmt.Fprintf(b, "\n## %s\n\n", text) }

func reportFiles(b *strings.Builder, f findings) {
	heading(b, "Files")
	switch {
	case !f.files.tried():
		b.WriteString("I had no tool to list them.\n")
		return
	case !f.files.ok():
		fmt.Fprintf(b, "I could not list the files: %s.\n", f.files.problem)
		return
	case f.files.count == 0:
		b.WriteString("There are none, except hidden and ignored ones.\n")
		return
	}
	types, counted := fileTypes(f)
	if counted == f.files.count {
		fmt.Fprintf(b, "%s in all, without hidden and ignored ones:\n\n", plural(counted, "file"))
	} else {
		fmt.Fprintf(b, "%s in all, without hidden and ignored ones; the types of the %d newest:\n\n", plural(f.files.count, "file"), counted)
	}
	b.WriteString("| type | files |\n| --- | ---: |\n")
	for _, t := range types {
		fmt.Fprintf(b, "| %s | %s |\n", t.ext, number(t.count))
	}
}

// fileTypes returns the rows of the table of types and how many files they are
// about: all of them, or those that were listed.
func fileTypes(f findings) (types []fileType, total int) {
	if f.files.truncated && len(f.types) > 0 {
		total = f.files.count
		for ext, n := range f.types {
			types = append(types, fileType{ext, n})
		}
	} else {
		total = len(f.files.matches)
		types = commonTypes(f.files.matches)
	}
	sortTypes(types)
	types = types[:min(len(types), rows)]
	rest := total
	for i := range types {
		rest -= types[i].count
		types[i].ext = code(types[i].ext)
	}
	if rest > 0 {
		types = append(types, fileType{"others", rest})
	}
	return types, total
}

func reportReadme(b *strings.Builder, r readme) {
	heading(b, "What the README says")
	switch {
	case !r.tried():
		b.WriteString("I had no tool to read it.\n")
	case !r.ok():
		fmt.Fprintf(b, "I could not read %s: %s.\n", code(r.path), r.problem)
	default:
		title, paragraph := opening(r.content)
		if title != "" {
			fmt.Fprintf(b, "%s, titled “%s”", code(r.path), cut(title, 100))
		} else {
			b.WriteString(code(r.path))
		}
		if paragraph == "" {
			b.WriteString(" has no text to quote.\n")
			return
		}
		fmt.Fprintf(b, " begins:\n\n> %s\n", cut(paragraph, quoted))
	}
}

func reportMarks(b *strings.Builder, m markCounts) {
	heading(b, "TODO and FIXME")
	switch {
	case !m.tried():
		b.WriteString("I had no tool to search for them.\n")
		return
	case !m.ok():
		fmt.Fprintf(b, "I could not search for them: %s.\n", m.problem)
		return
	case len(m.counts) == 0:
		b.WriteString("No file has such a mark.\n")
		return
	}
	files := slices.SortedFunc(maps.Keys(m.counts), func(x, y string) int {
		if m.counts[x] != m.counts[y] {
			return m.counts[y] - m.counts[x]
		}
		return strings.Compare(x, y)
	})
	fmt.Fprintf(b, "%s in %s:\n\n| file | marks |\n| --- | ---: |\n", plural(m.total, "mark"), plural(len(files), "file"))
	for _, name := range files[:min(len(files), rows)] {
		fmt.Fprintf(b, "| %s | %s |\n", code(name), number(m.counts[name]))
	}
	if more := len(files) - rows; more > 0 {
		fmt.Fprintf(b, "\nand in %s more.\n", plural(more, "file"))
	}
}

func reportLog(b *strings.Builder, c commits) {
	heading(b, "Recent commits")
	switch {
	case !c.tried():
		b.WriteString("I had no tool to ask git.\n")
	case c.problem != "":
		fmt.Fprintf(b, "There is nothing to show: %s.\n", c.problem)
	case len(c.lines) == 0:
		b.WriteString("Git shows none.\n")
	}
	for _, line := range c.lines {
		hash, subject, _ := strings.Cut(line, " ")
		fmt.Fprintf(b, "- %s %s\n", code(hash), cut(subject, 100))
	}
}

// opening returns the title of a Markdown text and its first paragraph, without
// badges, pictures, HTML, comments and code.
func opening(text string) (title, paragraph string) {
	var (
		words       []string
		fenced, tag bool
	)
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(strings.TrimLeft(strings.TrimSpace(line), ">"))
		fence := strings.HasPrefix(line, "```") || strings.HasPrefix(line, "~~~")
		comment := strings.HasPrefix(line, "<!--") || tag
		if comment {
			tag = !strings.Contains(line, "-->")
		}
		underline := line != "" && strings.Trim(line, "=-") == ""
		switch {
		case fence:
			fenced = !fenced
		case fenced, comment, strings.HasPrefix(line, "<"), strings.HasPrefix(line, "!["), strings.HasPrefix(line, "[!"):
		case underline: // of the line before, which was a title then
			if title == "" && len(words) > 0 {
				title, words = strings.Join(words, " "), nil
			}
		case strings.HasPrefix(line, "#"):
			if len(words) > 0 {
				return title, strings.Join(words, " ")
			}
			if title == "" {
				title = strings.TrimSpace(strings.Trim(line, "#"))
			}
		case line != "":
			words = append(words, line)
			continue
		}
		if len(words) > 0 {
			break
		}
	}
	return title, strings.Join(words, " ")
}

// cut shortens text to n characters at a word, where it is longer.
func cut(text string, n int) string {
	if utf8.RuneCountInString(text) <= n {
		return text
	}
	short := string([]rune(text)[:n])
	if i := strings.LastIndexByte(short, ' '); i > len(short)/2 {
		short = short[:i]
	}
	return short + "…"
}

// code writes a name so that Markdown shows it as it is, in a table too.
func code(name string) string {
	if strings.ContainsAny(name, "`|") {
		return strings.NewReplacer("`", "'", "|", "¦").Replace(name)
	}
	return "`" + name + "`"
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return number(n) + " " + what + "s"
}

// number groups digits: 12,345.
func number(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
