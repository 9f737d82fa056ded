package config_test

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/mixagent/mix/internal/config"
)

func env(kv ...string) func(string) string {
	m := map[string]string{}
	for i := 0; i < len(kv); i += 2 {
		m[kv[i]] = kv[i+1]
	}
	return func(name string) string { return m[name] }
}

func TestLocate(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	other := t.TempDir()
	at := func(parts ...string) string { return filepath.Join(append([]string{home}, parts...)...) }
	tests := []struct {
		name, goos, flag string
		env              []string
		data, config     string
	}{
		{"linux", "linux", "", nil, at(".local", "share", "mix"), at(".config", "mix")},
		{"xdg", "linux", "", []string{"XDG_DATA_HOME", other, "XDG_CONFIG_HOME", home}, filepath.Join(other, "mix"), at("mix")},
		{"relative xdg is ignored", "linux", "", []string{"XDG_DATA_HOME", "here", "XDG_CONFIG_HOME", "."}, at(".local", "share", "mix"), at(".config", "mix")},
		{"mac", "darwin", "", nil, at("Library", "Application Support", "mix"), at("Library", "Application Support", "mix")},
		{"windows", "windows", "", []string{"LocalAppData", at("L"), "AppData", at("R")}, at("L", "mix"), at("R", "mix")},
		{"windows without variables", "windows", "", nil, at("AppData", "Local", "mix"), at("AppData", "Roaming", "mix")},
		{"environment wins", "linux", "", []string{"MIX_DATA_DIR", other, "MIX_CONFIG_DIR", at("c"), "XDG_DATA_HOME", home}, other, at("c")},
		{"flag wins", "darwin", at("flag"), []string{"MIX_DATA_DIR", other}, at("flag"), at("Library", "Application Support", "mix")},
	}
	for _, tt := range tests {
		d, err := config.Host{GOOS: tt.goos, Home: home, Getenv: env(tt.env...)}.Locate(tt.flag)
		if err != nil || d.Data != tt.data || d.Config != tt.config {
			t.Errorf("%s: %+v, %v; want %s and %s", tt.name, d, err, tt.data, tt.config)
		}
	}
}

func TestLocateWithoutHome(t *testing.T) {
	t.Parallel()
	_, err := config.Host{GOOS: "linux", Getenv: env()}.Locate("")
	if err == nil || !strings.Contains(err.Error(), "MIX_DATA_DIR") {
		t.Errorf("got %v, want a hint to MIX_DATA_DIR", err)
	}
	_, err = config.Host{GOOS: "linux", Getenv: env("MIX_DATA_DIR", "/d")}.Locate("")
	if err == nil || !strings.Contains(err.Error(), "MIX_CONFIG_DIR") {
		t.Errorf("got %v, want a hint to MIX_CONFIG_DIR", err)
	}
}

func mode(t *testing.T, path string) os.FileMode {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode().Perm()
}

func TestCreateData(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no permission bits")
	}
	t.Run("new", func(t *testing.T) {
		t.Parallel()
		d := config.Dirs{Data: filepath.Join(t.TempDir(), "a", "b")}
		if err := d.CreateData(); err != nil {
			t.Fatal(err)
		}
		session, err := d.CreateSession("0198")
		if err != nil || session != d.Session("0198") {
			t.Fatal(session, err)
		}
		for _, dir := range []string{d.Data, d.Logs(), filepath.Dir(session), session} {
			if m := mode(t, dir); m != 0o700 {
				t.Errorf("%s has mode %o", dir, m)
			}
		}
	})
	t.Run("empty and open", func(t *testing.T) {
		t.Parallel()
		d := config.Dirs{Data: t.TempDir()}
		chmod(t, d.Data, 0o755)
		if err := d.CreateData(); err != nil || mode(t, d.Data) != 0o700 {
			t.Errorf("mode %o, %v", mode(t, d.Data), err)
		}
	})
	t.Run("own and open", func(t *testing.T) {
		t.Parallel()
		d := config.Dirs{Data: t.TempDir()}
		write(t, d.Database(), "")
		chmod(t, d.Data, 0o755)
		if err := d.CreateData(); err != nil || mode(t, d.Data) != 0o700 {
			t.Errorf("mode %o, %v", mode(t, d.Data), err)
		}
	})
	t.Run("of others and open", func(t *testing.T) {
		t.Parallel()
		d := config.Dirs{Data: t.TempDir()}
		write(t, filepath.Join(d.Data, "photo.jpg"), "")
		chmod(t, d.Data, 0o755)
		err := d.CreateData()
		if err == nil || !strings.Contains(err.Error(), "choose another directory") || mode(t, d.Data) != 0o755 {
			t.Errorf("mode %o, %v", mode(t, d.Data), err)
		}
	})
}

func chmod(t *testing.T, path string, m os.FileMode) {
	t.Helper()
	if err := os.Chmod(path, m); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
