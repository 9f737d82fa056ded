package eventlog

import (
	"log/slog"
	"time"
)

// Options tune a log; the zero value of each field means its default.
type Options struct {
	// SegmentEvery is how long an event may be in memory only. Default 250 ms.
	SegmentEvery time.Duration
	// SessionBytes bounds the saved events of a session that are kept in
	// memory. Default 256 KiB.
	SessionBytes int
	// TotalBytes bounds the same over all sessions; those that were written
	// to least recently give way first. Default 64 MiB.
	TotalBytes int
	// UnsavedBytes bounds the events of a session that are not yet on disk.
	// Default 1 MiB.
	UnsavedBytes int
	// ReserveBlock is how many numbers are reserved at a time. Default 4096.
	ReserveBlock int64
	// KeepFor and KeepBytes bound the segments on disk. Defaults 7 days and
	// 256 MiB.
	KeepFor   time.Duration
	KeepBytes int64
	// Logger hears of trouble with the disk. Default: nobody does.
	Logger *slog.Logger
}

// Segments are pruned soon after a process first writes some, for many live
// only minutes, and then at this pace while it writes.
const (
	pruneFirst = time.Minute
	pruneEvery = time.Hour
)

func (o Options) withDefaults() Options {
	orDefault(&o.SegmentEvery, 250*time.Millisecond)
	orDefault(&o.SessionBytes, 256<<10)
	orDefault(&o.TotalBytes, 64<<20)
	orDefault(&o.UnsavedBytes, 1<<20)
	orDefault(&o.ReserveBlock, 4096)
	orDefault(&o.KeepFor, 7*24*time.Hour)
	orDefault(&o.KeepBytes, 256<<20)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

func orDefault[T int | int64 | time.Duration](p *T, value T) {
	if *p <= 0 {
		*p = value
	}
}
