package providertest

import (
	"strings"
	"testing"

	"github.com/mixagent/mix/internal/domain"
)

// MaxAllocs is how many allocations one streamed delta may cost.
const MaxAllocs = 3

// Allocs checks what a delta of an answer costs: of its text, its reasoning and
// its tool call's input. It must not run next to parallel tests.
func Allocs(t *testing.T, w Wire) {
	t.Helper()
	const size = 2000
	text := strings.Repeat(`Some "text" `, size)
	for _, block := range []domain.Block{
		{Type: domain.BlockText, Text: text},
		{Type: domain.BlockReasoning, Text: text},
		{Type: domain.BlockToolCall, CallID: "c", Tool: "t", Input: text},
	} {
		// Each event of the answer is repeated with a small piece of the text.
		events := w.Events(&Answer{Blocks: []domain.Block{block}, Stop: domain.FinishToolUse})
		var stream strings.Builder
		for _, e := range events {
			if strings.Contains(e, "Some") {
				piece := strings.Repeat(`Some \"text\" `, size/2)
				e = strings.Repeat(strings.Replace(e, piece, `Some \"text\" `, 1), size/2)
			}
			stream.WriteString(e)
		}
		p := w.New(Setup{BaseURL: "http://vendor.test", Key: Key, Client: Client(stream.String(), nil)})
		deltas := 0
		allocs := testing.AllocsPerRun(3, func() {
			deltas = 0
			for _, err := range p.Stream(t.Context(), request()) {
				if err != nil {
					t.Fatal(err)
				}
				deltas++
			}
		})
		if deltas < size || allocs/float64(deltas) > MaxAllocs {
			t.Errorf("%s: %.2f allocations for each of %d deltas, at most %d are allowed", block.Type, allocs/float64(deltas), deltas, MaxAllocs)
		}
	}
}
