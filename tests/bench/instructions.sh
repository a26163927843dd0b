#!/bin/sh
# instructions.sh - how many instructions, allocations and system calls the
# server needs for a login, a message and so on, counted by valgrind; the
# machine's load and speed make no difference.
#
#	instructions.sh [ROW...]           against the baseline: 1 when beyond; all
#					   rows but those of links
#	instructions.sh --update           makes a new baseline
#	instructions.sh --profile ROW...   says where they are made
#
# BUILD names the build tree; it must be one with -O2 and no sanitizer.  The
# status is 77 where there is nothing to count with, or to compare with: with
# another compiler, or other versions of the libraries, than the baseline's.
#
# A row is the difference between a run of many units and one of few, so that
# all that does not grow with them falls out.  There is one client, or one
# pair, with one thing on its way.  Valgrind makes a dump when the server's
# function status_run() is called: antiphonctl sees to that at both ends of what
# is measured.  Instructions of the kernel are not counted.
# shellcheck disable=SC2154 # set by lib.sh
set -eu

rows='login-none login-tls chat-none chat-tls chat-sm-tls devices-none copies-none
	presence-none ping-none store-none fetch-none archived-none'
# Counted when they are named: beside other work the run is so slow that a time of the
# streams runs out in what is measured, and another stream counts for hundreds of units.
rows_named='link-out-none link-in-none link-mix-none link-contacts-none
	link-counted-none'
here=$(dirname "$0")
baseline=$here/instructions.baseline

unable() {
	echo "instructions.sh: $*" >&2
	exit 77
}

command -v valgrind >/dev/null || unable "valgrind is not installed"
test "$(uname -m)" = x86_64 || unable "the baseline is for x86_64"

# What glibc and OpenSSL choose by the kind of CPU is fixed, so that all count
# the same: SSE2, and for OpenSSL SSSE3, SSE4.1, AES and PCLMUL.
export GLIBC_TUNABLES=glibc.cpu.hwcaps=-AVX2,-AVX,-AVX_Fast_Unaligned_Load,\
-ERMS,-FSRM,-BMI1,-BMI2,-LZCNT,-MOVBE,-RTM,-SSE4_2,-SSE4_1,-SSSE3
export OPENSSL_ia32cap=0x208020207800010:0
# a disk would only make it take longer
if test -w /dev/shm; then export TMPDIR="${TMPDIR:-/dev/shm}"; fi

. "$here/lib.sh"
. "$here/peers/lib.sh"
work=$(mktemp -d)
trap 'cleanup; rm -rf "$work"' EXIT

# --- a server that counts -------------------------------------------------------

ctl() {
	"$BUILD/antiphonctl" --socket "$folder/control" "$@" >/dev/null
}

counting_start() {
	chmod 777 "$work" # the server may have another user
	: >"$work/dump"
	chmod 666 "$work/dump"
	WRAP="valgrind -q --vgdb=no --tool=callgrind --collect-systime=yes
		--dump-before=status_run --callgrind-out-file=$work/dump"
	# another server, which the rows link-* play; for others there is none
	port_new
	port_far=$port
	port_new
	port_server=$port
	server_listen="- { kind: server, address: 127.0.0.1, port: $port_server }"
	server_more="federation: { mode: off }
remotes:
  far.test: { address: 127.0.0.1, port: $port_far }
s2s: { stanzas_per_second: 1000000, bytes_per_second: 1GiB }"
	server_start 1 100
	cat >"$work/mark" <<-END
	# waits until the server is at rest, and has a dump made
	before=
	for i in \$(seq 100); do
		now=\$(cat /proc/$pid/task/*/schedstat)
		test "\$now" != "\$before" || break
		before=\$now
		sleep 0.1
	done
	exec "$BUILD/antiphonctl" --socket "$folder/control" status >/dev/null
	END
}

# What is run for a row: $run with a number of counts, each of which makes
# $each units; the row is its $part-th measured part.
plan() {
	case $1 in
	*-none) tls=none ;;
	*-tls) tls=starttls ;;
	esac
	part=1 each=1 few=100 many=300 window=1 archive=no federation=off without=
	case $1 in
	login-*) run='login --warm 0 --clients' few=30 many=90 ;;
	chat-sm-*) run='chat --clients 2 --one-way --sm --count' ;;
	chat-*) run='chat --clients 2 --one-way --count' ;;
	devices-*) run='chat --clients 2 --one-way --bare --devices 2 --count' ;;
	copies-*) run='chat --clients 2 --one-way --copies --devices 1 --count' ;;
	archived-*)
		# On both sides.  How many of them a commit takes is a matter of luck,
		# and a commit costs: this is without what the thread that writes
		# does, which is counted by store-*, where all go together.
		run='chat --clients 2 --one-way --count'
		many=500 window=500 archive='{ stranger_bytes: 1TiB }'
		without='store_write_batch store_tend'
		;;
	presence-*)
		run='presence --clients 21 --contacts 20 --paced --count'
		few=1 many=3 each=420
		;;
	ping-*) run='ping --clients 1 --count' ;;
	link-*)
		# STARTTLS between servers, none to the client
		run=${1#link-} federation=on few=120 many=360
		run=${run%-*}
		;;
	store-* | fetch-*)
		run='offline --clients 2 --count'
		# all at once, or they would be committed in twos and threes as
		# luck has it
		many=500 window=500
		test "${1%-*}" = store || part=2
		;;
	*) die "there is no row $1; there are:" $rows $rows_named ;;
	esac
}

# load COUNT OPTION...: accounts have to be loaded first.  What is logged is not
# the work, and a reload makes it what the configuration says.
load() {
	sed -i -e "s/^\( *archive: \).*/\1$archive/" \
		-e "s/^federation: .*/federation: { mode: $federation }/" \
		"$folder/antiphond.yml"
	ctl reload
	ctl loglevel all warn
	eval "port=\$port_$tls"
	if test $federation = on; then
		set -- python3 "$here/links.py" drive $run --count "$@" \
			--domain $domain --client "$port" --server "$port_server" \
			--far "$port_far" --certificate "$folder/cert.pem" \
			--key "$folder/key.pem" --window $window
	else
		# shellcheck disable=SC2086 # words
		set -- "$bench" $run "$@" --window $window --tls "$tls" \
			--port "$port"
	fi
	"$@" >"$work/bench" 2>&1 || {
		cat "$work/bench" >&2
		die "the run failed"
	}
}

# dump COUNT FILE: each measured part has one, and what went before it.
dump() {
	before=$(find "$work" -name 'dump.*' | wc -l)
	load "$1" --mark "sh $work/mark"
	mv "$work/dump.$((before + 2 * part))" "$2" ||
		die "valgrind made no dump: has status_run() gone?"
	: >"$work/dump.$((before + 2 * part))"
}

# count ROW [OPTION]: what callgrind.awk makes of it.
count() {
	plan "$1"
	load "$few" # nothing is measured that happens once only
	dump "$few" "$work/few"
	dump "$many" "$work/many"
	awk ${2:+-v "$2"} -v without="$without" -v units=$(((many - few) * each)) \
		-f "$here/callgrind.awk" "$work/few" "$work/many"
}

# --- what is said about it --------------------------------------------------------

versions() {
	echo "# $("${CC:-gcc}" --version | head -n 1)"
	for package in libc6 libexpat1 libevent-core-2.1-7 libsqlite3-0 libssl3; do
		dpkg-query -W -f '# ${Package} ${Version}\n' $package 2>/dev/null ||
			echo "# $package unknown"
	done
}

measure() {
	echo "row instructions allocations frees system_calls"
	for row in "$@"; do
		counts=$(count "$row") && test -n "$counts" ||
			die "$row: nothing was counted"
		# how often the store's threads wait is a matter of luck, and how
		# often they commit what comes while they run
		case $row in
		login-* | store-* | fetch-*) counts="${counts% *} -" ;;
		archived-*) counts="${counts%% *} - - -" ;;
		esac
		echo "$row $counts"
	done
}

# Says what is beyond 10 %; of calls, 0.2 may always be, of free() 0.5, for
# some are of once in a while.
compare() {
	awk '
	function beyond(was, is, least,    by) {
		if (was == "-")
			return 0
		by = was > is ? was - is : is - was
		return by > was / 10 && by > least
	}
	BEGIN {
		printf "%-14s %22s %6s %16s %16s %16s\n", "a unit of",
			"instructions", "", "allocations", "frees",
			"system calls"
	}
	/^#/ || /^row/ { next }
	NR == FNR { for (i = 2; i <= 5; i++) was[$1, i] = $i; next }
	{
		is = was[$1, 2]
		bad = beyond(is, $2, 0)
		for (i = 3; i <= 5; i++)
			bad = beyond(was[$1, i], $i, i == 4 ? 0.5 : 0.2) || bad
		printf "%-14s %10d %11d %+5.1f%%", $1, is, $2,
			is ? 100 * ($2 - is) / is : 100
		for (i = 3; i <= 5; i++)
			printf " %8s%8s", was[$1, i], $i
		print bad ? "  BEYOND" : ""
		all = all || bad
	}
	END { exit all }' "$baseline" "$1"
}

# Most instructions are of libraries, which a security update changes as well.
comparable() {
	versions >"$work/versions"
	if grep '^#' "$baseline" | diff - "$work/versions" >"$work/differ"; then
		return 0
	fi
	echo "The baseline (<) was made with others than these (>):"
	grep '^[<>]' "$work/differ"
	unable "not compared, as compiler or libraries are not the baseline's"
}

# Beside other work, what happens once in a while can fall into what is measured: a row
# that is beyond is counted once more.
check() {
	measure "$@" >"$work/rows"
	if compare "$work/rows" >"$work/compared"; then
		cat "$work/compared"
		return 0
	fi
	cat "$work/compared"
	# shellcheck disable=SC2046 # words
	measure $(sed -n 's/^\([a-z-]*\).* BEYOND$/\1/p' "$work/compared") \
		>"$work/rows"
	echo "Once more:"
	if compare "$work/rows"; then return 0; fi
	cat <<-END
	Beyond 10 % of the baseline, up or down.  To see where they are made:
	    BUILD=... tests/bench/instructions.sh --profile ROW
	When it is meant to be so, make a new baseline and commit it with the
	change, with the reason and both figures:
	    BUILD=... tests/bench/instructions.sh --update
	END
	return 1
}

update() {
	versions >"$work/baseline"
	# all of it, or nothing is written
	measure $rows $rows_named >>"$work/baseline"
	cat "$work/baseline"
	cp "$work/baseline" "$baseline"
}

profile() {
	for row in "$@"; do
		echo "$row: instructions, allocations, frees, system calls"
		count "$row" listing=1
	done
}

how=check
case ${1:-} in
--update | --profile)
	how=${1#--}
	shift
	;;
-*) die "there is no option $1; see its first lines" ;;
esac
# shellcheck disable=SC2086 # words
test $# != 0 || set -- $rows
for row in "$@"; do plan "$row"; done

test "$how" != check || comparable
counting_start
status=0
$how "$@" || status=$?
server_stop || die "the server did not end well"
exit $status
