package search_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mixagent/mix/internal/search"
)

// The benchmarks search Go's own source, about 11,000 files, and, where
// ripgrep is installed, let it do the same with as many threads as there are
// processors. Compare "mix" and "rg" of one name:
//
//	go test -bench . -run '^$' ./internal/search
var grepBenchmarks = []struct {
	name    string
	options search.GrepOptions
	rg      []string
}{
	{"literal/rare", search.GrepOptions{Pattern: "ErrNotSupported"}, []string{"-l"}},
	{"literal/ignore-case", search.GrepOptions{Pattern: "errnotsupported", IgnoreCase: true}, []string{"-l", "-i"}},
	{"literal/alternation", search.GrepOptions{Pattern: "TODO|FIXME|XXX"}, []string{"-l"}},
	{"literal/everywhere-count", search.GrepOptions{Pattern: "func", Output: search.OutputCount}, []string{"-c"}},
	{"literal/regexp", search.GrepOptions{Pattern: `func (Read|Write)\w+\(`, Output: search.OutputContent, Limit: 1 << 20}, []string{"-n"}},
	{"literal/method", search.GrepOptions{Pattern: `func \(\w+ \*\w+\) Close\(`, Output: search.OutputContent, Limit: 1 << 20}, []string{"-n"}},
	{"literal/suffix", search.GrepOptions{Pattern: `[A-Z][a-z]+[0-9]Error`, Output: search.OutputCount}, []string{"-c"}},
	{"none/classes", search.GrepOptions{Pattern: `[a-z]{3}[0-9]{3}[a-z]`, Output: search.OutputCount}, []string{"-c"}},
	{"none/words", search.GrepOptions{Pattern: `^\s*\w+\s+\w+\s*$`, Output: search.OutputCount}, []string{"-c"}},
}

func goSource(b *testing.B) string {
	b.Helper()
	out, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		b.Skipf("no Go source tree: %v", err)
	}
	return filepath.Join(strings.TrimSpace(string(out)), "src")
}

func BenchmarkGrep(b *testing.B) {
	dir := goSource(b)
	for _, bench := range grepBenchmarks {
		b.Run(bench.name+"/mix", func(b *testing.B) {
			o := bench.options
			o.Root = dir
			for b.Loop() {
				if _, err := search.Grep(context.Background(), o); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(bench.name+"/rg", func(b *testing.B) {
			benchmarkRipgrep(b, dir, append(bench.rg, "--", bench.options.Pattern, ".")...)
		})
	}
}

func BenchmarkGlob(b *testing.B) {
	dir := goSource(b)
	b.Run("mix", func(b *testing.B) {
		for b.Loop() {
			if _, err := search.Glob(context.Background(), search.GlobOptions{Tree: search.Tree{Root: dir}, Pattern: "**/*_test.go"}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("rg", func(b *testing.B) {
		benchmarkRipgrep(b, dir, "--files", "--sortr", "modified", "-g", "**/*_test.go", ".")
	})
}

func benchmarkRipgrep(b *testing.B, dir string, args ...string) {
	rg, err := exec.LookPath("rg")
	if err != nil {
		b.Skip("ripgrep is not installed")
	}
	for b.Loop() {
		cmd := exec.Command(rg, append([]string{"--no-config"}, args...)...)
		cmd.Dir = dir
		out, err := os.CreateTemp(b.TempDir(), "out")
		if err != nil {
			b.Fatal(err)
		}
		var errs strings.Builder
		cmd.Stdout, cmd.Stderr = out, &errs
		err = cmd.Run()
		_ = out.Close()
		if err != nil && errs.Len() > 0 {
			b.Fatal(err, errs.String())
		}
	}
}
