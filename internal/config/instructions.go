package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/mixagent/mix/internal/domain"
)

const (
	// maxInstruction bounds one file of instructions, maxInstructions all of
	// them, in bytes. Models read them in full with every request.
	maxInstruction  = 64 << 10
	maxInstructions = 256 << 10
	// maxDepth bounds how many folders are looked at on the way up.
	maxDepth = 64
)

// Instruction is a file in which a project tells agents how to work in it.
type Instruction struct {
	Path string // absolute
	// Text has passed [domain.Sanitize], since it goes into a prompt: what a
	// person who reads the file cannot see, a model must not read. Where the
	// file was cut, the last line says so.
	Text string
	// Cut is true when the file is longer than what Text has of it.
	Cut bool
}

// Instructions returns what the project around dir tells agents: in every
// folder from dir up to the root of the repository AGENTS.md, or CLAUDE.md
// where there is no AGENTS.md, nearest first. Outside of a repository only dir
// counts. One file gives at most 64 KiB, all together 256 KiB; empty files are
// left out. A symbolic link counts when it stays within the repository.
//
// What cannot be read is an error, with the instructions that can be read.
func Instructions(dir string) ([]Instruction, error) {
	tree, err := openTree(dir)
	if err != nil {
		return nil, fmt.Errorf("read the project's instructions: %w", err)
	}
	defer tree.close()
	var (
		found []Instruction
		errs  []error
		left  = int64(maxInstructions)
	)
	for _, sub := range tree.upward() {
		in, err := readInstruction(tree, sub, min(maxInstruction, left))
		if err != nil {
			errs = append(errs, fmt.Errorf("read the project's instructions: %w", err))
		}
		if in != nil {
			found = append(found, *in)
			left -= int64(len(in.Text))
		}
		if left <= 0 {
			break
		}
	}
	return found, errors.Join(errs...)
}

func readInstruction(tree *tree, sub string, limit int64) (*Instruction, error) {
	for _, name := range []string{"AGENTS.md", "CLAUDE.md"} {
		name = filepath.Join(sub, name)
		data, size, err := readRegular(openIn(tree.root), name, limit)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		text := domain.Sanitize(strings.ToValidUTF8(string(data), ""))
		if strings.TrimSpace(text) == "" {
			return nil, nil
		}
		in := &Instruction{Path: filepath.Join(tree.dir, name), Text: text, Cut: size > int64(len(data))}
		if in.Cut {
			in.Text += fmt.Sprintf("\n[cut: this file has %d bytes, the first %d are above]\n", size, len(data))
		}
		return in, nil
	}
	return nil, nil
}

// tree is the part of the file system that belongs to the project of a
// directory: the repository around it, or the directory alone. Files are opened
// through root, so that no symbolic link leads out of it.
type tree struct {
	dir  string // of root, absolute
	root *os.Root
	sub  string // the directory it was opened for, relative to dir
}

func openTree(dir string) (*tree, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	top := repositoryRoot(dir)
	sub, err := filepath.Rel(top, dir)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(top)
	if err != nil {
		return nil, err
	}
	return &tree{dir: top, root: root, sub: sub}, nil
}

func (t *tree) close() { _ = t.root.Close() }

// upward lists the folders from the directory up to the root, relative to it.
func (t *tree) upward() []string {
	var subs []string
	for sub := t.sub; sub != "."; sub = filepath.Dir(sub) {
		subs = append(subs, sub)
	}
	return append(subs, ".")
}

// repositoryRoot returns the nearest folder at or above dir that holds .git,
// or dir itself where none does.
func repositoryRoot(dir string) string {
	at := dir
	for range maxDepth {
		if _, err := os.Lstat(filepath.Join(at, ".git")); err == nil {
			return at
		}
		parent := filepath.Dir(at)
		if parent == at {
			break
		}
		at = parent
	}
	return dir
}
