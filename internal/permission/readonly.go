package permission

import "strings"

// specOf is the table of commands that only read. With the options listed none
// of them can use the network, start a program or write a file.
func specOf(name string) (spec, bool) {
	switch name {
	case "basename", "dirname":
		return spec{flags: "az", valued: "s", args: argText}, true
	case "seq":
		return spec{flags: "w", valued: "s", args: argText, number: true}, true
	case "pwd":
		return spec{flags: "LP"}, true
	case "nproc", "whoami", "arch", "uptime", "hostname", "tty":
		return spec{}, true // hostname with a word would set it
	case "id", "groups":
		return spec{flags: "uGgnr", args: argText}, true
	case "uname":
		return spec{flags: "asnrvmpio", long: []string{"all"}}, true
	case "which", "type":
		return spec{flags: "a", args: argText}, true
	case "command":
		return spec{flags: "vV", args: argText}, true
	case "date":
		return spec{
			flags: "uR", valued: "d", attached: "I", args: argText, check: onlyFormats,
			long: []string{"utc", "universal", "iso-8601?", "rfc-3339=", "rfc-email", "date="},
		}, true
	case "tr":
		return spec{flags: "cCdst", args: argText, long: []string{"delete", "squeeze-repeats", "complement"}}, true
	}
	if s, ok := specOfReaders(name); ok {
		return s, true
	}
	return specOfSearch(name)
}

// onlyFormats: a word without "+" sets the clock.
func onlyFormats(o options) bool {
	for _, a := range o.args {
		if !strings.HasPrefix(a, "+") {
			return false
		}
	}
	return true
}

// specOfReaders holds the commands that show files and what is known of them.
func specOfReaders(name string) (spec, bool) {
	switch name {
	case "ls":
		return spec{
			flags: "aAbBcCdfFgGhiklmnNopqQrRsStuUvxXZ1", args: argPaths, tree: []string{"R", "recursive"},
			long: []string{
				"all", "almost-all", "human-readable", "reverse", "recursive", "size", "color?", "classify?", "directory",
				"group-directories-first", "full-time", "inode", "numeric-uid-gid", "time-style=", "sort=", "si", "no-group", "format=",
			},
		}, true
	case "cat", "tac", "rev":
		return spec{
			flags: "AbeEnstTuv", args: argPaths,
			long: []string{"show-all", "number", "number-nonblank", "show-ends", "show-tabs", "show-nonprinting", "squeeze-blank"},
		}, true
	case "head", "tail": // not -f, which never ends
		return spec{
			flags: "qvz", valued: "nc", number: true, args: argPaths,
			long: []string{"lines=", "bytes=", "quiet", "silent", "verbose"},
		}, true
	case "wc":
		return spec{flags: "clmLw", args: argPaths, long: []string{"bytes", "chars", "lines", "words", "max-line-length"}}, true
	case "file": // not -z, which starts decompressors
		return spec{flags: "bikN", args: argPaths, long: []string{"brief", "mime", "mime-type", "mime-encoding"}}, true
	case "stat":
		return spec{flags: "ft", valued: "c", args: argPaths, long: []string{"format=", "printf=", "terse", "file-system"}}, true
	case "readlink", "realpath":
		return spec{flags: "fenmqsz", args: argPaths}, true
	case "sha256sum", "sha1sum", "sha512sum", "md5sum", "cksum": // not -c, which reads the files that a file names
		return spec{flags: "bt", args: argPaths}, true
	case "cut":
		return spec{
			flags: "nsz", valued: "bcdf", args: argPaths,
			long: []string{"delimiter=", "fields=", "characters=", "bytes=", "only-delimited", "complement", "output-delimiter="},
		}, true
	case "df":
		return spec{flags: "ahHiklPT", args: argPaths, long: []string{"human-readable", "inodes", "local", "print-type", "total"}}, true
	case "du":
		return spec{
			flags: "abchkmsSx0", valued: "d", args: argPaths, tree: []string{"*"},
			long: []string{"all", "apparent-size", "bytes", "total", "human-readable", "summarize", "max-depth=", "one-file-system"},
		}, true
	case "tree": // not -l, which follows links
		return spec{
			flags: "adfipshDFugrtCn", valued: "LPI", args: argPaths, tree: []string{"*"},
			long: []string{"dirsfirst", "noreport", "gitignore", "prune", "du", "si"},
		}, true
	}
	return spec{}, false
}

// specOfSearch holds the commands that search, compare and sort.
func specOfSearch(name string) (spec, bool) {
	switch name {
	case "grep", "egrep", "fgrep": // not -R, which follows links; not -f
		return spec{
			flags: "abcEFGHhiIlLnoPqrsTUvVwxyzZ", valued: "ABCem", number: true, args: argPattern, tree: []string{"r", "recursive"},
			long: []string{
				"ignore-case", "no-ignore-case", "invert-match", "count", "line-number", "with-filename", "no-filename",
				"files-with-matches", "files-without-match", "only-matching", "quiet", "silent", "no-messages", "word-regexp",
				"line-regexp", "extended-regexp", "fixed-strings", "basic-regexp", "perl-regexp", "recursive", "null", "null-data",
				"text", "color?", "colour?", "initial-tab", "byte-offset", "line-buffered", "regexp=", "max-count=",
				"after-context=", "before-context=", "context=", "include=", "exclude=", "exclude-dir=", "label=", "binary-files=",
			},
		}, true
	case "rg": // not --pre, --hostname-bin and -z, which start programs; not -L; not -f
		return spec{
			flags: "abcFHIilNnopPqsSuUvVwx0.", valued: "ABCegmMtTjrdE", args: argPattern, tree: []string{"*"},
			long: []string{
				"ignore-case", "smart-case", "case-sensitive", "invert-match", "count", "count-matches", "line-number",
				"no-line-number", "with-filename", "no-filename", "files-with-matches", "files-without-match", "only-matching",
				"quiet", "word-regexp", "line-regexp", "fixed-strings", "pcre2", "text", "hidden", "no-ignore", "no-ignore-vcs",
				"no-heading", "heading", "column", "no-column", "json", "stats", "trim", "multiline", "multiline-dotall", "null",
				"files", "type-list", "unrestricted", "no-config", "no-messages", "byte-offset", "vimgrep", "pretty", "no-follow",
				"color=", "colors=", "regexp=", "glob=", "iglob=", "type=", "type-not=", "max-count=", "max-depth=", "max-columns=",
				"max-filesize=", "after-context=", "before-context=", "context=", "sort=", "sortr=", "threads=", "replace=", "encoding=",
				"glob-case-insensitive", "passthru", "one-file-system", "line-buffered",
			},
		}, true
	case "sort": // not -o, -T and --compress-program
		return spec{
			flags: "bcCdfghiMmnrsuVz", valued: "kt", args: argPaths,
			long: []string{
				"reverse", "numeric-sort", "unique", "ignore-case", "human-numeric-sort", "version-sort", "general-numeric-sort",
				"dictionary-order", "month-sort", "ignore-leading-blanks", "stable", "check?", "merge", "zero-terminated", "key=", "field-separator=",
			},
		}, true
	case "uniq": // its second file is written
		return spec{
			flags: "cdDiuz", valued: "fsw", args: argPaths, check: func(o options) bool { return len(o.args) <= 1 },
			long: []string{"count", "repeated", "unique", "ignore-case", "skip-fields=", "skip-chars=", "check-chars=", "zero-terminated"},
		}, true
	case "comm":
		return spec{flags: "123z", args: argPaths, long: []string{"check-order", "nocheck-order", "total"}}, true
	case "cmp":
		return spec{flags: "bls", args: argPaths, long: []string{"silent", "quiet", "verbose", "print-bytes"}}, true
	case "diff":
		return spec{
			flags: "abBcdeiNpqstTuwy", valued: "UCW", number: true, args: argPaths, files: true,
			long: []string{
				"unified?", "context?", "brief", "side-by-side", "ignore-all-space", "ignore-space-change", "ignore-blank-lines",
				"ignore-case", "color?", "new-file", "minimal", "text", "report-identical-files", "width=", "no-dereference",
			},
		}, true
	}
	return spec{}, false
}

// versionOnly reports a question for the version of a program, and nothing
// else. Programs that look at the project first, and may fetch the version
// that it asks for, are not listed.
func versionOnly(name string, args []string) bool {
	if len(args) != 1 {
		return false
	}
	switch name {
	case "node", "python", "python3", "ruby", "perl", "php", "gcc", "g++", "clang", "make", "cmake", "bash", "npm", "docker", "rg", "jq":
		return args[0] == "--version"
	case "java", "javac":
		return args[0] == "-version" || args[0] == "--version"
	}
	return false
}

// proveCd: going to a directory is a read of it.
func (r *shellReader) proveCd(p *part, args []string, cwd string) {
	if len(args) != 1 || strings.HasPrefix(args[0], "-") {
		p.not("it is not known which directory it goes to")
		return
	}
	r.readsPath(p, args[0], cwd, false)
}

// proveSed knows one use of sed: printing lines by number.
func (r *shellReader) proveSed(p *part, args []string, cwd string) {
	if len(args) < 2 || args[0] != "-n" || !lineRange(args[1]) {
		p.not("sed can write files and run commands")
		return
	}
	for _, a := range args[2:] {
		if strings.HasPrefix(a, "-") {
			p.not("the option " + a + " is not known to be safe")
			return
		}
		r.readsPath(p, a, cwd, false)
	}
}

// lineRange reports whether a sed script is "5p", "5,9p" or "5,$p".
func lineRange(s string) bool {
	s, ok := strings.CutSuffix(s, "p")
	from, to, two := strings.Cut(s, ",")
	return ok && isNumber(from) && (!two || to == "$" || isNumber(to))
}

// proveFind knows the tests of find that neither write nor run anything. The
// commands behind -exec are parts of their own.
func (r *shellReader) proveFind(p *part, args []string, cwd string) {
	i := 0
	for ; i < len(args) && !strings.HasPrefix(args[i], "-") && args[i] != "(" && args[i] != "!"; i++ {
		r.readsPath(p, args[i], cwd, true)
	}
	if i == 0 {
		r.readsPath(p, ".", cwd, true)
	}
	for ; i < len(args); i++ {
		switch args[i] {
		case "(", ")", "!", ",", "-a", "-and", "-o", "-or", "-not", "-print", "-print0", "-ls", "-prune", "-quit",
			"-empty", "-depth", "-xdev", "-mount", "-true", "-false", "-readable", "-writable", "-executable", "-nouser", "-nogroup":
		case "-name", "-iname", "-path", "-ipath", "-wholename", "-regex", "-iregex", "-regextype", "-type", "-maxdepth", "-mindepth",
			"-size", "-mtime", "-mmin", "-atime", "-amin", "-ctime", "-cmin", "-perm", "-user", "-group", "-links", "-printf", "-newermt":
			i++
		case "-newer", "-anewer", "-cnewer", "-samefile":
			if i++; i < len(args) {
				r.readsPath(p, args[i], cwd, false)
			}
		case "-exec", "-execdir":
			for i++; i < len(args) && args[i] != ";" && (args[i] != "+" || args[i-1] != "{}"); i++ {
				continue
			}
		default:
			p.not("the option " + args[i] + " of find is not known to be safe")
			return
		}
	}
}

// proveGo knows the questions that go answers without building anything.
func proveGo(p *part, args []string) {
	switch {
	case len(args) == 1 && args[0] == "version":
	case len(args) > 1 && args[0] == "env":
		for _, a := range args[1:] {
			if !plainGoVariable(a) {
				p.not("go env shows or changes more than where things are")
			}
		}
	default:
		p.not("go builds, runs or fetches")
	}
}

// plainGoVariable lists what go env may show; others can hold credentials.
func plainGoVariable(name string) bool {
	switch name {
	case "GOPATH", "GOROOT", "GOOS", "GOARCH", "GOVERSION", "GOMOD", "GOWORK", "GOCACHE", "GOMODCACHE", "GOBIN",
		"CGO_ENABLED", "GOTOOLCHAIN", "GOEXE", "GOHOSTOS", "GOHOSTARCH", "GOTOOLDIR", "-json":
		return true
	}
	return false
}
