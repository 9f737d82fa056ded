package permission

import (
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// places knows the parts of the machine that need more than the ordinary
// grant: Mix's own directories, secrets, and files that make others run code.
type places struct {
	home      []string // as given and resolved
	protected []string // Mix's own, as given and resolved
	mentions  []string // the same, as they may stand in program text
	secrets   []place
	starts    []place // files in the home directory that are run by themselves
}

// place is a closed file or directory with the words a rule must contain to
// mean it on purpose.
type place struct {
	path string
	name []string
}

// secretsBelowHome hold credentials, keys, browser profiles or the history of
// what was typed. Sources: the documentation of the programs that own them.
func secretsBelowHome() []string {
	return []string{
		".ssh", ".aws", ".azure", ".config/gcloud", ".gnupg", ".netrc", "_netrc", ".kube",
		".docker/config.json", ".config/gh", ".config/hub", ".config/op", ".git-credentials",
		".config/git/credentials", ".npmrc", ".yarnrc.yml", ".pypirc", ".cargo/credentials", ".cargo/credentials.toml",
		".gem/credentials", ".m2/settings.xml", ".gradle/gradle.properties", ".terraform.d/credentials.tfrc.json",
		".vault-token", ".pgpass", ".my.cnf", ".password-store", ".local/share/keyrings", ".config/sops",
		".mozilla", ".config/google-chrome", ".config/chromium", ".config/BraveSoftware", ".config/microsoft-edge",
		".bash_history", ".zsh_history", ".local/share/fish/fish_history", ".python_history", ".psql_history",
		"Library/Keychains", "Library/Cookies", "Library/Safari", "Library/Application Support/Google/Chrome",
		"Library/Application Support/Firefox", "Library/Application Support/BraveSoftware",
		"Library/Application Support/Microsoft Edge",
		"AppData/Roaming/gnupg", "AppData/Roaming/Mozilla", "AppData/Roaming/gcloud", "AppData/Roaming/GitHub CLI",
		"AppData/Local/Google/Chrome/User Data", "AppData/Local/Microsoft/Edge/User Data",
		"AppData/Local/BraveSoftware", "AppData/Roaming/Microsoft/Credentials", "AppData/Local/Microsoft/Credentials",
	}
}

// startsBelowHome are read and run by shells, git or the desktop.
func startsBelowHome() []string {
	return []string{
		".bashrc", ".bash_profile", ".bash_login", ".bash_logout", ".bash_aliases", ".profile",
		".zshrc", ".zshenv", ".zprofile", ".zlogin", ".zlogout", ".config/fish", ".kshrc", ".inputrc",
		".gitconfig", ".config/git", ".config/autostart", ".config/systemd", ".local/bin", "bin",
		".vimrc", ".config/nvim", ".emacs", ".emacs.d", ".tmux.conf", ".xprofile", ".xsession", ".xinitrc",
		"Library/LaunchAgents", "Documents/PowerShell", "Documents/WindowsPowerShell",
		"AppData/Roaming/Microsoft/Windows/Start Menu/Programs/Startup",
	}
}

// armed reports whether a path segment is the name of something that makes
// other programs run code when it is written: git's hooks and configuration,
// Mix's project settings, direnv, editors' tasks. CI workflows are not among
// them: they run nothing before somebody pushes, and pushing asks.
func armed(segment string) bool {
	switch segment {
	case ".git", ".mix", ".envrc", ".husky", ".vscode", ".idea":
		return true
	}
	return false
}

func newPlaces(home string, protected []string) places {
	var p places
	p.home = bothForms(home)
	for _, dir := range protected {
		p.protected = append(p.protected, bothForms(dir)...)
	}
	p.mentions = slices.Clone(p.protected)
	for _, dir := range p.protected {
		for _, h := range p.home {
			if within(h, dir) {
				p.mentions = append(p.mentions, "~"+dir[len(h):], "$HOME"+dir[len(h):], "${HOME}"+dir[len(h):])
			}
		}
	}
	for _, h := range p.home {
		for _, rel := range secretsBelowHome() {
			p.secrets = append(p.secrets, newPlace(filepath.Join(h, filepath.FromSlash(rel)), rel))
		}
		for _, rel := range startsBelowHome() {
			p.starts = append(p.starts, newPlace(filepath.Join(h, filepath.FromSlash(rel)), rel))
		}
	}
	if runtime.GOOS != "windows" {
		// The process directory shows every environment of this user, also
		// that of the server.
		for _, abs := range []string{"/proc", "/dev", "/run/secrets", "/var/run/secrets", "/etc/shadow", "/etc/gshadow", "/etc/sudoers"} {
			p.secrets = append(p.secrets, newPlace(abs, strings.TrimPrefix(abs, "/")))
		}
	}
	return p
}

func newPlace(path, rel string) place {
	return place{path: path, name: strings.Split(fold(rel), "/")}
}

// bothForms returns a directory as given and with its links resolved.
func bothForms(dir string) []string {
	if dir == "" {
		return nil
	}
	dir = filepath.Clean(dir)
	out := []string{dir}
	if real, err := Resolve(dir, "."); err == nil && real != dir {
		out = append(out, real)
	}
	return out
}

// isProtected reports whether a path is Mix's own and not in the folder of one
// of the given sessions, which is theirs to use.
func (p *places) isProtected(path string, sessions ...string) bool {
	for _, root := range p.protected {
		if !within(root, path) {
			continue
		}
		own := slices.ContainsFunc(sessions, func(id string) bool {
			return id != "" && within(filepath.Join(root, "sessions", id), path)
		})
		if !own {
			return true
		}
	}
	return false
}

// holdsProtected reports whether something of Mix's own lies below path.
func (p *places) holdsProtected(path string) bool {
	return slices.ContainsFunc(p.protected, func(root string) bool { return within(path, root) })
}

// secret returns the place with secrets that path is or lies in.
func (p *places) secret(path string) (place, bool) { return find(p.secrets, path) }

// holdsSecret returns a place with secrets below path.
func (p *places) holdsSecret(path string) (place, bool) {
	for _, s := range p.secrets {
		if within(path, s.path) {
			return s, true
		}
	}
	return place{}, false
}

// arms returns the place that makes writing to path more than an edit.
func (p *places) arms(path string) (place, bool) {
	if s, ok := find(p.starts, path); ok {
		return s, true
	}
	for seg := range strings.SplitSeq(slashed(path), "/") {
		if armed(seg) {
			return place{path: path, name: []string{seg}}, true
		}
	}
	return place{}, false
}

func find(list []place, path string) (place, bool) {
	for _, s := range list {
		if within(s.path, path) {
			return s, true
		}
	}
	return place{}, false
}

// namedBy reports whether a path pattern contains the place's name, so that
// the rule was made with the place in mind.
func (s place) namedBy(pattern string) bool {
	segs := strings.Split(fold(pattern), "/")
	for i := 0; i+len(s.name) <= len(segs); i++ {
		if slices.Equal(segs[i:i+len(s.name)], s.name) {
			return true
		}
	}
	return false
}
