package permission

import (
	"errors"
	"fmt"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// Limits of the analysis. A line beyond them is never allowed by itself; the
// deny rules are still compared with all of it, and the work stays linear.
const (
	maxLine  = 64 << 10 // bytes that are parsed
	maxParts = 256      // commands whose paths are looked up on disk
	maxDepth = 40       // nested compound commands, substitutions and "sh -c"
)

// line is a shell line taken apart.
type line struct {
	parts []part
	// opaque says why only a person can judge the line; "" when it was read.
	opaque string
	// unread is true when parts of the line may be missing from parts.
	unread bool
}

// readOnly reports whether every part is proven to only read.
func (l *line) readOnly() bool {
	if l.opaque != "" || len(l.parts) == 0 {
		return false
	}
	for i := range l.parts {
		if !l.parts[i].readOnly || len(l.parts[i].writes) > 0 {
			return false
		}
	}
	return true
}

// part is one simple command of a line, or a piece of shell syntax with an
// effect of its own.
type part struct {
	source string
	forms  []form
	// readOnly is true when the command only reads what reads lists; why says
	// what spoke against it otherwise.
	readOnly bool
	why      string
	// opaque says why no rule may allow the part.
	opaque string
	// harm says what the command may destroy or open; markers are the words
	// that a rule must contain to mean exactly that.
	harm    string
	markers []string
	// reads and writes are certain; args are all paths that the words of a
	// command may name. unknown is true when there may be others.
	reads, writes, args []target
	unknown             bool
	hosts               []string
}

// form is one way to look at a command: with and without its wrappers.
type form struct {
	words []word
	allow bool // a rule that allows this form allows the part
}

// target is a resolved path; tree means all below it too.
type target struct {
	path string
	tree bool
}

// shellReader walks the syntax tree of one line.
type shellReader struct {
	home    string
	source  string
	parts   []part
	opaque  string
	unread  bool
	depth   int
	inLoop  int
	lost    bool   // a function may change the directory when it is called
	outer   []form // forms of the "sh -c" that the line came from
	found   map[string]string
	maxRead int
}

// readLine takes a line apart, as run in the resolved directory dir.
func readLine(text, dir, home string) line {
	if len(text) > maxLine {
		return line{opaque: fmt.Sprintf("the command is longer than %d KiB", maxLine>>10), unread: true}
	}
	r := &shellReader{home: home, maxRead: maxParts}
	if problem := hiddenText(text); problem != "" {
		r.fail("the command cannot be shown as it is: " + problem)
	}
	r.text(text, dir)
	if r.opaque == "" && len(r.parts) > maxParts {
		r.opaque = fmt.Sprintf("the command has more than %d parts", maxParts)
	}
	return line{parts: r.parts, opaque: r.opaque, unread: r.unread}
}

// give records why only a person can judge the line; the first reason stays.
func (r *shellReader) give(reason string) {
	if r.opaque == "" {
		r.opaque = reason
	}
}

// fail records that a part of the line could not be looked at.
func (r *shellReader) fail(reason string) {
	r.unread = true
	r.give(reason)
}

// text parses and walks a line that runs in the directory cwd.
func (r *shellReader) text(text, cwd string) {
	if !r.enter() {
		return
	}
	defer r.leave()
	file, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(text), "")
	if err != nil {
		var pe syntax.ParseError
		if errors.As(err, &pe) {
			r.fail("the command cannot be parsed: " + pe.Text)
			return
		}
		r.fail("the command cannot be parsed: " + err.Error())
		return
	}
	if r.parts == nil {
		r.parts = make([]part, 0, len(file.Stmts)+4)
	}
	outer := r.source
	r.source = text
	r.list(file.Stmts, cwd)
	r.source = outer
}

func (r *shellReader) enter() bool {
	if r.depth++; r.depth > maxDepth {
		r.fail(fmt.Sprintf("the command is nested more than %d deep", maxDepth))
		r.depth--
		return false
	}
	return true
}

func (r *shellReader) leave() { r.depth-- }

// A directory in which a command runs is a resolved path, or "" when it
// depends on something that cannot be known.

// list walks commands that run one after the other and returns the directory
// after the last.
func (r *shellReader) list(stmts []*syntax.Stmt, cwd string) string {
	for _, st := range stmts {
		_, cwd = r.stmt(st, cwd)
		if r.lost {
			cwd = ""
		}
	}
	return cwd
}

// stmt walks one statement. It returns the directory after it succeeded, and
// after it ended in any way.
func (r *shellReader) stmt(st *syntax.Stmt, cwd string) (ok, after string) {
	ok, after = r.command(st, cwd)
	if st.Background || st.Coprocess || st.Disown {
		return cwd, cwd // it ran in a subshell
	}
	if st.Negated && ok != cwd {
		ok = ""
	}
	return ok, after
}

func (r *shellReader) command(st *syntax.Stmt, cwd string) (ok, after string) {
	switch cmd := st.Cmd.(type) {
	case *syntax.CallExpr:
		return r.call(st, cmd, cwd)
	case *syntax.BinaryCmd:
		r.redirects(st, cwd)
		return r.binary(cmd, cwd)
	case nil:
		r.redirects(st, cwd)
		return cwd, cwd
	}
	r.redirects(st, cwd)
	if !r.enter() {
		return "", ""
	}
	defer r.leave()
	end := r.compound(st.Cmd, cwd)
	return end, end
}

func (r *shellReader) binary(cmd *syntax.BinaryCmd, cwd string) (ok, after string) {
	switch cmd.Op {
	case syntax.AndStmt:
		ok, after := r.stmt(cmd.X, cwd)
		yes, end := r.stmt(cmd.Y, ok)
		if end != after {
			end = ""
		}
		return yes, end
	case syntax.OrStmt:
		_, after := r.stmt(cmd.X, cwd)
		_, end := r.stmt(cmd.Y, after)
		if end != cwd || after != cwd {
			end = ""
		}
		return end, end
	default: // both sides of a pipe run in subshells
		r.stmt(cmd.X, cwd)
		r.stmt(cmd.Y, cwd)
		return cwd, cwd
	}
}

// compound walks everything that is not a simple command or a list. Where a
// branch may or may not have changed the directory it is unknown afterwards.
func (r *shellReader) compound(cmd syntax.Command, cwd string) string {
	switch cmd := cmd.(type) {
	case *syntax.Subshell:
		lost := r.lost
		r.list(cmd.Stmts, cwd)
		r.lost = lost
		return cwd
	case *syntax.Block:
		return r.list(cmd.Stmts, cwd)
	case *syntax.TimeClause:
		if cmd.Stmt == nil {
			return cwd
		}
		_, after := r.stmt(cmd.Stmt, cwd)
		return after
	case *syntax.IfClause:
		return r.branches(cwd, func(cwd string) string {
			start := r.list(cmd.Cond, cwd)
			end := r.list(cmd.Then, start)
			if cmd.Else != nil {
				if e := r.compound(cmd.Else, start); e != end {
					return ""
				}
			}
			return end
		})
	case *syntax.CaseClause:
		r.words(cwd, cmd.Word)
		return r.branches(cwd, func(cwd string) string {
			for _, item := range cmd.Items {
				r.words(cwd, item.Patterns...)
				if r.list(item.Stmts, cwd) != cwd {
					cwd = ""
				}
			}
			return cwd
		})
	case *syntax.WhileClause:
		r.inLoop++
		defer func() { r.inLoop-- }()
		return r.branches(cwd, func(cwd string) string { return r.list(cmd.Do, r.list(cmd.Cond, cwd)) })
	case *syntax.ForClause:
		return r.forLoop(cmd, cwd)
	case *syntax.FuncDecl:
		r.lost = true
		r.add(part{source: r.slice(cmd), why: "it defines a function", forms: []form{{words: []word{{text: r.slice(cmd)}}}}})
		r.stmt(cmd.Body, "")
		return ""
	case *syntax.DeclClause:
		r.declare(cmd, cwd)
		return cwd
	case *syntax.CoprocClause:
		r.effect(cmd, cwd, "it starts a coprocess")
		r.stmt(cmd.Stmt, cwd)
		return cwd
	case *syntax.ArithmCmd, *syntax.LetClause:
		r.effect(cmd, cwd, "it computes with variables, which can run commands")
	case *syntax.TestClause:
		r.effect(cmd, cwd, "it tests with [[, which can run commands")
	default:
		r.effect(cmd, cwd, "it uses shell syntax that cannot be judged")
	}
	return cwd
}

// branches walks commands that may run or not.
func (r *shellReader) branches(cwd string, walk func(string) string) string {
	if walk(cwd) != cwd {
		return ""
	}
	return cwd
}

func (r *shellReader) forLoop(cmd *syntax.ForClause, cwd string) string {
	switch loop := cmd.Loop.(type) {
	case *syntax.WordIter:
		r.words(cwd, loop.Items...)
		if cmd.Select {
			r.effect(loop, cwd, "it waits for input")
		}
		if !localName(loop.Name.Value) {
			r.effect(loop, cwd, "it sets the variable "+loop.Name.Value)
		}
	default:
		r.effect(loop, cwd, "it computes with variables, which can run commands")
	}
	r.inLoop++
	defer func() { r.inLoop-- }()
	return r.branches(cwd, func(cwd string) string { return r.list(cmd.Do, cwd) })
}

// localName reports whether a variable is one of those that scripts use for
// themselves: no program looks at a name in lower case, proxies excepted.
func localName(name string) bool {
	for _, c := range name {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' {
			return false
		}
	}
	return name != "" && !strings.HasSuffix(name, "_proxy")
}

// effect records syntax with an effect that is no command, and walks the
// substitutions in it.
func (r *shellReader) effect(n syntax.Node, cwd, why string) {
	r.add(part{source: r.slice(n), why: why, forms: []form{{words: []word{{text: r.slice(n)}}}}, unknown: true})
	r.substitutions(n, cwd)
}

func (r *shellReader) declare(cmd *syntax.DeclClause, cwd string) {
	ws := literal(cmd.Variant.Value)
	for _, as := range cmd.Args {
		ws = append(ws, r.assignment(as, cwd))
	}
	r.add(part{
		source: r.slice(cmd), why: "it changes variables of the shell or shows them",
		forms: []form{{words: ws, allow: true}}, unknown: true,
	})
}
