#!/bin/sh
# Installs the tools that work on this code, each at its pinned version, where
# `go install` puts programs. A tool that is there at that version is left
# alone; sqlc takes about five minutes to build the first time.
#
#   scripts/tools.sh          install
#   scripts/tools.sh --check  only report what is missing; exit 1 if anything is
set -eu

SQLC=v1.31.1
GOFUMPT=v0.12.0
STATICCHECK=v0.8.2

bin=$(go env GOBIN)
[ -n "$bin" ] || bin=$(go env GOPATH)/bin
missing=0

# tool NAME MODULE PACKAGE VERSION
tool() {
	have=$(go version -m "$bin/$1" 2>/dev/null | awk -v m="$2" '$1 == "mod" && $2 == m { print $3 }')
	if [ "$have" = "$4" ]; then
		return
	fi
	if [ "$check" = yes ]; then
		echo "$1 $4 is missing (found: ${have:-none}); run scripts/tools.sh" >&2
		missing=1
		return
	fi
	echo "installing $1 $4" >&2
	CGO_ENABLED=0 go install "$3@$4"
}

check=no
case "${1:-}" in
--check) check=yes ;;
'') ;;
*)
	echo "usage: scripts/tools.sh [--check]" >&2
	exit 2
	;;
esac

tool sqlc github.com/sqlc-dev/sqlc github.com/sqlc-dev/sqlc/cmd/sqlc "$SQLC"
tool gofumpt mvdan.cc/gofumpt mvdan.cc/gofumpt "$GOFUMPT"
tool staticcheck honnef.co/go/tools honnef.co/go/tools/cmd/staticcheck "$STATICCHECK"
exit "$missing"
