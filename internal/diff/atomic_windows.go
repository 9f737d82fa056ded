package diff

import (
	"io/fs"
	"os"
)

// openNonblock has no meaning here: opening does not hang.
const openNonblock = 0

// keepOwner does nothing: a new file gets the owner and the access list of its
// directory.
func keepOwner(*os.File, fs.FileInfo) bool { return true }

// syncDir does nothing: Windows has no way to force a directory to the disk.
func syncDir(*os.Root, string) error { return nil }
