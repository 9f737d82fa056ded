package diff

import (
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// keepAttributes copies extended attributes, among them access lists and
// security labels, from old to f, as far as the system allows.
func keepAttributes(f, old *os.File) {
	size, err := unix.Flistxattr(int(old.Fd()), nil)
	if err != nil || size == 0 {
		return
	}
	list := make([]byte, size)
	if size, err = unix.Flistxattr(int(old.Fd()), list); err != nil {
		return
	}
	for attr := range strings.SplitSeq(strings.TrimSuffix(string(list[:size]), "\x00"), "\x00") {
		if attr == "security.capability" {
			continue // what may run with privileges was judged by its old content
		}
		n, err := unix.Fgetxattr(int(old.Fd()), attr, nil)
		if err != nil {
			continue
		}
		value := make([]byte, n)
		if n, err = unix.Fgetxattr(int(old.Fd()), attr, value); err == nil {
			_ = unix.Fsetxattr(int(f.Fd()), attr, value[:n], 0)
		}
	}
}
