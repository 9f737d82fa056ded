package demo

import (
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/provider"
)

// What the survey calls.
const (
	allFiles   = "**/*"
	readmeFile = "README.md"
	marks      = `\b(TODO|FIXME)\b`
	gitLog     = "git log --oneline -n 5"
	// typesCounted bounds how many types of file are counted one by one.
	typesCounted = 6
)

const introduction = "I am Mix's demonstration model: a script, not an AI, so I do not understand what you ask. " +
	"Whatever it is, I look through this directory with Mix's real tools and report what they find. " +
	"For a real model, set ANTHROPIC_API_KEY or OPENAI_API_KEY and leave out `--model demo`.\n\n"

// survey returns the next answer of demo/survey: at first the calls that do not
// depend on anything, then those that follow from their results, if any, then
// the report.
func survey(tools []provider.Tool, answers []domain.Message) answer {
	offered := func(tool string) bool {
		return slices.ContainsFunc(tools, func(t provider.Tool) bool { return t.Name == tool })
	}
	if len(answers) == 0 {
		return firstLook(offered)
	}
	f := gather(answers)
	if len(answers) == 1 {
		if a := secondLook(f, offered); len(a.calls) > 0 {
			return a
		}
	}
	return answer{text: report(f)}
}

// firstLook makes the calls that need no result, all at once.
func firstLook(offered func(string) bool) answer {
	var calls []call
	for _, c := range []call{
		toolCall("Glob", "pattern", allFiles),
		toolCall("ReadText", "file_path", readmeFile),
		toolCall("Grep", "pattern", marks, "output_mode", "count"),
		toolCall("Bash", "command", gitLog),
	} {
		if offered(c.tool) {
			calls = append(calls, c)
		}
	}
	if len(calls) == 0 {
		return answer{text: introduction + "I was not given any of the tools that I use (Glob, ReadText, Grep, Bash), so there is nothing that I can do. " + closing}
	}
	return answer{
		reasoning: "Files, README, open marks and recent commits can be looked at together: none of them needs the result of another.",
		text:      introduction + "First the files, the README, the TODO and FIXME marks and the recent commits.",
		calls:     calls,
	}
}

// secondLook makes the calls that follow from the first results: another README
// when there is none of the usual name, and the exact number of files of the
// common types when the list was cut.
func secondLook(f findings, offered func(string) bool) answer {
	var (
		calls []call
		why   []string
	)
	if other := otherReadme(f); other != "" && offered("ReadText") {
		calls = append(calls, toolCall("ReadText", "file_path", other))
		why = append(why, fmt.Sprintf("There is no %s here, but %s looks like one.", readmeFile, code(other)))
	}
	if f.files.truncated && offered("Glob") {
		types := commonTypes(f.files.matches)
		for _, t := range types[:min(len(types), typesCounted)] {
			calls = append(calls, toolCall("Glob", "pattern", allFiles+t.ext))
		}
		if len(types) > 0 {
			why = append(why, fmt.Sprintf("There are more files than one answer lists, so I count the %d most common types one by one.", min(len(types), typesCounted)))
		}
	}
	return answer{text: strings.Join(why, " "), calls: calls}
}

// otherReadme picks the README of another name that is nearest to the top.
func otherReadme(f findings) string {
	if !f.readme.tried() || f.readme.content != "" {
		return ""
	}
	best := ""
	for _, name := range f.files.matches {
		base := strings.ToLower(path.Base(slashed(name)))
		stem := strings.TrimSuffix(base, path.Ext(base))
		if stem != "readme" || path.Base(slashed(name)) == readmeFile && depth(name) == 0 {
			continue
		}
		if best == "" || depth(name) < depth(best) || depth(name) == depth(best) && name < best {
			best = name
		}
	}
	return best
}

func slashed(name string) string { return strings.ReplaceAll(name, `\`, "/") }

func depth(name string) int { return strings.Count(slashed(name), "/") }

// fileType is how many files have an extension, "" for none.
type fileType struct {
	ext   string
	count int
}

// commonTypes counts extensions, the most common first. Only extensions that
// mean themselves in a glob are told apart.
func commonTypes(names []string) []fileType {
	counts := map[string]int{}
	for _, name := range names {
		counts[extension(name)]++
	}
	var types []fileType
	for ext, n := range counts {
		if ext != "" {
			types = append(types, fileType{ext, n})
		}
	}
	sortTypes(types)
	return types
}

func sortTypes(types []fileType) {
	slices.SortFunc(types, func(a, b fileType) int {
		if a.count != b.count {
			return b.count - a.count
		}
		return strings.Compare(a.ext, b.ext)
	})
}

// extension returns ".go" for "a/b.go", and "" where there is none or one with
// other characters than letters, digits, plus, minus and underscore.
func extension(name string) string {
	base := path.Base(slashed(name))
	ext := path.Ext(base)
	if len(ext) < 2 || len(ext) > 13 || ext == base {
		return ""
	}
	for _, r := range ext[1:] {
		if !strings.ContainsRune("+-_", r) && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') {
			return ""
		}
	}
	return ext
}

// toolCall makes a call from a tool and its named text values.
func toolCall(tool string, pairs ...string) call {
	var b strings.Builder
	for i := 0; i < len(pairs); i += 2 {
		name, _ := json.Marshal(pairs[i]) // text always encodes
		value, _ := json.Marshal(pairs[i+1])
		fmt.Fprintf(&b, ",%s:%s", name, value)
	}
	return call{tool: tool, input: "{" + strings.TrimPrefix(b.String(), ",") + "}"}
}
