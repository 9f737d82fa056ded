package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"modernc.org/sqlite"

	"github.com/mixagent/mix/internal/store/db"
)

const (
	// defaultBusy is how long a statement waits for another program's lock.
	defaultBusy = 5 * time.Second
	// The caches, in KiB, per connection. Conversations are read from their
	// end; more cache buys little and costs resident memory.
	writerCache, readerCache = 4096, 2048
	// maxReaders bounds the connections that read. Beyond the number of cores
	// more of them only hold more memory.
	maxReaders  = 4
	readerIdle  = time.Minute
	walLimit    = 16 << 20 // what is kept of the WAL file after it was used up
	forcedPages = 4000     // pages in the WAL at which a commit itself checkpoints
)

// Open opens the database and brings its schema up to date. Of a database of
// an older version a copy is kept first, next to it, with the old version in
// its name. The error is a [*VersionError] where the database is newer than the
// program, [ErrDamaged] where the file is no database, and with
// Options.ReadOnly [ErrMissing] or [ErrOutdated] where there is nothing that
// could be read.
func Open(ctx context.Context, o Options) (*Store, error) {
	path, err := filepath.Abs(o.Path)
	if err != nil {
		return nil, fmt.Errorf("open the database %s: %w", o.Path, err)
	}
	s := &Store{path: path, log: o.Logger, busy: o.BusyTimeout}
	if s.busy == 0 {
		s.busy = defaultBusy
	}
	if s.log == nil {
		s.log = slog.Default()
	}
	if o.ReadOnly {
		err = s.openReading(ctx)
	} else {
		err = s.openWriting(ctx)
	}
	var newer *VersionError
	switch {
	case errors.As(err, &newer):
		return nil, err
	case err != nil:
		return nil, fmt.Errorf("open the database %s: %w", path, translate(err))
	}
	return s, nil
}

// openReading opens an existing database without changing it.
func (s *Store) openReading(ctx context.Context) error {
	if _, err := os.Stat(s.path); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return ErrMissing
		}
		return err
	}
	if err := s.openReaders("ro"); err != nil {
		return err
	}
	version, err := schemaVersion(ctx, s.readers)
	if err == nil {
		err = s.checkVersion(version)
	}
	if err == nil && version < knownVersion {
		err = fmt.Errorf("%w (schema version %d, this program's is %d)", ErrOutdated, version, knownVersion)
	}
	if err != nil {
		_ = s.readers.Close()
	}
	return err
}

// openWriting opens or makes the database and starts the writer.
func (s *Store) openWriting(ctx context.Context) error {
	if err := makeFile(s.path); err != nil {
		return err
	}
	writing, err := connect(s.path, "rw", s.busy,
		"foreign_keys(1)", "journal_mode(WAL)", "synchronous(FULL)", "temp_store(MEMORY)",
		"cache_size(-"+strconv.Itoa(writerCache)+")",
		"wal_autocheckpoint("+strconv.Itoa(forcedPages)+")", "journal_size_limit("+strconv.Itoa(walLimit)+")")
	if err != nil {
		return err
	}
	writing.SetMaxOpenConns(1)
	if err := s.prepare(ctx, writing); err != nil {
		_ = writing.Close()
		return err
	}
	return nil
}

// prepare migrates the database and starts what works on it.
func (s *Store) prepare(ctx context.Context, writing *sql.DB) error {
	if err := s.migrate(ctx, writing); err != nil {
		return err
	}
	if err := s.openReaders("rw"); err != nil {
		return err
	}
	conn, err := writing.Conn(ctx)
	if err != nil {
		_ = s.readers.Close()
		return err
	}
	s.checkpoints = startCheckpointer(s.path, s.log)
	s.writing, s.writer = writing, startWriter(conn, s.checkpoints.note)
	return nil
}

func (s *Store) openReaders(mode string) error {
	readers, err := connect(s.path, mode, s.busy,
		"query_only(1)", "temp_store(MEMORY)", "cache_size(-"+strconv.Itoa(readerCache)+")")
	if err != nil {
		return err
	}
	readers.SetMaxOpenConns(maxReaders)
	readers.SetMaxIdleConns(maxReaders)
	readers.SetConnMaxIdleTime(readerIdle)
	s.readers, s.reads = readers, newStatements(readers)
	s.read = db.New(s.reads)
	return nil
}

// connect returns a pool of connections that run the pragmas when they are
// made. mode is SQLite's: "ro" or "rw"; none of them makes a file.
func connect(path, mode string, busy time.Duration, pragmas ...string) (*sql.DB, error) {
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(path)}
	if !strings.HasPrefix(u.Path, "/") {
		u.Path = "/" + u.Path // a Windows path with its drive
	}
	q := url.Values{"mode": {mode}, "_error_rc": {"1"}, "_busy_timeout": {strconv.FormatInt(busy.Milliseconds(), 10)}}
	q["_pragma"] = pragmas
	u.RawQuery = q.Encode()
	c, err := sqlite.NewConnector(u.String())
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(c), nil
}

// makeFile makes an empty database file for this user alone, or takes away
// what others may do with the one that is there. SQLite gives its other files
// the same permissions.
func makeFile(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err == nil {
		return f.Close()
	}
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	// An existing file is not opened here: closing it would take away the locks
	// that SQLite holds on it elsewhere in this process.
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0 {
		return os.Chmod(path, 0o600)
	}
	return nil
}
