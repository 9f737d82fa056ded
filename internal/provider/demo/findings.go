package demo

import (
	"encoding/json"
	"strings"

	"github.com/mixagent/mix/internal/domain"
)

// findings is what the calls of a survey returned so far.
type findings struct {
	files  fileList
	types  map[string]int // files of a type, counted one by one
	readme readme
	marks  markCounts
	log    commits
}

// outcome says how a call went.
type outcome struct {
	state   domain.CallState // "" where it was not made
	problem string           // of one that did not work, one line
}

func (o outcome) tried() bool { return o.state != "" }
func (o outcome) ok() bool    { return o.state == domain.CallFinished && o.problem == "" }

type fileList struct {
	outcome
	matches   []string
	count     int
	truncated bool
}

type readme struct {
	outcome
	path, content string // content without line numbers
}

type markCounts struct {
	outcome
	counts map[string]int
	total  int
}

type commits struct {
	outcome
	lines []string
}

// gather reads the results of all calls.
func gather(answers []domain.Message) findings {
	f := findings{types: map[string]int{}}
	for i := range answers {
		for j := range answers[i].Calls {
			f.add(&answers[i].Calls[j])
		}
	}
	return f
}

// add reads the result of one call. What it was for follows from its input.
func (f *findings) add(c *domain.ToolCall) {
	var in struct {
		Pattern  string `json:"pattern"`
		FilePath string `json:"file_path"`
	}
	_ = json.Unmarshal(c.Input, &in) // another input belongs to no case below
	switch c.Tool {
	case "Glob":
		f.addFiles(c, in.Pattern)
	case "ReadText":
		if f.readme.content == "" {
			f.addReadme(c, in.FilePath)
		}
	case "Grep":
		var r struct {
			Counts map[string]int `json:"counts"`
			Total  int            `json:"total_matches"`
		}
		f.marks = markCounts{outcome: read(c, &r), counts: r.Counts, total: r.Total}
	case "Bash":
		f.addLog(c)
	}
}

func (f *findings) addFiles(c *domain.ToolCall, pattern string) {
	var r struct {
		Matches   []string `json:"matches"`
		Count     int      `json:"count"`
		Truncated bool     `json:"truncated"`
	}
	o := read(c, &r)
	if pattern == allFiles {
		f.files = fileList{outcome: o, matches: r.Matches, count: max(r.Count, len(r.Matches)), truncated: r.Truncated}
		return
	}
	if ext := strings.TrimPrefix(pattern, allFiles); o.ok() && ext != pattern {
		f.types[ext] = r.Count
	}
}

func (f *findings) addReadme(c *domain.ToolCall, name string) {
	var r struct {
		Content string `json:"content"`
	}
	f.readme = readme{outcome: read(c, &r), path: name}
	if f.readme.ok() {
		f.readme.content = unnumbered(r.Content)
	}
}

// isCommit reports whether a line is one of git log --oneline.
func isCommit(line string) bool {
	hash, subject, ok := strings.Cut(line, " ")
	return ok && len(hash) >= 4 && len(hash) <= 64 && strings.Trim(hash, "0123456789abcdef") == "" && subject != ""
}

func (f *findings) addLog(c *domain.ToolCall) {
	var r struct {
		Output   string `json:"output"`
		ExitCode int    `json:"exitCode"`
	}
	// Commands that fail have a result as well, which says more than the text.
	f.log = commits{outcome: read(c, &r)}
	_ = json.Unmarshal(c.Result, &r)
	for line := range strings.Lines(r.Output) {
		if line = domain.SanitizeLine(strings.TrimSpace(line)); isCommit(line) && r.ExitCode == 0 {
			f.log.lines = append(f.log.lines, line)
		}
	}
	switch {
	case strings.Contains(r.Output, "not a git repository"):
		f.log.problem = "this is not a git repository"
	case strings.Contains(r.Output, "does not have any commits"):
		f.log.problem = "the repository has no commits yet"
	case r.ExitCode != 0:
		f.log.problem = firstLine(r.Output)
	}
}

// read decodes the result of a call into v and says how it went.
func read(c *domain.ToolCall, v any) outcome {
	o := outcome{state: c.State}
	switch {
	case c.State == domain.CallFinished && !c.IsError:
		if err := json.Unmarshal(c.Result, v); err != nil {
			o.problem = "its result cannot be read"
		}
	case c.State == domain.CallDenied:
		o.problem = "it was denied: " + firstLine(c.Text)
	default:
		o.problem = firstLine(c.Text)
	}
	return o
}

// firstLine returns the first line of a text that is not blank, cut to what
// fits into a sentence.
func firstLine(text string) string {
	for line := range strings.Lines(text) {
		line = strings.TrimPrefix(domain.SanitizeLine(strings.TrimSpace(line)), "Error: ")
		if line != "" {
			return strings.TrimRight(cut(line, 160), ".")
		}
	}
	return "no reason was given"
}

// unnumbered removes the line numbers that ReadText puts before each line.
func unnumbered(content string) string {
	var b strings.Builder
	for line := range strings.Lines(content) {
		rest := strings.TrimLeft(strings.TrimLeft(line, " "), "0123456789")
		if text, ok := strings.CutPrefix(rest, "\t"); ok && len(rest) < len(line) {
			line = text
		}
		b.WriteString(line)
	}
	return domain.Sanitize(b.String())
}
