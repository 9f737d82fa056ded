//go:build !linux

package budgets

import (
	"errors"
	"os"
	"time"
)

var errNotHere = errors.New("memory and processor time of a process are only read on Linux")

func rss(int) (int64, error)                { return 0, errNotHere }
func cpu(int) (time.Duration, error)        { return 0, errNotHere }
func threadTime(int) (time.Duration, error) { return 0, errNotHere }

// syncFile writes the content of a file to the disk, as the store does.
func syncFile(f *os.File) error { return f.Sync() }
