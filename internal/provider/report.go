package provider

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// maxMessage bounds what is kept of a vendor's words, in bytes.
const maxMessage = 600

// Report is what a vendor said about a failure, in whichever of their shapes.
type Report struct {
	Type    string
	Code    string
	Message string
	Status  int // as the body names it, 0 where it does not
}

// ParseReport reads a vendor's error body or error event. All of these shapes
// are in use:
//
//	{"type":"error","error":{"type":…,"message":…}}      Anthropic
//	{"error":{"message":…,"type":…,"code":…}}            OpenAI; code may be a number
//	{"error":"…"}   {"message":…,"code":…}   {"detail":…}   servers that resemble it
//	[{"error":{…}}]                                      Google
//
// It returns false where data holds none of them.
func ParseReport(data []byte) (Report, bool) {
	var list []json.RawMessage
	if json.Unmarshal(data, &list) == nil && len(list) > 0 {
		data = list[0]
	}
	var outer reportJSON
	if json.Unmarshal(data, &outer) != nil {
		return Report{}, false
	}
	if isNull(outer.Error) {
		if outer.Message == nil && outer.Detail == nil {
			return Report{}, false
		}
		return outer.report(), true
	}
	var inner reportJSON
	if json.Unmarshal(outer.Error, &inner) != nil {
		return Report{Message: plain(outer.Error)}, true
	}
	return inner.report(), true
}

type reportJSON struct {
	Error   json.RawMessage `json:"error"`
	Type    json.RawMessage `json:"type"`
	Code    json.RawMessage `json:"code"`
	Status  json.RawMessage `json:"status"`
	Message json.RawMessage `json:"message"`
	Detail  json.RawMessage `json:"detail"`
}

func (r *reportJSON) report() Report {
	out := Report{Type: plain(r.Type), Code: plain(r.Code), Message: plain(r.Message)}
	if out.Message == "" {
		out.Message = plain(r.Detail)
	}
	for _, s := range []string{out.Code, plain(r.Status)} {
		if n, err := strconv.Atoi(s); err == nil && n >= 400 && n < 600 {
			out.Status = n
		}
	}
	return out
}

func isNull(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }

// plain is a JSON string's value, or another value as it is written.
func plain(raw json.RawMessage) string {
	if isNull(raw) {
		return ""
	}
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	return string(raw)
}

// kind is what the report and the status mean. Words come before numbers:
// vendors and servers that resemble them use 400 and 429 for many things.
func (r Report) kind(status int) Kind {
	if status == 0 || status == http.StatusOK {
		status = r.Status
	}
	words := strings.ToLower(r.Type + " " + r.Code + " " + r.Message)
	if status < 500 && status != http.StatusUnauthorized {
		if containsAny(words, contextPhrases[:]) {
			return KindContextTooLong
		}
		if containsAny(words, quotaPhrases[:]) {
			return KindQuota
		}
	}
	if status != 0 {
		return kindOfStatus(status)
	}
	for _, word := range []string{r.Type, r.Code} {
		if k, ok := kindOfType(word); ok {
			return k
		}
	}
	return KindOverloaded
}

// contextPhrases are how vendors say that the history does not fit.
var contextPhrases = [...]string{
	"context_length_exceeded",              // OpenAI and most that resemble it
	"maximum context length",               // OpenAI, vLLM, OpenRouter, Mistral
	"prompt is too long",                   // Anthropic
	"exceed context limit",                 // Anthropic: input length and max_tokens
	"request_too_large",                    // Anthropic: over 32 MB
	"input tokens exceed",                  // OpenAI: the configured limit
	"exceed_context_size",                  // llama.cpp
	"exceeds the available context",        // llama.cpp
	"context window",                       // several
	"context size",                         // LM Studio
	"maximum prompt length",                // xAI
	"exceeded model token limit",           // Moonshot
	"reduce the length of",                 // Groq
	"reduce your message size",             // Groq
	"exceeds the maximum number of tokens", // Google
	"input is too long",                    // Bedrock
}

// quotaPhrases are how vendors say that there is nothing left to pay with.
var quotaPhrases = [...]string{
	"insufficient_quota",        // OpenAI
	"exceeded_current_quota",    // Moonshot
	"credit balance is too low", // Anthropic
	"billing_error",             // Anthropic
	"insufficient balance",      // DeepSeek, Moonshot
	"insufficient credits",      // OpenRouter
}

func containsAny(s string, phrases []string) bool {
	for _, p := range phrases {
		if strings.Contains(s, p) {
			return true
		}
	}
	return false
}

func kindOfStatus(status int) Kind {
	switch status {
	case http.StatusUnauthorized:
		return KindAuthentication
	case http.StatusPaymentRequired:
		return KindQuota
	case http.StatusForbidden:
		return KindPermission
	case http.StatusNotFound:
		return KindNotFound
	case http.StatusRequestEntityTooLarge:
		return KindContextTooLong
	case http.StatusTooManyRequests:
		return KindRateLimit
	case http.StatusRequestTimeout, http.StatusConflict, http.StatusTooEarly:
		return KindOverloaded
	}
	if status >= 500 {
		return KindOverloaded
	}
	return KindBadRequest
}

// kindOfType reads the words that stand for a status where there is none: in
// the middle of a stream.
func kindOfType(word string) (Kind, bool) {
	switch word {
	case "authentication_error", "invalid_api_key":
		return KindAuthentication, true
	case "permission_error":
		return KindPermission, true
	case "not_found_error", "model_not_found":
		return KindNotFound, true
	case "rate_limit_error", "rate_limit_exceeded", "tokens", "requests":
		return KindRateLimit, true
	case "invalid_request_error", "BadRequestError":
		return KindBadRequest, true
	}
	return "", false
}

// tidy makes text from outside fit for an error: one line, no control
// characters, at most [maxMessage] bytes, and without the given secret.
func tidy(s, secret string) string {
	if secret != "" {
		s = strings.ReplaceAll(s, secret, "[key]")
	}
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r) || r == utf8.RuneError || unicode.Is(unicode.Bidi_Control, r)
	}), " ")
	if len(s) <= maxMessage {
		return s
	}
	cut := maxMessage
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}

// retryAfter reads how long a vendor asks to wait: milliseconds where it says
// so, else seconds or a date.
func retryAfter(h http.Header, now time.Time) time.Duration {
	if ms, err := strconv.ParseFloat(h.Get("Retry-After-Ms"), 64); err == nil && ms > 0 && ms < 1e12 {
		return time.Duration(ms * float64(time.Millisecond))
	}
	value := h.Get("Retry-After")
	if s, err := strconv.ParseFloat(value, 64); err == nil && s > 0 && s < 1e9 {
		return time.Duration(s * float64(time.Second))
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(at.Sub(now), 0)
	}
	return 0
}
