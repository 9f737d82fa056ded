package openai

import "github.com/mixagent/mix/internal/provider/jsonwire"

// piece is what a common chunk carries.
type piece struct {
	content, reasoning string
	hasCall            bool
	index              int // of the tool call
	arguments          string
}

// seen keeps which keys with a value of several fields were read in an object:
// one that comes twice means what encoding/json makes of it.
type seen uint8

func (s *seen) again(bit uint8) bool {
	was := *s&(1<<bit) != 0
	*s |= 1 << bit
	return was
}

// fastChunk reads a chunk with a piece of text, of reasoning, or of one tool
// call's arguments. It reports false for every other chunk.
func (d *decoder) fastChunk(data []byte) (p piece, ok bool) {
	s := &d.scan
	s.Reset(data)
	var keys seen
	for s.Object(); s.More(); {
		switch string(s.Key()) {
		case "choices":
			if keys.again(0) {
				return piece{}, false
			}
			p.choices(s)
		case "usage", "error", "x_groq":
			if !s.Null() {
				return piece{}, false
			}
		default:
			s.Skip()
		}
	}
	return p, s.End() && keys != 0
}

// choices reads a list of exactly one choice.
func (p *piece) choices(s *jsonwire.Scanner) {
	count := 0
	for s.Array(); s.More(); count++ {
		var keys seen
		for s.Object(); s.More(); {
			switch string(s.Key()) {
			case "index":
				if keys.again(0) || s.Int() != 0 {
					s.Fail()
				}
			case "delta":
				if keys.again(1) {
					s.Fail()
				}
				p.delta(s)
			case "finish_reason", "usage", "message":
				if !s.Null() {
					s.Fail()
				}
			default:
				s.Skip()
			}
		}
	}
	if count != 1 {
		s.Fail()
	}
}

func (p *piece) delta(s *jsonwire.Scanner) {
	var content, other string
	again := false
	for s.Object(); s.More(); {
		switch string(s.Key()) {
		case "content":
			p.content = text(s)
		case "reasoning_content":
			content = text(s)
		case "reasoning":
			other = text(s)
		case "tool_calls":
			if again {
				s.Fail()
			}
			again = true
			if !s.Null() {
				p.call(s)
			}
		case "refusal":
			if !s.Null() {
				s.Fail()
			}
		default:
			s.Skip()
		}
	}
	if p.reasoning = content; content == "" {
		p.reasoning = other
	}
}

// text reads text or null.
func text(s *jsonwire.Scanner) string {
	if s.Null() {
		return ""
	}
	return s.Text()
}

// call reads a list of one tool call that has an index and arguments, and
// neither identifier nor name.
func (p *piece) call(s *jsonwire.Scanner) {
	for s.Array(); s.More(); {
		if p.hasCall {
			s.Fail()
		}
		p.hasCall = true
		var keys seen
		for s.Object(); s.More(); {
			switch string(s.Key()) {
			case "index":
				if keys.again(0) {
					s.Fail()
				}
				p.index = s.Int()
			case "function":
				if keys.again(1) {
					s.Fail()
				}
				p.function(s)
			case "type":
				s.Plain()
			default:
				s.Fail()
			}
		}
		if keys != 3 {
			s.Fail()
		}
	}
}

func (p *piece) function(s *jsonwire.Scanner) {
	for s.Object(); s.More(); {
		if string(s.Key()) != "arguments" {
			s.Fail()
			return
		}
		p.arguments = text(s)
	}
}
