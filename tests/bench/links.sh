#!/bin/sh
# links.sh - what a stanza costs that goes to another server or comes from one,
# beside Prosody and ejabberd: CPU ms of the server for 1,000; see links.py for the
# modes, which may be named; or, with idle, the memory of so many idle links of ours
# (300).  BUILD names the build tree; COUNT (20000) stanzas, a fifth of that for
# others, WINDOW (100) on their way at once, REPEAT (1) times.
# Everything is in a network of its own.
set -eu
here=$(dirname "$0")
ANTIPHON_BUILD_DIR=$(cd "${BUILD:-$here/../../build}" && pwd)
export ANTIPHON_BUILD_DIR ANTIPHON_TEST_PATIENCE="${ANTIPHON_TEST_PATIENCE:-60}"
what=compare
test "${1:-}" != idle || { what=idle COUNT=${COUNT:-300} && shift; }
exec unshare -n sh -c 'ip link set lo up && exec python3 "$@"' links \
	"$here/links.py" $what "$@" --count "${COUNT:-20000}" \
	--window "${WINDOW:-100}" --repeat "${REPEAT:-1}"
