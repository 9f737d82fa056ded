//go:build linux || darwin

package shell_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"github.com/mixagent/mix/internal/shell"
)

func preview(n int, spool string) func(*shell.Command) {
	return func(c *shell.Command) { c.Preview, c.SpoolDir = n, spool }
}

func TestShortOutputIsWhole(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "spool")
	want := strings.Repeat("ä", 300)
	res := run(t, t.Context(), "printf %s "+want, preview(300, dir))
	if res.Output != want || res.CutChars != 0 || res.SpoolPath != "" || res.TotalBytes != 600 {
		t.Errorf("%+v", res)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("a spool was made for nothing")
	}
}

func TestLongOutputKeepsHeadAndTail(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "spool")
	res := run(t, t.Context(), "seq 100000; printf ende", preview(0, dir))
	var whole strings.Builder
	for i := range 100000 {
		fmt.Fprintln(&whole, i+1)
	}
	whole.WriteString("ende")
	checkCut(t, res, whole.String(), shell.DefaultPreview)
	if !strings.Contains(res.Output, fmt.Sprintf("%d characters cut; all %d bytes are in %s ", res.CutChars, whole.Len(), res.SpoolPath)) {
		t.Errorf("the cut is not told:\n%s", res.Output[14_900:15_300])
	}
	for path, mode := range map[string]os.FileMode{dir: 0o700, res.SpoolPath: 0o600} {
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
}

// checkCut checks a result's output and spool against what was printed.
func checkCut(t interface{ Errorf(string, ...any) }, res shell.Result, whole string, limit int) {
	if n := utf8.RuneCountInString(res.Output); n > limit {
		t.Errorf("%d characters, over %d", n, limit)
	}
	head, rest, ok := strings.Cut(res.Output, "\n[... ")
	_, tail, ok2 := strings.Cut(rest, " ...]\n")
	if !ok || !ok2 || !strings.HasPrefix(whole, head) || !strings.HasSuffix(whole, tail) {
		t.Errorf("head %d, tail %d bytes are not those of the output", len(head), len(tail))
	}
	kept := utf8.RuneCountInString(head) + utf8.RuneCountInString(tail)
	if total := utf8.RuneCountInString(whole); kept+int(res.CutChars) != total {
		t.Errorf("kept %d, cut %d, of %d characters", kept, res.CutChars, total)
	}
	if utf8.RuneCountInString(head) != limit/2 {
		t.Errorf("head has %d characters, want %d", utf8.RuneCountInString(head), limit/2)
	}
	if spooled, err := os.ReadFile(res.SpoolPath); err != nil || string(spooled) != whole {
		t.Errorf("spool has %d bytes of %d, %v", len(spooled), len(whole), err)
	}
}

func TestAnyOutputIsCutWell(t *testing.T) {
	t.Parallel()
	spool := t.TempDir()
	file := filepath.Join(t.TempDir(), "text")
	rapid.Check(t, func(t *rapid.T) {
		unit := rapid.StringOfN(rapid.Rune().Filter(func(r rune) bool { return r > 0 && r != utf8.RuneError }), 1, 20, -1).Draw(t, "unit")
		n := rapid.IntRange(0, 3000/utf8.RuneCountInString(unit)).Draw(t, "repeats")
		limit := rapid.IntRange(shell.MinPreview, 1500).Draw(t, "limit")
		block := rapid.IntRange(5, 700).Draw(t, "block")
		whole := strings.Repeat(unit, n)
		if strings.Contains(whole, "[... ") {
			t.Skip("looks like the notice")
		}
		if err := os.WriteFile(file, []byte(whole), 0o600); err != nil {
			t.Fatal(err)
		}
		res, err := shell.Run(t.Context(), shell.Command{
			Line: fmt.Sprintf("dd status=none bs=%d <%s", block, file), Env: os.Environ(),
			Preview: limit, SpoolDir: spool,
		})
		if err != nil {
			t.Fatal(err)
		}
		if utf8.RuneCountInString(whole) <= limit {
			if res.Output != whole || res.CutChars != 0 || res.SpoolPath != "" {
				t.Errorf("%+v", res)
			}
			return
		}
		checkCut(t, res, whole, limit)
	})
}

func TestBinaryOutput(t *testing.T) {
	t.Parallel()
	for printf, want := range map[string]string{
		`a\0b`:                           "a\uFFFDb",
		`\377\376x`:                      "\uFFFD\uFFFDx",
		`end \342\202`:                   "end \uFFFD\uFFFD",
		`\355\240\200`:                   "\uFFFD\uFFFD\uFFFD", // a surrogate half
		`\360\237\230\200 \033[1m \303x`: "😀 \033[1m \uFFFDx",
	} {
		res := run(t, t.Context(), "printf '"+printf+"'")
		if res.Output != want {
			t.Errorf("%s: %q, want %q", printf, res.Output, want)
		}
	}
	// A character whose bytes come one at a time stays whole, live too.
	var live strings.Builder
	res := run(t, t.Context(), `for b in 360 237 230 200 303 251; do printf "\\$b"; sleep 0.02; done`, func(c *shell.Command) {
		c.OnOutput = func(chunk string) {
			if !utf8.ValidString(chunk) {
				t.Errorf("chunk %q", chunk)
			}
			live.WriteString(chunk)
		}
	})
	if res.Output != "😀é" || live.String() != "😀é" {
		t.Errorf("%q, live %q", res.Output, live.String())
	}
	dir := t.TempDir()
	res = run(t, t.Context(), "head -c 100000 /dev/zero", preview(1000, dir))
	if spooled, err := os.ReadFile(res.SpoolPath); err != nil || !bytes.Equal(spooled, make([]byte, 100000)) {
		t.Errorf("the spool does not hold the bytes as printed: %d, %v", len(spooled), err)
	}
}

func TestSpoolFailureIsTold(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	res := run(t, t.Context(), "seq 10000; exit 4", preview(1000, filepath.Join(file, "spool")))
	if res.ExitCode != 4 || res.SpoolErr == nil || res.SpoolPath != "" || !strings.Contains(res.Output, "could not be kept") {
		t.Errorf("%+v", res)
	}
	res = run(t, t.Context(), "seq 10000", preview(1000, ""))
	if res.SpoolErr != nil || res.SpoolPath != "" || !strings.Contains(res.Output, " characters cut ...]") {
		t.Errorf("%+v", res)
	}
}

// hugeLine prints n MiB in which each 16 bytes tell where they stand.
func hugeLine(mib int) string { return fmt.Sprintf("%s=rows:%d %s", actMode, mib<<16, os.Args[0]) }

// TestHugeOutput is not parallel: it counts what the whole program allocates.
func TestHugeOutput(t *testing.T) {
	dir := t.TempDir()
	const mib = 104
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	res := run(t, t.Context(), hugeLine(mib), preview(0, dir), func(c *shell.Command) {
		c.OnOutput = func(string) {}
	})
	runtime.ReadMemStats(&after)
	if allocated := after.TotalAlloc - before.TotalAlloc; allocated > 16<<20 {
		t.Errorf("%d MiB of output made Run allocate %d MiB", mib, allocated>>20)
	}
	if res.TotalBytes != mib<<20 || res.ExitCode != 0 {
		t.Errorf("%d bytes, code %d", res.TotalBytes, res.ExitCode)
	}
	if !strings.Contains(res.Output, "the first and the last 50 MiB") {
		t.Errorf("not told what is in the spool:\n%s", res.Output[14_900:15_300])
	}
	spooled, err := os.ReadFile(res.SpoolPath)
	if err != nil {
		t.Fatal(err)
	}
	notice := fmt.Sprintf("\n[... %d bytes were not kept ...]\n", (mib-100)<<20)
	if len(spooled) != 100<<20+len(notice) {
		t.Fatalf("spool has %d bytes", len(spooled))
	}
	const half = 50 << 20
	if got := string(spooled[half : half+len(notice)]); got != notice {
		t.Errorf("between the halves stands %q", got)
	}
	checkRows(t, spooled[:half], 0)
	checkRows(t, spooled[half+len(notice):], (mib-50)<<16)
	if files, err := os.ReadDir(dir); err != nil || len(files) != 1 {
		t.Errorf("spool directory: %v, %v", files, err)
	}
}

func checkRows(t *testing.T, rows []byte, first int) {
	t.Helper()
	for i := 0; i < len(rows); i += 16 {
		n := 0
		for _, digit := range rows[i : i+15] {
			n = n*10 + int(digit-'0')
		}
		if n != first+i/16 || rows[i+15] != '\n' {
			t.Fatalf("at %d stands %q", i, rows[i:i+16])
		}
	}
}

func TestSpoolOfLessThanBothHalves(t *testing.T) {
	t.Parallel()
	res := run(t, t.Context(), hugeLine(51), preview(0, t.TempDir()))
	spooled, err := os.ReadFile(res.SpoolPath)
	if err != nil || len(spooled) != 51<<20 {
		t.Fatalf("%d bytes, %v", len(spooled), err)
	}
	checkRows(t, spooled, 0)
}

func TestEndlessOutputCanBeCancelled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	res := run(t, ctx, "yes", preview(2000, ""), func(c *shell.Command) { c.OnOutput = func(string) { cancel() } })
	if !res.Cancelled || res.Survivors != 0 || !strings.HasSuffix(res.Output, "y\ny\n") {
		t.Errorf("%+v", res)
	}
}

func TestLiveOutput(t *testing.T) {
	t.Parallel()
	var chunks []string
	res := run(t, t.Context(), "echo one; sleep 0.3; echo two", func(c *shell.Command) {
		c.OnOutput = func(chunk string) { chunks = append(chunks, chunk) }
	})
	if len(chunks) < 2 || strings.Join(chunks, "") != res.Output || chunks[0] != "one\n" {
		t.Errorf("%q", chunks)
	}
}

func TestLiveOutputIsBounded(t *testing.T) {
	t.Parallel()
	var calls, running, shown, skipped atomic.Int64
	var returned atomic.Bool
	res := run(t, t.Context(), "timeout 0.5 yes äöü; echo end", func(c *shell.Command) {
		c.OnOutput = func(chunk string) {
			if running.Add(1) != 1 || returned.Load() {
				t.Error("calls overlap, or come after the end")
			}
			defer running.Add(-1)
			calls.Add(1)
			if rest, ok := strings.CutPrefix(chunk, "\n[... "); ok {
				var n int64
				if _, err := fmt.Sscanf(rest, "%d bytes not shown", &n); err != nil {
					t.Error(err)
				}
				skipped.Add(n)
				_, chunk, _ = strings.Cut(chunk, " ...]\n")
			}
			if len(chunk) > 4<<10 || !utf8.ValidString(chunk) {
				t.Errorf("a chunk of %d bytes, valid: %v", len(chunk), utf8.ValidString(chunk))
			}
			shown.Add(int64(len(chunk)))
		}
	})
	returned.Store(true)
	if most := int64(res.End.Sub(res.Start)/(100*time.Millisecond)) + 2; calls.Load() > most {
		t.Errorf("%d calls, at most %d fit", calls.Load(), most)
	}
	if skipped.Load() == 0 || shown.Load()+skipped.Load() != res.TotalBytes {
		t.Errorf("%d shown, %d skipped, of %d", shown.Load(), skipped.Load(), res.TotalBytes)
	}
}

func TestSlowReceiverDoesNotSlowTheCommand(t *testing.T) {
	t.Parallel()
	// The first call waits for what the command does after 10 MB of output.
	path := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	fifo, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer fifo.Close()
	if err := fifo.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	calls := 0
	run(t, t.Context(), "echo begin; head -c 10000000 /dev/zero; echo >"+path, func(c *shell.Command) {
		c.OnOutput = func(string) {
			if calls++; calls > 1 {
				return
			}
			if _, err := fifo.Read(make([]byte, 1)); err != nil {
				t.Errorf("the command waits for the receiver of its output: %v", err)
			}
		}
	})
}

func BenchmarkOneGiB(b *testing.B) {
	dir := b.TempDir()
	b.SetBytes(1 << 30)
	for b.Loop() {
		res := run(b, b.Context(), "head -c 1073741824 /dev/zero | tr '\\0' x", preview(0, dir))
		if res.TotalBytes != 1<<30 {
			b.Fatalf("%d bytes", res.TotalBytes)
		}
	}
	b.StopTimer()
	b.ReportMetric(maxRSS(b), "MiB-RSS")
}

func maxRSS(b *testing.B) float64 {
	f, err := os.Open("/proc/self/status")
	if err != nil {
		b.Skip(err)
	}
	defer f.Close()
	text, err := io.ReadAll(f)
	if err != nil {
		b.Fatal(err)
	}
	var kib float64
	_, rest, _ := strings.Cut(string(text), "VmHWM:")
	if _, err := fmt.Sscanf(rest, "%f", &kib); err != nil {
		b.Fatal(err)
	}
	return kib / 1024
}
