#!/bin/sh
# soak.sh [--minutes N] - many sessions that come, chat, and go, on four
# shards; every message must arrive once and in order, and the server must
# neither leak nor trip a sanitizer.  For a build tree (BUILD) that was
# configured with --enable-sanitizers=address,undefined, then one with thread.
#
# SOAK_SECONDS instead of minutes (default 60), SOAK_CLIENTS (2000),
# SOAK_PACE (milliseconds between two actions of one client: 1000).
set -eu
. "$(dirname "$0")/lib.sh"

seconds=${SOAK_SECONDS:-60}
if test "${1:-}" = --minutes; then seconds=$(($2 * 60)); fi
clients=${SOAK_CLIENTS:-2000}

export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0:exitcode=99
export TSAN_OPTIONS=halt_on_error=0:exitcode=99
export UBSAN_OPTIONS=print_stacktrace=1

failed=0
# accounts are read again, with their contacts and what waits for them
server_limits='account_idle: 1s'
server_start 4 "$clients"
"$bench" soak --pid "$pid" --port "$port_starttls" --clients "$clients" \
	--seconds "$seconds" --pace "${SOAK_PACE:-1000}" --window 50 \
	--patience 120 || failed=1
server_stop || failed=1
if grep -E 'Sanitizer|runtime error:|Assertion' "$folder/log" >/dev/null; then
	failed=1
fi
if test $failed != 0; then
	echo "soak.sh: failed; the server's log:" >&2
	grep -v -E "^[^ ]+ info " "$folder/log" | head -n 300 >&2
fi
exit $failed
