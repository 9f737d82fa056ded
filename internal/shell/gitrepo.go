package shell

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// maxGitRepos bounds how many repositories one command line may reach, with
// their submodules.
const maxGitRepos = 200

// gitRepos collects the settings of repositories, each one once.
type gitRepos struct {
	home     string
	settings []gitSetting
	seen     map[string]bool
}

// discover adds the repositories that git may take when it is started in dir:
// it looks upward for a .git, and for a directory that is a repository itself.
func (r *gitRepos) discover(dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	// Git goes up from where the directory really is.
	if resolved, err := filepath.EvalSymlinks(dir); err == nil {
		dir = resolved
	}
	for {
		if err := r.at(dir); err != nil {
			return err
		}
		up := filepath.Dir(dir)
		if up == dir {
			return nil
		}
		dir = up
	}
}

// at adds the repository in dir, if there is one.
func (r *gitRepos) at(dir string) error {
	if exists(filepath.Join(dir, "HEAD")) && (exists(filepath.Join(dir, "objects")) || exists(filepath.Join(dir, "commondir"))) {
		if err := r.add(dir, dir); err != nil {
			return err
		}
	}
	dotGit := filepath.Join(dir, ".git")
	info, err := os.Stat(dotGit)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR), err == nil && !info.IsDir() && !info.Mode().IsRegular():
		return nil
	case err != nil:
		return err
	case info.IsDir():
		return r.add(dotGit, dir)
	}
	text, err := readSmall(dotGit)
	if err != nil {
		return err
	}
	to, ok := strings.CutPrefix(text, "gitdir: ")
	if !ok {
		return nil // git says so and stops
	}
	return r.add(joinPath(dir, strings.TrimRight(to, "\r\n")), dir)
}

// add takes the settings of the repository at gitDir, whose files are below
// workTree, and of its submodules.
func (r *gitRepos) add(gitDir, workTree string) error {
	if r.seen[gitDir] {
		return nil
	}
	if len(r.seen) == maxGitRepos {
		return fmt.Errorf("more than %d repositories are involved", maxGitRepos)
	}
	r.seen[gitDir] = true
	common := gitDir
	if text, err := readSmall(filepath.Join(gitDir, "commondir")); err == nil {
		common = joinPath(gitDir, strings.TrimRight(text, "\r\n"))
	}
	for _, file := range []string{filepath.Join(common, "config"), filepath.Join(gitDir, "config.worktree")} {
		settings, err := readGitConfig(file, r.home)
		if err != nil {
			return fmt.Errorf("read git configuration: %w", err)
		}
		r.settings = append(r.settings, settings...)
		for _, s := range settings {
			if s.section == "core" && s.key == "worktree" && s.value != "" {
				workTree = joinPath(gitDir, s.value)
			}
		}
	}
	return r.submodules(gitDir, workTree)
}

// submodules adds the repositories that git looks into from the one at gitDir.
// A split index has its entries in files of their own.
func (r *gitRepos) submodules(gitDir, workTree string) error {
	files, err := os.ReadDir(gitDir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, entry := range files {
		if entry.Name() != "index" && !strings.HasPrefix(entry.Name(), "sharedindex.") {
			continue
		}
		file := filepath.Join(gitDir, entry.Name())
		modules, err := gitLinks(file)
		if err != nil {
			return fmt.Errorf("read git index %s: %w", file, err)
		}
		for _, module := range modules {
			if err := r.at(filepath.Join(workTree, filepath.FromSlash(module))); err != nil {
				return err
			}
		}
	}
	return nil
}

var errGitIndex = errors.New("its format is not known")

// gitLinks returns the paths of the submodules in an index file, versions 2 to
// 4 of gitformat-index(5).
func gitLinks(file string) ([]string, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	if len(data) < 12 || string(data[:4]) != "DIRC" {
		return nil, errGitIndex
	}
	version, count := binary.BigEndian.Uint32(data[4:]), binary.BigEndian.Uint32(data[8:])
	if version < 2 || version > 4 {
		return nil, errGitIndex
	}
	// Entries hold object names of 20 or 32 bytes, which the file does not say.
	for _, hash := range []int{20, 32} {
		if links, ok := gitLinksHash(data[12:], version, count, hash); ok {
			return links, nil
		}
	}
	return nil, errGitIndex
}

func gitLinksHash(data []byte, version, count uint32, hash int) (links []string, ok bool) {
	var path []byte
	for range count {
		var mode uint32
		var size int
		mode, path, size = gitIndexEntry(data, version, hash, path)
		if size == 0 {
			return nil, false
		}
		data = data[size:]
		switch mode {
		case 0o160000:
			links = append(links, string(path))
		case 0o100644, 0o100755, 0o120000, 0o040000:
		default:
			return nil, false
		}
	}
	return links, true
}

// gitIndexEntry reads the entry at the beginning of data, whose path may build
// on that of the entry before; size is 0 when it is none.
func gitIndexEntry(data []byte, version uint32, hash int, before []byte) (mode uint32, path []byte, size int) {
	fixed := 40 + hash + 2
	if len(data) < fixed+2 {
		return 0, nil, 0
	}
	mode = binary.BigEndian.Uint32(data[24:])
	flags := binary.BigEndian.Uint16(data[40+hash:])
	if version >= 3 && flags&0x4000 != 0 {
		fixed += 2
	}
	rest := data[fixed:]
	if version == 4 {
		strip, n := gitVarint(rest)
		if n == 0 || strip > uint64(len(before)) {
			return 0, nil, 0
		}
		path = before[:uint64(len(before))-strip]
		fixed, rest = fixed+n, rest[n:]
	}
	end := bytes.IndexByte(rest, 0)
	if end < 0 {
		return 0, nil, 0
	}
	path = append(path, rest[:end]...)
	size = fixed + end + 1
	if version < 4 {
		size = (fixed + end + 8) / 8 * 8 // one to eight NULs fill it up
	}
	if size > len(data) || int(flags&0xfff) != min(len(path), 0xfff) {
		return 0, nil, 0
	}
	return mode, path, size
}

// gitVarint reads a number as in packs' offsets and returns how many bytes it
// has, 0 when it does not end.
func gitVarint(p []byte) (v uint64, n int) {
	for n < len(p) && n < 9 {
		c := p[n]
		n++
		v |= uint64(c & 0x7f)
		if c < 0x80 {
			return v, n
		}
		v = (v + 1) << 7
	}
	return 0, 0
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// readSmall reads a file that holds one line.
func readSmall(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() || info.Size() > 1<<16 {
		return "", fmt.Errorf("%s is not a file with one path in it", path)
	}
	text, err := os.ReadFile(path)
	return string(text), err
}

// joinPath is path as seen from dir.
func joinPath(dir, path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(dir, path)
}
