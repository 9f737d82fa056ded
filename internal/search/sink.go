package search

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// Line is a line of a file in the result of [Grep].
type Line struct {
	// Number counts from 1.
	Number int
	// Text is the line without its line break, as valid UTF-8. Of a line that
	// is longer than [GrepOptions.MaxLine] it is the part around the match.
	Text string
	// Match tells matching lines from context.
	Match bool
	// CutBefore and CutAfter count the bytes of the line that Text leaves out;
	// of a line longer than 1 MiB, only those near the match.
	CutBefore, CutAfter int
}

// lineSink takes the matches of one file, counts them and keeps the lines that
// are asked for. The scanner hands it the file in regions, each a run of whole
// lines, so line numbers are counted only where a match needs them.
type lineSink struct {
	// What is wanted.
	first         bool // one match is enough
	keep          int  // lines to keep; beyond them matches are only counted
	before, after int
	maxLine       int

	// The outcome.
	lines   []Line
	matches int
	// dropped says that a line was not kept for want of room.
	dropped bool

	data    []byte
	number  int // of the line at data[counted]
	counted int
	next    int  // where the first line that is neither kept nor passed over begins
	owed    int  // lines of context that are still to come
	inLine  bool // data begins within a line
	hit     bool // the line that is open at the end of the last region matched
	tail    []Line
}

func (s *lineSink) reset(want lineSink) {
	lines, tail := s.lines, s.tail
	*s = want
	s.number = 1
	clear(lines)
	s.lines, s.tail = lines[:0], tail[:0]
}

// done reports whether nothing more can change the outcome.
func (s *lineSink) done() bool { return s.first && s.matches > 0 }

func (s *lineSink) begin(data []byte, inLine bool) {
	s.data, s.counted, s.next = data, 0, 0
	s.inLine = inLine
	if !inLine {
		s.hit = false
	}
}

// end finishes a region. open says that its last line goes on in the next.
func (s *lineSink) end(open bool) {
	if open {
		return
	}
	if s.keep > 0 {
		s.context(len(s.data), s.owed)
		s.remember()
	}
	s.numberAt(len(s.data))
	s.owedDone()
	s.inLine, s.hit = false, false
}

func (s *lineSink) owedDone() {
	if len(s.lines) >= s.keep {
		s.owed = 0
	}
}

// numberAt returns the number of the line that begins at pos.
func (s *lineSink) numberAt(pos int) int {
	s.number += bytes.Count(s.data[s.counted:pos], []byte{'\n'})
	s.counted = pos
	return s.number
}

// match reports a matching line; at is where in it the match begins.
func (s *lineSink) match(start, end, at int) {
	if start == 0 && s.inLine && s.hit {
		return // the beginning of this line matched already
	}
	s.hit = end == len(s.data)
	s.span(start, end, at, true)
}

// span reports a line of a match; count says that it is the match's first.
func (s *lineSink) span(start, end, at int, count bool) {
	if count {
		s.matches++
	}
	if s.keep == 0 {
		return
	}
	if len(s.lines) >= s.keep {
		s.dropped = true
		return
	}
	s.context(start, s.owed)
	s.preceding(start)
	s.put(start, end, at, true)
	s.owed = s.after
	s.next = min(end+1, len(s.data))
}

// context keeps up to n of the lines between the last kept one and limit.
func (s *lineSink) context(limit, n int) {
	for ; n > 0 && s.next < limit; n-- {
		end := limit
		if i := bytes.IndexByte(s.data[s.next:limit], '\n'); i >= 0 {
			end = s.next + i
		}
		s.put(s.next, end, 0, false)
		s.next = min(end+1, len(s.data))
		s.owed = n - 1
	}
}

// preceding keeps the lines of context before the line at start, from this
// region and, where it has not enough, from what is remembered of the last.
func (s *lineSink) preceding(start int) {
	if s.before == 0 {
		return
	}
	from, have := start, 0
	for from > s.next && have < s.before {
		from = bytes.LastIndexByte(s.data[:from-1], '\n') + 1
		have++
	}
	if s.next == 0 && have < s.before {
		missing := min(s.before-have, len(s.tail))
		for _, l := range s.tail[len(s.tail)-missing:] {
			s.add(l)
		}
		s.tail = s.tail[:0]
	}
	for from < start {
		end := from + bytes.IndexByte(s.data[from:start], '\n')
		s.put(from, end, 0, false)
		from = end + 1
	}
}

// remember keeps the last lines of the region that are in no result, for the
// context of a match at the beginning of the next region.
func (s *lineSink) remember() {
	if s.before == 0 {
		return
	}
	from, have := len(s.data), 0
	for from > s.next && have < s.before {
		from = bytes.LastIndexByte(s.data[:from-1], '\n') + 1
		have++
	}
	if s.next > 0 {
		s.tail = s.tail[:0]
	}
	if extra := len(s.tail) + have - s.before; extra > 0 {
		s.tail = append(s.tail[:0], s.tail[min(extra, len(s.tail)):]...)
	}
	for from < len(s.data) {
		end := len(s.data)
		if i := bytes.IndexByte(s.data[from:], '\n'); i >= 0 {
			end = from + i
		}
		s.tail = append(s.tail, s.cut(s.numberAt(from), s.data[from:end], 0, false))
		from = end + 1
	}
}

func (s *lineSink) put(start, end, at int, match bool) {
	s.add(s.cut(s.numberAt(start), s.data[start:end], at, match))
}

func (s *lineSink) add(l Line) {
	if len(s.lines) >= s.keep {
		s.dropped = true
		return
	}
	s.lines = append(s.lines, l)
}

// cut makes a Line of at most maxLine bytes around at.
func (s *lineSink) cut(number int, line []byte, at int, match bool) Line {
	line = trimCR(line)
	l := Line{Number: number, Match: match}
	if len(line) > s.maxLine {
		from := max(0, min(at-s.maxLine/4, len(line)-s.maxLine))
		for from > 0 && !utf8.RuneStart(line[from]) {
			from--
		}
		to := min(from+s.maxLine, len(line))
		for to < len(line) && to > from && !utf8.RuneStart(line[to]) {
			to--
		}
		l.CutBefore, l.CutAfter = from, len(line)-to
		line = line[from:to]
	}
	l.Text = strings.ToValidUTF8(string(line), "\uFFFD")
	return l
}
