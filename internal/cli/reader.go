package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/mixagent/mix/internal/config"
	"github.com/mixagent/mix/internal/discovery"
	"github.com/mixagent/mix/internal/store"
	"github.com/mixagent/mix/internal/wire"
	mix "github.com/mixagent/mix/sdk"
)

// reader is what listings need. A running server is one; where none runs, the
// store opened for reading is one. A server is not started for it: that would
// take up queued work again just because somebody looked.
type reader interface {
	Sessions(ctx context.Context, f mix.SessionFilter) ([]mix.Session, error)
	Session(ctx context.Context, id string) (mix.Session, error)
	Messages(ctx context.Context, id string, p mix.Page) ([]mix.Message, error)
	Export(ctx context.Context, id string) (json.RawMessage, error)
	Audit(ctx context.Context, session string, limit int) ([]mix.AuditRow, error)
}

// openReader finds a server, else opens the store.
func (c *common) openReader(ctx context.Context) (reader, func() error, error) {
	dirs, err := config.Locate(c.dataDir)
	if err != nil {
		return nil, nil, err
	}
	if info, err := discovery.Find(ctx, dirs.Data); err == nil {
		return mix.New(info.URL, mix.WithToken(info.Token)), func() error { return nil }, nil
	}
	if _, err := os.Stat(dirs.Database()); errors.Is(err, fs.ErrNotExist) {
		return emptyReader{}, func() error { return nil }, nil
	}
	s, err := store.Open(ctx, store.Options{Path: dirs.Database(), ReadOnly: true})
	if err != nil {
		return nil, nil, err
	}
	return storeReader{s}, s.Close, nil
}

// storeReader reads the store and answers exactly what the server would.
type storeReader struct{ s *store.Store }

func (r storeReader) Sessions(ctx context.Context, f mix.SessionFilter) ([]mix.Session, error) {
	list, err := r.s.Sessions(ctx, store.SessionFilter{Directory: f.Directory, Limit: f.Limit})
	if err != nil {
		return nil, err
	}
	return convert[[]mix.Session](wire.NewSessions(list))
}

func (r storeReader) Session(ctx context.Context, id string) (mix.Session, error) {
	s, err := r.s.Session(ctx, id)
	if err != nil {
		return mix.Session{}, err
	}
	return convert[mix.Session](wire.NewSessionData(&s))
}

func (r storeReader) Messages(ctx context.Context, id string, p mix.Page) ([]mix.Message, error) {
	list, err := r.s.Messages(ctx, id, store.MessageRange{BeforeSeq: p.BeforeSeq, Limit: p.Limit, Queued: p.BeforeSeq == 0})
	if err != nil {
		return nil, err
	}
	return convert[[]mix.Message](wire.NewMessages(list))
}

func (r storeReader) Export(ctx context.Context, id string) (json.RawMessage, error) {
	s, err := r.s.Session(ctx, id)
	if err != nil {
		return nil, err
	}
	list, err := r.s.Messages(ctx, id, store.MessageRange{Queued: true})
	if err != nil {
		return nil, err
	}
	return json.Marshal(wire.NewExportSession(&s, list))
}

func (r storeReader) Audit(ctx context.Context, session string, limit int) ([]mix.AuditRow, error) {
	rows, err := r.s.Audit(ctx, store.AuditFilter{SessionID: session, Limit: limit})
	if err != nil {
		return nil, err
	}
	out := make([]wire.AuditRow, len(rows))
	for i := range rows {
		out[i] = wire.NewAuditRow(&rows[i].Request, rows[i].Decision)
	}
	return convert[[]mix.AuditRow](out)
}

// convert takes a value through its JSON, as it would come from a server.
func convert[T any](v any) (T, error) {
	var out T
	data, err := json.Marshal(v)
	if err == nil {
		err = json.Unmarshal(data, &out)
	}
	if err != nil {
		return out, fmt.Errorf("convert what was stored: %w", err)
	}
	return out, nil
}

// emptyReader is a data directory that nothing was stored in yet.
type emptyReader struct{}

func (emptyReader) Sessions(context.Context, mix.SessionFilter) ([]mix.Session, error) {
	return nil, nil
}

func (emptyReader) Session(_ context.Context, id string) (mix.Session, error) {
	return mix.Session{}, noSession(id)
}

func (emptyReader) Messages(_ context.Context, id string, _ mix.Page) ([]mix.Message, error) {
	return nil, noSession(id)
}

func (emptyReader) Export(_ context.Context, id string) (json.RawMessage, error) {
	return nil, noSession(id)
}

func (emptyReader) Audit(context.Context, string, int) ([]mix.AuditRow, error) { return nil, nil }

func noSession(id string) error {
	return usagef("there is no session %s; `mix sessions list` shows those that exist", id)
}
