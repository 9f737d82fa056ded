package permission

import (
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// redirects walks the redirections of a statement that is not a simple
// command; they become a part of their own.
func (r *shellReader) redirects(st *syntax.Stmt, cwd string) {
	if len(st.Redirs) == 0 {
		return
	}
	p := part{source: r.redirSource(st), readOnly: true}
	r.redirect(&p, st, cwd)
	r.add(p)
}

func (r *shellReader) redirSource(st *syntax.Stmt) string {
	var b strings.Builder
	for i, rd := range st.Redirs {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(rd.Op.String())
		if rd.Word != nil {
			b.WriteString(r.slice(rd.Word))
		}
	}
	return b.String()
}

// redirect notes what the redirections of a statement read and write.
func (r *shellReader) redirect(p *part, st *syntax.Stmt, cwd string) {
	for _, rd := range st.Redirs {
		r.oneRedirect(p, rd, cwd)
	}
}

func (r *shellReader) oneRedirect(p *part, rd *syntax.Redirect, cwd string) {
	if rd.N != nil && strings.HasPrefix(rd.N.Value, "{") {
		p.not("it stores a file descriptor in a variable")
	}
	switch rd.Op {
	case syntax.Hdoc, syntax.DashHdoc:
		r.hereText(p, rd.Hdoc, cwd)
		return
	case syntax.WordHdoc:
		r.hereText(p, rd.Word, cwd)
		return
	}
	w := r.word(rd.Word, cwd)
	if w.lit && (rd.Op == syntax.DplOut || rd.Op == syntax.DplIn) && descriptor(w.text) {
		return
	}
	if w.lit && harmlessDevice(w.text) {
		return
	}
	if strings.HasPrefix(w.text, "/dev/tcp/") || strings.HasPrefix(w.text, "/dev/udp/") {
		p.opaque = "it opens a network connection through the shell"
		return
	}
	path, known := "", false
	if w.lit {
		path, known = r.resolve(cwd, w.text)
	}
	if !known {
		p.not("it redirects to a file that is not known beforehand")
		p.opaque = "it redirects from or to a file that is not known beforehand"
		r.guess(p, w, cwd)
		return
	}
	switch rd.Op {
	case syntax.RdrIn, syntax.DplIn:
		p.reads = append(p.reads, target{path: path})
	case syntax.RdrInOut:
		p.reads = append(p.reads, target{path: path})
		p.writes = append(p.writes, target{path: path})
	default:
		p.writes = append(p.writes, target{path: path})
	}
}

// hereText looks at the text of a here-document: it is input and nothing else
// when it is literal.
func (r *shellReader) hereText(p *part, w *syntax.Word, cwd string) {
	if w == nil {
		return
	}
	r.substitutions(w, cwd)
	syntax.Walk(w, func(n syntax.Node) bool {
		switch n.(type) {
		case *syntax.ParamExp, *syntax.CmdSubst, *syntax.ProcSubst, *syntax.ArithmExp:
			p.not("its input holds variables or substitutions")
			return false
		}
		return true
	})
}

// descriptor reports whether the word after >& or <& names a descriptor.
func descriptor(s string) bool {
	if s == "-" {
		return true
	}
	s = strings.TrimSuffix(s, "-")
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// harmlessDevice reports whether a file is a device that keeps nothing.
func harmlessDevice(path string) bool {
	switch path {
	case "/dev/null", "/dev/stdout", "/dev/stderr", "/dev/stdin":
		return true
	}
	return false
}
