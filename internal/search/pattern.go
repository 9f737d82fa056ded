package search

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/wasilibs/go-re2"
)

// PatternError says why a regular expression was refused, and what to write
// instead.
type PatternError struct {
	Pattern string
	// Offset is where in Pattern the trouble is, in bytes; -1 when unknown.
	Offset int
	// Reason and Hint are for the person or model that wrote the pattern.
	Reason, Hint string
}

// Error implements error.
func (e *PatternError) Error() string {
	s := fmt.Sprintf("invalid regular expression %q: %s", e.Pattern, e.Reason)
	if e.Offset >= 0 {
		s += fmt.Sprintf(" (at character %d)", len([]rune(e.Pattern[:e.Offset]))+1)
	}
	if e.Hint != "" {
		s += "; " + e.Hint
	}
	return s
}

// pattern is a compiled regular expression. It is safe for concurrent use.
//
// The dialect is RE2's, as in the standard library, with two changes that make
// it work on lines as ripgrep does: '^' and '$' match at line breaks, and
// outside of multiline mode nothing matches a line break. A carriage return
// before the line break is not part of a line.
type pattern struct {
	line      *regexp.Regexp // judges one line, or, in multiline mode, a whole file
	region    *re2.Regexp    // finds candidate lines in a buffer; nil where RE2 is not needed or no help
	later     *pattern       // of multiline mode: for text that is not the beginning; nil: the same
	literals  []literal      // one of them is in every match; nil: unknown
	exact     bool           // the literals are all that matches
	multiline bool
	empty     bool // it can match nothing at all, at some places
}

// compilePattern compiles text. The flags of the pattern itself, "(?i)",
// "(?s)", "(?U)", are honoured.
func compilePattern(text string, ignoreCase, multiline bool) (*pattern, error) {
	flags := syntax.Perl &^ syntax.OneLine
	if ignoreCase {
		flags |= syntax.FoldCase
	}
	if multiline {
		flags |= syntax.DotNL
	}
	tree, err := syntax.Parse(text, flags)
	if err != nil {
		return nil, explainSyntax(text, err)
	}
	if !multiline {
		if err := stripNewlines(tree); err != nil {
			return nil, &PatternError{
				Pattern: text, Offset: strings.Index(text, `\n`), Reason: "it asks for a line break, and lines are searched one by one",
				Hint: "set multiline to match across lines",
			}
		}
	}
	p, err := compileTree(tree, multiline)
	if err != nil {
		return nil, explainSyntax(text, err)
	}
	if multiline && forgetBeginning(tree) {
		if p.later, err = compileTree(tree, true); err != nil {
			return nil, explainSyntax(text, err)
		}
	}
	return p, nil
}

func compileTree(tree *syntax.Regexp, multiline bool) (*pattern, error) {
	p := &pattern{multiline: multiline}
	p.empty = matchesEmpty(tree)
	p.literals, p.exact = requiredLiterals(tree)
	// A carriage return can be the end of a line and then must not match.
	p.exact = p.exact && !slices.ContainsFunc(p.literals, func(l literal) bool { return strings.Contains(l.text, "\r") })
	if multiline {
		tree = allowCR(tree)
	}
	var err error
	if p.line, err = regexp.Compile(tree.String()); err != nil {
		return nil, err
	}
	switch {
	case !multiline && p.exact, !automatonFits(tree):
	case multiline:
		p.region = compileRE2(tree.String())
	default:
		p.region = compileRE2(wholeLine(allowCR(tree)).String())
	}
	return p, nil
}

// forgetBeginning makes an expression fit for text from the middle of a file:
// nothing there is the beginning of the text. It reports a change.
func forgetBeginning(re *syntax.Regexp) bool {
	if re.Op == syntax.OpBeginText {
		re.Op = syntax.OpNoMatch
		return true
	}
	changed := false
	for _, sub := range re.Sub {
		changed = forgetBeginning(sub) || changed
	}
	return changed
}

// matchesEmpty reports whether re can match the empty string somewhere.
func matchesEmpty(re *syntax.Regexp) bool {
	switch re.Op {
	case syntax.OpNoMatch, syntax.OpLiteral, syntax.OpCharClass, syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return false
	case syntax.OpRepeat:
		return re.Min == 0 || matchesEmpty(re.Sub[0])
	case syntax.OpCapture, syntax.OpPlus:
		return matchesEmpty(re.Sub[0])
	case syntax.OpConcat:
		return !slices.ContainsFunc(re.Sub, func(sub *syntax.Regexp) bool { return !matchesEmpty(sub) })
	case syntax.OpAlternate:
		return slices.ContainsFunc(re.Sub, matchesEmpty)
	}
	return true
}

// findAll returns up to n matches in data[pos:], where pos begins a line; one
// where RE2 cannot be used.
func (p *pattern) findAll(ctx context.Context, data []byte, pos, n int) [][]int {
	if pos > 0 && p.later != nil {
		p = p.later
	}
	if p.region != nil {
		return p.region.FindAllIndex(data[pos:], n)
	}
	if m := p.findSlowly(ctx, data[pos:]); m != nil {
		return [][]int{m}
	}
	return nil
}

// findSlowly is one search of the standard library that the end of ctx stops,
// for long texts and expressions that take microseconds per character.
func (p *pattern) findSlowly(ctx context.Context, data []byte) []int {
	return p.line.FindReaderIndex(&runes{ctx: ctx, data: data})
}

// runes reads runes until the context ends.
type runes struct {
	ctx  context.Context
	data []byte
	pos  int
	read int
}

// ReadRune implements [io.RuneReader].
func (r *runes) ReadRune() (rune, int, error) {
	if r.read++; r.pos == len(r.data) || r.read%1024 == 0 && r.ctx.Err() != nil {
		return 0, 0, io.EOF
	}
	c, n := utf8.DecodeRune(r.data[r.pos:])
	r.pos += n
	return c, n, nil
}

// compileRE2 returns nil where RE2 cannot be used: it refuses the expression,
// or the machine refuses the address space that it reserves.
func compileRE2(expr string) (re *re2.Regexp) {
	defer func() {
		if recover() != nil {
			re = nil
		}
	}()
	re, err := re2.Compile(expr)
	if err != nil {
		return nil
	}
	return re
}

var errLineBreak = errors.New("line break in pattern")

// stripNewlines makes a syntax tree fit for single lines: no class and no dot
// matches a line break, and beginning and end of text are those of the line.
func stripNewlines(re *syntax.Regexp) error {
	switch re.Op {
	case syntax.OpLiteral:
		if slices.Contains(re.Rune, '\n') {
			return errLineBreak
		}
	case syntax.OpCharClass:
		if len(re.Rune) == 2 && re.Rune[0] == '\n' && re.Rune[1] == '\n' {
			return errLineBreak
		}
		re.Rune = withoutNewline(re.Rune)
		if len(re.Rune) == 0 {
			re.Op = syntax.OpNoMatch
		}
	case syntax.OpAnyChar:
		re.Op = syntax.OpAnyCharNotNL
	case syntax.OpBeginText:
		re.Op = syntax.OpBeginLine
	case syntax.OpEndText:
		re.Op = syntax.OpEndLine
	}
	for _, sub := range re.Sub {
		if err := stripNewlines(sub); err != nil {
			return err
		}
	}
	return nil
}

func withoutNewline(ranges []rune) []rune {
	var out []rune
	for i := 0; i+1 < len(ranges); i += 2 {
		lo, hi := ranges[i], ranges[i+1]
		if lo > '\n' || hi < '\n' {
			out = append(out, lo, hi)
			continue
		}
		if lo < '\n' {
			out = append(out, lo, '\n'-1)
		}
		if hi > '\n' {
			out = append(out, '\n'+1, hi)
		}
	}
	return out
}

// wholeLine lets a match take the rest of its line with it, so that a search
// through a buffer finds each line once.
func wholeLine(re *syntax.Regexp) *syntax.Regexp {
	rest := &syntax.Regexp{Op: syntax.OpStar, Sub: []*syntax.Regexp{{Op: syntax.OpAnyCharNotNL}}}
	return &syntax.Regexp{Op: syntax.OpConcat, Sub: []*syntax.Regexp{re, rest}}
}

// allowCR returns re with every end of line preceded by an optional carriage
// return.
func allowCR(re *syntax.Regexp) *syntax.Regexp {
	if re.Op == syntax.OpEndLine {
		cr := &syntax.Regexp{Op: syntax.OpLiteral, Rune: []rune{'\r'}}
		opt := &syntax.Regexp{Op: syntax.OpQuest, Sub: []*syntax.Regexp{cr}}
		return &syntax.Regexp{Op: syntax.OpConcat, Sub: []*syntax.Regexp{opt, re}}
	}
	if len(re.Sub) == 0 {
		return re
	}
	out := *re
	out.Sub0 = [1]*syntax.Regexp{}
	out.Sub = make([]*syntax.Regexp, len(re.Sub))
	for i, sub := range re.Sub {
		out.Sub[i] = allowCR(sub)
	}
	return &out
}

// explainSyntax turns an error of the parser into a [PatternError].
func explainSyntax(text string, err error) error {
	out := &PatternError{Pattern: text, Offset: -1, Reason: err.Error()}
	var se *syntax.Error
	if !errors.As(err, &se) {
		return out
	}
	out.Reason = string(se.Code)
	if se.Expr != "" {
		out.Reason += ": " + se.Expr
	}
	// Where the fragment is unique, its place is known.
	if se.Expr != "" && strings.Count(text, se.Expr) == 1 {
		out.Offset = strings.Index(text, se.Expr)
	}
	out.Hint = hintFor(text, se)
	return out
}

func hintFor(text string, se *syntax.Error) string {
	switch se.Code {
	case syntax.ErrMissingParen, syntax.ErrUnexpectedParen:
		return `write \( and \) for parentheses in the text`
	case syntax.ErrMissingBracket:
		return `write \[ for a bracket in the text`
	case syntax.ErrMissingRepeatArgument, syntax.ErrInvalidRepeatOp:
		return `write \*, \+ or \? for these characters in the text; possessive repetition does not exist`
	case syntax.ErrInvalidRepeatSize:
		return "a repetition count may be at most 1000, also where counts are nested"
	case syntax.ErrTrailingBackslash:
		return `write \\ for a backslash in the text`
	case syntax.ErrInvalidEscape:
		if len(se.Expr) == 2 && se.Expr[1] >= '1' && se.Expr[1] <= '9' {
			return "back-references do not exist (the syntax is RE2's): search for the parts and compare"
		}
		return "the syntax is RE2's; a backslash before punctuation is always allowed"
	case syntax.ErrInvalidPerlOp, syntax.ErrInvalidNamedCapture:
		for _, look := range []string{"(?=", "(?!", "(?<=", "(?<!"} {
			if strings.Contains(text, look) {
				return "look-around does not exist (the syntax is RE2's): search for the wider text, then filter"
			}
		}
		return "the syntax is RE2's: no look-around, no atomic groups, no (?x)"
	case syntax.ErrInvalidUTF8:
		return "the pattern must be UTF-8"
	}
	return ""
}
