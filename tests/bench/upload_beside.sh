#!/bin/sh
# upload_beside.sh - what messages of others wait while files move over HTTP at full
# speed, beside the same without files, and beside files that nginx has; see
# upload_beside.py for its options.  BUILD names the build tree.  Everything is in a
# network of its own.
set -eu
here=$(dirname "$0")
ANTIPHON_BUILD_DIR=$(cd "${BUILD:-$here/../../build}" && pwd)
export ANTIPHON_BUILD_DIR ANTIPHON_TEST_PATIENCE="${ANTIPHON_TEST_PATIENCE:-60}"
exec unshare -n sh -c 'ip link set lo up && exec python3 "$@"' upload_beside \
	"$here/upload_beside.py" "$@"
