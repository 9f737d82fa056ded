package search

import (
	"os"
	"path/filepath"
	"strings"
)

// excludeFile returns the path of info/exclude of the repository whose working
// tree is dir. In a worktree or submodule ".git" is a file that names the
// repository's own directory.
func excludeFile(dir string) string {
	git := filepath.Join(dir, ".git")
	if info, err := os.Stat(git); err == nil && !info.IsDir() {
		target, ok := strings.CutPrefix(string(readSmallFile(git)), "gitdir:")
		if !ok {
			return ""
		}
		git = resolveFrom(dir, strings.TrimSpace(target))
		if common := strings.TrimSpace(string(readSmallFile(filepath.Join(git, "commondir")))); common != "" {
			git = resolveFrom(git, common)
		}
	}
	return filepath.Join(git, "info", "exclude")
}

func resolveFrom(dir, name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(dir, name)
}

// GlobalIgnoreFile returns the file with the current user's ignore rules for
// all repositories: core.excludesFile of ~/.gitconfig or of git/config in the
// XDG configuration directory, else git/ignore in the latter. Git is not run;
// include directives and a repository's own configuration are not read.
// The file need not exist. Without a home directory the result is empty.
func GlobalIgnoreFile() string {
	home, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	xdg := os.Getenv("XDG_CONFIG_HOME")
	if xdg == "" {
		xdg = filepath.Join(home, ".config")
	}
	for _, config := range []string{filepath.Join(home, ".gitconfig"), filepath.Join(xdg, "git", "config")} {
		if name := excludesFile(string(readSmallFile(config))); name != "" {
			if rest, ok := strings.CutPrefix(name, "~/"); ok {
				name = filepath.Join(home, rest)
			}
			return name
		}
	}
	return filepath.Join(xdg, "git", "ignore")
}

// excludesFile returns core.excludesFile of a git configuration file.
func excludesFile(config string) string {
	value, core := "", false
	for line := range strings.Lines(config) {
		line = strings.TrimSpace(line)
		if section, ok := strings.CutPrefix(line, "["); ok {
			section, rest, _ := strings.Cut(section, "]")
			core = strings.EqualFold(strings.TrimSpace(section), "core")
			line = strings.TrimSpace(rest)
		}
		key, val, ok := strings.Cut(line, "=")
		if core && ok && strings.EqualFold(strings.TrimSpace(key), "excludesfile") {
			value = configValue(val)
		}
	}
	return value
}

// configValue reads a value of a git configuration file: comments end it
// outside of quotes, backslashes escape.
func configValue(s string) string {
	var b strings.Builder
	quoted := false
	s = strings.TrimSpace(s)
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			quoted = !quoted
		case c == '\\' && i+1 < len(s):
			i++
			b.WriteByte(s[i])
		case (c == '#' || c == ';') && !quoted:
			return strings.TrimSpace(b.String())
		default:
			b.WriteByte(c)
		}
	}
	return strings.TrimSpace(b.String())
}
