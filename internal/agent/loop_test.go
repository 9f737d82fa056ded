package agent_test

import (
	"testing"
)

func TestTextOnly(t *testing.T) {
	t.Parallel()
	r := newRig(t, answers(say("Hello", " there")))
	s := r.session()
	got := r.run(s, "Hi")
	if got.end().text("content") != "Hello there" {
		t.Errorf("complete: %v", got.end())
	}
	wantTexts(t, r.history(s), "user: Hi", "assistant: Hello there")
}
