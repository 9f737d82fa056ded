package main_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	mix "github.com/mixagent/mix/sdk"
)

// asks is a model that runs commands, one after another, and then says what it
// was told.
func asks(commands ...string) func(conversation) reply {
	return func(conv conversation) reply {
		if n := len(conv.Results); n < len(commands) {
			return reply{Calls: []call{bash(commands[n])}}
		}
		return reply{Pieces: []string{"I was told: " + strings.Join(conv.Results, " | ")}}
	}
}

func bash(command string) call {
	input, err := json.Marshal(map[string]string{"command": command})
	if err != nil {
		panic(err)
	}
	return call{"Bash", string(input)}
}

// exist reports which of the names are in dir.
func exist(dir string, names string) string {
	var found []string
	for _, name := range strings.Fields(names) {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			found = append(found, name)
		}
	}
	return strings.Join(found, " ")
}

const question = "anything else says no and tells the model why: "

// TestConsent answers one question after another in every way.
func TestConsent(t *testing.T) {
	t.Parallel()
	v := newVendor(t, asks("touch a", "touch b", "touch c", "touch d", "mkdir -p e", "mkdir -p e"))
	dir := t.TempDir()
	x := onTerminal(t, dir, cleanEnv(t.TempDir(), v.env()...), "Go")
	for i, keys := range []string{"y\n", "n\n", "use another name\n", "\nYES\n", "a\n"} {
		n := i + 1
		if i > 3 {
			n++ // the empty line was no answer, and the question came again
		}
		x.screen.waitFor(t, question, n)
		if keys[0] == '\n' {
			x.press("\n")
			x.screen.waitFor(t, question, n+1)
			keys = keys[1:]
		}
		x.press(keys)
	}
	if code := x.wait(); code != 3 {
		t.Errorf("exit code %d\n%s", code, x.screen)
	}
	if got := exist(dir, "a b c d e"); got != "a d e" {
		t.Errorf("there are %s\n%s", got, x.screen)
	}
	if !strings.Contains(x.out.String(), "use another name") {
		t.Errorf("the model does not know why:\n%s", x.out)
	}
	for _, want := range []string{"command: touch a", "a = always in this session (Bash(mkdir -p e))", "asked because:"} {
		if !strings.Contains(x.screen.String(), want) {
			t.Errorf("%q was not shown:\n%s", want, x.screen)
		}
	}
	if n := strings.Count(x.screen.String(), question); n != 6 {
		t.Errorf("%d questions:\n%s", n, x.screen)
	}
}

// TestConsentSeveral: calls of one answer are asked about one after another.
func TestConsentSeveral(t *testing.T) {
	t.Parallel()
	v := newVendor(t, func(conv conversation) reply {
		if len(conv.Results) > 0 {
			return reply{Pieces: []string{"done"}}
		}
		return reply{Calls: []call{bash("touch a"), bash("touch b"), bash("touch c")}}
	})
	dir := t.TempDir()
	x := onTerminal(t, dir, cleanEnv(t.TempDir(), v.env()...), "Go")
	answers := map[string]string{"touch a": "y\n", "touch b": "n\n", "touch c": "y\n"}
	for i := range 3 {
		x.screen.waitFor(t, question, i+1)
		text := x.screen.String()
		text = text[strings.LastIndex(text, "command: ")+len("command: "):]
		command, _, _ := strings.Cut(text, "\r\n")
		x.press(answers[command])
		delete(answers, command)
	}
	if code := x.wait(); code != 3 || len(answers) != 0 {
		t.Errorf("exit code %d, not asked: %v\n%s", code, answers, x.screen)
	}
	if got := exist(dir, "a b c"); got != "a c" {
		t.Errorf("there are %s\n%s", got, x.screen)
	}
}

// TestConsentNotTypedAhead: what was typed before a question was shown is no
// answer to it, not even the rest of a paste.
func TestConsentNotTypedAhead(t *testing.T) {
	t.Parallel()
	g := make(chan struct{})
	script := asks("touch a", "touch b")
	v := newVendor(t, func(conv conversation) reply {
		<-g
		return script(conv)
	})
	dir := t.TempDir()
	x := onTerminal(t, dir, cleanEnv(t.TempDir(), v.env()...), "Go")
	v.waitForRequests(t, 1)
	x.press("y\n")
	x.screen.waitFor(t, "y\r\n", 1) // the terminal's echo
	close(g)
	x.screen.waitFor(t, question, 1)
	x.press("n\ny\ny\n")
	x.screen.waitFor(t, question, 2)
	x.press("n\n")
	if code := x.wait(); code != 3 {
		t.Errorf("exit code %d\n%s", code, x.screen)
	}
	if got := exist(dir, "a b"); got != "" {
		t.Errorf("there are %s\n%s", got, x.screen)
	}
}

// TestConsentElsewhere: another client answers first.
func TestConsentElsewhere(t *testing.T) {
	t.Parallel()
	v := newVendor(t, asks("touch a", "touch b"))
	dir, data, env := t.TempDir(), t.TempDir(), cleanEnv(t.TempDir(), v.env()...)
	s := startServer(t, dir, data, env)
	defer s.stop(t)
	x := onTerminal(t, dir, env, "--data-dir", data, "Go")
	x.screen.waitFor(t, question, 1)
	list, err := s.client.Sessions(t.Context(), mix.SessionFilter{})
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	zero := int64(0)
	stream, err := s.client.Events(t.Context(), list[0].ID, mix.EventOptions{LastEventID: &zero})
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	for stream.Next() && stream.Event().Type != "permission" {
	}
	var ask struct{ ID string }
	if err := json.Unmarshal(stream.Event().Data, &ask); err != nil {
		t.Fatal(err)
	}
	if err := s.client.Grant(t.Context(), ask.ID, mix.Answer{}); err != nil {
		t.Fatal(err)
	}
	x.screen.waitFor(t, "(answered elsewhere: allow)", 1)
	x.screen.waitFor(t, question, 2)
	x.press("y\n")
	if code := x.wait(); code != 0 {
		t.Errorf("exit code %d\n%s", code, x.screen)
	}
	if got := exist(dir, "a b"); got != "a b" {
		t.Errorf("there are %s\n%s", got, x.screen)
	}
}

// TestConsentHostile: what the model puts into a call is shown whole and does
// nothing to the terminal.
func TestConsentHostile(t *testing.T) {
	t.Parallel()
	const evil = "rm -r precious \x1b[1A\x1b[2K\x1b]52;c;ZXZpbA==\a\u202eh\u2066\u009b8m\u200b\x7f\r# touch harmless\x1b[8m\nsecond line"
	v := newVendor(t, asks(evil))
	x := onTerminal(t, t.TempDir(), cleanEnv(t.TempDir(), v.env()...), "Go")
	x.screen.waitFor(t, question, 1)
	x.press("no, \x1b[31mnever\n")
	x.wait()
	shown := x.screen.String()
	shown = shown[:strings.LastIndex(shown, question)] // what follows is the echo of the keyboard
	for _, c := range strings.ReplaceAll(shown, "\r\n", "\n") {
		if c < 0x20 && c != '\n' || c >= 0x7F && c <= 0x9F || c >= 0x202A && c <= 0x202E || c >= 0x2066 && c <= 0x2069 || c == 0x200B {
			t.Fatalf("%U was shown raw:\n%q", c, shown)
		}
	}
	for _, want := range []string{`rm -r precious`, `\x1b[1A\x1b[2K\x1b]52;c;ZXZpbA==\x07\u202eh\u2066\u009b8m\u200b\x7f\r# touch harmless\x1b[8m`, "second line"} {
		if !strings.Contains(shown, want) {
			t.Errorf("%q was not shown:\n%q", want, shown)
		}
	}
}

// TestConsentWithoutKeyboard: the input of the terminal ends.
func TestConsentWithoutKeyboard(t *testing.T) {
	t.Parallel()
	v := newVendor(t, asks("touch a", "touch b"))
	dir := t.TempDir()
	x := onTerminal(t, dir, cleanEnv(t.TempDir(), v.env()...), "Go")
	x.screen.waitFor(t, question, 1)
	x.press("\x04")
	if code := x.wait(); code != 3 {
		t.Errorf("exit code %d\n%s", code, x.screen)
	}
	if got := exist(dir, "a b"); got != "" || strings.Count(x.screen.String(), "no (the terminal's input has ended)") != 2 {
		t.Errorf("there are %s\n%s", got, x.screen)
	}
}

// TestConsentInterrupted: ctrl-c at a question, and a terminal that is closed.
func TestConsentInterrupted(t *testing.T) {
	t.Parallel()
	for _, closed := range []bool{false, true} {
		v := newVendor(t, asks("touch a"))
		dir := t.TempDir()
		x := onTerminal(t, dir, cleanEnv(t.TempDir(), v.env()...), "Go")
		x.screen.waitFor(t, question, 1)
		if closed {
			x.keyboard.Close()
		} else {
			x.press("\x03")
		}
		if code := x.wait(); code != 130 || exist(dir, "a") != "" {
			t.Errorf("exit code %d\n%s", code, x.screen)
		}
	}
}
