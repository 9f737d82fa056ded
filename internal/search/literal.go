package search

import (
	"regexp/syntax"
	"slices"
	"unicode"
)

// literal is a byte string that a match contains; fold means in any case, and
// then text is lower case ASCII.
type literal struct {
	text string
	fold bool
}

const (
	maxLiterals   = 16
	maxLiteralLen = 64
)

// requiredLiterals returns a set of which every match of re contains at least
// one, nil when none is known that helps. exact says that re matches wherever
// one of them is.
func requiredLiterals(re *syntax.Regexp) (set []literal, exact bool) {
	n := analyse(re)
	if n.precise && n.exact != nil && !hasEmpty(n.exact) {
		return n.exact, true
	}
	if worth(n.exact) > 0 {
		return n.exact, false
	}
	if worth(n.required) > 0 {
		return n.required, false
	}
	return nil, false
}

func hasEmpty(set []literal) bool {
	return slices.ContainsFunc(set, func(l literal) bool { return l.text == "" })
}

// literalInfo is what is known about the matches of an expression.
type literalInfo struct {
	// exact lists all strings that it matches, when they are few. precise says
	// that it matches them everywhere: no anchors or boundaries.
	exact   []literal
	precise bool
	// required, when exact is nil, lists strings of which each match has one.
	required []literal
}

var emptyMatch = literalInfo{exact: []literal{{}}, precise: true}

func analyse(re *syntax.Regexp) literalInfo {
	switch re.Op {
	case syntax.OpLiteral:
		return literalRunes(re.Rune, re.Flags&syntax.FoldCase != 0)
	case syntax.OpEmptyMatch:
		return emptyMatch
	case syntax.OpBeginLine, syntax.OpEndLine, syntax.OpBeginText, syntax.OpEndText,
		syntax.OpWordBoundary, syntax.OpNoWordBoundary:
		return literalInfo{exact: []literal{{}}}
	case syntax.OpCharClass:
		return classRunes(re.Rune)
	case syntax.OpCapture:
		return analyse(re.Sub[0])
	case syntax.OpPlus:
		return literalInfo{required: analyse(re.Sub[0]).best()}
	case syntax.OpRepeat:
		return repeated(re)
	case syntax.OpConcat:
		return concatenated(re.Sub)
	case syntax.OpAlternate:
		return alternated(re.Sub)
	}
	return literalInfo{}
}

// best is the set that stands for the expression where it is only a part.
func (n literalInfo) best() []literal {
	if n.exact == nil {
		return n.required
	}
	if worth(n.exact) == 0 {
		return nil
	}
	return n.exact
}

// literalRunes splits a literal at characters whose other cases are not ASCII:
// K and s also fold to the Kelvin sign and the long s. The longest piece is
// then required; without such characters the literal is exact.
func literalRunes(runes []rune, fold bool) literalInfo {
	if !fold {
		if s := string(runes); len(s) <= maxLiteralLen {
			return literalInfo{exact: []literal{{text: s}}, precise: true}
		}
		return literalInfo{required: []literal{{text: string(runes[:maxLiteralLen/4])}}}
	}
	var piece, longest []rune
	whole := len(runes) <= maxLiteralLen
	for _, r := range runes {
		if r >= unicode.MaxASCII || unicode.SimpleFold(unicode.SimpleFold(r)) != r {
			piece, whole = nil, false
			continue
		}
		piece = append(piece, unicode.ToLower(r))
		if len(piece) > len(longest) && len(piece) <= maxLiteralLen {
			longest = piece
		}
	}
	l := []literal{{text: string(longest), fold: true}}
	if whole {
		return literalInfo{exact: l, precise: true}
	}
	if len(longest) == 0 {
		return literalInfo{}
	}
	return literalInfo{required: l}
}

// classRunes lists the characters of a small class.
func classRunes(ranges []rune) literalInfo {
	n := literalInfo{precise: true}
	for i := 0; i+1 < len(ranges); i += 2 {
		for r := ranges[i]; r <= ranges[i+1]; r++ {
			if len(n.exact) == 6 {
				return literalInfo{}
			}
			n.exact = append(n.exact, literal{text: string(r)})
		}
	}
	return n
}

func repeated(re *syntax.Regexp) literalInfo {
	switch {
	case re.Min == 0:
		return literalInfo{}
	case re.Min == re.Max && re.Min <= 8:
		subs := make([]*syntax.Regexp, re.Min)
		for i := range subs {
			subs[i] = re.Sub[0]
		}
		return concatenated(subs)
	}
	return literalInfo{required: analyse(re.Sub[0]).best()}
}

// concatenated joins neighbouring exact parts into longer strings and keeps
// the most telling set.
func concatenated(subs []*syntax.Regexp) literalInfo {
	run := emptyMatch // the exact parts since the last part that is not
	exact := true
	var best []literal
	keep := func(set []literal) {
		if worth(set) > worth(best) {
			best = set
		}
	}
	precise := true
	for _, sub := range subs {
		n := analyse(sub)
		if n.exact == nil {
			keep(run.exact)
			keep(n.required)
			run, exact = emptyMatch, false
			continue
		}
		precise = precise && n.precise
		if joined := cross(run.exact, n.exact); joined != nil {
			run.exact = joined
			continue
		}
		keep(run.exact)
		run, exact = n, false
	}
	if exact {
		return literalInfo{exact: run.exact, precise: precise}
	}
	keep(run.exact)
	return literalInfo{required: best}
}

// cross returns every string of a followed by every string of b; nil when
// there are too many or their cases differ.
func cross(a, b []literal) []literal {
	if len(a)*len(b) > maxLiterals {
		return nil
	}
	var out []literal
	for _, x := range a {
		for _, y := range b {
			if x.text != "" && y.text != "" && x.fold != y.fold || len(x.text)+len(y.text) > maxLiteralLen {
				return nil
			}
			out = append(out, literal{text: x.text + y.text, fold: x.fold || y.fold})
		}
	}
	return out
}

func alternated(subs []*syntax.Regexp) literalInfo {
	all := literalInfo{precise: true}
	exact := true
	for _, sub := range subs {
		n := analyse(sub)
		all.precise = all.precise && n.precise
		if n.exact == nil {
			exact = false
		}
		set := n.exact
		if set == nil {
			set = n.required
		}
		if set == nil || len(all.exact)+len(set) > maxLiterals {
			return literalInfo{}
		}
		all.exact = append(all.exact, set...)
	}
	if exact {
		return all
	}
	if worth(all.exact) == 0 {
		return literalInfo{}
	}
	return literalInfo{required: all.exact}
}

// worth says how well a set of literals narrows a search; 0: not at all. The
// least telling member decides, and every further member costs a pass.
func worth(set []literal) int {
	if len(set) == 0 {
		return 0
	}
	least := 1 << 30
	for _, l := range set {
		sum := 0
		for i := range len(l.text) {
			sum += rarity(l.text[i])
		}
		least = min(least, sum)
	}
	if least < minWorth {
		return 0
	}
	return max(1, least*8/(7+len(set)))
}

// minWorth keeps literals out that are on about every line.
const minWorth = 24
