package diff

import (
	"io/fs"
	"os"
)

// keepOwner does nothing: a new file gets the owner and the access list of its
// directory.
func keepOwner(*os.File, fs.FileInfo) {}

// syncDir does nothing: Windows has no way to force a directory to the disk.
func syncDir(*os.Root, string) error { return nil }
