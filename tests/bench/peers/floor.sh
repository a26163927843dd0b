# floor.sh - the least that a server can do, as a peer of the benchmarks: a
# relay without XMPP (../floor.c); see lib.sh.  It knows no accounts, and TLS
# from the first byte or not at all, as $tls says.
# shellcheck shell=sh disable=SC2034,SC2086,SC2154

floor_version() {
	echo
}

floor_start() {
	folder_new
	: >"$folder/log"
	with=
	if test "$tls" != none; then
		with="--cert $folder/cert.pem --key $folder/key.pem"
	fi
	"$BUILD/tests/bench/antiphon-floor" $with >"$folder/log" &
	pid=$!
	until grep -q port= "$folder/log"; do
		kill -0 "$pid" 2>/dev/null || return 1
		sleep 0.1
	done
	port=$(sed 's/.*port=\([0-9]*\).*/\1/' "$folder/log")
	port_direct=$port port_none=$port
}
