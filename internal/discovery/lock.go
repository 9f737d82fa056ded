package discovery

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/gofrs/flock"

	"github.com/mixagent/mix/internal/config"
)

// ErrLocked: another server owns the data directory. It is wrapped by a
// *[LockedError].
var ErrLocked = errors.New("another server owns the data directory")

// LockedError says who owns a data directory.
type LockedError struct {
	DataDir string
	// Owner is nil when it did not say yet: it is starting, or stopping.
	Owner *Info
}

// Error says who owns the directory and what to do.
func (e *LockedError) Error() string {
	if e.Owner == nil {
		return fmt.Sprintf("the data directory %s is used by another Mix that is starting or stopping; "+
			"try again in a moment, or choose another one with --data-dir", e.DataDir)
	}
	return fmt.Sprintf("the data directory %s is used by the Mix at %s (process %d); "+
		"use that one, stop it, or choose another directory with --data-dir", e.DataDir, e.Owner.URL, e.Owner.PID)
}

// Unwrap returns [ErrLocked].
func (e *LockedError) Unwrap() error { return ErrLocked }

// Lock is the ownership of a data directory. It is safe for concurrent use.
type Lock struct {
	dataDir string
	file    *flock.Flock

	mu        sync.Mutex
	published string // instance, "" while nothing is published
	released  bool
}

// Acquire takes the lock of a data directory, which must exist. It does not
// wait: when another process, or another server of this one, holds it, the
// error wraps [ErrLocked].
func Acquire(dataDir string) (*Lock, error) {
	file, err := lockFile(dataDir)
	if err != nil {
		return nil, err
	}
	// What is there was left by a server that died: nobody else may publish.
	if err := removeInfo(dataDir); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return &Lock{dataDir: dataDir, file: file}, nil
}

// lockFile locks mix.lock. Somebody may delete the file between its opening and
// its locking, or may have deleted it under a living server; the lock of a file
// that nobody else can open protects nothing, so then it starts over.
func lockFile(dataDir string) (*flock.Flock, error) {
	name := filepath.Join(dataDir, lockName)
	for {
		file := flock.New(name, flock.SetFlag(os.O_CREATE|os.O_RDWR), flock.SetPermissions(0o600))
		locked, err := file.TryLock()
		if err != nil {
			return nil, fmt.Errorf("lock the data directory: %w", err)
		}
		if !locked {
			e := &LockedError{DataDir: dataDir}
			if i, err := readInfo(dataDir); err == nil {
				e.Owner = &i
			}
			return nil, e
		}
		held, err := file.Stat()
		if err != nil {
			return nil, errors.Join(fmt.Errorf("lock the data directory: %w", err), file.Close())
		}
		if there, err := os.Stat(name); err == nil && os.SameFile(held, there) {
			return file, nil
		}
		if err := file.Close(); err != nil {
			return nil, fmt.Errorf("lock the data directory: %w", err)
		}
	}
}

// Publish tells where the server is. Publishing again replaces what was told.
func (l *Lock) Publish(i Info) error {
	if err := i.check(); err != nil {
		return fmt.Errorf("publish the server: %w", err)
	}
	data, err := json.Marshal(i)
	if err != nil {
		return fmt.Errorf("publish the server: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.released {
		return errors.New("publish the server: the lock was released")
	}
	if err := config.WriteFile(filepath.Join(l.dataDir, infoName), append(data, '\n')); err != nil {
		return fmt.Errorf("publish the server: %w", err)
	}
	l.published = i.Instance
	return nil
}

// Unpublish takes back what was published, so that no new clients come; the
// lock stays held. A server that cannot be told to be gone will be found not to
// answer, so this cannot fail.
func (l *Lock) Unpublish() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.unpublish()
}

func (l *Lock) unpublish() {
	if l.published != "" {
		l.published = ""
		_ = removeInfo(l.dataDir)
	}
}

// Release unpublishes the server and gives the data directory free. Only the
// first call does something. mix.lock stays: to delete it would race with the
// next server.
func (l *Lock) Release() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.released {
		return nil
	}
	l.released = true
	l.unpublish()
	if err := l.file.Close(); err != nil {
		return fmt.Errorf("release the data directory: %w", err)
	}
	return nil
}

func removeInfo(dataDir string) error {
	err := os.Remove(filepath.Join(dataDir, infoName))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove the lockfile of a server that is gone: %w", err)
	}
	return nil
}
