package shell

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// spoolHalf is how many bytes of the beginning, and how many of the end, of a
// long output are kept in its file.
const spoolHalf = 50 << 20

// spool is the file that output goes to beyond the preview. The first half goes
// straight to it; the second goes round in a file beside it that is appended at
// the end, so that no more than twice spoolHalf is ever on disk for long.
type spool struct {
	dir   string // "" keeps nothing
	path  string // "" until something was written
	err   error  // the first failure; nothing is written after it
	head  *os.File
	tail  *os.File
	total int64
}

func (s *spool) write(p []byte) {
	if s.dir == "" || s.err != nil || len(p) == 0 {
		return
	}
	if err := s.put(p); err != nil {
		s.err = err
	}
}

func (s *spool) put(p []byte) error {
	if s.head == nil {
		if err := s.open(); err != nil {
			return err
		}
	}
	if n := min(spoolHalf-s.total, int64(len(p))); n > 0 {
		m, err := s.head.Write(p[:n])
		s.total += int64(m)
		if err != nil {
			return err
		}
		p = p[n:]
	}
	if len(p) > 0 && s.tail == nil {
		tail, err := os.OpenFile(s.path+".tail", os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return err
		}
		s.tail = tail
	}
	for len(p) > 0 {
		at := (s.total - spoolHalf) % spoolHalf
		n := min(spoolHalf-at, int64(len(p)))
		m, err := s.tail.WriteAt(p[:n], at)
		s.total += int64(m)
		if err != nil {
			return err
		}
		p = p[n:]
	}
	return nil
}

func (s *spool) open() error {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(s.dir, "output-*.txt") // 0600
	if err != nil {
		return err
	}
	s.head, s.path = f, f.Name()
	return nil
}

// lost is how many bytes between the first and the last half are gone.
func (s *spool) lost() int64 { return max(0, s.total-2*spoolHalf) }

// close puts the end of the output behind its beginning and closes the file.
func (s *spool) close() {
	if s.tail != nil {
		s.err = errors.Join(s.err, s.join(), s.tail.Close(), os.Remove(s.tail.Name()))
	}
	if s.head != nil {
		s.err = errors.Join(s.err, s.head.Close())
	}
}

func (s *spool) join() error {
	size := s.total - spoolHalf
	if s.lost() == 0 {
		return s.appendTail(0, size)
	}
	if _, err := fmt.Fprintf(s.head, "\n[... %d bytes were not kept ...]\n", s.lost()); err != nil {
		return err
	}
	at := size % spoolHalf
	return errors.Join(s.appendTail(at, spoolHalf-at), s.appendTail(0, at))
}

func (s *spool) appendTail(from, n int64) error {
	if _, err := s.tail.Seek(from, io.SeekStart); err != nil {
		return err
	}
	_, err := io.CopyN(s.head, s.tail, n)
	return err
}
