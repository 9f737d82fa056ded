package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/eventlog"
	"github.com/mixagent/mix/internal/store"
)

// sight is what is on disk of a run that was under way.
type sight struct {
	stored []domain.Message // its answers, in order
	// messageID and text are of the last answer in the log, seq the number of
	// its last event.
	messageID, text string
	seq             int64
	// ended is the state in which the log says that the run ended, "" where it
	// does not.
	ended domain.RunState
}

// begun reports whether a client can have seen something of an answer.
func (v *sight) begun() bool { return v.messageID != "" || len(v.stored) > 0 || v.ended != "" }

// unfinished reports whether the last answer in the log has text and is not
// stored. A stored one without text can have come after it.
func (v *sight) unfinished() bool {
	return strings.TrimSpace(v.text) != "" &&
		!slices.ContainsFunc(v.stored, func(m domain.Message) bool { return m.ID == v.messageID })
}

// look finds what is on disk of a run.
func (s *Service) look(ctx context.Context, run domain.Run) (sight, error) {
	var seen sight
	var err error
	if seen.stored, err = s.answersOf(ctx, run); err != nil {
		return seen, err
	}
	var text strings.Builder
	err = eventlog.ScanSegments(ctx, s.o.Store, run.SessionID, run.EventSeq,
		func(seq int64, typ domain.EventType, data []byte) error {
			if err := seen.event(run, &text, seq, typ, data); err != nil {
				s.o.Logger.Error("an event of an interrupted run cannot be read", "session", run.SessionID, "event", seq, "error", err)
			}
			return nil
		})
	if errors.Is(err, eventlog.ErrDamaged) {
		s.o.Logger.Error("a part of the event log is damaged", "session", run.SessionID, "error", err)
		err = nil
	}
	if err != nil {
		return seen, fmt.Errorf("read the events of the run: %w", err)
	}
	seen.text = text.String()
	return seen, nil
}

// event takes one event of the log into account. What cannot be read there
// costs its text, and not the start of the server.
func (v *sight) event(run domain.Run, text *strings.Builder, seq int64, typ domain.EventType, data []byte) error {
	switch typ {
	case domain.EventContent, domain.EventThinking, domain.EventToolUse, domain.EventComplete:
	default:
		return nil
	}
	var ev struct {
		Content            string          `json:"content"`
		AssistantMessageID string          `json:"assistantMessageId"`
		ParentToolCallID   string          `json:"parentToolCallId"`
		RunID              string          `json:"runId"`
		State              domain.RunState `json:"state"`
	}
	if err := json.Unmarshal(data, &ev); err != nil {
		return err
	}
	switch {
	case ev.ParentToolCallID != "": // a sub-agent's
		return nil
	case typ == domain.EventComplete:
		if ev.RunID == run.ID && ev.State.Ended() {
			v.ended = ev.State
		}
		return nil
	case ev.AssistantMessageID != v.messageID:
		v.messageID = ev.AssistantMessageID
		text.Reset()
	}
	v.seq = seq
	if typ == domain.EventContent {
		text.WriteString(ev.Content)
	}
	return nil
}

// answersOf returns the stored answers of a run, in order. They are the last
// messages of its session.
func (s *Service) answersOf(ctx context.Context, run domain.Run) ([]domain.Message, error) {
	var found []domain.Message
	page := store.MessageRange{Limit: 32}
	for {
		list, err := s.o.Store.Messages(ctx, run.SessionID, page)
		if err != nil {
			return nil, fmt.Errorf("read the answers of the run: %w", err)
		}
		for i := len(list) - 1; i >= 0; i-- {
			if list[i].RunID != run.ID || list[i].Role != domain.RoleAssistant {
				slices.Reverse(found)
				return found, nil
			}
			found = append(found, list[i])
		}
		if len(list) < page.Limit {
			slices.Reverse(found)
			return found, nil
		}
		page.BeforeSeq = list[0].Seq
	}
}
