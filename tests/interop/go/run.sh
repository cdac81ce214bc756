#!/bin/sh
# Checks a log folder with Go's golang.org/x/mod/sumdb packages. Usage: run.sh LOG-FOLDER PROOFS-FOLDER
# Needs Go and golang.org/x/mod as Debian packages it: apt-get install golang-go golang-golang-x-mod-dev. Downloads nothing.
# Exit: 0 all checks hold, 1 one does not, 2 wrong call, 77 Go or the package is not there (skipped, with the reason).
set -eu
if [ $# -ne 2 ]; then
    echo "usage: run.sh LOG-FOLDER PROOFS-FOLDER" >&2
    exit 2
fi
here=$(cd "$(dirname "$0")" && pwd)
sources=${INTEROP_GOPATH:-/usr/share/gocode}
if ! command -v go >/dev/null 2>&1; then
    echo "skipped: go is not installed (apt-get install golang-go golang-golang-x-mod-dev)" >&2
    exit 77
fi
if [ ! -d "$sources/src/golang.org/x/mod/sumdb/tlog" ]; then
    echo "skipped: golang.org/x/mod is not below $sources (apt-get install golang-golang-x-mod-dev)" >&2
    exit 77
fi
build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT
GO111MODULE=off GOFLAGS= GOPATH="$sources" GOCACHE="$build/cache" go build -o "$build/interop" "$here/main.go"
"$build/interop" "$1" "$2"
