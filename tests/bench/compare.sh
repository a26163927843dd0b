#!/bin/sh
# compare.sh - Antiphon, its peers, and the least that can be done, side by
# side: the one command that prints tests/bench/RESULTS.md.
#
#   tests/bench/compare.sh [--tuned] [--warm] [--servers LIST] [--runs LIST]
#
# --tuned adds the peers with the settings that make them fast.  --warm lets a
# run that does not count go before each one that does.  LIST is words in
# quotes, of those in all_servers and all_runs below; prosody-sql and ejabberd-sql
# have their archives in SQLite, and are asked for pages alone.
#
# BUILD is the build tree (build/ beside tests/), made if it is not there;
# REPEAT is how often what takes time is measured (3), SHARDS how many Antiphon
# has (1).  QUICK=1 tests all this: few clients, each peer started once, and
# figures of no worth.  Progress and reasons go to stderr; the status is not 0
# when Antiphon lost a message, or a figure could not be had.
# shellcheck disable=SC2034,SC2154 # shared with lib.sh and peers/*.sh
set -eu

top=$(cd "$(dirname "$0")/../.." && pwd)
here=$top/tests/bench
BUILD=${BUILD:-$top/build}
repeat=${REPEAT:-3} shards=${SHARDS:-1} quick=${QUICK:+1}
command="${quick:+QUICK=1 }REPEAT=$repeat SHARDS=$shards tests/bench/compare.sh"

all_servers='floor prosody prosody-sql ejabberd ejabberd-sql jabberd2 antiphon'
all_tuned='floor prosody prosody-tuned prosody-sql ejabberd ejabberd-tuned
	ejabberd-sql jabberd2 antiphon'
quick_servers='floor prosody ejabberd jabberd2 antiphon'
all_runs='login-tls login chat chat-tls busy-tls open-2000 open-10000
	presence offline ping pages-1000 pages-10000
	idle idle-tls no-contacts contacts process
	idle-1000 idle-5000 idle-all
	chat-shards-1 chat-shards-4 open-shards-1 open-shards-4 storm start'
# those that show how the others would fare
quick_runs='login-tls login chat busy-tls open-2000 presence offline ping
	pages-1000 idle-tls no-contacts contacts process chat-shards-1
	chat-shards-4 storm start'
tuned_too='' warm='' servers='' runs=''
if test -n "$quick"; then
	repeat=1
	all_runs=$quick_runs all_servers=$quick_servers
fi

usage() {
	sed -n '2,/^# shell/s/^# \{0,1\}//p' "$0" | sed '$d' >&2
	exit 2
}

options() {
	for word in "$@"; do
		case $word in
		*' '*) command="$command '$word'" ;;
		*) command="$command $word" ;;
		esac
	done
	while test $# -gt 0; do
		case $1 in
		--tuned) tuned_too=yes ;;
		--warm) warm=yes ;;
		--servers | --runs)
			test $# -gt 1 || usage
			eval "${1#--}=\$2"
			shift ;;
		*) usage ;;
		esac
		shift
	done
	servers=${servers:-${tuned_too:+$all_tuned}}
	servers=${servers:-$all_servers}
	runs=${runs:-$all_runs}
}

# shellcheck source=contrib/deps.sh
. "$top/contrib/deps.sh"

# From a clean checkout to programs.
build() {
	if ! test -e "$BUILD/Makefile"; then
		deps_configure_script "$top"
		mkdir -p "$BUILD"
		(cd "$BUILD" && "$top/configure" -q)
	fi
	make -s -j"$(nproc)" -C "$BUILD" all tests/bench/antiphon-bench \
		tests/bench/antiphon-floor
}
options "$@"
build >&2

# shellcheck source=tests/bench/lib.sh
. "$here/lib.sh"
# shellcheck source=tests/bench/peers/lib.sh
. "$here/peers/lib.sh"
# shellcheck source=tests/bench/peers/floor.sh
. "$here/peers/floor.sh"
# shellcheck source=tests/bench/peers/ejabberd.sh
. "$here/peers/ejabberd.sh"
# shellcheck source=tests/bench/peers/jabberd2.sh
. "$here/peers/jabberd2.sh"
# shellcheck source=tests/bench/peers/prosody.sh
. "$here/peers/prosody.sh"

work=$(mktemp -d)
stock=$work
trap 'cleanup; rm -rf "$work"' EXIT
: >"$work/raw"
failed=0
# shellcheck disable=SC3045 # dash and bash know it
files=$(ulimit -Hn)
# shellcheck disable=SC3045
ulimit -n "$files"

note() {
	echo "$(date +%T) $*" >&2
}

# --- what is run ----------------------------------------------------------------

# Sets clients, contacts, tls and mode for a run; a test has far fewer clients.
# Who is fast is given more to do, so that clocks and timers weigh as little.
run_define() { # run server
	more=1 contacts=0 tls=starttls idle="idle --seconds 8"
	case $2 in
	antiphon | floor) more=5 ;;
	esac
	q=1 qq=1 qs=1
	if test -n "$quick"; then
		more=1 q=20 qq=200 qs=4 idle="idle --seconds 0"
	fi
	case $1 in
	login*) clients=$((1000 / q)) mode=login ;;
	chat*)
		clients=$((200 / q))
		mode="chat --one-way --window 2 --count $((200 * more / q))" ;;
	busy-tls)
		clients=$((1000 / q))
		mode="chat --one-way --window 8 --count $((40 * more))" ;;
	open-*)
		rate=${1#open-}
		case $rate in shards*) rate=2000 ;; esac
		clients=$((200 / q))
		mode="open --rate $((rate / q)) --seconds $((4 / qs))" ;;
	presence)
		contacts=20
		clients=$((420 / q / 21 * 21 + 21)) # whole groups
		mode="presence --paced --window 10 --contacts 20
			--count $((2 * more))" ;;
	offline)
		clients=$((200 / q))
		mode="offline --window 10 --count $((20 * more))" ;;
	ping) clients=1 mode="ping --window 1 --count $((4000 * more / q))" ;;
	pages-*)
		count=${1#pages-} clients=4
		if test -n "$quick"; then clients=2 count=$((count / 10)); fi
		mode="pages --patience 120 --count $count
			--pages $((200 * more / q))" ;;
	process) clients=1 mode="idle --seconds 1" ;;
	no-contacts) clients=$((2100 / q)) mode=$idle ;;
	contacts) clients=$((2100 / q)) contacts=20 mode=$idle ;;
	idle | idle-tls) clients=$((10000 / qq)) mode=$idle ;;
	idle-all) clients=$(((files - 500) / qq)) mode=$idle ;;
	idle-*) clients=$((${1#idle-} / qq)) mode=$idle ;;
	storm) clients=$((5000 / qq)) mode=storm ;;
	start) clients=$((1000000 / qq)) mode=start ;;
	*) die "there is no run $1" ;;
	esac
	case $1 in
	login | chat | presence | offline | ping | pages-* | idle | *contacts | \
		process)
		tls=none ;;
	esac
	case $2:$tls in
	floor:starttls) tls=direct mode="$mode --floor" ;;
	floor:none) mode="$mode --floor" ;;
	esac
	accounts=$clients
	# connections, and whatever else a server has open
	if test "$clients" -gt $((files - 500)); then clients=$((files - 500)); fi
}

# What is asked of Antiphon alone, or cannot be asked of a server.  Mnesia takes the
# longer for a message the more there are of its account, so that to have 10,000 of
# each takes an hour.
run_is_for() { # run server
	case $2:$1 in
	ejabberd:pages-10000 | ejabberd-tuned:pages-10000) return 1 ;;
	antiphon:* | *-sql:pages-*) ;;
	*-sql:* | floor:pages-* | jabberd2:pages-*) return 1 ;;
	*:idle-[1-9a]* | *-shards-* | *:storm | *:start) return 1 ;;
	floor:offline | floor:*contacts) return 1 ;;
	esac
}

# What takes time is measured several times, what takes memory once.
run_repeats() {
	case $1 in
	idle* | *contacts | process | storm | start) echo 1 ;;
	*) echo "$repeat" ;;
	esac
}

# --- servers ----------------------------------------------------------------------

server_title() {
	case $1 in
	floor) echo floor ;;
	antiphon) echo Antiphon ;;
	prosody) echo "Prosody $(prosody_version)" ;;
	prosody-sql) echo "Prosody, SQLite" ;;
	prosody-tuned) echo "Prosody, generational GC" ;;
	ejabberd) echo "ejabberd $(ejabberd_version)" ;;
	ejabberd-sql) echo "ejabberd, SQLite" ;;
	ejabberd-tuned) echo "ejabberd, no spinning" ;;
	jabberd2) echo "jabberd2 $(jabberd2_version)" ;;
	esac
}

server_is_there() {
	case $1 in
	antiphon) ;;
	*-sql) "${1%-sql}_version" && "${1%-sql}_sql" ;;
	*) "${1%-tuned}_version" ;;
	esac
}

# Fresh, with accounts.  Archives are there for who is asked for their pages.
server_up() { # server run
	server_archive=no peer_archive='' tuned=''
	case $2 in
	pages-* | any) peer_archive=yes server_archive='{ stranger_bytes: 1TiB }' ;;
	esac
	case $1 in
	antiphon)
		case $2 in
		*-shards-*) server_start "${2##*-}" "$accounts" ;;
		*) server_start "$shards" "$accounts" ;;
		esac
		test "$contacts" != 0 || return 0
		"$bench" roster --port "$port_none" --tls none \
			--clients "$accounts" --contacts "$contacts" >/dev/null
		server_restart ;;
	*-tuned)
		tuned=yes
		"${1%-tuned}_start" ;;
	*-sql)
		peer_archive=sql
		"${1%-sql}_start" ;;
	*) "$1_start" ;;
	esac
}

server_down() {
	case $1 in
	antiphon)
		server_stop || failed=1
		rm -rf "$folder"
		folder= ;;
	*) peer_stop ;;
	esac
}

# --- measuring --------------------------------------------------------------------

pss() {
	awk '$1 == "Pss:" { sum += $2 } END { print sum * 1024 }' \
		"/proc/$pid/smaps_rollup"
}

bench_once() { # mode
	eval "port=\$port_$tls"
	# shellcheck disable=SC2086 # words
	"$bench" $1 --clients "$clients" --pid "$pid" --port "$port" \
		--tls "$tls"
}

# What is left when the server has had time to give back.
pss_at_rest() {
	last=$(pss) waited=0 step=5
	if test -n "$quick"; then step=0.1; fi
	# accounts leave memory after a minute (limits: account_idle), and what
	# that frees after five seconds more
	test -n "$quick" || sleep 70
	while test $waited -lt 60; do
		sleep "$step"
		waited=$((waited + 5))
		now=$(pss)
		test "$now" -lt $((last - last / 50)) || break
		last=$now
	done
	echo "$now"
}

# Logins and logouts, 20,000 at a time, and what memory they leave, beside a
# process that has served some clients.
storm() {
	many=$clients clients=$((100 / q))
	bench_once login >>"$work/storm" || return 1
	clients=$many
	before=$(pss_at_rest)
	echo "before=$before"
	for storm in 1 2; do
		for _ in 1 2 3 4; do
			bench_once login >>"$work/storm" || return 1
		done
		after=$(pss_at_rest)
		echo "after_$storm=$after"
	done
	awk -v a="$after" -v b="$before" 'BEGIN { print "grown=" a / b }'
}

# How long it takes until clients are served, from the clock before to what the
# log says: the median of three.
start_time() {
	for _ in 1 2 3; do
		begun=$(date +%s%3N)
		server_restart
		ready=$(sed -n 's/ .* ready$//p' "$folder/log")
		echo $(($(date -d "$ready" +%s%3N) - begun))
	done >"$work/start"
	sort -n "$work/start" | sed -n '2s/^/ms=/p'
}

# The figures of a run on the server that is there.
run_figures() {
	case $mode in
	storm) storm | tr '\n' ' ' ;;
	start) start_time ;;
	*) bench_once "$mode" ;;
	esac
}

# A peer that fails is no failure of ours when all this is only tried.
failed_by() { # server
	case $1 in
	antiphon | floor) failed=1 ;;
	*) test -n "$quick" || failed=1 ;;
	esac
}

run_once() { # run server
	if test -n "$warm"; then bench_once "$mode" >/dev/null 2>&1 || :; fi
	if run_figures >"$work/line" 2>"$work/err"; then
		echo "$2 $1 $(cat "$work/line")" >>"$work/raw"
		note "$2 $1: $(cat "$work/line")"
		return
	fi
	note "$2 $1: $(cat "$work/err" "$work/line")"
	failed_by "$2"
}

run_fresh() { # run server
	run_define "$1" "$2"
	if server_up "$2" "$1"; then
		run_once "$1" "$2"
	else
		note "$2 did not start"
		failed_by "$2"
	fi
	server_down "$2"
}

# All of them in turn, so that what disturbs the machine disturbs all.
measure() {
	round=1
	while test $round -le "$repeat"; do
		for run in $runs; do
			test $round -le "$(run_repeats "$run")" || continue
			for server in $servers; do
				run_is_for "$run" "$server" || continue
				run_fresh "$run" "$server"
			done
		done
		round=$((round + 1))
	done
}

# One server after the other.  Those of others take long to start, so that
# each is started once.
measure_quick() {
	for server in $servers; do
		case $server in
		antiphon | floor)
			for run in $runs; do
				run_is_for "$run" "$server" || continue
				run_fresh "$run" "$server"
			done
			continue ;;
		esac
		accounts=210 contacts=20
		if server_up "$server" any; then
			for run in $runs; do
				run_is_for "$run" "$server" || continue
				run_define "$run" "$server"
				run_once "$run" "$server"
			done
		else
			note "$server did not start"
		fi
		server_down "$server"
	done
}

# --- what is printed ----------------------------------------------------------------

# What this prints into is no change of the source.
commit() {
	git -C "$top" describe --always 2>/dev/null || echo unknown
	git -C "$top" diff --quiet HEAD -- . ':!tests/bench/RESULTS.md' \
		2>/dev/null || echo "with changes"
}

compiler() {
	cc=$(sed -n 's/^CC = //p' "$BUILD/Makefile")
	echo "$($cc --version | head -n 1), $(sed -n 's/^CFLAGS = //p' \
		"$BUILD/Makefile")"
}

describe() {
	cat <<-END
	# What Antiphon costs, beside others

	Made by \`$command\` at commit $(commit | tr '\n' ' ' | sed 's/ $//'), $(date -u +%Y-%m-%d).
	tests/bench/README says what is measured, and how.

	- Machine: $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $(nproc) cores, $(awk '/^MemTotal/ { print int($2 / 1024) }' /proc/meminfo) MiB, $files files for each process
	- System: $(. /etc/os-release && echo "$PRETTY_NAME"), Linux $(uname -r), $(openssl version | cut -d ' ' -f 1,2), glibc $(getconf GNU_LIBC_VERSION | cut -d ' ' -f 2)
	- Antiphon: $(compiler), $shards shard(s), SQLite, log level info
	- Peers: Debian's packages in their default settings, but on the loopback alone, in a folder of their own, without limits of rates, and jabberd2 with SCRAM${warm:+; everything measured after a run that did not count}
	END
	for server in $servers; do
		printf '%s\t%s\n' "$server" "$(server_title "$server")"
	done >"$work/titles"
}

# Those that are not installed have no column.
present_only() {
	present=
	for server in $servers; do
		if server_is_there "$server" >/dev/null; then
			present="$present $server"
		else
			note "$server is not there: no column for it"
		fi
	done
	servers=$present
}

# Read as a whole before it runs: who edits this file does not disturb a run.
main() {
	present_only
	if test -n "$quick"; then measure_quick; else measure; fi
	describe
	awk -f "$here/compare.awk" "$work/titles" "$work/raw" || failed=1
	exit $failed
}

main
