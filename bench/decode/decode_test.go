package decode

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	anthropicsdk "github.com/anthropics/anthropic-sdk-go"
	anthropicoption "github.com/anthropics/anthropic-sdk-go/option"
	openaisdk "github.com/openai/openai-go/v3"
	openaioption "github.com/openai/openai-go/v3/option"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/provider"
	"github.com/mixagent/mix/internal/provider/anthropic"
	"github.com/mixagent/mix/internal/provider/openai"
)

// deltas is how many pieces of text an answer has.
const deltas = 5000

// words are the texts of the deltas: as long as vendors send them, some with
// escapes and some with letters beyond ASCII.
var words = [...]string{"The", " quick", " brown fox", " jumps over", "\n\n", " the “lazy”", " dog", "'s", ` \"back\"`, " and", " runs away.", " é"}

// decoder reads one answer and returns the length of its text.
type decoder func(ctx context.Context, base string, client *http.Client) int

func mix(newProvider func(base string, client *http.Client) provider.Provider) decoder {
	return func(ctx context.Context, base string, client *http.Client) int {
		n := 0
		req := &provider.Request{Model: "m", Messages: []domain.Message{{Role: domain.RoleUser, Blocks: []domain.Block{{Type: domain.BlockText, Text: "?"}}}}}
		for d, err := range newProvider(base, client).Stream(ctx, req) {
			if err != nil {
				panic(err)
			}
			if d.Kind == provider.DeltaText {
				n += len(d.Text)
			}
		}
		return n
	}
}

func BenchmarkAnthropic(b *testing.B) {
	var s strings.Builder
	frame := func(name, data string) { fmt.Fprintf(&s, "event: %s\ndata: %s\n\n", name, data) }
	frame("message_start", `{"type":"message_start","message":{"model":"m","id":"msg_1","type":"message","role":"assistant","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":502,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":4}}}`)
	frame("content_block_start", `{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`)
	for i := range deltas {
		frame("content_block_delta", `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"`+strings.ReplaceAll(words[i%len(words)], "\n", `\n`)+`"}           }`)
	}
	frame("content_block_stop", `{"type":"content_block_stop","index":0}`)
	frame("message_delta", `{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":57}}`)
	frame("message_stop", `{"type":"message_stop"}`)

	compare(b, s.String(), mix(func(base string, client *http.Client) provider.Provider {
		return anthropic.New(anthropic.Options{APIKey: "key", BaseURL: base, Client: client})
	}), func(ctx context.Context, base string, client *http.Client) int {
		c := anthropicsdk.NewClient(anthropicoption.WithAPIKey("key"), anthropicoption.WithBaseURL(base), anthropicoption.WithHTTPClient(client))
		stream := c.Messages.NewStreaming(ctx, anthropicsdk.MessageNewParams{
			Model: "m", MaxTokens: 100, Messages: []anthropicsdk.MessageParam{anthropicsdk.NewUserMessage(anthropicsdk.NewTextBlock("?"))},
		})
		defer func() { _ = stream.Close() }()
		n := 0
		for stream.Next() {
			if event, ok := stream.Current().AsAny().(anthropicsdk.ContentBlockDeltaEvent); ok {
				if delta, ok := event.Delta.AsAny().(anthropicsdk.TextDelta); ok {
					n += len(delta.Text)
				}
			}
		}
		if err := stream.Err(); err != nil {
			panic(err)
		}
		return n
	})
}

func BenchmarkOpenAI(b *testing.B) {
	var s strings.Builder
	chunk := func(delta, finish string) {
		fmt.Fprintf(&s, "data: "+`{"id":"chatcmpl-DIgTLIbtHM3JaHCZ40MrIAbLqJpMh","object":"chat.completion.chunk","created":1773345539,"model":"m","service_tier":"default","system_fingerprint":null,"choices":[{"index":0,"delta":%s,"finish_reason":%s}],"usage":null,"obfuscation":"MSYDNUM"}`+"\n\n", delta, finish)
	}
	chunk(`{"role":"assistant","content":"","refusal":null}`, "null")
	for i := range deltas {
		chunk(`{"content":"`+strings.ReplaceAll(words[i%len(words)], "\n", `\n`)+`"}`, "null")
	}
	chunk("{}", `"stop"`)
	s.WriteString("data: " + `{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"m","choices":[],"usage":{"prompt_tokens":10,"completion_tokens":5000,"total_tokens":5010}}` + "\n\ndata: [DONE]\n\n")

	compare(b, s.String(), mix(func(base string, client *http.Client) provider.Provider {
		return openai.New(openai.Options{Name: "openai", APIKey: "key", BaseURL: base, Client: client})
	}), func(ctx context.Context, base string, client *http.Client) int {
		c := openaisdk.NewClient(openaioption.WithAPIKey("key"), openaioption.WithBaseURL(base+"/v1"), openaioption.WithHTTPClient(client))
		stream := c.Chat.Completions.NewStreaming(ctx, openaisdk.ChatCompletionNewParams{
			Model: "m", Messages: []openaisdk.ChatCompletionMessageParamUnion{openaisdk.UserMessage("?")},
		})
		defer func() { _ = stream.Close() }()
		n := 0
		for stream.Next() {
			if chunk := stream.Current(); len(chunk.Choices) > 0 {
				n += len(chunk.Choices[0].Delta.Content)
			}
		}
		if err := stream.Err(); err != nil {
			panic(err)
		}
		return n
	})
}

// compare runs both decoders on the stream, from memory and over loopback.
func compare(b *testing.B, stream string, ours, theirs decoder) {
	b.Run("memory", func(b *testing.B) {
		client := &http.Client{Transport: memory(stream)}
		measure(b, func(d decoder) int { return d(b.Context(), "http://vendor.test", client) }, ours, theirs)
	})
	b.Run("loopback", func(b *testing.B) {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			w.Header().Set("Content-Type", "text/event-stream")
			_, _ = io.WriteString(w, stream)
		}))
		defer server.Close()
		client := provider.NewHTTPClient()
		defer client.CloseIdleConnections()
		measure(b, func(d decoder) int { return d(b.Context(), server.URL, client) }, ours, theirs)
	})
}

// measure takes turns between the decoders and reports what one delta costs.
func measure(b *testing.B, run func(decoder) int, ours, theirs decoder) {
	want := 0
	for i := range deltas {
		want += len(strings.ReplaceAll(words[i%len(words)], `\"`, `"`))
	}
	var spent [2]time.Duration
	var allocs [2]uint64
	rounds := 0
	for b.Loop() {
		rounds++
		for i, d := range [2]decoder{ours, theirs} {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			start := time.Now()
			got := run(d)
			spent[i] += time.Since(start)
			runtime.ReadMemStats(&after)
			allocs[i] += after.Mallocs - before.Mallocs
			if got != want {
				b.Fatalf("decoder %d read %d bytes of text, want %d", i, got, want)
			}
		}
	}
	count := float64(rounds) * deltas
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(spent[0].Nanoseconds())/count, "mix-ns/delta")
	b.ReportMetric(float64(spent[1].Nanoseconds())/count, "sdk-ns/delta")
	b.ReportMetric(float64(allocs[0])/count, "mix-allocs/delta")
	b.ReportMetric(float64(allocs[1])/count, "sdk-allocs/delta")
	b.ReportMetric(float64(spent[1])/float64(spent[0]), "ratio")
}

// memory answers every request with the same stream.
type memory string

func (m memory) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		_, _ = io.Copy(io.Discard, r.Body)
		_ = r.Body.Close()
	}
	return &http.Response{
		StatusCode: http.StatusOK, Status: "200 OK", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header: http.Header{"Content-Type": {"text/event-stream"}}, Body: io.NopCloser(strings.NewReader(string(m))),
	}, nil
}
