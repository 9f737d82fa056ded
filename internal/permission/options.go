package permission

import (
	"os"
	"strconv"
	"strings"
)

// spec is how a command that only reads may be called. Everything that is not
// listed is not safe: an option that this table does not know may write, run a
// program or follow links, in this version of the command or in the next.
//
// A word that is taken for the value of an option is not looked at, so an
// option may stand in "valued" only if every implementation of the command
// reads a value there.
type spec struct {
	flags    string // short options without a value
	valued   string // short options with a value, attached or in the next word
	attached string // short options with a value that is attached or absent
	// long options without their dashes: "name", "name=" with a value in the
	// same word or the next, "name?" with a value in the same word or none.
	long   []string
	number bool // -5
	args   argKind
	// tree lists the options (short letters and long names) with which the
	// command reads all below its arguments; "*" means always.
	tree []string
	// files is true for a command that would read through links if its
	// arguments were directories.
	files bool
	// check refuses what the rest cannot express.
	check func(o options) bool
}

// argKind says what the words that are no options mean.
type argKind uint8

const (
	argNone    argKind = iota
	argText            // no files
	argPaths           // files
	argPattern         // one pattern, then files; only files after -e
	argGit             // revisions and files of a repository
)

// options is a command line taken apart by a spec.
type options struct {
	set  map[string]bool
	vals []string // values of options
	args []string
}

func (o *options) has(names ...string) bool {
	for _, n := range names {
		if o.set[n] {
			return true
		}
	}
	return false
}

// parse takes literal words apart. It fails on anything that is not listed.
func (s *spec) parse(ws []string) (o options, problem string) {
	o.set = make(map[string]bool, len(ws))
	for i := 0; i < len(ws); i++ {
		t := ws[i]
		var used int
		ok := true
		switch {
		case t == "--":
			o.args = append(o.args, ws[i+1:]...)
			return o, ""
		case len(t) < 2 || t[0] != '-':
			o.args = append(o.args, t)
		case strings.HasPrefix(t, "--"):
			used, ok = s.longOption(&o, t[2:], ws[i+1:])
		case s.number && isNumber(t[1:]):
		default:
			used, ok = s.shortOptions(&o, t[1:], ws[i+1:])
		}
		if !ok {
			return o, "the option " + t + " is not known to be safe"
		}
		i += used
	}
	return o, ""
}

func (s *spec) longOption(o *options, text string, rest []string) (used int, ok bool) {
	name, value, hasValue := strings.Cut(text, "=")
	for _, l := range s.long {
		stem, mark := l, byte(0)
		if c := l[len(l)-1]; c == '=' || c == '?' {
			stem, mark = l[:len(l)-1], c
		}
		if stem != name || hasValue && mark == 0 {
			continue
		}
		if mark == '=' && !hasValue {
			if len(rest) == 0 {
				return 0, false
			}
			value, used = rest[0], 1
		}
		if mark != 0 {
			o.vals = append(o.vals, value)
		}
		o.set[name] = true
		return used, true
	}
	return 0, false
}

func (s *spec) shortOptions(o *options, cluster string, rest []string) (used int, ok bool) {
	for i := range len(cluster) {
		c := cluster[i]
		if strings.IndexByte(s.flags, c) >= 0 {
			o.set[string(c)] = true
			continue
		}
		valued := strings.IndexByte(s.valued, c) >= 0
		if !valued && strings.IndexByte(s.attached, c) < 0 {
			return 0, false
		}
		o.set[string(c)] = true
		if !valued || i+1 < len(cluster) {
			o.vals = append(o.vals, cluster[i+1:])
			return 0, true
		}
		if len(rest) == 0 {
			return 0, false
		}
		o.vals = append(o.vals, rest[0])
		return 1, true
	}
	return 0, true
}

func isNumber(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// prove decides whether a command only reads, and what.
func (r *shellReader) prove(p *part, ws []word, cwd string) {
	if !allLiteral(ws[1:]) {
		p.not("an argument is not literal text")
		return
	}
	name, args := ws[0].text, texts(ws[1:])
	switch name {
	case "true", "false", ":", "echo":
		return // no argument of theirs names a file
	case "printf":
		if len(args) > 0 && strings.HasPrefix(args[0], "-") {
			p.not("printf can set a variable")
		}
		return
	case "git":
		r.proveGit(p, args, cwd)
		return
	case "go":
		proveGo(p, args)
		return
	case "find":
		r.proveFind(p, args, cwd)
		return
	case "sed":
		r.proveSed(p, args, cwd)
		return
	case "cd":
		r.proveCd(p, args, cwd)
		return
	}
	if versionOnly(name, args) {
		return
	}
	s, ok := specOf(name)
	if !ok {
		p.not(name + " is not known to only read")
		return
	}
	r.proveSpec(p, &s, args, cwd)
}

// proveSpec compares the arguments of a command with its spec.
func (r *shellReader) proveSpec(p *part, s *spec, args []string, cwd string) {
	o, problem := s.parse(args)
	switch {
	case problem != "":
		p.not(problem)
		return
	case s.check != nil && !s.check(o), s.args == argNone && len(o.args) > 0:
		p.not("called with these arguments it is not known to only read")
		return
	}
	paths := o.args
	switch s.args {
	case argNone, argText:
		return
	case argPattern:
		if !o.has("e", "regexp", "files", "type-list") && len(paths) > 0 {
			paths = paths[1:]
		}
	case argGit:
		r.gitPaths(p, paths, cwd)
		return
	}
	tree := o.has(s.tree...) || len(s.tree) == 1 && s.tree[0] == "*"
	if len(paths) == 0 && tree {
		paths = []string{"."}
	}
	for _, path := range paths {
		if path != "-" {
			r.readsPath(p, path, cwd, tree)
		}
	}
	if s.files && p.readsDirectory() {
		p.not("it compares directories and follows the links in them")
	}
}

// readsPath notes that a part reads a path.
func (r *shellReader) readsPath(p *part, path, cwd string, tree bool) {
	if harmlessDevice(path) {
		return
	}
	full, ok := r.resolve(cwd, path)
	if !ok {
		p.not("it is not known where " + strconv.Quote(path) + " is")
		return
	}
	p.reads = append(p.reads, target{path: full, tree: tree})
}

func (p *part) readsDirectory() bool {
	for _, t := range p.reads {
		if info, err := os.Stat(t.path); err == nil && info.IsDir() {
			return true
		}
	}
	return false
}
