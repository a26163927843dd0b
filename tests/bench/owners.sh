#!/bin/sh
# owners.sh [SESSIONS] - who holds the memory of an idle session (500 of them):
# conn, TLS, parser and so on; without TLS, with TLS, without but with a roster of
# 20 contacts, and with TLS and stream management.  The kernel's part is not
# counted.
#
# valgrind's DHAT lists all blocks that are alive when the server is told to
# abort, with the functions that made them; the figures are the difference
# between a server with many sessions and one with few.  heap is with what malloc
# itself adds (glibc).  In use it is more by what fits nowhere: see the mode
# idle of antiphon-bench.
#
# BUILD names the build tree, which has to have symbols (-g).
# shellcheck disable=SC2154 # set by lib.sh
set -eu
here=$(dirname "$0")
. "$here/lib.sh"

command -v valgrind >/dev/null || die "valgrind is not installed"
sessions=${1:-500} few=30 contacts=20
work=$(mktemp -d)
chmod 777 "$work" # the server may have another user
trap 'cleanup; rm -rf "$work"' EXIT

# hold SESSIONS TLS CONTACTS [OPTION]: leaves a report in $work/report.
hold() {
	: >"$work/report"
	chmod 666 "$work/report"
	WRAP=
	server_start 1 "$1"
	if test "$3" != 0; then
		"$bench" contacts --clients "$1" --contacts "$3" --tls none \
			--port "$port_none" >"$work/bench" ||
			die "the contacts could not be made"
	fi
	WRAP="valgrind -q --vgdb=no --tool=dhat --num-callers=40
		--dhat-out-file=$work/report"
	server_restart
	eval "port=\$port_$2"
	"$bench" idle --clients "$1" --seconds 1 --window 1 --tls "$2" ${4:-} \
		--port "$port" --mark "kill -ABRT $pid" >"$work/bench" || {
		cat "$work/bench" >&2
		die "the run failed"
	}
	wait "$pid" 2>/dev/null || :
	pid=
	rm -rf "$folder"
	folder=
}

# owners TLS CONTACTS [OPTION]: lines as owners.awk prints them.
owners() {
	hold $few "$@"
	mv "$work/report" "$work/few"
	hold $((few + sessions)) "$@"
	awk -v sessions="$sessions" -f "$here/owners.awk" "$work/few" \
		"$work/report"
}

owners none 0 >"$work/none"
owners starttls 0 >"$work/tls"
owners none $contacts >"$work/roster"
owners starttls 0 --sm >"$work/sm"

# Caches and counters by address have bounds of their own: no session's.
awk -F '|' -v contacts=$contacts '
FNR == 1 { columns++ }
{
	bounded[$1] = $1 == "store" || $1 == "limits"
	for (i = 2; i <= 4; i++) {
		table[$1, columns, i] = $i
		if (!bounded[$1])
			table["a session", columns, i] += $i
	}
}
function row(name,    c, i) {
	printf "%-11s", name
	for (c = 1; c <= 4; c++)
		printf "  %7.0f %6.1f %7.0f", table[name, c, 2],
			table[name, c, 3], table[name, c, 4]
	printf "\n"
}
function contact(i) {
	return (table["a session", 3, i] - table["a session", 1, i]) / contacts
}
END {
	printf "%-11s  %22s  %22s  %22s  %22s\n", "", "no TLS", "TLS",
		"no TLS, " contacts " contacts", "TLS, --sm"
	printf "%-11s", "owner"
	for (c = 1; c <= 4; c++)
		printf "  %7s %6s %7s", "bytes", "blocks", "heap"
	printf "\n"
	n = split("conn TLS parser stream session account roster modules", order,
		" ")
	for (i = 1; i <= n; i++) {
		row(order[i])
		delete bounded[order[i]]
	}
	for (name in bounded)
		if (!bounded[name])
			row(name)
	row("a session")
	printf "%-11s  %7.1f %6.2f %7.1f\n", "a contact", contact(2),
		contact(3), contact(4)
	print "grown meanwhile, but not with every session:"
	row("store")
	row("limits")
}' "$work/none" "$work/tls" "$work/roster" "$work/sm"
