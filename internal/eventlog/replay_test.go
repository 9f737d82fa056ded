package eventlog_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/eventlog"
	"github.com/mixagent/mix/internal/wire"
)

// logged fills a session with n events, a segment for every 10, and returns a
// new log over the same archive.
func logged(t *testing.T, m *memory, n int) *eventlog.Log {
	t.Helper()
	l := eventlog.New(m, eventlog.Options{ReserveBlock: 4096})
	create(l, m, "s")
	for i := range n {
		l.Append("s", text(i))
		if i%10 == 9 {
			if err := l.Flush(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := l.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	return open(t, m, eventlog.Options{})
}

func message(id string, role domain.Role, eventSeq int64, blocks ...domain.Block) domain.Message {
	return domain.Message{ID: id, SessionID: "s", Role: role, EventSeq: eventSeq, Blocks: blocks}
}

func TestWholeMessagesStandForPrunedEvents(t *testing.T) {
	t.Parallel()
	m := newMemory()
	l := logged(t, m, 60)
	m.messages["s"] = []domain.Message{
		message("u1", domain.RoleUser, 3, domain.Block{Type: domain.BlockText, Text: "asked"}),
		message("a1", domain.RoleAssistant, 20,
			domain.Block{Type: domain.BlockReasoning, Text: "thought"}, domain.Block{Type: domain.BlockText, Text: "answered"}),
		message("a2", domain.RoleAssistant, 21,
			domain.Block{Type: domain.BlockReasoning, Text: "again"}, domain.Block{Type: domain.BlockText, Text: "more"}),
		message("tools only", domain.RoleAssistant, 25),
		message("u2", domain.RoleUser, 40, domain.Block{Type: domain.BlockText, Text: "later, and in a segment"}),
	}
	m.pruneTo("s", 30)

	recs := available(t, subscribe(t, l, "s", 0), 60)
	var got []string
	for _, r := range recs[:5] {
		b, err := wire.ParseBlock(r.Block)
		if err != nil || b.Seq != r.Seq {
			t.Fatalf("block %q: %v", r.Block, err)
		}
		var data struct{ Content string }
		if err := json.Unmarshal(b.Data, &data); err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprintf("%d %s %s", b.Seq, b.Name, data.Content))
	}
	want := "3 user_message_created asked, 19 thinking thought, 20 content answered, 21 thinking again, 21 content more"
	if s := strings.Join(got, ", "); s != want {
		t.Errorf("got  %s\nwant %s", s, want)
	}
	if rest := recs[5:]; len(rest) != 30 || rest[0].Seq != 31 || rest[29].Seq != 60 {
		t.Errorf("then %v", numbers(rest))
	}

	if got := available(t, subscribe(t, l, "s", 22), 60); got[0].Seq != 31 {
		t.Errorf("from 22: first %d", got[0].Seq)
	}
	if got := available(t, subscribe(t, l, "s", 35), 60); got[0].Seq != 36 || len(got) != 25 {
		t.Errorf("from 35: first %d, %d records", got[0].Seq, len(got))
	}
}

func TestEverythingPruned(t *testing.T) {
	t.Parallel()
	m := newMemory()
	l := logged(t, m, 20)
	long := strings.Repeat("word ", 30_000)
	m.messages["s"] = []domain.Message{
		message("a", domain.RoleAssistant, 19, domain.Block{Type: domain.BlockText, Text: long}),
	}
	m.pruneTo("s", 20)
	l.Append("s", text(0))
	recs := read(t, subscribe(t, l, "s", 0), 4)
	var whole strings.Builder
	for _, r := range recs[:3] {
		b, err := wire.ParseBlock(r.Block)
		if err != nil {
			t.Fatal(err)
		}
		var data struct{ Content string }
		if err := json.Unmarshal(b.Data, &data); err != nil {
			t.Fatal(err)
		}
		whole.WriteString(data.Content)
	}
	if got := fmt.Sprint(numbers(recs)); got != "[17 18 19 4097]" {
		t.Errorf("numbers %s", got)
	}
	if whole.String() != long {
		t.Errorf("a long message came back with %d of %d bytes", whole.Len(), len(long))
	}
}

func TestAGapOfACrashIsNotTakenForPruning(t *testing.T) {
	t.Parallel()
	m := newMemory()
	l := logged(t, m, 20) // then the numbers go on at 4097
	m.messages["s"] = []domain.Message{
		message("half", domain.RoleAssistant, 25, domain.Block{Type: domain.BlockText, Text: "seen in part already"}),
	}
	l.Append("s", text(0))
	if err := l.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(numbers(read(t, subscribe(t, l, "s", 18), 3))); got != "[19 20 4097]" {
		t.Errorf("numbers %s", got)
	}
}

func TestDamagedSegmentIsLeftOut(t *testing.T) {
	t.Parallel()
	m := newMemory()
	l := logged(t, m, 30)
	data := m.segments["s"][1].Data
	m.segments["s"][1].Data = append(append([]byte(nil), data[:len(data)/2]...), '\n', '\n')
	recs := available(t, subscribe(t, l, "s", 0), 30)
	if n := len(recs); n < 20 || n >= 30 || recs[n-1].Seq != 30 {
		t.Errorf("%d records: %v", n, numbers(recs))
	}
	seen := 0
	err := eventlog.ScanSegments(context.Background(), m, "s", 0, func(int64, domain.EventType, []byte) error {
		seen++
		return nil
	})
	if !errors.Is(err, eventlog.ErrDamaged) || seen != len(recs) {
		t.Errorf("scan saw %d events, %v", seen, err)
	}
}

func TestScanSegments(t *testing.T) {
	t.Parallel()
	m := newMemory()
	logged(t, m, 25)
	var partial strings.Builder
	next := int64(8)
	err := eventlog.ScanSegments(context.Background(), m, "s", 7, func(seq int64, typ domain.EventType, data []byte) error {
		if seq != next || typ != domain.EventContent {
			t.Errorf("event %d %s, want %d", seq, typ, next)
		}
		next++
		var e struct{ Content string }
		if err := json.Unmarshal(data, &e); err != nil {
			return err
		}
		partial.WriteString(e.Content)
		return nil
	})
	if err != nil || !strings.HasPrefix(partial.String(), "piece 7 piece 8 ") || !strings.HasSuffix(partial.String(), "piece 24 ") {
		t.Errorf("%q, %v", partial.String(), err)
	}
	stop := errors.New("enough")
	if err := eventlog.ScanSegments(context.Background(), m, "s", 0, func(int64, domain.EventType, []byte) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("error of the function: %v", err)
	}
}
