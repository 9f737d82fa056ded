package provider_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/mixagent/mix/internal/provider"
)

func TestErrorTexts(t *testing.T) {
	t.Parallel()
	base := provider.Error{Vendor: "anthropic", Model: "claude-x", KeyEnv: "ANTHROPIC_API_KEY", BaseEnv: "ANTHROPIC_BASE_URL"}
	for _, tt := range []struct {
		change    func(*provider.Error)
		want      string
		wire      string
		transient bool
	}{
		{func(e *provider.Error) { e.Kind = provider.KindAuthentication }, "anthropic needs an API key, and none is set. Set ANTHROPIC_API_KEY to a valid key.", "authentication_error", false},
		{
			func(e *provider.Error) {
				e.Kind, e.Status, e.Message, e.RequestID = provider.KindAuthentication, 401, "invalid x-api-key.", "req_1"
			},
			"anthropic refused the API key (HTTP 401): invalid x-api-key. Set ANTHROPIC_API_KEY to a valid key. (Request req_1.)", "authentication_error", false,
		},
		{
			func(e *provider.Error) {
				e.Kind, e.Status, e.RetryAfter = provider.KindRateLimit, 429, 90*time.Second
			},
			"anthropic limits the rate of requests (HTTP 429). Try again in 1m30s, or choose another model.", "rate_limit_error", true,
		},
		{
			func(e *provider.Error) { e.Kind, e.Attempts, e.Status = provider.KindOverloaded, 8, 529 },
			"anthropic is overloaded or in trouble (HTTP 529) after 8 attempts. Try again in a minute, or choose another model.", "overloaded_error", true,
		},
		{func(e *provider.Error) { e.Kind, e.Final = provider.KindOverloaded, true }, "anthropic is overloaded or in trouble. Try again in a minute, or choose another model.", "overloaded_error", false},
		{func(e *provider.Error) { e.Kind = provider.KindContextTooLong }, "the conversation is too long for claude-x. Start a new session, or compact this one.", "context_too_long_error", false},
		{func(e *provider.Error) { e.Kind = provider.KindNotFound }, "anthropic does not know claude-x. Check the model's name, and ANTHROPIC_BASE_URL if you set it.", "not_found_error", false},
		{func(e *provider.Error) { e.Kind = provider.KindNetwork }, "anthropic could not be reached. Check the network, and ANTHROPIC_BASE_URL if you set it.", "network_error", true},
		{func(e *provider.Error) { e.Kind = provider.KindInterrupted }, "the answer of anthropic broke off. Send the message again.", "interrupted_error", true},
		{func(e *provider.Error) { e.Kind = provider.KindIdle }, "anthropic stopped sending. Send the message again.", "timeout_error", true},
		{func(e *provider.Error) { e.Kind = provider.KindInvalid }, "anthropic sent something that is no answer. Try again; check the model, and ANTHROPIC_BASE_URL if you set it.", "api_error", false},
		{func(e *provider.Error) { e.Kind = provider.KindPermission }, "anthropic does not allow this key to use claude-x. Choose another model, or a key that may use it.", "permission_error", false},
		{func(e *provider.Error) { e.Kind = provider.KindQuota }, "anthropic says that the account has no credit left. Add credit with the vendor, or choose another model.", "billing_error", false},
		{func(e *provider.Error) { e.Kind, e.Message = provider.KindBadRequest, "no" }, "anthropic did not accept the request: no. Choose another model if this stays so.", "invalid_request_error", false},
		{func(e *provider.Error) { *e = provider.Error{Kind: provider.KindNotFound} }, "The model vendor does not know this model. Check the model's name.", "not_found_error", false},
	} {
		e := base
		tt.change(&e)
		if got := e.Error(); got != tt.want {
			t.Errorf("got  %s\nwant %s", got, tt.want)
		}
		if e.WireType() != tt.wire || e.Transient() != tt.transient {
			t.Errorf("%s: type %s, transient %v", e.Kind, e.WireType(), e.Transient())
		}
	}
}

func TestErrorUnwraps(t *testing.T) {
	t.Parallel()
	if err := error(&provider.Error{Kind: provider.KindInterrupted, Err: io.ErrUnexpectedEOF}); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%v hides its cause", err)
	}
}

// FuzzParseReport checks that no error body of a vendor does harm.
func FuzzParseReport(f *testing.F) {
	for _, s := range []string{
		`{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}`, `{"error":"text"}`, `[{"error":{"code":429,"status":"RESOURCE_EXHAUSTED"}}]`,
		`{"detail":[{"msg":"x"}]}`, `{"error":null}`, `{"error":{}}`, `[]`, `[[]]`, `null`, `{"message":7}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, ok := provider.ParseReport(data)
		if !ok && r != (provider.Report{}) {
			t.Errorf("%q: %+v without a report", data, r)
		}
		if ok && !strings.ContainsAny(string(data), "{") {
			t.Errorf("%q is taken for a report", data)
		}
	})
}
