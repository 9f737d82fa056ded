package permission

import (
	"slices"
	"strings"

	"github.com/mixagent/mix/internal/domain"
)

// shell judges a shell line, part by part.
func (j *judgment) shell(a *Access) {
	dir := a.Path
	if dir == "" {
		dir = j.s.Directory
	}
	l := readLine(a.Command, dir, j.g.o.Home)
	j.readOnly = l.readOnly()
	if l.opaque != "" {
		j.opaque(oneLine(a.Command), &l)
		return
	}
	for i := range l.parts {
		j.part(&l.parts[i], dir)
	}
	switch {
	case len(l.parts) == 0:
		j.plain(Access{Can: domain.CanExecute})
	case j.mentionsOwn(a.Command):
		j.ask(Step{Part: oneLine(a.Command), Reason: "it names a directory of Mix's own"})
	}
}

// opaque judges a line that only a person can judge, since it could not be
// taken apart or has too many parts. Rules that deny still count for all that
// was seen; where something was not seen, nobody can say that it is not what
// a rule denies.
func (j *judgment) opaque(text string, l *line) {
	for i := range l.parts {
		if asks := ""; j.partDenied(&l.parts[i], &asks) {
			return
		}
	}
	r := first(j.rules.deny, func(r *boundRule) bool { return r.kind == ruleTool && r.coversTool(j.c) })
	switch {
	case r != nil:
		j.denyBy(text, r)
	case l.unread && j.rules.closesCommands:
		j.deny(Step{Part: text, By: "program", Reason: l.opaque + ", so it cannot be compared with the rules that deny"})
	case j.mode == domain.ModePlan:
		j.planDenies(text)
	default:
		j.ask(Step{Part: text, Reason: l.opaque})
	}
}

// mentionsOwn reports whether a line holds the path of a directory of Mix's
// own somewhere within its words, as in program text.
func (j *judgment) mentionsOwn(text string) bool {
	for _, root := range j.g.places.mentions {
		rest := text
		for {
			i := strings.Index(rest, root)
			if i < 0 {
				break
			}
			after := rest[i+len(root):]
			if after == "" || strings.ContainsRune("/\\\"'`;|&)>< \n\t,:", rune(after[0])) {
				if !j.mentionsFolder(after) {
					return true
				}
			}
			rest = after
		}
	}
	return false
}

// mentionsFolder reports whether the text goes on into the session's folder.
func (j *judgment) mentionsFolder(after string) bool {
	return slices.ContainsFunc(j.sessions, func(id string) bool {
		return id != "" && strings.HasPrefix(after, "/sessions/"+id)
	})
}

// part judges one simple command.
func (j *judgment) part(p *part, dir string) {
	asks := ""
	if j.partDenied(p, &asks) {
		return
	}
	if j.mode == domain.ModePlan && !(p.readOnly && len(p.writes) == 0) {
		j.planDenies(p.source)
		return
	}
	if p.opaque != "" {
		asks = p.opaque
	}
	if asks != "" {
		j.ask(Step{Part: p.source, Reason: asks})
		return
	}
	if r := first(j.rules.ask, func(r *boundRule) bool { return j.partRule(r, p) != matchNo }); r != nil {
		j.askBy(p.source, r)
		return
	}
	if j.mode == domain.ModeAskAll {
		j.ask(Step{Part: p.source, Rule: string(j.mode), Reason: "the mode ask-all asks about every call"})
		return
	}
	secret, hasSecret := j.secretOf(p)
	if r := first(j.rules.allow, func(r *boundRule) bool { return j.partAllows(r, p, hasSecret) }); r != nil {
		j.allowBy(p.source, r)
		if r.kind == ruleCommand {
			j.targets(p.source, p.writes, domain.CanWrite)
		}
		return
	}
	switch {
	case p.readOnly:
		j.readsOf(p, dir)
	case p.harm != "":
		j.ask(Step{Part: p.source, Reason: p.harm})
	case hasSecret:
		j.ask(Step{Part: p.source, Reason: secret + " can hold secrets"})
	case j.mode == domain.ModeAuto:
		j.partInAuto(p)
	default:
		why := p.why
		if why == "" {
			why = "no rule allows it"
		}
		j.ask(Step{Part: p.source, Reason: why, suggest: suggestCommand(p)})
		j.targets(p.source, p.writes, domain.CanWrite)
	}
}

func (j *judgment) partInAuto(p *part) {
	for _, list := range [][]target{p.writes, p.args} {
		for _, t := range list {
			if _, ok := j.g.places.arms(t.path); ok {
				j.ask(Step{Part: p.source, Reason: "what is written to " + t.path + " can make other programs run commands"})
				return
			}
		}
	}
	j.allowByMode(p.source)
	j.targets(p.source, p.writes, domain.CanWrite)
}

// readsOf judges a part that only reads by what it reads; the directory it
// runs in is always among that.
func (j *judgment) readsOf(p *part, dir string) {
	if len(p.reads) == 0 && len(p.writes) == 0 {
		j.path(Access{Can: domain.CanRead, Path: dir}, p.source)
		return
	}
	j.targets(p.source, p.reads, domain.CanRead)
	j.targets(p.source, p.writes, domain.CanWrite)
}

func (j *judgment) targets(source string, list []target, can domain.Capability) {
	for _, t := range list {
		j.path(Access{Can: can, Path: t.path, Tree: t.tree}, source)
	}
}

// partDenied judges what no mode and no allow rule can change. Reasons that
// only a person can weigh are put into asks.
func (j *judgment) partDenied(p *part, asks *string) bool {
	if j.touchesOwn(p, asks) {
		j.deny(Step{Part: p.source, By: "program", Reason: ownClosed})
		return true
	}
	for i := range j.rules.deny {
		r := &j.rules.deny[i]
		switch j.partRule(r, p) {
		case matchYes:
			j.denyBy(p.source, r)
			return true
		case matchMaybe:
			*asks = "it may be what the rule " + r.text + " denies"
		}
	}
	if j.rules.closesPaths && p.unknown && !p.readOnly && *asks == "" {
		*asks = "it is not known which files it uses, and there are rules that deny some"
	}
	return false
}

// touchesOwn reports whether a part names something of Mix's own.
func (j *judgment) touchesOwn(p *part, asks *string) bool {
	places := &j.g.places
	for _, list := range p.targets() {
		for _, t := range list {
			if places.isProtected(t.path, j.sessions...) {
				return true
			}
			if t.tree && places.holdsProtected(t.path) {
				*asks = "it may read Mix's own data"
			}
		}
	}
	return false
}

// targets returns all paths that a part may use. What a part proven to only
// read uses is certain; of others every word may be a path.
func (p *part) targets() [][]target {
	if p.readOnly {
		return [][]target{p.reads, p.writes}
	}
	return [][]target{p.reads, p.writes, p.args}
}

// secretOf returns a place with secrets that a part names, unless the part
// only reads: then each read is judged by itself.
func (j *judgment) secretOf(p *part) (string, bool) {
	for _, list := range p.targets() {
		for _, t := range list {
			if _, ok := j.g.places.secret(t.path); ok {
				return t.path, true
			}
		}
	}
	return "", false
}

// partRule compares a rule that asks or denies with a part: its command in all
// forms, its paths, and its hosts.
func (j *judgment) partRule(r *boundRule, p *part) matchResult {
	switch r.kind {
	case ruleTool:
		if r.coversTool(j.c) || r.tool == toolRead && len(p.reads) > 0 || r.tool == toolEdit && len(p.writes) > 0 {
			return matchYes
		}
		return matchNo
	case ruleCommand:
		res := matchNo
		for _, f := range p.forms {
			res = max(res, r.match(f.words))
		}
		return res
	case ruleDomain:
		if slices.ContainsFunc(p.hosts, func(h string) bool { return matchHost(r.host, h) }) {
			return matchYes
		}
		return matchNo
	}
	res := matchNo
	if r.tool == toolRead {
		res = r.matchTargets(res, p.reads)
	}
	if r.tool == toolEdit {
		res = r.matchTargets(res, p.writes)
	}
	if !p.readOnly && (r.tool == toolRead || r.tool == toolEdit) {
		res = r.matchTargets(res, p.args)
	}
	return res
}

func (r *boundRule) matchTargets(res matchResult, list []target) matchResult {
	for _, t := range list {
		res = max(res, r.matchPath(slashed(t.path), t.tree))
	}
	return res
}

// partAllows reports whether a rule that allows means this part. A wide rule
// does not mean what destroys or what is secret.
func (j *judgment) partAllows(r *boundRule, p *part, secret bool) bool {
	if !r.coversTool(j.c) {
		return false
	}
	if r.kind == ruleTool {
		return p.harm == "" && !secret
	}
	if r.kind != ruleCommand || secret && r.prefix {
		return false
	}
	for _, f := range p.forms {
		if f.allow && r.match(f.words) == matchYes && (p.harm == "" || r.names(p.markers)) {
			return true
		}
	}
	return false
}

// names reports whether a rule contains every one of the words, or is no
// prefix at all.
func (r *Rule) names(markers []string) bool {
	if !r.prefix {
		return true
	}
	for _, m := range markers {
		if !slices.ContainsFunc(r.words, func(w ruleWord) bool { return w.text == m }) {
			return false
		}
	}
	return len(markers) > 0
}
