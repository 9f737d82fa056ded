package shell

import (
	"slices"
	"strings"
)

// secretWords in a variable's name keep it from commands.
var secretWords = []string{"KEY", "TOKEN", "SECRET", "PASSWORD", "PASSWD", "PASSPHRASE", "CREDENTIAL"}

// Names, and beginnings of names, that never reach a command unless they are let
// through by name.
var (
	droppedNames = []string{
		// Files and code that shells run by themselves, and options that do so.
		"BASH_ENV", "ENV", "PROMPT_COMMAND", "SHELLOPTS", "BASHOPTS", "PS4", "CDPATH", "IFS",
		// What would make git work on another repository than the one it is in,
		// run other programs, or ask a person who is not there.
		"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY",
		"GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_NAMESPACE", "GIT_PREFIX", "GIT_EXEC_PATH",
		"GIT_EXTERNAL_DIFF", "GIT_PAGER_IN_USE", "GIT_ASKPASS", "SSH_ASKPASS",
	}
	droppedFamilies = []string{
		"MIX_", "TURSO_", "TELEGRAM_",
		"ANTHROPIC_", "CLAUDE_", "OPENAI_", "AZURE_OPENAI_", "GEMINI_", "GOOGLE_API", "GOOGLE_APPLICATION_",
		"GOOGLE_GENAI_", "VERTEX_", "OPENROUTER_", "MISTRAL_", "GROQ_", "XAI_", "DEEPSEEK_", "COHERE_",
		"TOGETHER_", "FIREWORKS_", "PERPLEXITY_", "CEREBRAS_",
		"BRAVE_", "TAVILY_", "AWS_",
		"LD_", "DYLD_", "BASH_FUNC_",
		"GIT_CONFIG_COUNT", "GIT_CONFIG_PARAMETERS", "GIT_CONFIG_VALUE_",
	}
)

// defaults keep programs from waiting for a person, and from drawing for one.
var defaults = []string{
	"TERM=dumb",
	"PAGER=cat",
	"GIT_PAGER=cat",
	"GIT_EDITOR=true", // messages are given with -m, or the prepared one is taken
	"GIT_TERMINAL_PROMPT=0",
	"SSH_ASKPASS_REQUIRE=never",
	"DEBIAN_FRONTEND=noninteractive",
}

// Environ is base as a command of the agent may see it, with settings that suit
// a command nobody watches: TERM=dumb, PAGER=cat, GIT_PAGER=cat, GIT_EDITOR=true,
// GIT_TERMINAL_PROMPT=0, SSH_ASKPASS_REQUIRE=never, DEBIAN_FRONTEND=noninteractive.
//
// Left out are the variables of Mix and of model and cloud vendors, everything
// whose name holds KEY, TOKEN, SECRET, PASSWORD, PASSWD, PASSPHRASE or CREDENTIAL
// in any case, what makes the dynamic linker, a shell or git run other code
// (LD_*, DYLD_*, BASH_ENV, ENV, exported shell functions, git settings in the environment), and
// what points git at another repository. Names in pass are let through as they
// are, exactly as written there. Entries without a name are dropped.
func Environ(base, pass []string) []string {
	env := make([]string, 0, len(base)+len(defaults))
	passed := map[string]bool{}
	for _, kv := range base {
		name := envName(kv)
		if name == "" {
			continue
		}
		if slices.Contains(pass, name) {
			passed[name] = true
		} else if private(name) {
			continue
		}
		env = append(env, kv)
	}
	for _, kv := range defaults {
		if !passed[envName(kv)] {
			env = append(env, kv)
		}
	}
	return env
}

// private reports whether a variable is kept from commands. Names are compared
// in capitals, as one system does and the others' programs often do.
func private(name string) bool {
	name = strings.ToUpper(name)
	if slices.Contains(droppedNames, name) {
		return true
	}
	if slices.ContainsFunc(droppedFamilies, func(f string) bool { return strings.HasPrefix(name, f) }) {
		return true
	}
	return slices.ContainsFunc(secretWords, func(w string) bool { return strings.Contains(name, w) })
}

// envName is what stands before the equals sign of an environment entry, or all
// of it. Windows has names that begin with an equals sign.
func envName(kv string) string {
	if kv == "" {
		return ""
	}
	name, _, ok := strings.Cut(kv[1:], "=")
	if !ok && kv[0] == '=' {
		return ""
	}
	return kv[:1] + name
}
