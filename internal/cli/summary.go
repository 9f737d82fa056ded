package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"sync/atomic"

	mix "github.com/mixagent/mix/sdk"
)

// summary is what a run came to. Its JSON is the object of --format json.
type summary struct {
	SessionID string   `json:"sessionId"`
	RunID     string   `json:"runId"`
	Status    string   `json:"status"` // done, failed, cancelled, interrupted
	Reason    string   `json:"reason,omitempty"`
	Error     string   `json:"error,omitempty"`
	Result    string   `json:"result"`
	Usage     usage    `json:"usage"`
	Cost      *float64 `json:"cost"` // US dollars; null where a price is unknown
	Denied    []denied `json:"denied"`

	model       string
	complete    bool
	cutMessage  string // the message whose text did not fit into the event
	unknownCost bool
	cost        float64
	pending     map[string]denied // by call, until the result says what became of it
	interrupted atomic.Bool
}

type usage struct {
	Input      int64 `json:"input"`
	Output     int64 `json:"output"`
	CacheRead  int64 `json:"cacheRead"`
	CacheWrite int64 `json:"cacheWrite"`
	Reasoning  int64 `json:"reasoning"`
}

// denied is a call that was not allowed to run.
type denied struct {
	Tool   string `json:"tool"`
	Input  string `json:"input"`
	Reason string `json:"reason"`
}

// add takes what an event says about the run.
func (s *summary) add(ev mix.Event) {
	switch ev.Type {
	case "tool_use_parameter_streaming_complete":
		var d struct{ ID, Name, Input string }
		if json.Unmarshal(ev.Data, &d) == nil {
			if s.pending == nil {
				s.pending = make(map[string]denied)
			}
			s.pending[d.ID] = denied{Tool: d.Name, Input: d.Input}
		}
	case "tool_result":
		s.addResult(ev.Data)
	case "usage":
		s.addUsage(ev.Data)
	case "error":
		var d struct {
			Error   string
			Attempt int
		}
		if json.Unmarshal(ev.Data, &d) == nil && d.Attempt == 0 {
			s.Error = d.Error
		}
	case "complete":
		var d struct {
			RunID, State, Reason, Content, MessageID string
			Truncated                                bool
		}
		if json.Unmarshal(ev.Data, &d) == nil && d.RunID == s.RunID {
			s.complete, s.Status, s.Reason, s.Result = true, d.State, d.Reason, d.Content
			if d.Truncated {
				s.cutMessage = d.MessageID
			}
		}
	}
}

func (s *summary) addResult(data []byte) {
	var d struct{ ToolCallID, State, Text string }
	if json.Unmarshal(data, &d) != nil {
		return
	}
	if call, ok := s.pending[d.ToolCallID]; ok && d.State == "denied" {
		call.Reason = d.Text
		s.Denied = append(s.Denied, call)
	}
	delete(s.pending, d.ToolCallID)
}

func (s *summary) addUsage(data []byte) {
	var d struct {
		Model       string
		Usage       struct{ Input, Output, CacheRead, CacheWrite, Reasoning int64 }
		Cost        float64
		CostUnknown bool
	}
	if json.Unmarshal(data, &d) != nil {
		return
	}
	s.model = d.Model
	s.Usage.Input += d.Usage.Input
	s.Usage.Output += d.Usage.Output
	s.Usage.CacheRead += d.Usage.CacheRead
	s.Usage.CacheWrite += d.Usage.CacheWrite
	s.Usage.Reasoning += d.Usage.Reasoning
	s.cost += d.Cost
	s.unknownCost = s.unknownCost || d.CostUnknown
}

// settle fills in what is known only at the end. A text that was too long for
// an event is read from the messages.
func (s *summary) settle(ctx context.Context, client *mix.Mix) error {
	if s.cutMessage != "" {
		messages, err := client.Messages(ctx, s.SessionID, mix.Page{Limit: 50})
		if err != nil {
			return fmt.Errorf("read the whole answer: %w", err)
		}
		for _, m := range messages {
			if m.ID == s.cutMessage {
				s.Result = m.AssistantResponse
			}
		}
	}
	if !s.unknownCost {
		s.Cost = &s.cost
	}
	if s.Denied == nil {
		s.Denied = []denied{}
	}
	return nil
}

// exitCode says how the run went to whoever started it.
func (s *summary) exitCode() int {
	switch {
	case s.interrupted.Load() || s.Status == "cancelled" || s.Status == "interrupted":
		return exitInterrupted
	case s.Status != "done":
		return exitFailed
	case s.Reason == "max_steps" || s.Reason == "max_cost":
		return exitCap
	case len(s.Denied) > 0:
		return exitDenied
	}
	return exitDone
}
