package permission

import (
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// not records why a part is not a read; the first reason stays.
func (p *part) not(why string) {
	p.readOnly = false
	if p.why == "" {
		p.why = why
	}
}

// refuse records why no rule may allow a part; the first reason stays.
func (p *part) refuse(why string) {
	p.not(why)
	if p.opaque == "" {
		p.opaque = why
	}
}

// harms records what a command may destroy, and which words a rule must hold
// to mean that.
func (p *part) harms(what string, markers ...string) {
	p.not(what)
	if p.harm == "" {
		p.harm, p.markers = what, markers
	}
}

// call walks a simple command and returns the directory after it.
func (r *shellReader) call(st *syntax.Stmt, cmd *syntax.CallExpr, cwd string) (ok, after string) {
	// The command's own entry is reserved first, so that parts are listed in
	// the order in which people read them.
	p := part{source: r.slice(cmd), readOnly: true}
	at := len(r.parts)
	r.parts = append(r.parts, part{})

	ws := r.words(cwd, cmd.Args...)
	var env []word
	for _, as := range cmd.Assigns {
		w := r.assignment(as, cwd)
		env = append(env, w)
		if as.Name == nil || !w.lit || !safeVariable(as.Name.Value) {
			p.not("it sets a variable that can change what commands do")
		}
	}
	r.redirect(&p, st, cwd)
	switch {
	case len(ws) == 0:
		p.forms = append(p.forms, form{words: env, allow: true})
	case len(env) > 0:
		// With a variable in front a rule must name it, unless it is one of
		// those that only change how output looks.
		p.forms = append(p.forms, form{words: append(env, ws...), allow: true})
		r.form(&p, ws, formInfo{cwd: cwd, allow: p.readOnly, stmt: st})
	default:
		r.form(&p, ws, formInfo{cwd: cwd, allow: true, stmt: st})
	}
	p.forms = append(p.forms, r.outer...)
	r.parts[at] = p
	return r.changeDir(ws, cwd)
}

// safeVariable reports whether a variable only changes how output looks.
func safeVariable(name string) bool {
	switch name {
	case "LC_ALL", "LC_COLLATE", "LC_CTYPE", "LC_MESSAGES", "LC_NUMERIC", "LC_TIME", "LANG", "TZ",
		"NO_COLOR", "CLICOLOR", "FORCE_COLOR", "COLUMNS", "LINES", "TERM":
		return true
	}
	return false
}

// changeDir returns the directories after a command: after it succeeded, and
// after it ended in any way.
func (r *shellReader) changeDir(ws []word, cwd string) (ok, after string) {
	if len(ws) == 0 || !ws[0].lit {
		return cwd, cwd
	}
	args := ws
	for len(args) > 1 && (args[0].text == "command" || args[0].text == "builtin") && args[1].lit {
		args = args[1:]
	}
	switch args[0].text {
	case "pushd", "popd":
		return "", ""
	case "cd":
	default:
		return cwd, cwd
	}
	if r.inLoop > 0 {
		r.give("it changes the directory inside a loop")
		return "", ""
	}
	if len(args) != 2 || !args[1].lit || args[1].text == "-" || strings.HasPrefix(args[1].text, "-") {
		return "", ""
	}
	to, found := r.resolve(cwd, args[1].text)
	// The shell takes ".." textually and programs follow links first; the
	// directory is known only where both agree.
	plain := args[1].text
	if !filepath.IsAbs(plain) {
		plain = filepath.Join(cwd, plain)
	}
	if !found || filepath.Clean(plain) != to {
		return "", ""
	}
	if info, err := os.Stat(to); err != nil || !info.IsDir() {
		return to, ""
	}
	return to, to
}

// formInfo says how a command is run.
type formInfo struct {
	cwd   string
	allow bool // a rule that allows these words allows the part
	stmt  *syntax.Stmt
	depth int
}

// form judges one form of a command: its words after so many wrappers were
// taken off.
func (r *shellReader) form(p *part, ws []word, in formInfo) {
	p.forms = append(p.forms, form{words: ws, allow: in.allow})
	if in.depth++; in.depth > maxDepth {
		p.refuse("it is wrapped too deep")
		return
	}
	name := ws[0]
	if !name.lit {
		p.refuse("the name of the command is not literal text")
		return
	}
	r.collect(p, ws[1:], in.cwd)
	base := strings.TrimSuffix(fold(path.Base(filepath.ToSlash(name.text))), ".exe")
	if base != name.text && base != "" {
		// Rules that deny look at the program wherever it lies; nothing that
		// allows does, since another program can have the same name.
		p.forms = append(p.forms, form{words: append(literal(base), ws[1:]...)})
	}
	p.assess(base, ws)
	if r.wrapper(p, base, ws, in) {
		if base != name.text {
			p.not("it is run from a path of its own")
		}
		return
	}
	if !p.readOnly {
		return
	}
	if len(r.parts) > r.maxRead {
		p.not("the command has too many parts")
		return
	}
	if base != name.text {
		p.not("the program is named by its path")
		return
	}
	r.prove(p, ws, in.cwd)
}

// collect notes every path and host that the words may name.
func (r *shellReader) collect(p *part, ws []word, cwd string) {
	for _, w := range ws {
		r.guess(p, w, cwd)
	}
}

func (r *shellReader) guess(p *part, w word, cwd string) {
	text := w.text
	if !w.lit {
		if w.hint == "" || w.glob && !strings.ContainsRune(w.hint, '/') && cwd == "" {
			p.unknown = true
			return
		}
		text = w.hint
	}
	if strings.Contains(text, "://") {
		if u, err := url.Parse(text); err == nil && u.Hostname() != "" {
			p.hosts = append(p.hosts, strings.ToLower(u.Hostname()))
			return
		}
	}
	if w.glob {
		fixed, _ := splitFixed(filepath.ToSlash(text))
		if strings.HasPrefix(text, "/") {
			fixed = "/" + fixed
		}
		if fixed == "" {
			fixed = "."
		}
		r.guessPath(p, fixed, cwd, true)
		return
	}
	r.guessPath(p, text, cwd, false)
	// --file=PATH, of=PATH, -oPATH, @PATH, HEAD:PATH
	if _, value, ok := strings.Cut(text, "="); ok {
		r.guessPath(p, value, cwd, false)
	}
	if _, value, ok := strings.Cut(text, ":"); ok {
		r.guessPath(p, value, cwd, false)
	}
	switch {
	case len(text) > 2 && text[0] == '-' && text[1] != '-':
		r.guessPath(p, text[2:], cwd, false)
	case len(text) > 1 && text[0] == '@':
		r.guessPath(p, text[1:], cwd, false)
	}
}

func (r *shellReader) guessPath(p *part, text, cwd string, tree bool) {
	if text == "" || len(text) > 4096 || strings.ContainsRune(text, '\n') || harmlessDevice(text) {
		return
	}
	if home, ok := strings.CutPrefix(text, "~/"); ok && r.home != "" {
		text = r.home + "/" + home
	}
	full, ok := r.resolve(cwd, text)
	if !ok {
		p.unknown = true
		return
	}
	p.args = append(p.args, target{path: full, tree: tree})
}
