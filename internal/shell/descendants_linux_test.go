package shell_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mixagent/mix/internal/shell"
)

// Ways for a process to get away from the shell that started it. Each line
// leaves one process that sleeps under the name given as %s, and returns.
var escapes = map[string]string{
	"background":                 `%s 300 &`,
	"nohup":                      `nohup %s 300 >/dev/null 2>&1 &`,
	"setsid":                     `setsid %s 300 &`,
	"double fork":                `(%s 300 &) ; (sh -c '%[1]s 300 & exit 0')`,
	"daemon":                     `setsid sh -c '%s 300 </dev/null >/dev/null 2>&1 & exit 0'`,
	"daemon without environment": `env -i /usr/bin/setsid /bin/sh -c '%s 300 </dev/null >/dev/null 2>&1 & exit 0'`,
	"two sessions away":          `setsid sh -c 'setsid sh -c "setsid %s 300 & exit 0" & exit 0'`,
	"deaf":                       `(trap "" TERM HUP INT; setsid %s 300) &`,
	"stopped":                    `setsid sh -c '%s 300 & kill -STOP $$' &`,
	"holds the pipe":             `setsid sh -c 'trap "" TERM; while :; do %s 300; done' & :`,
}

func TestNothingIsLeftBehind(t *testing.T) {
	t.Parallel()
	for name, escape := range escapes {
		for _, how := range []string{"ends", "is cancelled", "times out"} {
			if how == "times out" && name != "daemon" {
				continue // the same way as cancelling, and slow to wait for
			}
			t.Run(name+", shell "+how, func(t *testing.T) {
				t.Parallel()
				program := namedSleep(t)
				line := fmt.Sprintf(escape, program) + "\n" +
					// The escape has happened once the sleeping program runs.
					"until [ -e " + program + ".runs ]; do sleep 0.01; done; echo ready"
				var res shell.Result
				switch how {
				case "ends":
					res = run(t, t.Context(), line, func(c *shell.Command) { c.Timeout = time.Minute })
					if res.ExitCode != 0 || res.TimedOut {
						t.Errorf("%+v", res)
					}
				case "is cancelled":
					res = cancelled(t, line+"; sleep 300")
				case "times out":
					res = run(t, t.Context(), line+"; sleep 300", func(c *shell.Command) { c.Timeout = 2 * time.Second })
					if !res.TimedOut {
						t.Errorf("%+v", res)
					}
				}
				if !strings.Contains(res.Output, "ready\n") {
					t.Errorf("output %q", res.Output)
				}
				if res.Killed == 0 || res.Survivors != 0 {
					t.Errorf("killed %d, survivors %d", res.Killed, res.Survivors)
				}
				if left := running(t, program); len(left) > 0 {
					t.Errorf("left behind: %v", left)
				}
			})
		}
	}
}

// TestNothingIsLeftBehindByOthers runs some of these tests in a process to which
// no orphans come.
func TestNothingIsLeftBehindByOthers(t *testing.T) {
	t.Parallel()
	if os.Getenv(notParent) != "" {
		t.Skip("this is that process")
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestNothingIsLeftBehind$/daemon")
	cmd.Env = append(os.Environ(), notParent+"=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// namedSleep is a program that sleeps under a name that nobody else has, and
// makes a file NAME.runs when it begins.
func namedSleep(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sleeper")
	const script = "#!/bin/bash\n: >$0.runs\nexec -a $0 sleep $1\n"
	if err := os.WriteFile(path, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

// running lists the processes, zombies aside, whose command line has word in it.
func running(t *testing.T, word string) []string {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, file := range files {
		text, _ := os.ReadFile(file)
		if strings.Contains(string(text), word) && filepath.Base(filepath.Dir(file)) != strconv.Itoa(os.Getpid()) {
			found = append(found, strings.ReplaceAll(string(text), "\x00", " "))
		}
	}
	return found
}

func TestForkAndExitForever(t *testing.T) {
	t.Parallel()
	// A process that lives for a fraction of a millisecond and leaves a child
	// each time is somewhere else whenever one looks. It gives up after 10 s.
	word := "nobody-else-" + strconv.Itoa(os.Getpid())
	hop := `setsid bash -c 'hop() { [ $SECONDS -lt 10 ] || exit; hop & exit; }; hop' ` + word + ` </dev/null >/dev/null 2>&1 & sleep 0.1; echo ready`
	for _, res := range []shell.Result{
		run(t, t.Context(), hop, func(c *shell.Command) { c.Timeout = time.Minute }),
		cancelled(t, hop+"; sleep 300"),
	} {
		if res.Killed == 0 || res.Survivors != 0 || res.Output != "ready\n" {
			t.Errorf("%+v", res)
		}
	}
	if left := running(t, word); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestCommandsEndOnlyTheirOwn(t *testing.T) {
	t.Parallel()
	// Each command leaves its session with a daemon and waits for the next to
	// have come and gone; nobody may lose a daemon to another.
	const commands = 4
	dir := t.TempDir()
	var wg sync.WaitGroup
	for i := range commands {
		wg.Go(func() {
			mine, next := filepath.Join(dir, strconv.Itoa(i)), filepath.Join(dir, strconv.Itoa(i+1))
			line := fmt.Sprintf(`env -i /usr/bin/setsid /bin/sh -c 'while :; do date +%%N > %s.beat; sleep 0.02; done </dev/null >/dev/null 2>&1 & exit 0'
touch %[1]s
until [ -e %[2]s ]; do sleep 0.01; done
was=$(cat %[1]s.beat 2>/dev/null); until now=$(cat %[1]s.beat 2>/dev/null); [ -n "$now" ] && [ "$now" != "$was" ]; do sleep 0.01; done
touch %[1]s.done; until [ %[3]d = 0 ] || [ -e %[2]s.ended ]; do sleep 0.01; done
was=$(cat %[1]s.beat 2>/dev/null); until now=$(cat %[1]s.beat 2>/dev/null); [ -n "$now" ] && [ "$now" != "$was" ]; do sleep 0.01; done; echo beats`,
				mine, next, commands-1-i)
			if i == commands-1 {
				line = strings.Replace(line, "until [ -e "+next+" ]", "until true", 1)
			}
			res := run(t, t.Context(), line, func(c *shell.Command) { c.Timeout = time.Minute })
			if res.Output != "beats\n" || res.ExitCode != 0 || res.Killed == 0 {
				t.Errorf("command %d: %+v", i, res)
			}
			if err := os.WriteFile(mine+".ended", nil, 0o600); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if left := running(t, dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestOthersKeepTheirExitStatus(t *testing.T) {
	t.Parallel()
	// While commands come and go and leave orphans, a child that Run knows
	// nothing of ends; its status must be there for the one who started it.
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for ctx.Err() == nil {
				run(t, t.Context(), "(true &); (sleep 0.01 &); setsid true &")
			}
		})
	}
	for range 20 {
		p, err := os.StartProcess("/bin/sh", []string{"sh", "-c", "sleep 0.02; exit 42"}, &os.ProcAttr{})
		if err != nil {
			t.Fatal(err)
		}
		state, err := p.Wait()
		if err != nil || state.ExitCode() != 42 {
			t.Errorf("%v, %v", state, err)
		}
	}
	cancel()
	wg.Wait()
}

func TestOrphansLeaveNoZombies(t *testing.T) {
	t.Parallel()
	// The line prints its orphans' numbers; they end long before it does.
	res := run(t, t.Context(), "for i in 1 2 3 4 5; do sh -c 'sh -c \"echo \\$\\$; exit 0\" & exit 0'; done; sleep 1.5; for p in /proc/[0-9]*/stat; do read -r pid comm state ppid rest <$p && [ $state = Z ] && echo zombie $pid; done 2>/dev/null; true")
	var pids []string
	zombies := map[string]bool{}
	for line := range strings.Lines(res.Output) {
		line = strings.TrimSpace(line)
		if z, ok := strings.CutPrefix(line, "zombie "); ok {
			zombies[z] = true
		} else {
			pids = append(pids, line)
		}
	}
	if len(pids) != 5 {
		t.Fatalf("output %q", res.Output)
	}
	for _, pid := range pids {
		if zombies[pid] {
			t.Errorf("%s was a zombie while the command still ran", pid)
		}
		if stat, err := os.ReadFile("/proc/" + pid + "/stat"); err == nil && strings.Contains(string(stat), ") Z "+strconv.Itoa(os.Getpid())) {
			t.Errorf("left a zombie: %s", stat)
		}
	}
}

func TestShortLingering(t *testing.T) {
	t.Parallel()
	// The shell does not wait for a process substitution; its output counts.
	res := run(t, t.Context(), "echo text > >(sleep 0.03; cat; echo end)")
	if res.Output != "text\nend\n" || res.Killed != 0 {
		t.Errorf("%+v", res)
	}
}

func TestProcessLimit(t *testing.T) {
	t.Parallel()
	program := namedSleep(t)
	limit := func(n int) func(*shell.Command) {
		return func(c *shell.Command) { c.MaxProcs = n; c.Timeout = time.Minute }
	}
	res := run(t, t.Context(), "for i in $(seq 60); do "+program+" 300 & done; wait", limit(30))
	if !res.TooManyProcs || res.TimedOut || res.ExitCode != 137 || res.Killed < 30 || res.Survivors != 0 {
		t.Errorf("60 processes: %+v", res)
	}
	res = run(t, t.Context(), "for i in $(seq 20); do "+program+" 0.2 & done; wait; echo all", limit(30))
	if res.TooManyProcs || res.Output != "all\n" {
		t.Errorf("20 processes: %+v", res)
	}
	res = run(t, t.Context(), "for i in $(seq 60); do "+program+" 0.2 & done; wait; echo all", limit(-1))
	if res.TooManyProcs || res.Output != "all\n" {
		t.Errorf("no limit: %+v", res)
	}
	// A fork bomb of at most 2^8 leaves, each of which changes its session.
	bomb := `b() { [ $1 -gt 0 ] || exec ` + program + ` 300; b $(($1-1)) & b $(($1-1)) & wait; }; b 8`
	res = run(t, t.Context(), strings.ReplaceAll(bomb, "exec ", "exec setsid "), limit(60))
	if !res.TooManyProcs || res.Survivors != 0 {
		t.Errorf("fork bomb: %+v", res)
	}
	if left := running(t, program); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestTaskLimitIsSet(t *testing.T) {
	t.Parallel()
	n, err := strconv.Atoi(printed(t, "ulimit -Hu", func(c *shell.Command) { c.MaxProcs = 10 }))
	if err != nil || n < 40 {
		t.Errorf("limit %d, %v", n, err)
	}
}

func TestConfineIsForOneCommand(t *testing.T) {
	t.Parallel()
	const line = "grep NoNewPrivs /proc/self/status"
	confine := func(c *shell.Command) {
		c.Confine = func() error { return unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }
	}
	for range 20 {
		if got := printed(t, line, confine); got != "NoNewPrivs:\t1" {
			t.Errorf("confined: %q", got)
		}
		if got := printed(t, line); got != "NoNewPrivs:\t0" {
			t.Errorf("not confined: %q", got)
		}
	}
}

func TestDescendants(t *testing.T) {
	t.Parallel()
	var during, after []int
	res := run(t, t.Context(), `echo $$; sleep 300 & echo $!; setsid sh -c 'sleep 300 & echo $!'; sleep 0.2; echo; sleep 0.3`, func(c *shell.Command) {
		c.OnOutput = func(string) {
			pids, err := shell.Descendants()
			if err != nil {
				t.Error(err)
			}
			during = append(during, pids...)
		}
	})
	after, err := shell.Descendants()
	if err != nil {
		t.Error(err)
	}
	fields := strings.Fields(res.Output)
	if len(fields) != 3 {
		t.Fatalf("output %q", res.Output)
	}
	for _, field := range fields {
		pid, err := strconv.Atoi(field)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(during, pid) {
			t.Errorf("%d is not among %v", pid, during)
		}
		if slices.Contains(after, pid) {
			t.Errorf("%d is still among %v", pid, after)
		}
	}
}

func BenchmarkRunTrue(b *testing.B) {
	for b.Loop() {
		run(b, b.Context(), "true")
	}
}

// BenchmarkForkBomb is about how soon a tree that grows is gone.
func BenchmarkForkBomb(b *testing.B) {
	line := `b() { [ $1 -gt 0 ] || exec setsid sleep 300; b $(($1-1)) & b $(($1-1)) & wait; }; b 8`
	for b.Loop() {
		res := run(b, b.Context(), line, func(c *shell.Command) { c.MaxProcs = 60 })
		b.ReportMetric(float64(res.Killed), "killed")
		if !res.TooManyProcs || res.Survivors > 0 {
			b.Fatalf("%+v", res)
		}
	}
}

func BenchmarkDescendants(b *testing.B) {
	for b.Loop() {
		if _, err := shell.Descendants(); err != nil {
			b.Fatal(err)
		}
	}
}
