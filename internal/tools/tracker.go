package tools

import (
	"crypto/sha256"
	"io/fs"
	"sync"
	"time"
)

// maxTracked bounds the files that a tracker remembers; the one that was used
// longest ago is forgotten first and has to be read again.
const maxTracked = 4096

// FileTracker remembers how the files of a session were when a tool last read
// or wrote them. It is safe for concurrent use.
type FileTracker struct {
	mu    sync.Mutex
	files map[string]fileState
	tick  uint64
}

// fileState is a file as the model knows it.
type fileState struct {
	size  int64
	mtime time.Time
	// sum is the hash of the content; known only for files up to maxEdit.
	sum    [sha256.Size]byte
	summed bool
	used   uint64
}

// NewFileTracker returns a tracker that knows no file.
func NewFileTracker() *FileTracker {
	return &FileTracker{files: make(map[string]fileState)}
}

// Known reports whether the session has read or written the file at the
// resolved path.
func (t *FileTracker) Known(path string) bool {
	_, ok := t.state(path)
	return ok
}

func (t *FileTracker) state(path string) (fileState, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s, ok := t.files[path]
	return s, ok
}

// record remembers the file as it is; sum is nil when it was not read whole.
func (t *FileTracker) record(path string, info fs.FileInfo, sum *[sha256.Size]byte) {
	s := fileState{size: info.Size(), mtime: info.ModTime()}
	if sum != nil {
		s.sum, s.summed = *sum, true
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.tick++
	s.used = t.tick
	t.files[path] = s
	if len(t.files) > maxTracked {
		t.forgetOldest()
	}
}

func (t *FileTracker) forgetOldest() {
	oldest, least := "", t.tick+1
	for path, s := range t.files {
		if s.used < least {
			oldest, least = path, s.used
		}
	}
	delete(t.files, oldest)
}

// same reports whether a file with this description and content is the one
// that was recorded. The content decides where it is known: a file that was
// only touched is the same.
func (s fileState) same(info fs.FileInfo, content []byte) bool {
	if s.size != info.Size() {
		return false
	}
	if s.summed {
		return sha256.Sum256(content) == s.sum
	}
	return s.mtime.Equal(info.ModTime())
}
