package config_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/mixagent/mix/internal/config"
)

func TestSecretNeverShows(t *testing.T) {
	t.Parallel()
	const value = "sk-very-secret"
	type holder struct {
		Public  config.Secret
		private config.Secret
		pointer *config.Secret
	}
	s := config.NewSecret(value)
	h := holder{s, s, &s}
	var logged bytes.Buffer
	log := slog.New(slog.NewJSONHandler(&logged, nil))
	log.Info("m", "secret", s, "pointer", &s, "holder", h, "credential", config.Credential{Key: s})
	encoded, err := json.Marshal(map[string]any{"s": s, "p": &s, "h": h})
	if err != nil {
		t.Fatal(err)
	}
	out := []string{
		logged.String(), string(encoded),
		fmt.Sprint(s, &s, h, &h, []config.Secret{s}, map[string]config.Secret{"k": s}),
		fmt.Sprintf("%v %+v %#v %s %q %x %X %d %T", s, s, s, s, s, s, s, s, s),
		fmt.Sprintf("%v %+v %#v", h, h, h),
		fmt.Errorf("failed: %w", errors.New(s.String())).Error(),
	}
	for _, text := range out {
		if strings.Contains(text, value) || strings.Contains(text, fmt.Sprintf("%x", value)) {
			t.Errorf("the secret shows in %s", text)
		}
	}
	if !strings.Contains(out[0], `"secret":"[secret]"`) || !strings.Contains(out[1], `"s":"[secret]"`) {
		t.Errorf("not marked as secret: %s %s", out[0], out[1])
	}
	if s.Reveal() != value || s.IsZero() {
		t.Errorf("Reveal gives %q", s.Reveal())
	}
	var none config.Secret
	if none.String() != "" || none.Reveal() != "" || !none.IsZero() || !config.NewSecret("").IsZero() {
		t.Error("the zero value is a secret")
	}
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	tests := []struct {
		service, key, base, source string
		env                        []string
	}{
		{"anthropic", "k", "", "ANTHROPIC_API_KEY", []string{"ANTHROPIC_API_KEY", " k\n"}},
		{"openai", "k", "http://127.0.0.1:1/v1", "OPENAI_API_KEY", []string{"OPENAI_API_KEY", "k", "OPENAI_BASE_URL", "http://127.0.0.1:1/v1/"}},
		{"gemini", "k", "", "GEMINI_API_KEY", []string{"GEMINI_API_KEY", "k"}},
		{"openrouter", "k", "", "OPENROUTER_API_KEY", []string{"OPENROUTER_API_KEY", "k"}},
		{"local", "", "http://127.0.0.1:11434/v1", "MIX_LOCAL_BASE_URL", []string{"MIX_LOCAL_BASE_URL", "http://127.0.0.1:11434/v1"}},
		{"brave", "k", "", "BRAVE_API_KEY", []string{"BRAVE_API_KEY", "k"}},
		{"telegram", "k", "", "TELEGRAM_BOT_TOKEN", []string{"TELEGRAM_BOT_TOKEN", "k"}},
		{"turso", "k", "libsql://db.example.com", "TURSO_AUTH_TOKEN", []string{"TURSO_AUTH_TOKEN", "k", "TURSO_DATABASE_URL", "libsql://db.example.com"}},
		{"mix", "k", "", "MIX_TOKEN", []string{"MIX_TOKEN", "k"}},
	}
	for _, tt := range tests {
		c, err := config.Credentials(tt.service, env(tt.env...))
		if err != nil || c.Key.Reveal() != tt.key || c.BaseURL != tt.base || c.Source != tt.source {
			t.Errorf("%s: %q %q %q, %v", tt.service, c.Key.Reveal(), c.BaseURL, c.Source, err)
		}
		c, err = config.Credentials(tt.service, env())
		if !errors.Is(err, config.ErrNoCredential) || c.Source != tt.source || !strings.Contains(err.Error(), "set "+tt.source) {
			t.Errorf("%s without: %v", tt.service, err)
		}
	}
	if _, err := config.Credentials("nobody", env()); !errors.Is(err, config.ErrNoCredential) {
		t.Errorf("unknown service: %v", err)
	}
}

func TestBadCredentials(t *testing.T) {
	t.Parallel()
	const value = "s3cr3t"
	for _, kv := range [][]string{
		{"OPENAI_API_KEY", value + "\r\nX-Evil: 1"},
		{"OPENAI_API_KEY", value + "ü"},
		{"OPENAI_API_KEY", "k", "OPENAI_BASE_URL", "ftp://" + value},
		{"OPENAI_API_KEY", "k", "OPENAI_BASE_URL", "https://user:" + value + "@example.com"},
		{"OPENAI_API_KEY", "k", "OPENAI_BASE_URL", value},
		{"OPENAI_API_KEY", "k", "OPENAI_BASE_URL", "libsql://" + value},
		{"OPENAI_API_KEY", "k", "OPENAI_BASE_URL", "http://[" + value},
	} {
		_, err := config.Credentials("openai", env(kv...))
		if err == nil || errors.Is(err, config.ErrNoCredential) || strings.Contains(err.Error(), value) {
			t.Errorf("%q: %v", kv, err)
		}
	}
}
