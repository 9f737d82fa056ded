package search

import (
	"bytes"
	"context"
	"io"
	"time"
	"unicode/utf16"
)

// multiline reads the rest of the file and searches it as a whole.
func (s *scanner) multiline(ctx context.Context, f file, head []byte, eof bool) error {
	limit := int64(maxMultiline)
	if s.p.region == nil {
		limit = maxSlow
	}
	data := head
	if !eof {
		var err error
		if data, err = s.rest(f, head, limit); err != nil {
			return err
		}
	}
	nul := bytes.IndexByte(data, 0)
	if nul >= 0 {
		data = data[:nul]
	}
	if err := s.spans(ctx, data); err != nil {
		return err
	}
	if nul >= 0 {
		return errBinary
	}
	return nil
}

// rest returns head and what follows it in f, errTooLarge beyond limit bytes.
func (s *scanner) rest(f file, head []byte, limit int64) ([]byte, error) {
	if f.size > limit {
		return nil, errTooLarge
	}
	b := bytes.NewBuffer(s.whole[:0])
	b.Write(head)
	if _, err := b.ReadFrom(io.LimitReader(f, limit-int64(len(head))+1)); err != nil {
		return nil, err
	}
	s.whole = b.Bytes()
	if int64(len(s.whole)) > limit {
		return nil, errTooLarge
	}
	return s.whole, nil
}

// spans finds matches that may cross lines and reports every line they touch.
// After a match the search goes on with the line after it, which makes the
// outcome independent of how many matches one call of the engine looks for.
// That number follows the time a call takes: an expression can need to look at
// the rest of the file for each match, and a search must be able to end.
func (s *scanner) spans(ctx context.Context, data []byte) error {
	s.out.begin(data, false)
	defer s.out.end(false)
	if s.find != nil {
		s.find.reset()
		if s.find.find(data, 0) < 0 {
			return nil
		}
	}
	batch := 8
	if s.out.first || s.p.region == nil {
		batch = 1
	}
	for pos := 0; pos < len(data); {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		began := time.Now()
		found := s.p.findAll(ctx, data, pos, batch)
		next, crossed := s.report(data, pos, found)
		if s.out.done() || len(found) < batch && !crossed {
			return nil
		}
		if s.out.matches >= maxSpans {
			s.out.dropped = true
			return nil
		}
		pos = next
		switch took := time.Since(began); {
		case s.p.region == nil: // finds one at a time
		case took < 4*time.Millisecond:
			batch = min(batch*4, maxSpans)
		case took > 16*time.Millisecond:
			batch = max(batch/8, 1)
		}
	}
	return nil
}

// report takes matches found from pos on. It returns where the search goes on,
// and true when it must although the engine found no more: because a match was
// passed over that begins on a line of the one before and reaches further, or
// because the engine passes over an empty match where the last one ended.
func (s *scanner) report(data []byte, pos int, found [][]int) (next int, crossed bool) {
	from := pos
	for _, m := range found {
		first, last := from+m[0], from+max(m[0], m[1]-1)
		if first < pos {
			if end := from + m[1]; end > pos || end == pos && s.p.empty {
				return pos, true
			}
			continue
		}
		if first == len(data) && endsLine(data) {
			return len(data), false
		}
		count := true
		for at := first; at <= last && at <= len(data); at = pos {
			start, end := lineAround(data, pos, at)
			s.out.span(start, end, max(0, first-start), count)
			count = false
			pos = end + 1
		}
		if s.p.empty && from+m[1] == pos {
			return pos, true
		}
	}
	return pos, false
}

// utf16 searches a UTF-16 file with a byte order mark, as Windows writes them.
func (s *scanner) utf16(ctx context.Context, f file, head []byte) error {
	raw, err := s.rest(f, head, maxUTF16)
	if err != nil {
		return err
	}
	little := raw[0] == 0xff
	units := make([]uint16, 0, len(raw)/2)
	for i := 2; i+1 < len(raw); i += 2 {
		u := uint16(raw[i])<<8 | uint16(raw[i+1])
		if little {
			u = u>>8 | u<<8
		}
		units = append(units, u)
	}
	data := []byte(string(utf16.Decode(units)))
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if s.p.multiline {
		return s.spans(ctx, data)
	}
	s.region(data, false, false)
	return nil
}
