package permission

import (
	"path/filepath"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// assignment returns NAME=value as a word.
func (r *shellReader) assignment(as *syntax.Assign, cwd string) word {
	source := r.slice(as)
	if as.Array != nil || as.Index != nil || as.Append || as.Name == nil {
		r.substitutions(as, cwd)
		return word{text: source}
	}
	if as.Naked || as.Value == nil {
		if as.Value != nil {
			return r.word(as.Value, cwd)
		}
		if as.Naked {
			return word{text: as.Name.Value, lit: true}
		}
		return word{text: as.Name.Value + "=", lit: true}
	}
	v := r.word(as.Value, cwd)
	if v.lit {
		return word{text: as.Name.Value + "=" + v.text, lit: true}
	}
	return word{text: source, hint: v.hint, glob: v.glob}
}

// word evaluates a word and walks the commands in it.
func (r *shellReader) word(w *syntax.Word, cwd string) word {
	if len(w.Parts) == 1 {
		if lit, ok := w.Parts[0].(*syntax.Lit); ok && plainText(lit.Value) {
			return word{text: lit.Value, lit: true}
		}
	}
	r.substitutions(w, cwd)
	return readWord(w, r.slice(w), r.home)
}

func (r *shellReader) words(cwd string, list ...*syntax.Word) []word {
	out := make([]word, 0, len(list))
	for _, w := range list {
		if w != nil {
			out = append(out, r.word(w, cwd))
		}
	}
	return out
}

// substitutions walks the commands inside $(...), `...`, <(...) and >(...).
func (r *shellReader) substitutions(n syntax.Node, cwd string) {
	syntax.Walk(n, func(n syntax.Node) bool {
		switch n := n.(type) {
		case *syntax.CmdSubst:
			if n.TempFile || n.ReplyVar {
				r.give("it runs commands inside ${ }, which cannot be judged")
			}
			r.nested(n.Stmts, cwd)
			return false
		case *syntax.ProcSubst:
			r.nested(n.Stmts, cwd)
			return false
		}
		return true
	})
}

func (r *shellReader) nested(stmts []*syntax.Stmt, cwd string) {
	if !r.enter() {
		return
	}
	defer r.leave()
	lost := r.lost
	r.list(stmts, cwd)
	r.lost = lost
}

// slice returns the source of a node, shortened.
func (r *shellReader) slice(n syntax.Node) string {
	from, to := n.Pos().Offset(), n.End().Offset()
	if from > to || to > uint(len(r.source)) {
		return "…"
	}
	return r.source[from:to]
}

func (r *shellReader) add(p part) {
	p.forms = append(p.forms, r.outer...)
	r.parts = append(r.parts, p)
}

// resolve returns the place that a word names in the directory cwd.
func (r *shellReader) resolve(cwd, text string) (string, bool) {
	if !filepath.IsAbs(text) && cwd == "" || strings.ContainsRune(text, 0) {
		return "", false
	}
	key := text
	if !filepath.IsAbs(text) {
		key = cwd + string(filepath.Separator) + text
	}
	if p, ok := r.found[key]; ok {
		return p, p != ""
	}
	if len(r.parts) > r.maxRead {
		return filepath.Clean(key), true // the line asks anyway; deny rules see this
	}
	p, err := resolveBelow(cwd, text)
	if err != nil {
		p = ""
	}
	if r.found == nil {
		r.found = make(map[string]string, 8)
	}
	r.found[key] = p
	return p, err == nil
}
