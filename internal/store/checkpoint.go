package store

import (
	"context"
	"log/slog"
	"sync/atomic"
)

const (
	// checkpointEvery is after how many bytes of arguments, and
	// checkpointCommits after how many commits, the WAL is copied into the
	// database file; whichever is first. Both are about the thousand pages
	// after which SQLite would do it in the middle of a commit.
	checkpointEvery   = 2 << 20
	checkpointCommits = 200
)

// checkpointer copies the WAL into the database file on a connection and a
// goroutine of its own. A passive checkpoint waits for nobody and nobody waits
// for it; what it does not reach is left to the next one.
type checkpointer struct {
	wake    chan struct{}
	stopped chan struct{}

	bytes, commits atomic.Int64
}

func startCheckpointer(path string, log *slog.Logger) *checkpointer {
	c := &checkpointer{wake: make(chan struct{}, 1), stopped: make(chan struct{})}
	go c.run(path, log)
	return c
}

// note is called by the writer after each transaction.
func (c *checkpointer) note(bytes int) {
	if c.bytes.Add(int64(bytes)) < checkpointEvery && c.commits.Add(1) < checkpointCommits {
		return
	}
	c.bytes.Store(0)
	c.commits.Store(0)
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

func (c *checkpointer) run(path string, log *slog.Logger) {
	defer close(c.stopped)
	for range c.wake {
		if err := checkpoint(path); err != nil {
			log.Warn("a checkpoint of the database failed; it will be tried again", "error", translate(err))
		}
	}
}

// checkpoint opens its connection each time: it is needed once in a few
// hundred commits and would hold memory in between.
func checkpoint(path string) error {
	pool, err := connect(path, "rw", defaultBusy, "synchronous(FULL)", "cache_size(-256)")
	if err != nil {
		return err
	}
	_, err = pool.ExecContext(context.Background(), "PRAGMA wal_checkpoint(PASSIVE)")
	if cerr := pool.Close(); err == nil {
		err = cerr
	}
	return err
}

// stop returns when no checkpoint is under way. The writer has stopped before.
func (c *checkpointer) stop() {
	close(c.wake)
	<-c.stopped
}
