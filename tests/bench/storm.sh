#!/bin/sh
# storm.sh - memory after storms: all clients log in, and out again at once,
# several times over; when the server is idle again it must hold no more than 10
# percent more than before the first storm.  With TLS and without.
#
# BUILD names the build tree.  CLIENTS (18000) come in each of STORMS (3), as
# many as files may be open; SHARDS (2) are the server's.
# shellcheck disable=SC2154 # set by lib.sh
set -eu
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"

clients=${CLIENTS:-18000}
storms=${STORMS:-3}
shards=${SHARDS:-2}
failed=0

# A figure of the server.
stat() {
	"$BUILD/antiphonctl" --socket "$folder/control" stats |
		awk -v name="$1" '$1 == name { print $2 }'
}

pss_kib() {
	awk '/^Pss:/ { print $2 }' "/proc/$pid/smaps_rollup"
}

# Until nobody is in memory any more, and five seconds long nothing is given
# back; prints the KiB.
idle_kib() {
	for _ in $(seq 120); do
		test "$(stat entities)" != 0 || break
		sleep 1
	done
	test "$(stat entities)" = 0 || die "accounts stay in memory"
	least=$(pss_kib)
	since=0
	for _ in $(seq 120); do
		sleep 1
		now=$(pss_kib)
		since=$((since + 1))
		if test "$now" -lt "$least"; then least=$now since=0; fi
		if test "$since" = 5; then break; fi
	done
	echo "$least"
}

storm() {
	"$bench" login --clients "$1" --window 100 --pid "$pid" \
		--port "$port" --tls "$tls" >/dev/null ||
		die "not all could log in"
}

for tls in none starttls; do
	server_start "$shards" "$clients"
	# accounts without sessions leave at once, not after a minute
	sed -i 's/^limits:$/&\n  account_idle: 1s/' "$folder/antiphond.yml"
	server_restart
	eval "port=\$port_$tls"
	storm 100
	before=$(idle_kib)
	for number in $(seq "$storms"); do
		storm "$clients"
		at_once=$(pss_kib)
		after=$(idle_kib)
		more=$(((after - before) * 100 / before))
		echo "mode=storm tls=$tls clients=$clients storm=$number" \
			"before_kib=$before at_once_kib=$at_once" \
			"idle_kib=$after more_percent=$more"
		if test "$more" -gt 10; then failed=1; fi
	done
	server_stop || failed=1
	rm -rf "$folder"
	folder=
done
exit $failed
