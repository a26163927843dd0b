#!/bin/sh
# links.sh - what a stanza costs that goes to another server or comes from one,
# beside Prosody and ejabberd: CPU ms of the server for 1,000; see links.py for the
# modes, which may be named.  BUILD names the build tree; COUNT (20000) stanzas, a
# fifth of that for others, WINDOW (100) on their way at once, REPEAT (1) times.
# Everything is in a network of its own.
set -eu
here=$(dirname "$0")
ANTIPHON_BUILD_DIR=$(cd "${BUILD:-$here/../../build}" && pwd)
export ANTIPHON_BUILD_DIR ANTIPHON_TEST_PATIENCE="${ANTIPHON_TEST_PATIENCE:-60}"
exec unshare -n sh -c 'ip link set lo up && exec python3 "$@"' links \
	"$here/links.py" compare "$@" --count "${COUNT:-20000}" \
	--window "${WINDOW:-100}" --repeat "${REPEAT:-1}"
