package openai

import "github.com/mixagent/mix/internal/provider"

// calls are the tool calls of one answer, in the order they began.
type calls []call

type call struct {
	place   int // among the calls
	index   int // the wire's, -1 where it gave none
	wireID  string
	id      string
	name    string
	started bool   // its name is known
	waiting string // arguments that came before the name
	input   bool   // arguments went out
}

// at returns the last call with the wire's index, or nil.
func (cs calls) at(index int) *call {
	for i := len(cs) - 1; i >= 0; i-- {
		if cs[i].index == index {
			return &cs[i]
		}
	}
	return nil
}

// find returns the call that a piece belongs to, or nil where it begins a new
// one.
func (cs calls) find(j *callJSON) *call {
	if j.Index != nil {
		c := cs.at(*j.Index)
		if c != nil && c.started && j.ID != "" && j.ID != c.wireID && j.Function.Name != "" {
			return nil
		}
		return c
	}
	if j.ID != "" {
		for i := range cs {
			if cs[i].wireID == j.ID {
				return &cs[i]
			}
		}
		return nil
	}
	if j.Function.Name != "" || len(cs) == 0 {
		return nil
	}
	return &cs[len(cs)-1]
}

// add begins a call. Its identifier is the wire's, unless that is missing or
// taken.
func (cs *calls) add(j *callJSON) *call {
	c := call{place: len(*cs), index: -1, wireID: j.ID, id: j.ID}
	if j.Index != nil {
		c.index = *j.Index
	}
	for i := range *cs {
		if (*cs)[i].id == c.id {
			c.id = ""
		}
	}
	if c.id == "" {
		c.id = provider.NewCallID()
	}
	*cs = append(*cs, c)
	return &(*cs)[c.place]
}
