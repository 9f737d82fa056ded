package demo

import (
	"bytes"
	"encoding/json"
	"strings"
)

// step is one element of what demo/steps plays.
type step struct {
	Reasoning string `json:"reasoning"`
	Text      string `json:"text"`
	Calls     []struct {
		Tool  string          `json:"tool"`
		Input json.RawMessage `json:"input"`
	} `json:"calls"`
}

// playSteps returns the answer after done others.
func playSteps(prompt string, done int) (answer, error) {
	var steps []step
	dec := json.NewDecoder(strings.NewReader(prompt))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&steps); err != nil {
		return answer{}, badRequest("demo/steps plays a JSON list of steps, and the message is none: %v", err)
	}
	if done >= len(steps) {
		return answer{text: "There are no more steps."}, nil
	}
	s := steps[done]
	a := answer{reasoning: s.Reasoning, text: s.Text}
	for i, c := range s.Calls {
		if c.Tool == "" {
			return answer{}, badRequest("call %d of step %d has no tool", i, done)
		}
		input, err := rawInput(c.Input)
		if err != nil {
			return answer{}, badRequest("call %d of step %d: %v", i, done, err)
		}
		a.calls = append(a.calls, call{tool: c.Tool, input: input})
	}
	return a, nil
}

// rawInput is what a model would write: JSON without spaces, or the text of a
// JSON string, whatever it is.
func rawInput(input json.RawMessage) (string, error) {
	if len(input) == 0 {
		return "{}", nil
	}
	if input[0] == '"' {
		var text string
		err := json.Unmarshal(input, &text)
		return text, err
	}
	var b bytes.Buffer
	err := json.Compact(&b, input)
	return b.String(), err
}
