#!/bin/sh
# archive.sh - what the archive costs a message, which is on disk on both sides
# before anybody sees it: CPU of the server, messages in a commit, and how long a
# message is on its way, with the archive and without.  The database lies in
# TMPDIR, which has to be a real disk.  BUILD names the build tree; SHARDS (1);
# CLIENTS (200), half of which send; COUNT (500) messages of each.
# shellcheck disable=SC2034,SC2154 # set by lib.sh, or for it
set -eu
. "$(dirname "$0")/lib.sh"

clients=${CLIENTS:-200}
count=${COUNT:-500}


# measure ARCHIVE WHAT OPTION...
measure() {
	server_archive=$1 what=$2
	shift 2
	server_start "${SHARDS:-1}" "$clients"
	printf 'archive=%s ' "$what"
	"$bench" "$@" --clients "$clients" --tls none --port "$port_none" \
		--pid "$pid"
	"$BUILD/antiphonctl" --socket "$folder/control" stats |
		grep -E '^store_(commits|batch_mean|commit_us_mean)'
	server_stop || die "the server did not end well"
	rm -rf "$folder"
	folder=
}

on='{ stranger_bytes: 1TiB }'
for window in 1 2 20; do
	set -- chat --one-way --window $window --count "$count"
	measure no off "$@"
	measure "$on" on "$@"
done
# how long a message is on its way, at a rate that both can carry
set -- open --rate "${RATE:-500}" --seconds 10
measure no off "$@"
measure "$on" on "$@"
