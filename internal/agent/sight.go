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
	// followed: the session went on after it, since the disk did not take the
	// end of the run but took what came later.
	followed bool
	// messageID and text are of the last answer in the log, seq the number of
	// its last event.
	messageID, text string
	seq             int64
	// ended is the state in which the log says that the run ended, "" where it
	// does not. What is behind that in the log is of other runs.
	ended domain.RunState
}

// begun reports whether a client can have seen something of an answer.
func (v *sight) begun() bool { return v.messageID != "" || len(v.stored) > 0 || v.ended != "" }

// unfinished reports whether the last answer in the log has text and is not
// stored, and still has its place at the end of the conversation. A stored one
// without text can have come after it.
func (v *sight) unfinished() bool {
	return !v.followed && strings.TrimSpace(v.text) != "" &&
		!slices.ContainsFunc(v.stored, func(m domain.Message) bool { return m.ID == v.messageID })
}

// look finds what is on disk of a run.
func (s *Service) look(ctx context.Context, run domain.Run) (sight, error) {
	var seen sight
	var err error
	if seen.stored, seen.followed, err = s.answersOf(ctx, run); err != nil {
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
	if v.ended != "" {
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

// answersOf returns the stored answers of a run, in order, and whether messages
// of other runs follow them. It reads backwards, as far as the run's own prompt.
func (s *Service) answersOf(ctx context.Context, run domain.Run) (found []domain.Message, followed bool, err error) {
	page := store.MessageRange{Limit: 32}
	for {
		list, err := s.o.Store.Messages(ctx, run.SessionID, page)
		if err != nil {
			return nil, false, fmt.Errorf("read the answers of the run: %w", err)
		}
		for _, m := range slices.Backward(list) {
			switch {
			case m.ID == run.MessageID:
				slices.Reverse(found)
				return found, followed, nil
			case m.RunID != run.ID:
				followed = true
			default:
				found = append(found, m)
			}
		}
		if len(list) < page.Limit {
			slices.Reverse(found)
			return found, followed, nil
		}
		page.BeforeSeq = list[0].Seq
	}
}
