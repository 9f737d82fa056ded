package eventlog

// HeldBytes is what all windows hold.
func HeldBytes(l *Log) (n int) {
	l.mu.Lock()
	streams := l.all()
	l.mu.Unlock()
	for _, s := range streams {
		s.mu.Lock()
		n += s.win.bytes
		s.mu.Unlock()
	}
	return n
}

// Held is how many records of a session are in memory.
func Held(l *Log, session string) int {
	l.mu.Lock()
	s := l.streams[session]
	l.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.win.recs) - s.win.head
}
