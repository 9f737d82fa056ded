package shell

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// ErrGitUnsafe is wrapped by the errors of GitSafe that are about the command
// line or the repository.
var ErrGitUnsafe = errors.New("git could run other programs here")

// maxGitOverrides bounds the settings that one environment carries.
const maxGitOverrides = 2000

// setting is a git setting to override others with.
type setting struct{ key, value string }

// gitOff holds for every repository. Where git knows no "nothing", the value is
// a program that does nothing.
var gitOff = []setting{
	{"core.fsmonitor", ""}, // not "false", which versions before 2.36 run
	{"core.hooksPath", "/dev/null"},
	{"core.pager", "cat"},
	{"core.editor", "true"},
	{"core.sshCommand", "false"},
	{"core.askPass", "true"},
	{"core.alternateRefsCommand", "true"},
	{"log.showSignature", "false"},
	{"commit.gpgSign", "false"},
	{"tag.gpgSign", "false"},
	{"tag.forceSignAnnotated", "false"},
	{"push.gpgSign", "false"},
	{"gpg.program", "false"},
	{"gpg.openpgp.program", "false"},
	{"gpg.x509.program", "false"},
	{"gpg.ssh.program", "false"},
	{"diff.submodule", "short"},
	{"status.submoduleSummary", "false"},
	{"submodule.recurse", "false"},
	{"safe.bareRepository", "explicit"},
	{"gc.auto", "0"},
	{"maintenance.auto", "false"},
}

// gitVariables holds for every repository too. Without a protocol git cannot
// fetch what a partial clone lacks, with programs that its configuration names.
var gitVariables = []string{
	"GIT_OPTIONAL_LOCKS=0",
	"GIT_PAGER=cat",
	"GIT_EDITOR=true",
	"GIT_TERMINAL_PROMPT=0",
	"GIT_ALLOW_PROTOCOL=none",
	"GIT_NO_LAZY_FETCH=1",
}

// plainDiff takes the place of an external diff program: there is a setting to
// replace one, but none to have none. Its arguments are those of git(1),
// GIT_EXTERNAL_DIFF.
const plainDiff = `mix_diff() { [ $# -ge 7 ] || { printf '* Unmerged path %s\n' "$1"; return 0; }; ` +
	`printf 'diff --git a/%s b/%s\n' "$1" "$1"; diff -u --label "a/$1" --label "b/$1" "$2" "$5"; return 0; }; mix_diff`

// GitSafe returns variables, to be appended to env, with which the git commands
// of a shell line run no program that a configuration names. Git then runs no
// fsmonitor, hooks, pager, editor or signing program, fetches nothing and takes
// no optional locks. Drivers have to be named: every one that is found in the
// configuration of the user, of the system and of each repository that the line
// reaches from dir, submodules included, is overridden. Filters are then off
// (files of git-lfs may show as modified), textconv shows the file itself, and
// `diff -u` takes the place of an external diff. Files are read for this, git is
// not run. A line without git needs no drivers overridden, and nothing is read.
//
// The error, which wraps ErrGitUnsafe, says why the line cannot be made safe; it
// is then not to be treated as a read. Git commands may be in pipelines and
// lists, behind cd and -C with literal paths and behind the usual wrappers, must
// be among those that read, and may not set git's configuration or environment.
// Whether the line reads in other respects (grep -O, --output, redirections) is
// for the caller to judge.
//
// What remains: another process can change a configuration between this call
// and the command, and the places where git was built to look for a system-wide
// configuration are guessed (/etc, /usr/local/etc, /opt/homebrew/etc); that one
// belongs to the administrator.
func GitSafe(dir, line string, env []string) ([]string, error) {
	dirs, used, err := gitDirs(dir, line, lookup(env, "HOME"))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrGitUnsafe, err)
	}
	if !used {
		return gitEnviron(gitOff), nil
	}
	for _, name := range gitRedirects {
		if lookup(env, name) != "" {
			return nil, fmt.Errorf("%w: the environment sets %s", ErrGitUnsafe, name)
		}
	}
	repos := gitRepos{home: lookup(env, "HOME"), seen: map[string]bool{}}
	if err := repos.outer(env); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrGitUnsafe, err)
	}
	for _, d := range dirs {
		if err := repos.discover(d); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrGitUnsafe, err)
		}
	}
	overrides, err := gitOverrides(repos.settings)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrGitUnsafe, err)
	}
	if lookup(env, "GIT_EXTERNAL_DIFF") != "" {
		return append(gitEnviron(overrides), "GIT_EXTERNAL_DIFF="+plainDiff), nil
	}
	return gitEnviron(overrides), nil
}

// gitRedirects are variables that lead git to a place GitSafe does not look at.
var gitRedirects = []string{
	"GIT_DIR", "GIT_WORK_TREE", "GIT_COMMON_DIR", "GIT_INDEX_FILE", "GIT_EXEC_PATH",
	"GIT_CONFIG_PARAMETERS", "GIT_CONFIG_COUNT",
}

// outer adds the settings of the system and of the user.
func (r *gitRepos) outer(env []string) error {
	files := []string{"/etc/gitconfig", "/usr/local/etc/gitconfig", "/opt/homebrew/etc/gitconfig"}
	if f := lookup(env, "GIT_CONFIG_SYSTEM"); f != "" {
		files = []string{f}
	}
	if f := lookup(env, "GIT_CONFIG_GLOBAL"); f != "" {
		files = append(files, f)
	} else {
		xdg := lookup(env, "XDG_CONFIG_HOME")
		if xdg == "" {
			xdg = filepath.Join(r.home, ".config")
		}
		files = append(files, filepath.Join(xdg, "git", "config"), filepath.Join(r.home, ".gitconfig"))
	}
	for _, f := range files {
		settings, err := readGitConfig(f, r.home)
		if err != nil {
			return fmt.Errorf("read git configuration: %w", err)
		}
		r.settings = append(r.settings, settings...)
	}
	return nil
}

// gitOverrides is gitOff and what it takes to switch off the drivers in found.
func gitOverrides(found []gitSetting) ([]setting, error) {
	all := slices.Clone(gitOff)
	done := map[string]bool{}
	for _, s := range found {
		name := s.head + "." + s.key
		for _, o := range override(s) {
			if done[o.key] {
				continue
			}
			done[o.key] = true
			if len(all) == maxGitOverrides {
				return nil, fmt.Errorf("its configuration has more than %d drivers", maxGitOverrides)
			}
			// Git before 2.31 cannot tell where such a name ends.
			if strings.ContainsAny(o.key, "=\n\x00") {
				return nil, fmt.Errorf("its configuration has a driver with an odd name: %q", name)
			}
			all = append(all, o)
		}
	}
	return all, nil
}

// override is what takes away the program that s names, if it names one.
func override(s gitSetting) []setting {
	at := s.head + "."
	switch s.section + "." + s.key {
	case "filter.clean", "filter.smudge", "filter.process":
		return []setting{{at + "clean", ""}, {at + "smudge", ""}, {at + "process", ""}, {at + "required", "false"}}
	case "diff.external":
		return []setting{{at + "external", plainDiff}}
	case "diff.command":
		return []setting{{at + "command", plainDiff}}
	case "diff.textconv":
		return []setting{{at + "textconv", "cat"}, {at + "cachetextconv", "false"}}
	case "merge.driver":
		return []setting{{at + "driver", "false"}}
	case "hook.command":
		return []setting{{at + "command", "true"}, {at + "enabled", "false"}}
	case "tar.command":
		return []setting{{at + "command", "cat"}}
	}
	return nil
}

// gitEnviron hands settings to git as if given with -c, in two ways: as
// documented since git 2.31, and as git itself hands them to its children, the
// only way that older versions know.
func gitEnviron(settings []setting) []string {
	env := slices.Clone(gitVariables)
	env = append(env, "GIT_CONFIG_COUNT="+strconv.Itoa(len(settings)))
	quoted := make([]string, len(settings))
	for i, s := range settings {
		n := strconv.Itoa(i)
		env = append(env, "GIT_CONFIG_KEY_"+n+"="+s.key, "GIT_CONFIG_VALUE_"+n+"="+s.value)
		quoted[i] = "'" + strings.ReplaceAll(s.key+"="+s.value, "'", `'\''`) + "'"
	}
	return append(env, "GIT_CONFIG_PARAMETERS="+strings.Join(quoted, " "))
}

// lookup is the value of name in env, where the last one counts.
func lookup(env []string, name string) string {
	for _, kv := range slices.Backward(env) {
		if value, ok := strings.CutPrefix(kv, name+"="); ok {
			return value
		}
	}
	if name == "HOME" {
		home, _ := os.UserHomeDir()
		return home
	}
	return ""
}
