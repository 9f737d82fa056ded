package shell

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// gitSetting is one assignment of a git configuration file, as git takes it.
type gitSetting struct {
	section string // in small letters
	// head is what git writes before the key: the section and, behind a dot, the
	// subsection. An empty subsection is not the same as none.
	head  string
	key   string // in small letters
	value string // empty without an equals sign, which is all one here
}

const (
	maxGitConfig   = 1 << 20 // bytes of one configuration file
	maxGitIncludes = 10      // nested inclusions, as in git
)

// readGitConfig reads a configuration file of git and all that it includes,
// conditions regarded as met, so the result is at least what git takes from it.
// A file that does not exist is empty.
func readGitConfig(path, home string) ([]gitSetting, error) {
	return includeGitConfig(path, home, 0)
}

func includeGitConfig(path, home string, depth int) ([]gitSetting, error) {
	if depth > maxGitIncludes {
		return nil, fmt.Errorf("%s is included too deeply", path)
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular() && path != os.DevNull, info.Size() > maxGitConfig:
		return nil, fmt.Errorf("%s is no configuration file of up to %d bytes", path, maxGitConfig)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	own, err := parseGitConfig(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	var all []gitSetting
	for _, s := range own {
		all = append(all, s)
		if s.key != "path" || s.section != "include" && s.section != "includeif" || s.value == "" {
			continue
		}
		included, err := gitPath(s.value, filepath.Dir(path), home)
		if err != nil {
			return nil, err
		}
		more, err := includeGitConfig(included, home, depth+1)
		if err != nil {
			return nil, err
		}
		all = append(all, more...)
	}
	return all, nil
}

// gitPath resolves a path of a configuration file in dir.
func gitPath(path, dir, home string) (string, error) {
	switch {
	case strings.HasPrefix(path, "~/"):
		return filepath.Join(home, path[2:]), nil
	case strings.HasPrefix(path, "~"), strings.HasPrefix(path, "%(prefix)"):
		return "", fmt.Errorf("the configuration names a place that only git can find: %s", path)
	case filepath.IsAbs(path):
		return path, nil
	}
	return filepath.Join(dir, path), nil
}

// gitConfigParser follows config.c of git.
type gitConfigParser struct {
	text string
	line int
}

// parseGitConfig reads the text of a configuration file.
func parseGitConfig(text string) ([]gitSetting, error) {
	p := &gitConfigParser{text: strings.TrimPrefix(text, "\ufeff"), line: 1}
	var all []gitSetting
	var at gitSetting // the section
	for {
		c, ok := p.next()
		switch {
		case !ok:
			return all, nil
		case isGitSpace(c):
		case c == '#' || c == ';':
			p.skipLine()
		case c == '[':
			head, ok := p.head()
			if !ok {
				return nil, p.bad()
			}
			section, _, _ := strings.Cut(head, ".")
			at = gitSetting{section: section, head: head}
		case isLetter(c):
			s := at
			s.key = strings.ToLower(string(c) + p.name())
			if s.value, ok = p.value(); !ok {
				return nil, p.bad()
			}
			all = append(all, s)
		default:
			return nil, p.bad()
		}
	}
}

func (p *gitConfigParser) bad() error { return fmt.Errorf("line %d is not understood", p.line) }

// next returns the next character; a carriage return before a line's end is
// part of that end.
func (p *gitConfigParser) next() (byte, bool) {
	if p.text == "" {
		return 0, false
	}
	if strings.HasPrefix(p.text, "\r\n") {
		p.text = p.text[1:]
	}
	c := p.text[0]
	p.text = p.text[1:]
	if c == '\n' {
		p.line++
	}
	return c, true
}

// peek is the next character without taking it; 0 at the end.
func (p *gitConfigParser) peek() byte {
	if strings.HasPrefix(p.text, "\r\n") {
		return '\n'
	}
	if p.text == "" {
		return 0
	}
	return p.text[0]
}

func (p *gitConfigParser) skipLine() {
	for c, ok := p.next(); ok && c != '\n'; c, ok = p.next() {
	}
}

// head reads what follows an opening bracket: name], name "sub"] or the old
// name.sub], which has no capitals.
func (p *gitConfigParser) head() (string, bool) {
	var b strings.Builder
	for {
		c, more := p.next()
		switch {
		case !more || c == '\n':
			return "", false
		case c == ']':
			return strings.ToLower(b.String()), true
		case isGitSpace(c):
			sub, ok := p.subsection()
			return strings.ToLower(b.String()) + "." + sub, ok
		case !isLetter(c) && !isDigit(c) && c != '-' && c != '.':
			return "", false
		}
		b.WriteByte(c)
	}
}

// subsection reads a quoted name up to the bracket after it.
func (p *gitConfigParser) subsection() (string, bool) {
	c, ok := p.next()
	for ok && c != '\n' && isGitSpace(c) {
		c, ok = p.next()
	}
	if !ok || c != '"' {
		return "", false
	}
	var b strings.Builder
	for {
		c, ok := p.next()
		if ok && c == '\\' {
			if c, ok = p.next(); ok && c != '\n' {
				b.WriteByte(c)
				continue
			}
		}
		switch {
		case !ok || c == '\n':
			return "", false
		case c == '"':
			c, ok = p.next()
			return b.String(), ok && c == ']'
		}
		b.WriteByte(c)
	}
}

// name reads the rest of a key.
func (p *gitConfigParser) name() string {
	var b strings.Builder
	for c := p.peek(); isLetter(c) || isDigit(c) || c == '-'; c = p.peek() {
		p.next()
		b.WriteByte(c)
	}
	return b.String()
}

// value reads what follows a key: nothing, or an equals sign and a value with
// quotes, escapes, continuations and perhaps a comment.
func (p *gitConfigParser) value() (string, bool) {
	for p.peek() == ' ' || p.peek() == '\t' {
		p.next()
	}
	c, ok := p.next()
	if !ok || c == '\n' {
		return "", true
	}
	if c != '=' {
		return "", false
	}
	var b strings.Builder
	quoted, kept := false, 0 // kept is the length without space at the end
	for {
		c, ok := p.next()
		switch {
		case !ok || c == '\n':
			return b.String()[:kept], !quoted
		case !quoted && isGitSpace(c):
			if b.Len() > 0 {
				b.WriteByte(c)
			}
			continue
		case !quoted && (c == '#' || c == ';'):
			p.skipLine()
			return b.String()[:kept], true
		case c == '"':
			quoted = !quoted
			kept = b.Len()
			continue
		case c == '\\':
			if c, ok = unescape(p); !ok {
				return "", false
			}
			if c == '\n' {
				continue
			}
			b.WriteByte(escapes(c))
		default:
			b.WriteByte(c)
		}
		kept = b.Len()
	}
}

// unescape reads what follows a backslash in a value.
func unescape(p *gitConfigParser) (byte, bool) {
	c, ok := p.next()
	if !ok || !strings.ContainsRune("\ntbn\"\\", rune(c)) {
		return 0, false
	}
	return c, true
}

// escapes is what a letter after a backslash stands for.
func escapes(c byte) byte {
	switch c {
	case 't':
		return '\t'
	case 'b':
		return '\b'
	case 'n':
		return '\n'
	}
	return c
}

func isGitSpace(c byte) bool { return strings.IndexByte(" \t\n\r", c) >= 0 }
func isLetter(c byte) bool   { return 'a' <= c|0x20 && c|0x20 <= 'z' }
func isDigit(c byte) bool    { return '0' <= c && c <= '9' }
