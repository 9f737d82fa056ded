package eventlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/wire"
)

// ErrDamaged is wrapped by the error of [ScanSegments] when everything was seen
// but what a damaged segment held.
var ErrDamaged = errors.New("damaged events on disk")

// ScanSegments calls fn for every event of the session on disk behind the
// number after, in order: with its number, name and JSON, which is valid during
// the call only. It is how an answer that was being written when the process
// died is put together again. An error of fn ends it. Damaged segments are
// passed over and reported, as [ErrDamaged], when everything else was seen.
func ScanSegments(ctx context.Context, a Archive, session string, after int64,
	fn func(seq int64, typ domain.EventType, data []byte) error,
) error {
	var damage error
	for {
		segments, err := a.LoadSegments(ctx, session, after, scanBytes)
		if err != nil {
			return fmt.Errorf("read events of session %s: %w", session, err)
		}
		if len(segments) == 0 {
			return damage
		}
		for i := range segments {
			s := &segments[i]
			for block := range wire.Blocks(s.Data) {
				b, err := wire.ParseBlock(block)
				if err != nil {
					damage = errors.Join(damage, fmt.Errorf("%w: %d to %d of session %s: %w", ErrDamaged, s.First, s.Last, session, err))
					break
				}
				if b.Seq <= after {
					continue
				}
				if err := fn(b.Seq, b.Name, b.Data); err != nil {
					return err
				}
			}
			after = max(after, s.Last)
		}
	}
}

const scanBytes = 256 << 10

// nextRecord reads the first block of data, as segments hold them.
func nextRecord(data []byte) (r Record, rest []byte, err error) {
	n := bytes.Index(data, []byte("\n\n")) + 2
	if n < 2 {
		n = len(data)
	}
	b, err := wire.ParseBlock(data[:n:n])
	if err != nil {
		return Record{}, nil, err
	}
	return Record{Seq: b.Seq, Own: wire.Own(b.Name), Block: data[:n:n]}, data[n:], nil
}
