#!/bin/sh
# shards.sh - what a message costs with one shard and with four, in turns, and
# the medians: in an open loop, where most messages come alone, and in closed
# ones, where there is always work.  BUILD names the build tree; ROUNDS (5) is
# how often.
#
# waits counts how often a thread of the server went to sleep, for each message:
# a message between two shards wakes two threads where one shard wakes one, and
# on a machine that has little to do else, that is what it costs.
# shellcheck disable=SC2154 # set by lib.sh
set -eu
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"

rounds=${ROUNDS:-5}
results=$(mktemp)
trap 'rm -f "$results"; cleanup' EXIT

waits() {
	cat "/proc/$pid/task/"*/status |
		awk '/^voluntary_ctxt_switches/ { n += $2 } END { print n }'
}

# measure SHARDS TLS NAME MODE OPTION...
measure() {
	shards=$1 tls=$2 name=$3
	shift 3
	server_start "$shards" 1000
	eval "port=\$port_$tls"
	before=$(waits)
	line=$("$bench" "$@" --pid "$pid" --port "$port" --tls "$tls") ||
		die "the load was not carried: $line"
	after=$(waits)
	server_stop || die "the server did not end well"
	rm -rf "$folder"
	folder=
	echo "$line" | awk -v RS=' ' -v name="$name" -v tls="$tls" \
		-v shards="$shards" -v waits=$((after - before)) '
		BEGIN { FS = "=" }
		{ v[$1] = $2 }
		END { print name, tls, shards, v["server_cpu_ms_per_1000"],
			waits / v["n"] }' >>"$results"
}

# median NAME TLS SHARDS COLUMN
median() {
	awk -v name="$1" -v tls="$2" -v shards="$3" -v column="$4" \
		'$1 == name && $2 == tls && $3 == shards { print $column }' \
		"$results" | sort -n |
		awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}

names='open_2000 open_10000 chat_100x2 chat_500x8'
for round in $(seq "$rounds"); do
	echo "round $round of $rounds" >&2
	for tls in none starttls; do
		for shards in 1 4; do
			measure "$shards" "$tls" open_2000 open --clients 200 \
				--rate 2000 --seconds 4
			measure "$shards" "$tls" open_10000 open --clients 200 \
				--rate 10000 --seconds 2
			measure "$shards" "$tls" chat_100x2 chat --clients 200 \
				--window 2 --count 200
			measure "$shards" "$tls" chat_500x8 chat --clients 1000 \
				--window 8 --count 80
		done
	done
done

for name in $names; do
	for tls in none starttls; do
		awk -v name="$name" -v tls="$tls" \
			-v one="$(median "$name" "$tls" 1 4)" \
			-v four="$(median "$name" "$tls" 4 4)" \
			-v few="$(median "$name" "$tls" 1 5)" \
			-v many="$(median "$name" "$tls" 4 5)" '
			BEGIN { printf "load=%s tls=%s one_shard_ms_per_1000=%.2f four_shards_ms_per_1000=%.2f growth=%+.1f%% one_shard_waits=%.2f four_shards_waits=%.2f\n",
				name, tls, one, four, 100 * (four / one - 1),
				few, many }'
	done
done
