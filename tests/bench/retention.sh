#!/bin/sh
# retention.sh - does who deletes what is too old or too much hold up who writes?  A
# million messages in a thousand archives are due; beside that, messages come at a
# fixed rate, each on disk on both sides before it is seen.  In turn: nothing is due,
# age, the bytes of an account, the bytes of a host.
#
# BUILD names the build tree, RATES are messages a second (200 1000), for SECONDS_LONG
# (20) seconds, MESSAGES (1000000) are due; ON chooses of none, age, bytes, host.  The
# database lies in TMPDIR, which has to be a real disk, and is made anew for each.
# shellcheck disable=SC2034,SC2154 # set by lib.sh, or for it
set -eu
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"

domain=example.org # of what bench_log writes
messages=${MESSAGES:-1000000}
seconds=${SECONDS_LONG:-20}
filled=$(mktemp -d)
trap 'cleanup; rm -rf "$filled"' EXIT

left() {
	sqlite3 -readonly "$folder/data.sqlite" 'SELECT sum(n) FROM log'
}

ctl() {
	"$BUILD/antiphonctl" --socket "$folder/control" "$@"
}

# A server with a copy of what is due.
launch() {
	folder_new
	server_conf 1 >"$folder/antiphond.yml"
	server_modules
	cp "$filled"/bench_log.db "$folder/data.sqlite"
	sync
	: >"$folder/log"
	if test "$(id -u)" = 0; then chown -R nobody "$folder"; fi
	server_launch
	"$bench" accounts --clients 20 --domain "$domain" >"$folder/accounts"
	ctl adduser --batch "$folder/accounts" >/dev/null 2>&1
	# who says so much must not be a stranger
	"$bench" roster --clients 20 --contacts 1 --domain "$domain" --tls none \
		--port "$port_none" >/dev/null
}

load() { # what is due, messages a second
	before=$(left)
	"$bench" open --clients 20 --domain "$domain" --rate "$2" --warm 0 \
		--seconds "$seconds" --tls none --port "$port_none" \
		--pid "$pid" >"$folder/line"
	# each message is in two archives
	printf 'due=%s gone=%s %s\n' "$1" \
		"$((before + 2 * seconds * $2 - $(left)))" \
		"$(sed 's/.* seconds=/seconds=/; s/ generator.*//' "$folder/line")"
}

measure() { # what is due
	case $1 in
	none) server_archive='{ keep: never }' ;;
	age) server_archive='{ keep: 1h }' ;;
	bytes) server_archive='{ keep: never, max_bytes: 64KiB, stranger_bytes: 0 }' ;;
	host) server_archive='{ keep: never, host_bytes: 1MiB }' ;;
	esac
	launch
	# it begins a minute after the start
	test "$1" = none || sleep 62
	for rate in ${RATES:-200 1000}; do load "$1" "$rate"; done
	printf 'due=%s' "$1"
	ctl stats | awk '/^store_commits|^store_commit_us_(mean|p99|max)/ {
		printf " %s=%s", $1, $2 } END { print "" }'
	server_stop || die "the server did not end well"
	rm -rf "$folder"
	folder=
}

"$BUILD/tests/bench/bench_log" "$filled" "$messages" $((messages / 1000)) keep \
	>"$filled/log"
for due in ${ON:-none age bytes host}; do measure "$due"; done
