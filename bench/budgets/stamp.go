package budgets

import (
	"bytes"
	"strconv"
	"time"
)

// epoch is what stamps count from. Mock and clients are one process, so their
// clock is the same.
var epoch = time.Now()

// appendStamp appends a number and the time, as text that a model could say.
func appendStamp(text []byte, n int) []byte {
	text = append(text, '@')
	text = strconv.AppendInt(text, int64(n), 10)
	text = append(text, ':')
	text = strconv.AppendInt(text, int64(time.Since(epoch)), 10)
	return append(text, ';')
}

// stamps calls see for each stamp in data: its number, and how long ago it was
// made.
func stamps(data []byte, see func(n int, age time.Duration)) {
	now := time.Since(epoch)
	for {
		i := bytes.IndexByte(data, '@')
		if i < 0 {
			return
		}
		data = data[i+1:]
		colon, end := bytes.IndexByte(data, ':'), bytes.IndexByte(data, ';')
		if colon < 0 || end < colon {
			continue
		}
		n, err := strconv.Atoi(string(data[:colon]))
		at, err2 := strconv.ParseInt(string(data[colon+1:end]), 10, 64)
		if err == nil && err2 == nil {
			see(n, now-time.Duration(at))
		}
	}
}
