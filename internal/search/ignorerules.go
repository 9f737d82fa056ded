package search

import "strings"

// rules are the patterns of one ignore file, compiled so that a name that no
// rule mentions costs two map look-ups and the rules with real wildcards.
// The last rule that matches decides.
type rules struct {
	list []rule
	// byName and byExt index rules that are a plain file name ("build") or an
	// extension ("*.o"), both last rule last; rest are all others.
	byName map[string][]int
	byExt  map[string][]int
	rest   []int
}

type rule struct {
	pattern string
	negated bool
	dirOnly bool
	path    bool // has a slash: matched against the path below the file's directory
	literal bool // has no wildcard
}

// verdict of ignore rules on one path.
type verdict int

const (
	unmentioned verdict = iota
	ignored
	included // by a "!" rule
)

// parseRules reads an ignore file as git does; nil means it has no rule.
func parseRules(data []byte) *rules {
	r := &rules{}
	text := strings.TrimPrefix(string(data), "\uFEFF")
	for line := range strings.SplitSeq(text, "\n") {
		r.add(strings.TrimSuffix(line, "\r"))
	}
	if len(r.list) == 0 {
		return nil
	}
	return r
}

func (r *rules) add(line string) {
	if line == "" || line[0] == '#' {
		return
	}
	var ru rule
	p := trimSpaces(line)
	if strings.HasPrefix(p, "!") {
		ru.negated = true
		p = p[1:]
	}
	if strings.HasSuffix(p, "/") {
		ru.dirOnly = true
		p = p[:len(p)-1]
	}
	ru.path = strings.Contains(p, "/")
	p = strings.TrimPrefix(p, "/")
	if p == "" {
		return
	}
	ru.pattern = p
	ru.literal = !strings.ContainsAny(p, `*?[\`)
	i := len(r.list)
	r.list = append(r.list, ru)
	switch {
	case !ru.path && ru.literal:
		r.byName = indexRule(r.byName, p, i)
	case !ru.path && strings.HasPrefix(p, "*.") && !strings.ContainsAny(p[2:], `.*?[\`):
		r.byExt = indexRule(r.byExt, p[1:], i)
	default:
		r.rest = append(r.rest, i)
	}
}

func indexRule(m map[string][]int, key string, i int) map[string][]int {
	if m == nil {
		m = map[string][]int{}
	}
	m[key] = append(m[key], i)
	return m
}

// trimSpaces removes trailing spaces that no backslash protects.
func trimSpaces(s string) string {
	end := 0 // after the last character that is kept
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case ' ':
			continue
		case '\\':
			i++
			if i == len(s) { // git keeps a line that ends in a backslash whole
				return s
			}
		}
		end = i + 1
	}
	return s[:end]
}

// judge says what the rules mean for rel, the slash path below the directory
// of the ignore file; name is its last component.
func (r *rules) judge(rel, name string, isDir bool) verdict {
	best := -1
	last := func(candidates []int) {
		for i := len(candidates) - 1; i >= 0 && candidates[i] > best; i-- {
			if ru := &r.list[candidates[i]]; !ru.dirOnly || isDir {
				best = candidates[i]
				return
			}
		}
	}
	if r.byName != nil {
		last(r.byName[name])
	}
	if r.byExt != nil {
		if dot := strings.LastIndexByte(name, '.'); dot >= 0 {
			last(r.byExt[name[dot:]])
		}
	}
	for i := len(r.rest) - 1; i >= 0 && r.rest[i] > best; i-- {
		if r.list[r.rest[i]].matches(rel, name, isDir) {
			best = r.rest[i]
		}
	}
	switch {
	case best < 0:
		return unmentioned
	case r.list[best].negated:
		return included
	}
	return ignored
}

func (ru *rule) matches(rel, name string, isDir bool) bool {
	if ru.dirOnly && !isDir {
		return false
	}
	text := name
	if ru.path {
		text = rel
	}
	if ru.literal {
		return ru.pattern == text
	}
	return wildmatch(ru.pattern, text)
}
