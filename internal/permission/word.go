package permission

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"mvdan.cc/sh/v3/syntax"
)

// word is one word of a command.
type word struct {
	// text is what the program would get when lit is true, else the source.
	text string
	// lit is true when the text is certain: no expansion, no wildcard.
	lit bool
	// hint is the path that the word would most likely be when it is not
	// certain: "~" and "$HOME" replaced, wildcards left. It serves to find
	// closed places, never to allow.
	hint string
	// glob is true when hint holds wildcards.
	glob bool
}

// literal makes words of texts that are certain.
func literal(texts ...string) []word {
	out := make([]word, len(texts))
	for i, t := range texts {
		out[i] = word{text: t, lit: true}
	}
	return out
}

// texts returns the words as the program gets them.
func texts(ws []word) []string {
	out := make([]string, len(ws))
	for i, w := range ws {
		out[i] = w.text
	}
	return out
}

func allLiteral(ws []word) bool {
	for _, w := range ws {
		if !w.lit {
			return false
		}
	}
	return true
}

// readWord evaluates a word as far as it can be known without running
// anything.
func readWord(w *syntax.Word, source, home string) word {
	if len(w.Parts) == 1 {
		if lit, ok := w.Parts[0].(*syntax.Lit); ok && plainText(lit.Value) {
			return word{text: lit.Value, lit: true}
		}
	}
	var text, hint strings.Builder
	certain, guess, glob := true, true, false
	for i, part := range w.Parts {
		switch part := part.(type) {
		case *syntax.Lit:
			t, ok, g := readLit(part.Value, i == 0)
			if !ok {
				certain = false
			}
			glob = glob || g
			text.WriteString(t)
			switch {
			case i == 0 && (t == "~" || strings.HasPrefix(t, "~/")):
				guess = guess && home != ""
				t = home + t[1:]
			case !ok && !g:
				guess = false
			}
			hint.WriteString(t)
		case *syntax.SglQuoted:
			if part.Dollar {
				certain, guess = false, false
				continue
			}
			text.WriteString(part.Value)
			hint.WriteString(part.Value)
		case *syntax.DblQuoted:
			t, ok, h, hok := readDoubleQuoted(part, home)
			certain, guess = certain && ok, guess && hok
			text.WriteString(t)
			hint.WriteString(h)
		case *syntax.ParamExp:
			certain = false
			if !isHome(part) || home == "" {
				guess = false
			}
			hint.WriteString(home)
		default:
			certain, guess = false, false
		}
	}
	switch {
	case certain:
		return word{text: text.String(), lit: true}
	case guess:
		return word{text: source, hint: hint.String(), glob: glob}
	}
	return word{text: source}
}

func isHome(p *syntax.ParamExp) bool {
	return p.Param != nil && p.Param.Value == "HOME" && !p.Excl && !p.Length && !p.Width && p.Index == nil &&
		p.Slice == nil && p.Repl == nil && p.Names == 0 && p.Exp == nil && len(p.Modifiers) == 0
}

func readDoubleQuoted(q *syntax.DblQuoted, home string) (text string, ok bool, hint string, hintOK bool) {
	ok, hintOK = !q.Dollar, !q.Dollar
	for _, part := range q.Parts {
		switch part := part.(type) {
		case *syntax.Lit:
			t := unescapeQuoted(part.Value)
			text += t
			hint += t
		case *syntax.ParamExp:
			ok = false
			hintOK = hintOK && isHome(part) && home != ""
			hint += home
		default:
			ok, hintOK = false, false
		}
	}
	return text, ok, hint, hintOK
}

// plainText reports whether unquoted text means itself, letter by letter.
func plainText(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case strings.IndexByte("/._-+,:@%^", c) >= 0:
		case c == '=' && (i+1 == len(s) || s[i+1] != '~'):
		default:
			return false
		}
	}
	return s != ""
}

// readLit evaluates unquoted text: escapes are removed; ok is false when the
// shell would expand something in it, glob is true for file name patterns.
func readLit(s string, first bool) (text string, ok, glob bool) {
	if s == "{}" {
		return s, true, false
	}
	var b strings.Builder
	ok = true
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch c {
		case '\\':
			i++
			if i < len(s) && s[i] != '\n' {
				b.WriteByte(s[i])
			}
			continue
		case '*', '?', '[':
			ok, glob = false, true
		case '{':
			// "HEAD@{1}" is plain; "{a,b}" and "{1..3}" are not.
			if strings.ContainsAny(s[i:], ",") || strings.Contains(s[i:], "..") {
				ok = false
			}
		case '~':
			if i == 0 && first || i > 0 && (s[i-1] == '=' || s[i-1] == ':') {
				ok = false
			}
		case '$', '`':
			ok = false
		}
		b.WriteByte(c)
	}
	return b.String(), ok, glob
}

// unescapeQuoted evaluates the text between double quotes.
func unescapeQuoted(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			switch s[i+1] {
			case '$', '`', '"', '\\':
				i++
				b.WriteByte(s[i])
				continue
			case '\n':
				i++
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// hiddenText returns a problem for text that a person would not see as it is,
// or that shells cut into words differently.
func hiddenText(line string) string {
	if !utf8.ValidString(line) {
		return "it is not valid UTF-8"
	}
	for i := range len(line) {
		c := line[i]
		if c < 0x20 && c != '\n' && c != '\t' || c == 0x7f {
			return "it holds control characters"
		}
		if c >= 0x80 {
			return hiddenRune(line)
		}
	}
	return ""
}

func hiddenRune(line string) string {
	for _, r := range line {
		switch {
		case r < 0x20 && r != '\n' && r != '\t' || r == 0x7f, unicode.Is(unicode.Cc, r) && r > 0x7f:
			return "it holds control characters"
		case unicode.Is(unicode.Cf, r), r == 0x2028, r == 0x2029:
			return "it holds invisible characters"
		case r > 0x7f && unicode.IsSpace(r):
			return "it holds spaces that only look like spaces"
		}
	}
	return ""
}

// ruleWords reads the words of a rule for a command.
func ruleWords(pattern string) ([]ruleWord, error) {
	file, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(pattern), "")
	if err != nil {
		return nil, errors.New("the command is not a shell command: " + err.Error())
	}
	if len(file.Stmts) != 1 {
		return nil, errors.New("it has to hold one simple command")
	}
	st := file.Stmts[0]
	call, ok := st.Cmd.(*syntax.CallExpr)
	if !ok || len(st.Redirs) > 0 || st.Background || st.Negated {
		return nil, errors.New("it has to hold one simple command, without pipes, lists or redirections, since each part of a line is judged alone")
	}
	var out []ruleWord
	for _, as := range call.Assigns {
		if as.Value == nil || as.Array != nil || as.Index != nil || as.Append {
			return nil, errors.New("the assignment in it is not plain")
		}
		v := readWord(as.Value, "", "")
		if !v.lit {
			return nil, errors.New("the assignment in it is not literal text")
		}
		out = append(out, ruleWord{text: as.Name.Value + "=" + v.text})
	}
	for _, w := range call.Args {
		rw, err := readRuleWord(w)
		if err != nil {
			return nil, err
		}
		out = append(out, rw)
	}
	if len(out) == 0 {
		return nil, errors.New("the command is empty")
	}
	return out, nil
}

func readRuleWord(w *syntax.Word) (ruleWord, error) {
	for _, part := range w.Parts {
		switch part.(type) {
		case *syntax.Lit, *syntax.SglQuoted, *syntax.DblQuoted:
		default:
			return ruleWord{}, errors.New("a rule cannot contain variables or substitutions")
		}
	}
	v := readWord(w, "", "")
	switch {
	case v.lit:
		return ruleWord{text: v.text}, nil
	case v.glob && len(w.Parts) == 1 && !strings.ContainsAny(v.hint, "?["):
		return ruleWord{text: v.hint, glob: true}, nil
	}
	return ruleWord{}, errors.New(`only "*" is a wildcard in a rule; put other special characters in quotes`)
}

// match compares a command pattern with the words of a command.
func (r *Rule) match(ws []word) matchResult {
	if len(r.words) > len(ws) || !r.prefix && len(ws) != len(r.words) {
		return r.matchShort(ws)
	}
	for i, rw := range r.words {
		switch {
		case !ws[i].lit:
			// An expansion may become anything, also several words or none.
			return matchMaybe
		case rw.glob && matchGlob(rw.text, ws[i].text), rw.text == ws[i].text:
		default:
			return matchNo
		}
	}
	return matchYes
}

// matchShort handles commands with too few or too many words: only an
// expansion can make up for that.
func (r *Rule) matchShort(ws []word) matchResult {
	for i, w := range ws {
		if !w.lit {
			return matchMaybe
		}
		if i >= len(r.words) || r.words[i].text != w.text && !(r.words[i].glob && matchGlob(r.words[i].text, w.text)) {
			return matchNo
		}
	}
	return matchNo
}

// matchResult says whether a rule means a command. Maybe counts for rules that
// ask or deny (then a person is asked), never for rules that allow.
type matchResult uint8

const (
	matchNo matchResult = iota
	matchMaybe
	matchYes
)
