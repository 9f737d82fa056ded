#!/usr/bin/env bash
# Writes docs/dependencies.txt: every module that is linked into the program
# (linux/amd64), and about how much of it. With --check it only compares.
set -euo pipefail
cd "$(dirname "$0")/.."
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
CGO_ENABLED=0 GOOS=linux GOARCH=amd64 go build -trimpath -o "$tmp/mix" ./cmd/mix
go version -m "$tmp/mix" | awk '$1 == "dep" { print $2, $3 }' | sort >"$tmp/modules"
go tool nm -size "$tmp/mix" | awk 'NF >= 4 { print $2, $4 }' >"$tmp/symbols"
{
	echo "# Modules linked into the program, and the size of their symbols in MB,"
	echo "# rounded to 0.1. Made by scripts/deps.sh."
	awk '
		NR == FNR { version[$1] = $2; next }
		{
			symbol = $2
			gsub(/%2e/, ".", symbol)
			best = ""
			for (m in version)
				if (index(symbol, m) == 1 && length(m) > length(best)) best = m
			if (best != "") size[best] += $1
		}
		END { for (m in version) printf "%-45s %-45s %6.1f\n", m, version[m], size[m] / 1e6 }
	' "$tmp/modules" "$tmp/symbols" | sort
} >"$tmp/dependencies.txt"
if [ "${1:-}" = --check ]; then
	diff -u docs/dependencies.txt "$tmp/dependencies.txt" || {
		echo "the dependencies changed: run scripts/deps.sh and look at the difference"
		exit 1
	}
	exit 0
fi
cp "$tmp/dependencies.txt" docs/dependencies.txt
