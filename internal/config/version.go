package config

import "runtime/debug"

// version is set when a release is linked:
// -ldflags "-X github.com/mixagent/mix/internal/config.version=1.2.3".
var version string

// Version is the version of the program: that of the release, else the module
// version that `go install` recorded, else "dev" with the commit it was built
// from where that is known.
func Version() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "dev"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return "dev-" + s.Value[:12]
		}
	}
	return "dev"
}
