package budgets

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/mixagent/mix/bench/mockmodel"
)

// Lab is where measurements are made: a temporary directory, the programs, and
// the mock model.
type Lab struct {
	// Quick asks for fewer rounds: minutes become seconds, medians rougher.
	Quick bool
	// LoadTime is how long the rows under load take; 0: what Quick says.
	LoadTime time.Duration
	Model    *mockmodel.Server

	dir                         string
	mix, relay, launch, nothing string
	made                        int
}

// Open builds the programs and starts the mock. The benchmarks' module must be
// the working directory. With a path in program, that program is measured
// instead of one that is built from the sources. The temporary directory is
// made below tmp, on whose file system the data is then; "" means the
// system's.
func Open(ctx context.Context, program, tmp string, quick bool) (*Lab, error) {
	dir, err := os.MkdirTemp(tmp, "mix-budgets-")
	if err != nil {
		return nil, fmt.Errorf("make a temporary directory: %w", err)
	}
	l := &Lab{Quick: quick, dir: dir, mix: program}
	if err := l.build(ctx); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	if l.Model, err = mockmodel.Start(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return l, nil
}

// Close removes everything.
func (l *Lab) Close() error {
	return errors.Join(l.Model.Close(), os.RemoveAll(l.dir))
}

func (l *Lab) build(ctx context.Context) error {
	if l.mix == "" {
		l.mix = filepath.Join(l.dir, "mix")
		if err := goBuild(ctx, "..", l.mix, "./cmd/mix"); err != nil {
			return err
		}
	}
	for name, path := range map[string]*string{"relay": &l.relay, "launch": &l.launch, "nothing": &l.nothing} {
		*path = filepath.Join(l.dir, name)
		if err := goBuild(ctx, ".", *path, "./cmd/"+name); err != nil {
			return err
		}
	}
	return nil
}

func goBuild(ctx context.Context, dir, out, pkg string, flags ...string) error {
	args := append([]string{"build", "-trimpath", "-o", out}, flags...)
	cmd := exec.CommandContext(ctx, "go", append(args, pkg)...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", pkg, err, text)
	}
	return nil
}

// place is a data directory and a directory to work in.
type place struct{ data, work string }

// place makes a new place.
func (l *Lab) place() (place, error) {
	l.made++
	root := filepath.Join(l.dir, fmt.Sprintf("place-%d", l.made))
	p := place{data: filepath.Join(root, "data"), work: filepath.Join(root, "work")}
	for _, dir := range []string{p.work, filepath.Join(root, "home")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return p, fmt.Errorf("make a place: %w", err)
		}
	}
	return p, nil
}

// env is all that the measured program knows of its surroundings.
func (l *Lab) env(p place) []string {
	home := filepath.Join(filepath.Dir(p.data), "home")
	return append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + home, "USERPROFILE=" + home, "MIX_CONFIG_DIR=" + filepath.Join(home, "config"),
		"TMPDIR=" + os.TempDir(),
	}, l.Model.Env()...)
}

// pick returns the first value, or the second where the lab is in a hurry.
func pick[T any](l *Lab, full, quick T) T {
	if l.Quick {
		return quick
	}
	return full
}
