package providertest

import (
	"context"
	"encoding/json"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/provider"
)

// Replayed is a wire whose recorded traffic is replayed.
type Replayed struct {
	Suffix string // of the wire's addresses
	New    func(*http.Client) provider.Provider
	// History reads the messages of a request in the wire's form, blank texts
	// and marks of the cache left out. It reports false where the request
	// holds what Mix does not send.
	History func(request []byte) ([]domain.Message, bool)
	// Whole says whether an answer that is no stream is read too.
	Whole bool
	// Forgotten names recordings whose client lost the text that came with
	// tool calls, so that the next request cannot be compared.
	Forgotten []string
	// EndMark begins the data of the event that makes an answer whole.
	EndMark string
	// MayEnd reports whether an answer may end after the prefix of a stream
	// when the connection was closed in good order.
	MayEnd func(prefix string) bool
}

// Replay feeds every recorded answer to the decoder, whole, byte by byte and
// cut at random places, and compares it with what the vendor's own client sent
// back in the next request of the conversation.
func Replay(t *testing.T, w Replayed) {
	answers, compared := 0, 0
	for _, rec := range Recordings(t, w.Suffix) {
		for i := range rec.Interactions {
			it := &rec.Interactions[i]
			if !it.Streamed() && !w.Whole {
				continue
			}
			answers++
			answer := w.replayOne(t, rec.Name, it.Response)
			if answer != nil && i+1 < len(rec.Interactions) {
				if w.compare(t, rec.Name, answer, it, &rec.Interactions[i+1]) {
					compared++
				}
			}
		}
	}
	t.Logf("%d answers replayed, %d compared with the next request", answers, compared)
	if compared == 0 {
		t.Error("no recorded conversation goes on after an answer")
	}
}

func (w *Replayed) stream(body string, wrap func(io.Reader) io.Reader) (*Answer, error) {
	p := w.New(Client(body, wrap))
	req := &provider.Request{Model: "recorded", Messages: []domain.Message{{Role: domain.RoleUser, Blocks: []domain.Block{{Type: domain.BlockText, Text: "?"}}}}}
	return Collect(p.Name(), p.Stream(context.Background(), req))
}

func (w *Replayed) replayOne(t *testing.T, name, body string) *Answer {
	t.Helper()
	want, err := w.stream(body, nil)
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return nil
	}
	if len(want.Blocks) == 0 || want.Stop == domain.FinishUnknown || want.Usage.Output == 0 || want.Usage.Prompt() == 0 {
		t.Errorf("%s: %d blocks, stop %q, usage %+v", name, len(want.Blocks), want.Stop, want.Usage)
	}
	ways := map[string]func(io.Reader) io.Reader{
		"by bytes":     iotest.OneByteReader,
		"data and EOF": iotest.DataErrReader,
	}
	for seed := range uint64(3) {
		ways["random "+string('1'+rune(seed))] = func(r io.Reader) io.Reader {
			return &randomReader{r, rand.New(rand.NewPCG(seed, 0))}
		}
	}
	for way, wrap := range ways {
		got, err := w.stream(body, wrap)
		if err != nil {
			t.Errorf("%s %s: %v", name, way, err)
			continue
		}
		if diff := cmp.Diff(want.Deltas, got.Deltas); diff != "" {
			t.Errorf("%s %s: deltas differ (-whole +cut):\n%s", name, way, diff)
		}
	}
	return want
}

// randomReader reads up to 40 bytes at a time.
type randomReader struct {
	r   io.Reader
	rnd *rand.Rand
}

func (r *randomReader) Read(p []byte) (int, error) {
	return r.r.Read(p[:min(len(p), 1+r.rnd.IntN(40))])
}

// compare checks an answer against the next request of its conversation.
func (w *Replayed) compare(t *testing.T, name string, got *Answer, it, next *Interaction) bool {
	before, ok := w.History([]byte(it.Request))
	after, ok2 := w.History([]byte(next.Request))
	if slices.Contains(w.Forgotten, name) || !ok || !ok2 || len(after) <= len(before) || after[len(before)].Role != domain.RoleAssistant {
		return false
	}
	m := after[len(before)]
	want := Answer{Blocks: m.Blocks}
	if strings.TrimSpace(got.Text()) != strings.TrimSpace(want.Text()) {
		t.Errorf("%s: text %q, the next request has %q", name, got.Text(), want.Text())
	}
	if want.Reasoning() != "" && strings.TrimSpace(got.Reasoning()) != strings.TrimSpace(want.Reasoning()) {
		t.Errorf("%s: reasoning %q, the next request has %q", name, got.Reasoning(), want.Reasoning())
	}
	if diff := cmp.Diff(canonical(want.Calls()), canonical(got.Calls())); diff != "" {
		t.Errorf("%s: calls differ (-next request +got):\n%s", name, diff)
	}
	if diff := cmp.Diff(opaques(want.Blocks), opaques(got.Blocks)); opaques(want.Blocks) != nil && diff != "" {
		t.Errorf("%s: signatures differ (-next request +got):\n%s", name, diff)
	}
	if (len(want.Calls()) > 0) != (got.Stop == domain.FinishToolUse) {
		t.Errorf("%s: stop %q with %d calls", name, got.Stop, len(want.Calls()))
	}
	return true
}

// canonical returns calls whose input is JSON in one form.
func canonical(calls []domain.Block) []domain.Block {
	out := append([]domain.Block(nil), calls...)
	for i := range out {
		var v any
		if json.Unmarshal([]byte(out[i].Input), &v) == nil {
			b, _ := json.Marshal(v)
			out[i].Input = string(b)
		}
	}
	return out
}

func opaques(blocks []domain.Block) []string {
	var all []string
	for _, b := range blocks {
		if b.Opaque != "" {
			all = append(all, b.Opaque)
		}
	}
	return all
}

// ReplayRequests builds the request for every recorded history anew, and checks
// that it says what the vendor's own client said.
func ReplayRequests(t *testing.T, w Replayed) {
	checked := 0
	for _, rec := range Recordings(t, w.Suffix) {
		for i := range rec.Interactions {
			recorded := []byte(rec.Interactions[i].Request)
			history, ok := w.History(recorded)
			if !ok {
				continue
			}
			checked++
			sent := Body(t, w.New, &provider.Request{Model: "m", Messages: history})
			got, ok := w.History(sent)
			if !ok {
				t.Errorf("%s: sent what cannot be read back: %s", rec.Name, sent)
				continue
			}
			if diff := cmp.Diff(canonicalAll(history), canonicalAll(got)); diff != "" {
				t.Errorf("%s: messages differ (-recorded +sent):\n%s", rec.Name, diff)
			}
		}
	}
	t.Logf("%d requests compared", checked)
	if checked == 0 {
		t.Error("no recorded request can be read")
	}
}

func canonicalAll(messages []domain.Message) []domain.Message {
	out := append([]domain.Message(nil), messages...)
	for i := range out {
		out[i].Blocks = canonical(out[i].Blocks)
	}
	return out
}

// Body returns the body of the request that a provider sends.
func Body(t testing.TB, newProvider func(*http.Client) provider.Provider, req *provider.Request) []byte {
	t.Helper()
	var body []byte
	client := &http.Client{Transport: roundTripper(func(r *http.Request) *http.Response {
		body, _ = io.ReadAll(r.Body)
		return &http.Response{StatusCode: http.StatusTeapot, Header: http.Header{}, Body: http.NoBody, Request: r}
	})}
	for range newProvider(client).Stream(context.Background(), req) {
	}
	if !json.Valid(body) {
		t.Fatalf("the body is no JSON: %s", body)
	}
	return body
}

// exhaustive is the size up to which a stream is cut at every byte.
const exhaustive = 3 << 9

// ReplayCuts cuts recorded streams at every byte (long ones at random bytes),
// and checks that no cut gives an answer that seems whole.
func ReplayCuts(t *testing.T, w Replayed) {
	rnd := rand.New(rand.NewPCG(1, 2))
	cuts := 0
	for _, rec := range Recordings(t, w.Suffix) {
		for i := range rec.Interactions {
			if body := rec.Interactions[i].Response; rec.Interactions[i].Streamed() {
				for cut := range body {
					if len(body) <= exhaustive || rnd.IntN(len(body)) < 8 {
						cuts++
						w.cut(t, rec.Name, body[:cut])
					}
				}
			}
		}
	}
	t.Logf("%d cuts", cuts)
}

func (w *Replayed) cut(t *testing.T, name, prefix string) {
	t.Helper()
	whole := strings.Contains(prefix, w.EndMark) && endsEvent(prefix[strings.Index(prefix, w.EndMark):])
	_, err := w.stream(prefix, Broken)
	if (err == nil) != whole {
		t.Errorf("%s, broken at %d: ended with %v, whole is %v", name, len(prefix), err, whole)
	}
	checkCut(t, name, err)
	_, err = w.stream(prefix, nil)
	if may := whole || w.MayEnd(prefix); (err == nil) != may {
		t.Errorf("%s, ended at %d: ended with %v, may end is %v", name, len(prefix), err, may)
	}
	checkCut(t, name, err)
}

func endsEvent(s string) bool {
	return strings.Contains(s, "\n\n") || strings.Contains(s, "\r\n\r\n") || strings.Contains(s, "\r\n\r")
}

func checkCut(t *testing.T, name string, err error) {
	t.Helper()
	if err != nil && KindOf(err) != provider.KindInterrupted {
		t.Errorf("%s: a cut stream gives %q: %v", name, KindOf(err), err)
	}
}
