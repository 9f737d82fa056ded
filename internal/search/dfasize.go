package search

import (
	"encoding/binary"
	"regexp/syntax"
	"slices"
	"unicode"
)

// maxAutomaton bounds the work of [automatonFits], in instructions visited: a
// few milliseconds.
const maxAutomaton = 500_000

// automatonFits reports whether the deterministic automaton of an expression
// is small. RE2 builds that automaton while it searches. For expressions such
// as ".{0,200}[a-f].{0,200}x" it has so many states that RE2 is slower than
// anything, holds up to 128 MiB for the life of the process, and complains on
// the standard error stream of the process, which cannot be turned off.
//
// Anchors and boundaries count as met and priorities are left out; the estimate
// has a wide margin to RE2's own limit.
func automatonFits(re *syntax.Regexp) bool {
	prog, err := syntax.Compile(re.Simplify())
	if err != nil {
		return false
	}
	a := automaton{prog: prog, mark: make([]int, len(prog.Inst)), left: maxAutomaton, seen: map[string]bool{}}
	a.alphabet = representatives(prog)
	a.round++
	a.enter(uint32(prog.Start))
	a.keep()
	for len(a.todo) > 0 && a.left > 0 {
		state := a.todo[len(a.todo)-1]
		a.todo = a.todo[:len(a.todo)-1]
		for _, r := range a.alphabet {
			a.round++
			a.set = a.set[:0]
			a.enter(uint32(prog.Start)) // a match may begin anywhere
			for _, pc := range state {
				a.left--
				if prog.Inst[pc].MatchRune(r) {
					a.enter(prog.Inst[pc].Out)
				}
			}
			a.keep()
		}
	}
	return a.left > 0
}

// automaton is the subset construction in progress.
type automaton struct {
	prog     *syntax.Prog
	alphabet []rune
	left     int
	seen     map[string]bool
	todo     [][]uint32

	set   []uint32 // the state that is being built: its instructions that read a character
	mark  []int    // the round in which an instruction was last entered
	round int
	key   []byte
}

func (a *automaton) enter(pc uint32) {
	if a.mark[pc] == a.round {
		return
	}
	a.mark[pc] = a.round
	a.left--
	switch inst := &a.prog.Inst[pc]; inst.Op {
	case syntax.InstAlt, syntax.InstAltMatch:
		a.enter(inst.Out)
		a.enter(inst.Arg)
	case syntax.InstCapture, syntax.InstNop, syntax.InstEmptyWidth:
		a.enter(inst.Out)
	case syntax.InstRune, syntax.InstRune1, syntax.InstRuneAny, syntax.InstRuneAnyNotNL:
		a.set = append(a.set, pc)
	}
}

// keep adds the state that was built, if it is new.
func (a *automaton) keep() {
	slices.Sort(a.set)
	a.key = a.key[:0]
	for _, pc := range a.set {
		a.key = binary.LittleEndian.AppendUint32(a.key, pc)
	}
	if a.seen[string(a.key)] {
		return
	}
	a.seen[string(a.key)] = true
	a.todo = append(a.todo, slices.Clone(a.set))
}

// representatives returns one character of each range that all instructions
// treat alike.
func representatives(prog *syntax.Prog) []rune {
	cuts := []rune{0, '\n', '\n' + 1, 0x80}
	for i := range prog.Inst {
		inst := &prog.Inst[i]
		switch inst.Op {
		case syntax.InstRune1:
			cuts = append(cuts, inst.Rune[0], inst.Rune[0]+1)
		case syntax.InstRune:
			if len(inst.Rune) == 1 { // with its other cases
				for _, r := range foldings(inst.Rune[0]) {
					cuts = append(cuts, r, r+1)
				}
				continue
			}
			for j := 0; j+1 < len(inst.Rune); j += 2 {
				cuts = append(cuts, inst.Rune[j], inst.Rune[j+1]+1)
			}
		}
	}
	slices.Sort(cuts)
	return slices.Compact(cuts)
}

func foldings(r rune) []rune {
	all := []rune{r}
	for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
		all = append(all, f)
	}
	return all
}
