package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"

	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// knownVersion is the schema version of this program: the number of its last
// migration.
const knownVersion = 3

// schemaVersion returns the version of a database, 0 where none is noted.
func schemaVersion(ctx context.Context, pool *sql.DB) (int64, error) {
	var noted bool
	err := pool.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'goose_db_version')").Scan(&noted)
	if err != nil || !noted {
		return 0, err
	}
	var version int64
	err = pool.QueryRowContext(ctx, "SELECT COALESCE(MAX(version_id), 0) FROM goose_db_version WHERE is_applied").Scan(&version)
	return version, err
}

// checkVersion refuses what a newer program wrote.
func (s *Store) checkVersion(version int64) error {
	if version > knownVersion {
		return &VersionError{Path: s.path, Found: version, Known: knownVersion}
	}
	return nil
}

// migrate brings the schema up to date. Where it is, and that is the case at
// nearly every start, goose is not even set up.
func (s *Store) migrate(ctx context.Context, pool *sql.DB) error {
	version, err := schemaVersion(ctx, pool)
	if err != nil {
		return err
	}
	if err := s.checkVersion(version); err != nil || version == knownVersion {
		return err
	}
	var tables int
	if err := pool.QueryRowContext(ctx, "SELECT COUNT(*) FROM sqlite_schema").Scan(&tables); err != nil {
		return err
	}
	if tables == 0 {
		return s.create(ctx, pool)
	}
	kept, err := s.keepCopy(ctx, pool, version)
	if err != nil {
		return fmt.Errorf("keep a copy before the schema is migrated: %w", translate(err))
	}
	s.log.Info("the database is migrated to a new schema; a copy of the old one is kept",
		"database", s.path, "from", version, "to", knownVersion, "copy", kept)
	if err := applyMigrations(ctx, pool); err != nil {
		return fmt.Errorf("migrate the schema from version %d to %d (the database as it was is %s): %w", version, knownVersion, kept, translate(err))
	}
	return nil
}

// create fills an empty database. Its own commits need not wait for the disk:
// they are in the WAL in order, so a crash leaves an empty database or one
// with some of the migrations, and the first commit of a batch brings them all
// to the disk with it. The file itself was synced when it was put in WAL mode.
func (s *Store) create(ctx context.Context, pool *sql.DB) error {
	if _, err := pool.ExecContext(ctx, "PRAGMA synchronous = OFF"); err != nil {
		return err
	}
	if err := applyMigrations(ctx, pool); err != nil {
		return fmt.Errorf("make the schema: %w", err)
	}
	_, err := pool.ExecContext(ctx, "PRAGMA synchronous = FULL")
	return err
}

// applyMigrations runs the migrations that are missing, each in a transaction.
func applyMigrations(ctx context.Context, pool *sql.DB) error {
	files, err := fs.Sub(migrationFiles, "migrations")
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, pool, files,
		goose.WithDisableGlobalRegistry(true),
		goose.WithGoMigrations(goose.NewGoMigration(2, &goose.GoFunc{RunTx: adopt}, nil)))
	if err != nil {
		return err
	}
	_, err = p.Up(ctx)
	return err
}

// keepCopy writes the database as it is to a file next to it and returns the
// path of that. A copy left by an earlier try is replaced.
func (s *Store) keepCopy(ctx context.Context, pool *sql.DB, version int64) (path string, err error) {
	path = s.path + ".v" + strconv.FormatInt(version, 10) + ".bak"
	draft := path + ".new"
	if err := os.Remove(draft); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	// VACUUM INTO writes to an empty file, so its permissions can be set first.
	f, err := os.OpenFile(draft, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", err
	}
	defer func() {
		err = errors.Join(err, f.Close())
		if err != nil {
			_ = os.Remove(draft)
			return
		}
		err = os.Rename(draft, path)
	}()
	if _, err := pool.ExecContext(ctx, "VACUUM INTO ?", draft); err != nil {
		return "", err
	}
	return path, f.Sync()
}
