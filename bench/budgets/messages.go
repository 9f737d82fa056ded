package budgets

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/mixagent/mix/bench/mockmodel"
	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/store"
	mix "github.com/mixagent/mix/sdk"
)

const (
	longSession   = 10_000
	shortSession  = 100
	pageSize      = 100
	messagesTime  = 20 * time.Millisecond
	appendGrowth  = 1.25 // a long session's append over a short one's
	seedBatch     = 1000
	messageLength = 400
)

// Messages measures how long the last 100 of 10,000 messages take through the
// SDK, and whether an append costs the same in a session of any length.
func Messages(ctx context.Context, l *Lab) (rows []Row, err error) {
	p, err := l.place()
	if err != nil {
		return nil, err
	}
	long, short, err := seedSessions(ctx, l, p)
	if err != nil {
		return nil, err
	}
	toLong, toShort, err := appends(ctx, l, p, long, short)
	if err != nil {
		return nil, err
	}
	s, err := l.serve(ctx, p)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	var last, all []time.Duration
	for range pick(l, 101, 31) {
		for session, times := range map[string]*[]time.Duration{long: &last, short: &all} {
			start := time.Now()
			got, err := s.client.Messages(ctx, session, mix.Page{Limit: pageSize})
			if err != nil {
				return nil, err
			}
			*times = append(*times, time.Since(start))
			if len(got) != pageSize || got[0].Seq != got[pageSize-1].Seq-pageSize+1 {
				return nil, fmt.Errorf("%d messages came, from %d on", len(got), got[0].Seq)
			}
		}
	}
	growth := ratio(median(toLong), median(toShort))
	return []Row{
		{
			Name: "last 100 of 10,000 messages through the SDK", Budget: "≤ " + dur(messagesTime),
			Measured: dur(median(last)), Baseline: dur(median(all)), Ratio: ratio(median(last), median(all)),
			Verdict: judge(median(last), messagesTime), Note: "baseline: the last 100 of about 100",
		},
		{
			Name: "append to 10,000 messages", Budget: fmt.Sprintf("flat: ≤ %.2f ×", appendGrowth),
			Measured: dur(median(toLong)), Baseline: dur(median(toShort)), Ratio: growth,
			Verdict: judge(growth, appendGrowth), Note: "one commit; baseline: to about 100",
		},
	}, nil
}

// seedSessions makes a long and a short session, each with one real run.
func seedSessions(ctx context.Context, l *Lab, p place) (long, short string, err error) {
	s, err := l.serve(ctx, p)
	if err != nil {
		return "", "", err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	script := l.Model.Script(func(c *mockmodel.Call) { spoken(c, 3, 0) })
	for _, id := range []*string{&long, &short} {
		if *id, err = s.session(ctx, p); err != nil {
			return "", "", err
		}
		if err := s.work(ctx, *id, script.Prompt); err != nil {
			return "", "", err
		}
	}
	return long, short, nil
}

// appends fills both sessions and measures single commits to each, in turns.
func appends(ctx context.Context, l *Lab, p place, long, short string) (toLong, toShort []time.Duration, err error) {
	st, err := store.Open(ctx, store.Options{Path: filepath.Join(p.data, "mix.db")})
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	for session, n := range map[string]int{long: longSession, short: shortSession} {
		for done := 0; done < n; done += seedBatch {
			if err := addMessages(ctx, st, session, min(seedBatch, n-done)); err != nil {
				return nil, nil, err
			}
		}
	}
	for range pick(l, 101, 31) {
		for session, times := range map[string]*[]time.Duration{long: &toLong, short: &toShort} {
			start := time.Now()
			if err := addMessages(ctx, st, session, 1); err != nil {
				return nil, nil, err
			}
			*times = append(*times, time.Since(start))
		}
	}
	return toLong, toShort, nil
}

// addMessages commits n messages of a conversation.
func addMessages(ctx context.Context, st *store.Store, session string, n int) error {
	b := store.NewBatch()
	now := time.Now()
	for i := range n {
		m := domain.Message{
			ID: domain.NewID(), SessionID: session, Role: domain.RoleUser, CreatedAt: now, UpdatedAt: now,
			Blocks: []domain.Block{{Type: domain.BlockText, Text: strings.Repeat("word ", messageLength/5)}},
		}
		if i%2 == 1 {
			m.Role, m.Model, m.FinishReason = domain.RoleAssistant, mockmodel.Model, domain.FinishEndTurn
		}
		b.AddMessage(m)
	}
	return st.Commit(ctx, b)
}
