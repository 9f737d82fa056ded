package store_test

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/pressly/goose/v3"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/store"
)

func fileSize(tb testing.TB, path string) int64 {
	tb.Helper()
	info, err := os.Stat(path)
	if err != nil {
		tb.Fatal(err)
	}
	return info.Size()
}

// wantPrivate checks that nobody else may touch a file.
func wantPrivate(t *testing.T, path string) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		t.Errorf("%s has mode %v", path, info.Mode())
	}
}

func TestFilesArePrivate(t *testing.T) {
	t.Parallel()
	s := open(t)
	addSession(t, s)
	for _, path := range []string{filepath.Dir(s.Path()), s.Path(), s.Path() + "-wal", s.Path() + "-shm"} {
		wantPrivate(t, path)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(s.Path(), 0o644); err != nil {
		t.Fatal(err)
	}
	openAt(t, s.Path())
	wantPrivate(t, s.Path())
}

func TestPragmas(t *testing.T) {
	t.Parallel()
	s := open(t)
	addSession(t, s)
	var mode string
	if err := rawDB(t, s.Path()).QueryRow("PRAGMA journal_mode").Scan(&mode); err != nil || mode != "wal" {
		t.Errorf("journal mode %q, %v", mode, err)
	}
}

func TestOddPaths(t *testing.T) {
	t.Parallel()
	names := []string{"with space", "per%20cent", "hash#mark", "ümläut", "a&b=c"}
	if runtime.GOOS != "windows" {
		names = append(names, "question?mode=ro", `back\slash`)
	}
	for _, name := range names {
		path := filepath.Join(t.TempDir(), name, "mix.db")
		session := addSession(t, openAt(t, path))
		if fileSize(t, path) == 0 {
			t.Errorf("%s is empty", path)
		}
		ro, err := store.Open(t.Context(), store.Options{Path: path, ReadOnly: true})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if _, err := ro.Session(t.Context(), session); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := ro.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestReadOnlyBesideAServer(t *testing.T) {
	t.Parallel()
	s := open(t)
	first := addSession(t, s)
	ro, err := store.Open(t.Context(), store.Options{Path: s.Path(), ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer ro.Close()
	second := addSession(t, s) // lives in the WAL only
	for _, session := range []string{first, second} {
		if _, err := ro.Session(t.Context(), session); err != nil {
			t.Error(err)
		}
	}
	wantIs(t, try(ro, func(b *store.Batch) { b.DeleteSession(first) }), domain.ErrReadOnly)
	wantIs(t, ro.Reserve(t.Context(), first, 10), domain.ErrReadOnly)
	if got := ro.Stats(); got != (store.Stats{}) {
		t.Errorf("stats of a reader: %+v", got)
	}
}

func TestReadOnlyWithoutAServer(t *testing.T) {
	t.Parallel()
	s := open(t)
	session := addSession(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	ro, err := store.Open(t.Context(), store.Options{Path: s.Path(), ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer ro.Close()
	if _, err := ro.Session(t.Context(), session); err != nil {
		t.Error(err)
	}
}

func TestReadOnlyWithoutADatabase(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, err := store.Open(t.Context(), store.Options{Path: filepath.Join(dir, "mix.db"), ReadOnly: true})
	wantIs(t, err, store.ErrMissing)
	if entries, _ := os.ReadDir(dir); len(entries) > 0 {
		t.Errorf("left behind: %v", entries)
	}
}

func TestReopenChangesNothing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "mix.db")
	for range 3 {
		if err := openAt(t, path).Close(); err != nil {
			t.Fatal(err)
		}
	}
	// Neither a copy nor a WAL: the schema that was made is the one that is
	// known.
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("%v, %v; want the database alone", entries, err)
	}
}

// older makes a database as a program before the later migrations left it.
func older(t *testing.T, version int64) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "mix.db")
	pool := rawDB(t, path)
	pool.SetMaxOpenConns(1)
	var steps []goose.ProviderOption
	steps = append(steps, goose.WithDisableGlobalRegistry(true), goose.WithGoMigrations(goose.NewGoMigration(2, nil, nil)))
	p, err := goose.NewProvider(goose.DialectSQLite3, pool, os.DirFS("migrations"), steps...)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.UpTo(t.Context(), version); err != nil {
		t.Fatal(err)
	}
	if _, err := pool.Exec("INSERT INTO sessions (id, title) VALUES ('old', 'Kept')"); err != nil {
		t.Fatal(err)
	}
	if err := pool.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestOlderDatabaseIsMigrated(t *testing.T) {
	t.Parallel()
	for version := int64(1); version <= 2; version++ {
		t.Run(fmt.Sprint("from ", version), func(t *testing.T) {
			t.Parallel()
			path := older(t, version)
			_, err := store.Open(t.Context(), store.Options{Path: path, ReadOnly: true})
			wantIs(t, err, store.ErrOutdated)

			kept := fmt.Sprintf("%s.v%d.bak", path, version)
			if err := os.WriteFile(kept+".new", []byte("left by a try that failed"), 0o644); err != nil {
				t.Fatal(err)
			}
			var log bytes.Buffer
			s, err := store.Open(t.Context(), store.Options{Path: path, Logger: slog.New(slog.NewTextHandler(&log, nil))})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if got, err := s.Session(t.Context(), "old"); err != nil || got.Title != "Kept" {
				t.Errorf("session after the migration: %+v, %v", got, err)
			}
			addCall(t, s, "old", domain.CallStarted)
			if !strings.Contains(log.String(), filepath.Base(kept)) {
				t.Errorf("the log does not name the copy: %s", log.String())
			}
			wantPrivate(t, kept)
			if _, err := os.Stat(kept + ".new"); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("left behind: %v", err)
			}
			var title string
			copied := rawDB(t, kept)
			if err := copied.QueryRow("SELECT title FROM sessions").Scan(&title); err != nil || title != "Kept" {
				t.Errorf("the copy holds %q, %v", title, err)
			}
			var found int64
			if err := copied.QueryRow("SELECT MAX(version_id) FROM goose_db_version").Scan(&found); err != nil || found != version {
				t.Errorf("the copy has version %d, %v", found, err)
			}
		})
	}
}

func TestNewerDatabaseIsRefused(t *testing.T) {
	t.Parallel()
	s := open(t)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	raw := rawDB(t, s.Path())
	if _, err := raw.Exec("INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, 1)"); err != nil {
		t.Fatal(err)
	}
	for _, readOnly := range []bool{false, true} {
		_, err := store.Open(t.Context(), store.Options{Path: s.Path(), ReadOnly: readOnly})
		var newer *store.VersionError
		if !errors.As(err, &newer) || newer.Found != 99 || newer.Known < 3 {
			t.Fatalf("error = %v", err)
		}
		for _, part := range []string{s.Path(), "99", fmt.Sprint(newer.Known), "install", "data directory"} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%q does not say %q", err, part)
			}
		}
	}
}

func TestDamagedFile(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(path string) error{
		"not a database": func(path string) error {
			return os.WriteFile(path, bytes.Repeat([]byte("This is a letter. "), 1000), 0o600)
		},
		"first pages overwritten": func(path string) error {
			f, err := os.OpenFile(path, os.O_RDWR, 0)
			if err != nil {
				return err
			}
			_, err = f.WriteAt(bytes.Repeat([]byte{0xaa}, 16<<10), 64)
			return errors.Join(err, f.Close())
		},
		"cut off": func(path string) error { return os.Truncate(path, 5000) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t)
			fill(t, s, 100)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if err := damage(s.Path()); err != nil {
				t.Fatal(err)
			}
			for _, readOnly := range []bool{true, false} {
				_, err := store.Open(t.Context(), store.Options{Path: s.Path(), ReadOnly: readOnly, Logger: slog.New(slog.DiscardHandler)})
				wantIs(t, err, store.ErrDamaged)
			}
		})
	}
}

func TestDirectoryInPlaceOfTheFile(t *testing.T) {
	t.Parallel()
	_, err := store.Open(t.Context(), store.Options{Path: t.TempDir()})
	wantIs(t, err, store.ErrDisk)
}

// TestLegacyTables opens a database of a program that numbered no schema.
func TestLegacyTables(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "mix.db")
	pool := rawDB(t, path)
	for _, statement := range []string{
		`CREATE TABLE sessions (id TEXT PRIMARY KEY, project_path TEXT, title TEXT, model TEXT, created_at DATETIME, updated_at DATETIME)`,
		`CREATE TABLE messages (id TEXT PRIMARY KEY, session_id TEXT REFERENCES sessions (id), role TEXT, content TEXT, created_at DATETIME)`,
		`INSERT INTO sessions VALUES ('old', '/work', 'Kept', NULL, '2026-01-02 03:04:05.678', NULL)`,
		`INSERT INTO messages VALUES ('m1', 'old', 'user', 'first', '2026-01-02T03:04:06.678Z'), ('m2', 'old', 'assistant', 'second', NULL)`,
	} {
		if _, err := pool.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	if err := pool.Close(); err != nil {
		t.Fatal(err)
	}
	s := openAt(t, path)
	got, err := s.Session(t.Context(), "old")
	if err != nil {
		t.Fatal(err)
	}
	wantEqual(t, got, domain.Session{ID: "old", Kind: domain.SessionMain, Title: "Kept", Directory: "/work", Callbacks: []domain.Callback{}, CreatedAt: at(0)})
	commit(t, s, func(b *store.Batch) { b.AddMessage(text("old", domain.RoleUser, "third", 2)) })
	messages, err := s.History(t.Context(), "old")
	if err != nil || len(messages) != 3 {
		t.Fatal(len(messages), err)
	}
	for i, want := range []string{"first", "second", "third"} {
		if m := messages[i]; m.Text() != want || m.Seq != int64(i+1) {
			t.Errorf("message %d: %+v", i, m)
		}
	}
	if !messages[0].CreatedAt.Equal(at(1)) {
		t.Errorf("created at %v", messages[0].CreatedAt)
	}
	wantPrivate(t, path+".v0.bak")
}

// TestMadeSchemaIsWhatTheMigrationsSay compares a legacy database after its
// migration with a new one, column by column.
func TestLegacyGetsEveryColumn(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "mix.db")
	pool := rawDB(t, path)
	if _, err := pool.Exec(`CREATE TABLE sessions (id TEXT PRIMARY KEY); CREATE TABLE messages (id TEXT PRIMARY KEY, session_id TEXT)`); err != nil {
		t.Fatal(err)
	}
	if err := pool.Close(); err != nil {
		t.Fatal(err)
	}
	wantEqual(t, columns(t, openAt(t, path)), columns(t, open(t)))
}

func columns(t *testing.T, s *store.Store) []string {
	t.Helper()
	rows, err := rawDB(t, s.Path()).Query(`SELECT m.name, c.name, c.type, COALESCE(c.dflt_value, '')
		FROM sqlite_schema m JOIN pragma_table_info(m.name) c
		WHERE m.type = 'table' AND m.name IN ('sessions', 'messages') ORDER BY m.name, c.name`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var table, name, kind string
		var fallback sql.NullString
		if err := rows.Scan(&table, &name, &kind, &fallback); err != nil {
			t.Fatal(err)
		}
		out = append(out, strings.Join([]string{table, name, kind, fallback.String}, " "))
	}
	return out
}
