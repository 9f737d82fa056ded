package permission

import (
	"path/filepath"
	"strings"

	"github.com/mixagent/mix/internal/domain"
)

const ownClosed = "Mix's own data and configuration are closed to tools"

// path judges reading or writing a path. part is what people see.
func (j *judgment) path(a Access, part string) {
	places := &j.g.places
	write := a.Can == domain.CanWrite
	if places.isProtected(a.Path, j.sessions...) || a.Tree && !a.Filtered && places.holdsProtected(a.Path) {
		j.deny(Step{Part: part, By: "program", Reason: ownClosed})
		return
	}
	slash := slashed(a.Path)
	below := ""
	for i := range j.rules.deny {
		r := &j.rules.deny[i]
		switch m := j.pathRule(r, a, slash); {
		case m == matchYes:
			j.denyBy(part, r)
			return
		case m == matchMaybe && below == "" && !a.Filtered:
			below = "below it lies something that the rule " + r.text + " denies"
		}
	}
	if j.mode == domain.ModePlan && write {
		j.planDenies(part)
		return
	}
	if below != "" {
		j.ask(Step{Part: part, Reason: below})
		return
	}
	if r := first(j.rules.ask, func(r *boundRule) bool { return j.pathRule(r, a, slash) != matchNo }); r != nil {
		j.askBy(part, r)
		return
	}
	if j.mode == domain.ModeAskAll {
		j.ask(Step{Part: part, Rule: string(j.mode), Reason: "the mode ask-all asks about every call"})
		return
	}
	if a.Own || len(places.protected) > 0 && j.ownFolder(a.Path) {
		j.allow(Step{Part: part, By: "mode", Rule: string(j.mode), Reason: "it is the session's own folder"})
		return
	}
	closed, reason := j.reserved(a)
	allows := func(r *boundRule) bool {
		return j.pathRule(r, a, slash) == matchYes && (reason == "" || r.kind == rulePath && closed.namedBy(r.path))
	}
	if r := first(j.rules.allow, allows); r != nil {
		j.allowBy(part, r)
		return
	}
	if reason != "" {
		j.ask(Step{Part: part, Reason: reason})
		return
	}
	j.pathByMode(a, part)
}

// ownFolder reports whether a path is in the folder of one of the sessions,
// which isProtected has let through.
func (j *judgment) ownFolder(path string) bool {
	for _, root := range j.g.places.protected {
		if within(root, path) {
			return true
		}
	}
	return false
}

// reserved returns the place that keeps a path out of grants and modes, and
// the reason to show.
func (j *judgment) reserved(a Access) (place, string) {
	places := &j.g.places
	if s, ok := places.secret(a.Path); ok {
		return s, a.Path + " can hold secrets"
	}
	if a.Tree && !a.Filtered {
		if s, ok := places.holdsSecret(a.Path); ok {
			return s, s.path + ", which lies below it, can hold secrets"
		}
	}
	if a.Can == domain.CanWrite {
		if s, ok := places.arms(a.Path); ok {
			return s, "what is written to " + a.Path + " can make other programs run commands"
		}
	}
	return place{}, ""
}

// pathByMode decides where no rule does.
func (j *judgment) pathByMode(a Access, part string) {
	inside := within(j.s.Directory, a.Path)
	write := a.Can == domain.CanWrite
	switch {
	case j.mode == domain.ModeAuto, write && inside && j.mode == domain.ModeAcceptEdits:
		j.allowByMode(part)
	case write && inside:
		j.ask(Step{Part: part, Reason: "no rule allows editing it", suggest: j.suggestPath(toolEdit, a)})
	case write:
		j.ask(Step{Part: part, Reason: a.Path + " is outside of the session's directory", suggest: j.suggestPath(toolEdit, a)})
	case inside:
		j.ask(Step{
			Part: part, Reason: "reading in " + j.s.Directory + " was not allowed yet",
			suggest: directoryRule(j.s.Directory), directory: true,
		})
	default:
		j.ask(Step{Part: part, Reason: a.Path + " is outside of the session's directory", suggest: j.suggestPath(toolRead, a)})
	}
}

// pathRule compares a rule with an access to a path. It returns maybe when the
// rule means something below a tree.
func (j *judgment) pathRule(r *boundRule, a Access, slash string) matchResult {
	switch {
	case r.tool == "":
	case r.tool == toolRead && a.Can == domain.CanRead:
	case r.tool == toolEdit && (a.Can == domain.CanWrite || j.edits):
	case r.coversTool(j.c):
	default:
		return matchNo
	}
	switch r.kind {
	case ruleTool:
		return matchYes
	case rulePath:
		return r.matchPath(slash, a.Tree)
	}
	return matchNo
}

// matchPath compares the rule's patterns with a path.
func (r *boundRule) matchPath(slash string, tree bool) matchResult {
	res := matchNo
	for i := range r.patterns {
		if r.patterns[i].match(slash) {
			return matchYes
		}
		if tree && r.patterns[i].reaches(slash) {
			res = matchMaybe
		}
	}
	return res
}

// closed reports whether a path must be left out of a read of a tree.
func (j *judgment) closed(path string) bool {
	if j.g.places.isProtected(path, j.sessions...) {
		return true
	}
	slash := slashed(path)
	a := Access{Can: domain.CanRead, Path: path}
	denied := first(j.rules.deny, func(r *boundRule) bool { return j.pathRule(r, a, slash) == matchYes })
	if denied != nil {
		return true
	}
	s, ok := j.g.places.secret(path)
	if !ok {
		return false
	}
	named := first(j.rules.allow, func(r *boundRule) bool {
		return r.kind == rulePath && s.namedBy(r.path) && j.pathRule(r, a, slash) == matchYes
	})
	return named == nil
}

// suggestPath returns the narrow rule for a path: the file that is read, the
// directory of the file that is written.
func (j *judgment) suggestPath(tool string, a Access) string {
	if a.Tree {
		return tool + "(" + joinPattern(a.Path, "**") + ")"
	}
	if tool == toolRead {
		return tool + "(" + joinPattern(a.Path, "") + ")"
	}
	dir := filepath.Dir(a.Path)
	if dir == j.s.Directory || !within(j.s.Directory, a.Path) || strings.HasSuffix(dir, string(filepath.Separator)) {
		// All of the directory would be everything, or a place that is not
		// the session's: only its own files.
		return tool + "(" + joinPattern(dir, "*") + ")"
	}
	return tool + "(" + joinPattern(dir, "**") + ")"
}
