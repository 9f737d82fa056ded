package eventlog

import (
	"bytes"
	"sort"
	"time"

	"github.com/mixagent/mix/internal/wire"
)

// Record is one numbered event.
type Record struct {
	Seq int64
	// Own: the event is not one of the contract's.
	Own bool
	// Block is the whole SSE block ("id: N\nevent: X\ndata: {…}\n\n"), the same
	// bytes for every subscriber and every replay. It must not be changed.
	Block []byte
}

const (
	recordCost = 48      // of a Record in the window, besides its block
	minChunk   = 1 << 10 // memory for blocks is taken in chunks of doubling size
	maxChunk   = 8 << 10
	spareChunk = 512 // with less left, the next chunk begins
)

// window holds the newest records of a session: all with a number above floor.
// It does no locking.
type window struct {
	floor   int64
	recs    []Record // recs[head:] are held
	head    int
	unsaved int // recs[unsaved:] are not on disk
	chunk   []byte

	bytes        int // of all records held
	unsavedBytes int
}

// tail returns an empty slice with room for a usual block, for [window.add].
func (w *window) tail() []byte {
	if cap(w.chunk)-len(w.chunk) < spareChunk {
		w.chunk = make([]byte, 0, min(max(2*cap(w.chunk), minChunk), maxChunk))
	}
	return w.chunk[len(w.chunk):]
}

// add takes the blocks numbered from..last, which were appended to the slice
// that tail returned.
func (w *window) add(blocks []byte, from, last int64, own bool) {
	if room := w.chunk[len(w.chunk):cap(w.chunk)]; len(blocks) <= len(room) && &blocks[0] == &room[0] {
		w.chunk = w.chunk[:len(w.chunk)+len(blocks)]
	} else {
		blocks = bytes.Clone(blocks) // is not in the chunk, or outgrew it in steps
	}
	if from == last {
		w.push(Record{Seq: from, Own: own, Block: blocks[:len(blocks):len(blocks)]})
		return
	}
	for block := range wire.Blocks(blocks) {
		w.push(Record{Seq: from, Own: own, Block: block})
		from++
	}
}

func (w *window) push(r Record) {
	w.recs = append(w.recs, r)
	n := len(r.Block) + recordCost
	w.bytes += n
	w.unsavedBytes += n
}

// after appends the records behind pos to batch until it is full.
func (w *window) after(pos int64, batch []Record) []Record {
	live := w.recs[w.head:]
	i := sort.Search(len(live), func(i int) bool { return live[i].Seq > pos })
	size := 0
	for ; i < len(live) && len(batch) < maxBatch && size < batchBytes; i++ {
		batch = append(batch, live[i])
		size += len(live[i].Block)
	}
	return batch
}

// saved says that all records up to last are on disk.
func (w *window) saved(last int64) {
	for w.unsaved < len(w.recs) && w.recs[w.unsaved].Seq <= last {
		w.unsavedBytes -= len(w.recs[w.unsaved].Block) + recordCost
		w.unsaved++
	}
}

// evict gives up saved records, oldest first, until at most limit bytes are
// held or only unsaved ones are left.
func (w *window) evict(limit int) {
	for w.bytes > limit && w.head < w.unsaved {
		w.pop()
	}
	w.compact()
}

// drop gives up unsaved records, oldest first, until at most limit bytes of
// them are held, and everything before them. It returns how many were lost.
func (w *window) drop(limit int) (lost int64) {
	for w.unsavedBytes > limit && w.head < len(w.recs) {
		if w.head == w.unsaved {
			w.unsavedBytes -= len(w.recs[w.head].Block) + recordCost
			w.unsaved++
			lost++
		}
		w.pop()
	}
	w.compact()
	return lost
}

func (w *window) pop() {
	w.bytes -= len(w.recs[w.head].Block) + recordCost
	w.floor = w.recs[w.head].Seq
	w.recs[w.head] = Record{}
	w.head++
}

// compact gives memory back once most of it holds nothing.
func (w *window) compact() {
	if w.head == len(w.recs) {
		w.recs, w.head, w.unsaved, w.chunk = nil, 0, 0, nil
		return
	}
	if w.head < 64 || w.head < len(w.recs)/2 {
		return
	}
	n := copy(w.recs, w.recs[w.head:])
	clear(w.recs[n:])
	w.recs = w.recs[:n]
	w.unsaved -= w.head
	w.head = 0
}

// segments appends what is not on disk to list, as segments of about
// segmentBytes.
func (w *window) segments(list []Segment, session string, now time.Time) []Segment {
	for recs := w.recs[w.unsaved:]; len(recs) > 0; {
		n, size := 1, len(recs[0].Block)
		for n < len(recs) && size+len(recs[n].Block) <= segmentBytes {
			size += len(recs[n].Block)
			n++
		}
		data := make([]byte, 0, size)
		for i := range recs[:n] {
			data = append(data, recs[i].Block...)
		}
		list = append(list, Segment{
			SessionID: session, First: recs[0].Seq, Last: recs[n-1].Seq, Data: data, CreatedAt: now,
		})
		recs = recs[n:]
	}
	return list
}
