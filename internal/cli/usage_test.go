package cli_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// commands are all of them; TestHelpNamesEveryCommand fails for one more.
var commands = []string{
	"run", "serve", "sessions", "sessions list", "sessions show", "sessions export", "sessions delete", "audit",
	"permissions", "permissions explain", "config", "config get", "config set", "config path", "doctor",
	"completion", "completion bash", "completion zsh", "completion fish", "completion powershell", "help",
}

func TestEveryCommandHasHelp(t *testing.T) {
	t.Parallel()
	for _, c := range append(slices.Clone(commands), "") {
		args := strings.Fields(c)
		long := mixWith(t, nil, append(args, "--help")...)
		for _, form := range [][]string{append(slices.Clone(args), "-h"), append(slices.Clone(args), "-help"), append([]string{"help"}, args...)} {
			if c == "help" && form[0] == "help" && len(form) == 2 && form[1] == "help" {
				continue
			}
			if r := mixWith(t, nil, form...); r != long {
				t.Errorf("mix %v differs from mix %s --help:\n%s", form, c, r)
			}
		}
		if long.code != 0 || long.err != "" || !strings.Contains(long.out, "Usage:\n  mix") || len(long.out) < 80 {
			t.Errorf("mix %s --help: %s", c, long)
		}
	}
}

func TestHelpNamesEveryCommand(t *testing.T) {
	t.Parallel()
	listed := regexp.MustCompile(`(?m)^  ([a-z]+) +[A-Z]`)
	for _, group := range []string{"", "sessions", "permissions", "config", "completion"} {
		r := mixWith(t, nil, append(strings.Fields(group), "--help")...)
		var names []string
		for _, m := range listed.FindAllStringSubmatch(r.out, -1) {
			names = append(names, m[1])
		}
		for _, name := range names {
			if full := strings.TrimSpace(group + " " + name); !slices.Contains(commands, full) {
				t.Errorf("%s is not in the list of these tests", full)
			}
		}
		for _, c := range commands {
			parent, name, ok := strings.Cut(c, " ")
			if !ok {
				parent, name = "", c
			}
			if parent == group && !slices.Contains(names, name) {
				t.Errorf("mix %s --help does not name %s", group, name)
			}
		}
	}
}

// TestWrongUsage: exit code 2 and a sentence, before anything is touched.
func TestWrongUsage(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	for _, tt := range []struct {
		args string
		want string
	}{
		{"nonsense", `unknown command "nonsense"`},
		{"--nonsense", "unknown flag: --nonsense"},
		{"-nonsense", "-nonsense"},
		{"-daemon=perhaps", "--daemon"},
		{"help nonsense", `no command "nonsense"`},
		{"help run nonsense", `no command "run nonsense"`},
		{"sessions nonsense", `"nonsense" is no command of mix sessions`},
		{"config nonsense", `"nonsense" is no command of mix config`},
		{"permissions nonsense", `"nonsense" is no command of mix permissions`},
		{"completion nonsense", `"nonsense" is no command of mix completion`},
		{"sessions list extra", "unknown command"},
		{"sessions list --limit 0", "--limit must be from 1 to 10000"},
		{"sessions list --limit 10001", "--limit must be from 1 to 10000"},
		{"sessions list --limit x", "--limit"},
		{"sessions list --format xml", `--format "xml" is none of text, json`},
		{"sessions show", "accepts 1 arg(s), received 0"},
		{"sessions show a b", "accepts 1 arg(s), received 2"},
		{"sessions show a", "there is no session a; `mix sessions list` shows those that exist"},
		{"sessions show a --format xml", "--format"},
		{"sessions export", "accepts 1 arg(s)"},
		{"sessions export a", "there is no session a"},
		{"sessions delete", "requires at least 1 arg(s)"},
		{"audit extra", "unknown command"},
		{"audit --limit -1", "--limit must be from 1 to 10000"},
		{"audit --format stream-json", "--format"},
		{"doctor extra", "unknown command"},
		{"doctor --format xml", "--format"},
		{"config get", "accepts 1 arg(s)"},
		{"config get nonsense", `unknown key "nonsense"`},
		{"config set nonsense 1", `unknown key "nonsense"`},
		{"config set maxSteps", "accepts 2 arg(s)"},
		{"permissions explain", "accepts 1 arg(s)"},
		{"permissions explain --permission-mode yolo x", `--permission-mode "yolo" is none of`},
		{"permissions explain --format xml x", "--format"},
		{"permissions explain --dir /does/not/exist x", "no such file"},
		{"serve extra", "unknown command"},
		{"serve --port 65536", "--port 65536 is not from 0 to 65535"},
		{"serve --port -1", "--port -1 is not"},
		{"serve --port x", "--port"},
		{"serve --dir /does/not/exist", "no such file"},
		{"serve --permission-mode yolo", "--permission-mode"},
		{"--daemon --max-steps -1", "must not be negative"},
		{"run", "the prompt is empty"},
		{"run --format xml hi", `--format "xml" is none of text, json, stream-json`},
		{"run --thinking hard hi", `--thinking "hard" is none of off, basic, medium, maximum`},
		{"run --permission-mode yolo hi", "--permission-mode"},
		{"run --max-steps -1 hi", "must not be negative"},
		{"run --max-steps x hi", "--max-steps"},
		{"run --max-cost -1 hi", "must not be negative"},
		{"run --demo-rate -1 hi", "must not be negative"},
		{"run --session a -c hi", "exclude each other"},
		{"run --session a --allow x hi", "--allow belongs to a session from its beginning"},
		{"run -c --deny x hi", "--deny belongs to a session from its beginning"},
		{"run -c --trust hi", "--trust belongs"},
		{"run -c --max-cost 1 hi", "--max-cost belongs"},
		{"run --dir /does/not/exist hi", "no such file"},
		{"run --dir /dev/null hi", "is not a directory"},
		{"run -dir", "flag needs an argument"},
	} {
		t.Run(tt.args, func(t *testing.T) {
			t.Parallel()
			r := mixWith(t, strings.NewReader(""), append(strings.Fields(tt.args), "--data-dir", p.data)...)
			if strings.HasPrefix(tt.args, "sessions delete a") || tt.args == "run -dir" {
				r = mixWith(t, strings.NewReader(""), strings.Fields(tt.args)...)
			}
			if r.code != 2 || r.out != "" || !strings.Contains(r.err, tt.want) || !strings.HasPrefix(r.err, "mix: ") || strings.Count(r.err, "\n") != 1 {
				t.Errorf("want %q: %s", tt.want, r)
			}
		})
	}
}

// TestSingleDash: long flags work with one dash as well; short ones, values and
// what follows -- stay what they are.
func TestSingleDash(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	for _, args := range [][]string{
		{"-version"},
		{"--version"},
		{"sessions", "list", "-limit", "3", "-format=json"},
		{"run", "-dir", p.dir, "-model", "demo/echo", "-format", "text", "--", "-format"},
		{"run", "-dir=" + p.dir, "-model=demo/echo", "--", "-h"},
		{"run", "--dir", p.dir, "-c", "--model=demo/echo", "more"},
	} {
		r := mixWith(t, strings.NewReader(""), slices.Insert(slices.Clone(args), slices.IndexFunc(append(args, "--"), func(a string) bool { return a == "--" }), "-data-dir", p.data)...)
		if r.code != 0 {
			t.Errorf("mix %q: %s", args, r)
		}
		if i := slices.Index(args, "--"); i >= 0 && r.out != args[i+1]+"\n" {
			t.Errorf("mix %q: %s", args, r)
		}
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	if r := mixWith(t, nil, "--version"); r.code != 0 || !regexp.MustCompile(`^mix \S+\n$`).MatchString(r.out) {
		t.Error(r)
	}
}
