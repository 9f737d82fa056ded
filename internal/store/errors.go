package store

import (
	"database/sql"
	"errors"
	"fmt"

	"modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"github.com/mixagent/mix/internal/domain"
)

// Errors of the store, besides [domain.ErrNotFound], [domain.ErrConflict],
// [domain.ErrReadOnly] and [domain.ErrClosed]. Callers test for them with
// [errors.Is].
var (
	// ErrDiskFull: nothing of the batch was stored. Commits work again as soon
	// as there is room.
	ErrDiskFull = errors.New("the disk is full; make room where the database is and try again")
	// ErrDisk: the operating system failed to read or write the file. Nothing
	// of the batch was stored.
	ErrDisk = errors.New("the database file could not be read or written; check the disk and the file's permissions, then try again")
	// ErrBusy: another program held the database for longer than
	// Options.BusyTimeout.
	ErrBusy = errors.New("another program is writing to the database; end it and try again")
	// ErrDamaged: the file is not a database, or not a whole one any more.
	ErrDamaged = errors.New("the database file is damaged; put back a copy of it, or move it away to start with an empty one")
	// ErrMissing: there is no database to open for reading.
	ErrMissing = errors.New("there is no database here yet; start Mix once to make it, or name another data directory")
	// ErrOutdated: a database of an older version was opened for reading only.
	ErrOutdated = errors.New("the database is of an older version of Mix; start the server once to bring it up to date")
)

// VersionError reports a database that a newer version of Mix wrote.
type VersionError struct {
	Path string
	// Found is the schema version of the database, Known the newest that this
	// program can read.
	Found, Known int64
}

// Error says what to do.
func (e *VersionError) Error() string {
	return fmt.Sprintf("the database %s has schema version %d, but this version of Mix knows only up to %d: "+
		"install the version of Mix that wrote it, or name another data directory", e.Path, e.Found, e.Known)
}

// translate gives an error of the database driver the meaning that callers
// decide on. The driver's own text stays at the end.
func translate(err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, sql.ErrNoRows) {
		return domain.ErrNotFound
	}
	var se *sqlite.Error
	if !errors.As(err, &se) {
		return err
	}
	var meaning error
	switch se.Code() {
	case lib.SQLITE_CONSTRAINT_UNIQUE, lib.SQLITE_CONSTRAINT_PRIMARYKEY, lib.SQLITE_CONSTRAINT_ROWID:
		meaning = domain.ErrConflict
	case lib.SQLITE_CONSTRAINT_FOREIGNKEY:
		return fmt.Errorf("%w: what it belongs to does not exist", domain.ErrNotFound)
	case lib.SQLITE_IOERR_SHMSIZE:
		meaning = ErrDiskFull // the index of the WAL could not grow
	default:
		switch se.Code() & 0xff {
		case lib.SQLITE_FULL:
			meaning = ErrDiskFull
		case lib.SQLITE_IOERR, lib.SQLITE_CANTOPEN, lib.SQLITE_READONLY, lib.SQLITE_PERM:
			meaning = ErrDisk
		case lib.SQLITE_BUSY, lib.SQLITE_LOCKED:
			meaning = ErrBusy
		case lib.SQLITE_CORRUPT, lib.SQLITE_NOTADB:
			meaning = ErrDamaged
		}
	}
	if meaning == nil {
		return err
	}
	return fmt.Errorf("%w (%s)", meaning, se.Error())
}

// ends reports whether err concerns the whole transaction and not only the
// statement that met it: SQLite may have rolled everything back.
func ends(err error) bool {
	var se *sqlite.Error
	if !errors.As(err, &se) {
		return true
	}
	switch se.Code() & 0xff {
	case lib.SQLITE_CONSTRAINT, lib.SQLITE_MISMATCH, lib.SQLITE_TOOBIG, lib.SQLITE_ERROR, lib.SQLITE_RANGE:
		return false
	}
	return true
}
