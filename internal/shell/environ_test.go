package shell_test

import (
	"slices"
	"testing"

	"github.com/mixagent/mix/internal/shell"
)

func TestEnviron(t *testing.T) {
	t.Parallel()
	kept := []string{
		"PATH=/bin", "HOME=/home/u", "LANG=C.UTF-8", "SSH_AUTH_SOCK=/run/agent", "GOPATH=/go", "EMPTY=", "WITH=a=b",
		"GIT_AUTHOR_NAME=u", "GIT_SSH_COMMAND=ssh -4", "GIT_CONFIG_GLOBAL=/dev/null", "LDFLAGS=-s", "MIXER=1", "DATABASE_URL=x",
	}
	dropped := []string{
		"MIX_SERVER=1", "TURSO_DATABASE_URL=x", "TELEGRAM_BOT=x", "mix_lower=1",
		"ANTHROPIC_BASE_URL=x", "OPENAI_ORG_ID=x", "GEMINI_MODEL=x", "GOOGLE_API_KEY=x", "GOOGLE_APPLICATION_CREDENTIALS=x",
		"OPENROUTER_X=x", "AWS_ACCESS_KEY_ID=x", "AWS_SESSION_TOKEN=x", "AWS_PROFILE=x", "BRAVE_SEARCH=x",
		"LD_PRELOAD=x", "LD_LIBRARY_PATH=x", "DYLD_INSERT_LIBRARIES=x",
		"BASH_ENV=x", "ENV=x", "PROMPT_COMMAND=x", "SHELLOPTS=xtrace", "BASHOPTS=x", "PS4=$(x)", "BASH_FUNC_git%%=() { x; }",
		"MY_KEY=x", "GITHUB_TOKEN=x", "A_SECRET_B=x", "DBPASSWORD=x", "CREDENTIALS=x", "npm_config_token=x", "Api_Key=x",
		"GIT_DIR=x", "GIT_INDEX_FILE=x", "GIT_EXTERNAL_DIFF=x", "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=x", "GIT_CONFIG_VALUE_0=x",
		"GIT_CONFIG_PARAMETERS='core.pager=x'", "GIT_ASKPASS=x", "GIT_EXEC_PATH=x",
		"=x", "",
	}
	env := shell.Environ(append(slices.Clone(kept), dropped...), nil)
	for _, kv := range kept {
		if !slices.Contains(env, kv) {
			t.Errorf("%s is missing", kv)
		}
	}
	for _, kv := range dropped {
		if slices.Contains(env, kv) {
			t.Errorf("%s is there", kv)
		}
	}
	for _, kv := range []string{"TERM=dumb", "PAGER=cat", "GIT_PAGER=cat", "GIT_TERMINAL_PROMPT=0"} {
		if !slices.Contains(env, kv) {
			t.Errorf("%s is missing", kv)
		}
	}
}

func TestEnvironPass(t *testing.T) {
	t.Parallel()
	base := []string{"GITHUB_TOKEN=a", "GITHUB_TOKEN_2=b", "TERM=xterm", "PAGER=less"}
	env := shell.Environ(base, []string{"GITHUB_TOKEN", "TERM"})
	for kv, want := range map[string]bool{"GITHUB_TOKEN=a": true, "GITHUB_TOKEN_2=b": false, "TERM=xterm": true, "TERM=dumb": false, "PAGER=cat": true} {
		if got := slices.Contains(env, kv); got != want {
			t.Errorf("%s is there: %v, want %v", kv, got, want)
		}
	}
	if !slices.Equal(base, []string{"GITHUB_TOKEN=a", "GITHUB_TOKEN_2=b", "TERM=xterm", "PAGER=less"}) {
		t.Error("the base was changed")
	}
}
