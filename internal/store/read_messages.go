package store

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/store/db"
)

// MessageRange selects messages of a session. The zero value selects all that
// have a place.
type MessageRange struct {
	// BeforeSeq, where above 0, keeps messages before that place.
	BeforeSeq int64
	// Limit, where above 0, keeps that many of the last ones.
	Limit int
	// LongestResult, where above 0, leaves out typed results of tool calls that
	// have more characters.
	LongestResult int
	// Queued adds those that wait for a place, at the end; Limit does not
	// count them.
	Queued bool
}

// Messages returns messages of a session in order, with their tool calls. The
// error for an unknown session wraps [domain.ErrNotFound].
func (s *Store) Messages(ctx context.Context, session string, r MessageRange) ([]domain.Message, error) {
	before := int64(math.MaxInt64)
	if r.BeforeSeq > 0 {
		before = r.BeforeSeq
	}
	var queued []domain.Message
	if r.Queued {
		// First: a message that gets its place meanwhile is then found twice,
		// which can be mended, and not missed.
		var err error
		if queued, err = s.QueuedMessages(ctx, session); err != nil {
			return nil, err
		}
	}
	rows, err := s.read.LastMessages(ctx, db.LastMessagesParams{SessionID: session, Before: before, MaxRows: limit(r.Limit)})
	if err != nil {
		return nil, fmt.Errorf("messages of session %s: %w", session, translate(err))
	}
	slices.Reverse(rows)
	messages, err := s.join(ctx, session, rows, r.LongestResult)
	if err != nil {
		return nil, err
	}
	for i := range queued {
		id := queued[i].ID
		if !slices.ContainsFunc(messages, func(m domain.Message) bool { return m.ID == id }) {
			messages = append(messages, queued[i])
		}
	}
	if len(messages) == 0 {
		if _, err := s.Reserved(ctx, session); err != nil { // the cheapest question that an unknown session fails
			return nil, err
		}
	}
	return messages, nil
}

// longestResult bounds the typed results in a history, in characters. Models
// are sent the text of a result; only scripted ones look further, and a long
// session would fill the memory with what nobody reads.
const longestResult = 256 << 10

// History returns all messages of a session that have a place, with their tool
// calls: what a model is sent. Typed results of more than 262,144 characters
// are left out.
func (s *Store) History(ctx context.Context, session string) ([]domain.Message, error) {
	return s.Messages(ctx, session, MessageRange{LongestResult: longestResult})
}

// QueuedMessages returns the messages of a session that wait for a place, in
// the order they were sent.
func (s *Store) QueuedMessages(ctx context.Context, session string) ([]domain.Message, error) {
	rows, err := s.read.QueuedMessages(ctx, session)
	if err != nil {
		return nil, fmt.Errorf("queued messages of session %s: %w", session, translate(err))
	}
	return allChecked(rows, toMessage)
}

// MessageHistory returns user messages of all sessions, newest first: at most
// limit, after leaving out the first offset. A limit of 0 or less means 50.
func (s *Store) MessageHistory(ctx context.Context, limit, offset int) ([]domain.Message, error) {
	if limit <= 0 {
		limit = 50
	}
	rows, err := s.read.UserMessages(ctx, db.UserMessagesParams{MaxRows: int64(limit), Skip: int64(max(offset, 0))})
	if err != nil {
		return nil, fmt.Errorf("history of messages: %w", translate(err))
	}
	return allChecked(rows, toMessage)
}

// MessagesByEvent returns the messages of a session that a subscriber sees
// whole after event number after and up to number upTo, in that order.
func (s *Store) MessagesByEvent(ctx context.Context, session string, after, upTo int64) ([]domain.Message, error) {
	rows, err := s.read.MessagesByEvent(ctx, db.MessagesByEventParams{SessionID: session, After: after, UpTo: upTo})
	if err != nil {
		return nil, fmt.Errorf("messages of session %s by event: %w", session, translate(err))
	}
	return s.join(ctx, session, rows, 0)
}

// join converts rows of placed messages of one session and gives them their
// tool calls. The calls are read after the messages: a message and its calls
// are committed together, so none can be missing.
func (s *Store) join(ctx context.Context, session string, rows []db.Message, longest int) ([]domain.Message, error) {
	messages, err := allChecked(rows, toMessage)
	if err != nil || len(messages) == 0 {
		return messages, err
	}
	index := make(map[string]int, len(messages))
	first, last := int64(math.MaxInt64), int64(0)
	for i := range messages {
		index[messages[i].ID] = i
		first, last = min(first, messages[i].Seq), max(last, messages[i].Seq)
	}
	if longest <= 0 {
		longest = math.MaxInt32
	}
	calls, err := s.read.CallsBySequence(ctx, db.CallsBySequenceParams{
		SessionID: session, First: first, Last: last, Longest: int64(longest),
	})
	if err != nil {
		return nil, fmt.Errorf("tool calls of session %s: %w", session, translate(err))
	}
	for _, c := range calls {
		if i, ok := index[c.MessageID]; ok {
			messages[i].Calls = append(messages[i].Calls, toCall(db.ToolCall(c)))
		}
	}
	return messages, nil
}
