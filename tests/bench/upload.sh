#!/bin/sh
# upload.sh - what a file costs that is sent to us over HTTP, and fetched, beside
# nginx, Prosody and ejabberd: CPU ms of the server for a GiB, and the memory that it
# takes meanwhile; see upload.py for its options.  BUILD names the build tree.
# Everything is in a network of its own.
set -eu
here=$(dirname "$0")
ANTIPHON_BUILD_DIR=$(cd "${BUILD:-$here/../../build}" && pwd)
export ANTIPHON_BUILD_DIR ANTIPHON_TEST_PATIENCE="${ANTIPHON_TEST_PATIENCE:-60}"
exec unshare -n sh -c 'ip link set lo up && exec python3 "$@"' upload \
	"$here/upload.py" "$@"
