#!/bin/sh
# run.sh - every mode of antiphon-bench against a server of its own, with TLS
# and without, as one table.  BUILD names the build tree; SCALE (1) multiplies
# the number of clients; SHARDS (1) are the server's.
# shellcheck disable=SC2154 # set by lib.sh
set -eu
. "$(dirname "$0")/lib.sh"

scale=${SCALE:-1}
shards=${SHARDS:-1}

# measure ACCOUNTS TLS MODE OPTION...: a fresh server for each, so that no
# mode finds what another one has left.
measure() {
	accounts=$1 tls=$2
	shift 2
	server_start "$shards" "$accounts"
	eval "port=\$port_$tls"
	"$bench" "$@" --pid "$pid" --port "$port" --tls "$tls" || failed=1
	server_stop || failed=1
	rm -rf "$folder"
	folder=
}

failed=0
for tls in none starttls; do
	measure $((1000 * scale)) $tls login --clients $((1000 * scale))
	measure $((4000 * scale)) $tls idle --clients $((4000 * scale)) \
		--seconds 8
	measure 100 $tls ping --clients 100 --window 10 --count 1000
	measure 100 $tls chat --clients 100 --window 1 --count 1000
	measure 100 $tls chat --clients 100 --window 10 --count 2000
	measure 1000 $tls chat --clients 1000 --window 2 --count 100
	measure 880 $tls presence --clients 880 --contacts 10 --count 20
	measure 200 $tls offline --clients 200 --window 10 --count 50
done

# A contact's memory is what a session with 100 of them has more than one
# without; in a fresh process, because one that has made them is full of gaps.
server_start "$shards" 606
"$bench" roster --pid "$pid" --port "$port_none" --tls none --clients 303 \
	--contacts 100 || failed=1
server_restart
"$bench" idle --pid "$pid" --port "$port_none" --tls none --clients 303 \
	--seconds 8 || failed=1
server_stop || failed=1
exit $failed
