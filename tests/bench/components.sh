#!/bin/sh
# components.sh - what a message from one component to another costs, beside
# Prosody and ejabberd: CPU ms of the server per 1,000, and how many times ours that
# is.  BUILD names the build tree; COUNT (50000) messages, WINDOW (100) on their way
# at once, SHARDS (1).
# shellcheck disable=SC2034,SC2154 # set by lib.sh, or for it
set -eu
. "$(dirname "$0")/lib.sh"
for peer in lib prosody ejabberd; do
	# shellcheck source=tests/bench/peers/prosody.sh
	. "$top/tests/bench/peers/$peer.sh"
done

count=${COUNT:-50000} window=${WINDOW:-100}
accounts=1 contacts=0 tuned='' components=yes
stock=$(mktemp -d)
trap 'cleanup; rm -rf "$stock"' EXIT
if test "$(id -u)" = 0; then chmod 755 "$stock"; fi

measure() {
	python3 "$top/tests/bench/components.py" "$1" "$domain" "$count" \
		"$window" "$pid"
}

port_new
port_component=$port
server_listen="- { kind: component, port: $port }"
server_more="components:
  a.$domain: { secret: bench, stanzas_per_second: 1000000, bytes_per_second: 1GiB }
  b.$domain: { secret: bench, stanzas_per_second: 1000000, bytes_per_second: 1GiB }"
server_start "${SHARDS:-1}" 1
ours=$(measure "$port_component")
server_stop || die "the server did not end well"
rm -rf "$folder"
folder=
echo "antiphon $ours"

for peer in prosody ejabberd; do
	version=$("${peer}_version") || continue
	port_new
	port_component=$port
	port_new
	port_second=$port ports=$port_component
	test "$peer" != ejabberd || ports=$ports,$port_second
	"${peer}_start" || die "$peer did not start"
	port_await "$port_component" "${pid%%,*}"
	theirs=$(measure "$ports")
	peer_stop
	echo "$peer $version $theirs" "$ours" |
		awk '{ printf "%s %s %s, %.1f times\n", $1, $2, $3, $3 / $4 }'
done
