#!/bin/sh
# relay.sh - what a byte costs that the proxy for bytestreams passes on, beside
# Prosody: CPU ms of the server for a GiB; see relay.py for its options.  BUILD names
# the build tree.  Everything is in a network of its own.
set -eu
here=$(dirname "$0")
ANTIPHON_BUILD_DIR=$(cd "${BUILD:-$here/../../build}" && pwd)
export ANTIPHON_BUILD_DIR ANTIPHON_TEST_PATIENCE="${ANTIPHON_TEST_PATIENCE:-60}"
exec unshare -n sh -c 'ip link set lo up && exec python3 "$@"' relay \
	"$here/relay.py" "$@"
