// Package shell runs command lines in the user's POSIX shell and stays in
// charge of every process that comes of them.
//
// A command gets a session of its own (setsid), /dev/null as standard input and
// one pipe for standard output and standard error, so that the two keep their
// order. Run returns when the shell has ended, not when the pipe closes: a
// grandchild that keeps the pipe open hangs nobody. Whatever the command left
// behind is given a moment to finish, then SIGTERM, then SIGKILL. Cancelling
// and time-outs go the same way, with everything gone within a second.
//
// # Whose process is it
//
// Process groups and sessions are left with setsid, parents with a double fork,
// the environment with env -i. None of these can say which of several commands
// a daemon belongs to. On Linux a command therefore carries a tag that is
// inherited by fork and exec and that an ordinary process cannot get rid of: a
// random number as its hard limit RLIMIT_LOCKS. The kernel has ignored that
// limit since 2.4.25, lets everybody lower a hard limit but only the privileged
// raise it, and tells it of zombies too. The tag is set while the new shell is
// stopped at its exec, so no descendant is born without it. Members of a command
// are the processes with its tag, those of the shell's session, those that were
// once seen as members, and the descendants of all of these.
//
// [Subreaper] makes the process the parent of orphans. Run waits for the
// orphans of its own command by process id and never for "any child", so it
// takes no exit status from anybody else in the program.
//
// To end a command, its members are first stopped (SIGSTOP) until a scan finds
// none running, so that none can fork away from the scan, and then killed. The
// same way ends a command with more processes than its limit. For users other
// than root a limit on the number of tasks (RLIMIT_NPROC) also bounds what a
// fork bomb can do between two looks at it.
//
// When this program is killed, the kernel kills the shells (PDEATHSIG); what
// these had started lives on. The tags of running commands are therefore noted in
// files, and [EndLeftovers] of the next program ends whoever still carries one.
//
// What this cannot reach: work that another service does on request (systemd-run,
// docker, at), processes that changed to another user (sudo), where Subreaper was
// not called a process that forks and ends without pause, and, on macOS,
// daemons that left the session between two looks at it, 50 ms apart. Windows
// uses a job object, which nothing leaves.
//
// # Output
//
// The result keeps the head and the tail of the output as valid UTF-8 without
// NULs, and says in between how much was cut. All of it, or its first and last
// 50 MiB, goes unchanged to a file. Memory is constant however much a command
// prints. Live output is a view: when a command prints faster than it may, the
// view skips, the result does not.
//
// # Environment
//
// [Environ] drops secrets and what makes programs run other programs. [GitSafe]
// switches off everything that a repository's configuration can make git run,
// for command lines that are treated as reads.
package shell
