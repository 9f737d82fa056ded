package permission

import (
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// wrapper judges commands that run another command, which is then judged in
// their place. It reports whether the command was one.
func (r *shellReader) wrapper(p *part, base string, ws []word, in formInfo) bool {
	switch base {
	case "sudo", "doas", "su", "pkexec", "run0", "runuser", "gosu", "su-exec", "runas":
		p.refuse("it runs a command as another user")
		p.suffixes(ws)
	case "mix":
		p.refuse("it drives Mix itself")
	case "eval", "source", ".", "trap", "alias", "enable", "fc", "hash", "bind", "complete", "mapfile", "readarray":
		p.refuse("it runs text that is not known beforehand, or changes what names mean")
		p.suffixes(ws)
	case "watch", "parallel", "strace", "ltrace", "unshare", "chroot", "nsenter", "systemd-run", "flock", "script",
		"entr", "unbuffer", "firejail", "dbus-run-session", "xvfb-run", "gdb", "setarch", "taskset", "chrt", "at", "batch",
		"screen", "tmux", "daemonize", "start-stop-daemon", "rlwrap", "expect", "socat", "ionice", "cpulimit", "prlimit":
		p.harms("it starts other commands", ws[0].text)
		p.suffixes(ws)
	case "sh", "bash", "dash", "zsh", "ksh", "ash", "mksh", "fish", "csh", "tcsh", "pwsh", "powershell", "cmd":
		r.shell(p, base, ws, in)
	case "xargs":
		r.xargs(p, ws, in)
	case "find":
		return r.findExec(p, ws, in)
	case "env":
		r.env(p, ws, in)
	case "command", "builtin", "exec", "nohup", "setsid", "nice", "timeout", "time", "stdbuf", "busybox", "toybox", "chronic":
		return r.plainWrapper(p, base, ws, in)
	default:
		return false
	}
	return true
}

// suffixes adds every tail of a command as a form for rules that deny: one of
// them is the command that it runs.
func (p *part) suffixes(ws []word) {
	for i := 1; i < len(ws) && i <= 16; i++ {
		if ws[i].lit && !strings.HasPrefix(ws[i].text, "-") {
			p.forms = append(p.forms, form{words: ws[i:]})
		}
	}
}

// inner judges the command that a wrapper runs.
func (r *shellReader) inner(p *part, ws []word, in formInfo) {
	if len(ws) == 0 {
		p.refuse("the command that it runs is not visible")
		return
	}
	r.form(p, ws, in)
}

// plainWrapper handles wrappers that take a few options and then a command.
func (r *shellReader) plainWrapper(p *part, base string, ws []word, in formInfo) bool {
	args := ws[1:]
	flags, valued, positional := "", "", 0
	switch base {
	case "command":
		if len(args) > 0 && args[0].lit && (args[0].text == "-v" || args[0].text == "-V") {
			return false // it only looks names up
		}
		flags = "p"
	case "exec":
		if len(args) == 0 {
			p.not("it changes the shell's own files")
			return true
		}
		flags, valued = "cl", "a"
	case "setsid":
		flags = "cfw"
	case "nice":
		valued = "n"
	case "timeout":
		flags, valued, positional = "v", "ks", 1
	case "time":
		flags = "p"
	case "stdbuf":
		valued = "ioe"
	}
	rest, ok := skipOptions(args, flags, valued)
	if !ok || len(rest) < positional || !allLiteral(args[:len(args)-len(rest)]) || !allLiteral(rest[:min(positional, len(rest))]) {
		p.refuse("the command that it runs is not visible")
		p.suffixes(ws)
		return true
	}
	if base == "setsid" {
		p.not("it leaves the session of the command")
	}
	r.inner(p, rest[positional:], in)
	return true
}

// skipOptions returns the words after the options. It fails on an option that
// it does not know, since then the command cannot be found.
func skipOptions(ws []word, flags, valued string) ([]word, bool) {
	for len(ws) > 0 {
		if !ws[0].lit {
			return ws, true // the inner command's name, which is judged there
		}
		t := ws[0].text
		switch {
		case t == "--":
			return ws[1:], true
		case t == "--foreground" || t == "--preserve-status" || t == "--verbose":
			ws = ws[1:]
		case strings.HasPrefix(t, "--signal=") || strings.HasPrefix(t, "--kill-after=") || strings.HasPrefix(t, "--adjustment=") ||
			strings.HasPrefix(t, "--output=") || strings.HasPrefix(t, "--error=") || strings.HasPrefix(t, "--input="):
			ws = ws[1:]
		case strings.HasPrefix(t, "--"):
			return nil, false
		case len(t) > 1 && t[0] == '-':
			n, ok := clusterLength(t[1:], flags, valued)
			if !ok || n > len(ws) {
				return nil, false
			}
			ws = ws[n:]
		default:
			return ws, true
		}
	}
	return ws, true
}

// clusterLength returns how many words a cluster of short options takes.
func clusterLength(cluster, flags, valued string) (int, bool) {
	for i := range len(cluster) {
		switch {
		case strings.IndexByte(flags, cluster[i]) >= 0:
		case strings.IndexByte(valued, cluster[i]) >= 0:
			if i+1 < len(cluster) {
				return 1, true
			}
			return 2, true
		default:
			return 0, false
		}
	}
	return 1, true
}

// env judges "env NAME=VALUE command"; without a command it shows the
// environment, which may hold secrets.
func (r *shellReader) env(p *part, ws []word, in formInfo) {
	args := ws[1:]
	for len(args) > 0 && args[0].lit {
		t := args[0].text
		name, _, assigns := strings.Cut(t, "=")
		switch {
		case t == "--":
			args = args[1:]
			continue
		case t == "-i" || t == "-" || t == "--ignore-environment":
			p.not("it changes the environment")
			args = args[1:]
			continue
		case t == "-u" && len(args) > 1:
			p.not("it changes the environment")
			in.allow = false
			args = args[2:]
			continue
		case strings.HasPrefix(t, "-"):
			p.refuse("the command that env runs is not visible")
			p.suffixes(ws)
			return
		case assigns:
			if !safeVariable(name) {
				p.not("it sets a variable that can change what commands do")
				in.allow = false
			}
			args = args[1:]
			continue
		}
		break
	}
	if len(args) == 0 {
		p.not("it shows the environment, which can hold secrets")
		return
	}
	r.inner(p, args, in)
}

// shell judges "sh -c TEXT" by its text. A script file is judged as an unknown
// command; text from standard input is visible only as a here-document.
func (r *shellReader) shell(p *part, base string, ws []word, in formInfo) {
	switch base {
	case "sh", "bash", "dash", "zsh", "ksh", "ash", "mksh":
	default:
		p.refuse("it runs text in a language that cannot be judged")
		return
	}
	args := ws[1:]
	for len(args) > 0 {
		if !args[0].lit {
			p.refuse("the shell's arguments are not literal text")
			return
		}
		t := args[0].text
		if len(t) < 2 || t[0] != '-' || t == "--" {
			break
		}
		if strings.HasPrefix(t, "--") {
			switch t {
			case "--version":
				p.not("it is not known to only read")
				return
			case "--norc", "--noprofile", "--posix":
				args = args[1:]
				continue
			}
			p.refuse("the shell's options cannot be judged")
			return
		}
		if strings.Trim(t[1:], "ceuxl") != "" {
			p.refuse("the shell's options cannot be judged")
			return
		}
		if strings.ContainsRune(t, 'l') {
			p.not("it runs the start files of a login shell")
		}
		args = args[1:]
		if strings.ContainsRune(t, 'c') {
			r.shellText(p, args, in)
			return
		}
	}
	if len(args) > 0 && args[0].text != "-" && args[0].text != "--" {
		p.not("it runs a script")
		return
	}
	if text, ok := hereDocument(in.stmt); ok {
		r.within(p, text, in)
		return
	}
	p.refuse("the shell reads commands that are not visible")
}

func (r *shellReader) shellText(p *part, args []word, in formInfo) {
	if len(args) == 0 || !args[0].lit {
		p.refuse("the text that the shell runs is not literal")
		return
	}
	r.within(p, args[0].text, in)
}

// within judges the text of another shell as parts of their own. A rule that
// allows the outer command as a whole allows them too.
func (r *shellReader) within(p *part, text string, in formInfo) {
	outer, lost, loop := r.outer, r.lost, r.inLoop
	r.outer = append(append([]form(nil), p.forms...), outer...)
	r.lost, r.inLoop = false, 0
	r.text(text, in.cwd)
	r.outer, r.lost, r.inLoop = outer, lost, loop
}

// hereDocument returns the literal text that a statement gets as its input.
func hereDocument(st *syntax.Stmt) (string, bool) {
	if st == nil {
		return "", false
	}
	for _, rd := range st.Redirs {
		var w *syntax.Word
		switch rd.Op {
		case syntax.Hdoc, syntax.DashHdoc:
			w = rd.Hdoc
		case syntax.WordHdoc:
			w = rd.Word
		default:
			continue
		}
		if rd.N != nil || len(st.Redirs) > 1 || w == nil {
			return "", false
		}
		if rd.Op == syntax.WordHdoc {
			v := readWord(w, "", "")
			return v.text, v.lit
		}
		var text strings.Builder
		for _, part := range w.Parts {
			lit, ok := part.(*syntax.Lit)
			if !ok || strings.ContainsRune(lit.Value, '\\') {
				return "", false
			}
			text.WriteString(lit.Value)
		}
		return text.String(), true
	}
	return "", false
}

// xargs judges the command that xargs completes with words from its input.
func (r *shellReader) xargs(p *part, ws []word, in formInfo) {
	args, replace := ws[1:], ""
	for len(args) > 0 && args[0].lit && len(args[0].text) > 1 && args[0].text[0] == '-' {
		t := args[0].text
		switch {
		case t == "-I" && len(args) > 1:
			replace, args = args[1].text, args[2:]
			continue
		case strings.HasPrefix(t, "-I"):
			replace = t[2:]
		case t == "--null" || t == "--no-run-if-empty" || t == "--verbose":
		case t == "--":
		case strings.HasPrefix(t, "--max-args=") || strings.HasPrefix(t, "--max-procs=") || strings.HasPrefix(t, "--max-lines="):
		default:
			n, ok := clusterLength(t[1:], "0rtx", "nPLsd")
			if !ok || n > len(args) {
				p.refuse("the command that xargs runs is not visible")
				p.suffixes(ws)
				return
			}
			args = args[n:]
			continue
		}
		args = args[1:]
		if t == "--" {
			break
		}
	}
	p.not("xargs adds arguments that are not known beforehand")
	if len(args) == 0 {
		return
	}
	r.inner(p, open(args, replace), in)
}

// open returns the words of a command that gets more from elsewhere: in place
// of the text replace, or at its end when that is "".
func open(ws []word, replace string) []word {
	out := make([]word, 0, len(ws)+1)
	for _, w := range ws {
		if replace != "" && strings.Contains(w.text, replace) {
			w = word{text: w.text}
		}
		out = append(out, w)
	}
	if replace == "" {
		out = append(out, word{text: "…"})
	}
	return out
}

// findExec judges the commands that find runs, each as a part of its own. It
// reports false always: what find itself does is then judged as usual.
func (r *shellReader) findExec(p *part, ws []word, in formInfo) bool {
	for i := 1; i < len(ws); i++ {
		if !ws[i].lit {
			continue
		}
		switch ws[i].text {
		case "-exec", "-execdir", "-ok", "-okdir":
		default:
			continue
		}
		end := i + 1
		for end < len(ws) && !(ws[end].lit && (ws[end].text == ";" || ws[end].text == "+" && ws[end-1].text == "{}")) {
			end++
		}
		if end == i+1 || end == len(ws) {
			p.refuse("the command that find runs is not visible")
			return false
		}
		sub := part{source: "find … " + ws[i].text + " " + strings.Join(texts(ws[i+1:end]), " "), readOnly: true}
		inner := in
		inner.allow = true
		if strings.HasSuffix(ws[i].text, "dir") {
			inner.cwd = ""
		}
		inner.stmt = nil
		r.form(&sub, open(ws[i+1:end], "{}"), inner)
		sub.not("find adds arguments that are not known beforehand")
		r.add(sub)
		i = end
	}
	return false
}
