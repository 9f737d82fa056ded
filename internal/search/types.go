package search

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// fileType is a set of file names.
type fileType struct {
	exts  []string // with the dot
	names []string // globs of whole names
}

func (t *fileType) matches(name string) bool {
	if slices.Contains(t.exts, path.Ext(name)) {
		return true
	}
	for _, n := range t.names {
		if ok, _ := path.Match(n, name); ok {
			return true
		}
	}
	return false
}

// typeTable lists the file types, one a line: names that mean the same (as in
// ripgrep where it has them), a colon, then extensions (with a dot) and globs
// of whole names.
const typeTable = `
asm: .asm .s .S
avro: .avdl .avpr .avsc
awk: .awk
bazel: .bazel .bzl BUILD WORKSPACE MODULE.bazel
c: .c .h .H
clojure clj: .clj .cljc .cljs .cljx .edn
cmake: .cmake CMakeLists.txt
config: .cfg .conf .config .ini
cpp c++: .cpp .cc .cxx .c++ .C .h .hpp .hh .hxx .h++ .H .inl
cs csharp: .cs
css: .css .scss
csv: .csv .tsv
cuda: .cu .cuh
d: .d
dart: .dart
diff: .diff .patch
docker dockerfile: .dockerfile Dockerfile* Containerfile* .dockerignore
elixir ex: .ex .exs .eex .heex .leex .livemd
elm: .elm
erlang erl: .erl .hrl
fish: .fish
fortran: .f .F .f77 .F77 .f90 .F90 .f95 .F95
fsharp fs: .fs .fsx .fsi
go: .go
gomod: go.mod go.sum go.work
gradle: .gradle .gradle.kts
graphql: .graphql .graphqls .gql
groovy: .groovy .gradle
h: .h .hh .hpp
haskell hs: .hs .lhs .cabal
html: .html .htm .ejs .xhtml
java: .java .jsp .jspx .properties
jinja: .j2 .jinja .jinja2
js javascript: .js .jsx .mjs .cjs .vue
json: .json .jsonc .jsonl .json5 .ipynb
julia jl: .jl
kotlin kt: .kt .kts
less: .less
lisp: .el .lisp .lsp .sc .scm .jl
lock: *.lock package-lock.json pnpm-lock.yaml go.sum npm-shrinkwrap.json
log: .log
lua: .lua
make: .mk .mak Makefile* makefile* GNUmakefile* *.make
markdown md: .md .mdx .markdown .mdown .mkd .mkdn
matlab: .m
nim: .nim .nimf .nimble .nims
nix: .nix
objc: .m .h
objcpp: .mm .h
ocaml ml: .ml .mli .mll .mly
org: .org
perl: .pl .pm .t .PL .plx .perl
php: .php .php3 .php4 .php5 .php7 .php8 .phtml .pht
proto protobuf: .proto
ps powershell: .ps1 .psm1 .psd1 .cdxml .ps1xml
purs: .purs
py python: .py .pyi
r: .r .R .Rmd .Rnw
rst: .rst
ruby rb: .rb .gemspec .ru .rake Gemfile Rakefile .irbrc config.ru
rust rs: .rs
sass: .sass .scss
scala: .scala .sbt
sh shell bash: .sh .bash .zsh .ksh .csh .tcsh .bashrc .zshrc .profile .bash_profile .zprofile
solidity sol: .sol
sql: .sql .psql
svelte: .svelte
swift: .swift
tcl: .tcl
terraform tf: .tf .tfvars .tf.json .hcl
tex: .tex .ltx .cls .sty .bib
toml: .toml Cargo.lock
ts typescript: .ts .tsx .mts .cts
txt: .txt
typst: .typ
vim: .vim .vimrc .gvimrc
vue: .vue
wasm wat: .wat .wast
xml: .xml .xsd .xsl .xslt .rng .dtd
yaml yml: .yaml .yml
zig: .zig
`

// typeNamed returns the file type with a name of the table. jsx and tsx are
// what people say for parts of js and ts.
func typeNamed(name string) (*fileType, error) {
	want := strings.ToLower(strings.TrimPrefix(strings.TrimSpace(name), "."))
	var known []string
	for line := range strings.SplitSeq(strings.TrimSpace(typeTable), "\n") {
		names, patterns, _ := strings.Cut(line, ":")
		aliases := strings.Fields(names)
		known = append(known, aliases[0])
		if slices.Contains(aliases, want) {
			return parseType(patterns), nil
		}
	}
	// Not a name but perhaps an extension of exactly what is wanted: "tsx".
	if strings.Contains(strings.ReplaceAll(typeTable, "\n", " "), " ."+want+" ") && want != "" {
		return &fileType{exts: []string{"." + want}}, nil
	}
	return nil, fmt.Errorf("unknown file type %q: use a glob such as \"*.%s\", or one of %s", name, want, strings.Join(known, ", "))
}

func parseType(patterns string) *fileType {
	t := &fileType{}
	for _, p := range strings.Fields(patterns) {
		if p[0] == '.' && strings.Count(p, ".") == 1 {
			t.exts = append(t.exts, p)
			continue
		}
		if p[0] == '.' {
			p = "*" + p
		}
		t.names = append(t.names, p)
	}
	return t
}
