#!/bin/sh
# profile.sh MODE [TLS [OUT]] - where the server's time goes in a mode of
# antiphon-bench (or in all of them), with TLS: none, starttls (the default) or
# direct.  Only the measured part counts, without logins and warming up.
#
# In the folder OUT (default: profile/ in the build tree) it leaves
# MODE-TLS.txt, tables by object and function, and MODE-TLS.folded, the stacks;
# and a flame graph, MODE-TLS.svg, where flamegraph.pl can be found.  Without a
# perf that works, valgrind counts instructions instead: tables only.
#
# BUILD names the build tree, SHARDS (1) are the server's.
# shellcheck disable=SC2154 # set by lib.sh
set -eu
here=$(dirname "$0")
. "$here/lib.sh"

mode=${1:-} tls=${2:-starttls} out=${3:-$BUILD/profile}
modes='login ping chat open presence offline return'

# Enough of it for some seconds.
options() {
	case $1 in
	login) echo 2000 --clients 2000 ;;
	ping) echo 100 --clients 100 --window 1 --count 1000 ;;
	chat) echo 200 --clients 200 --one-way --window 2 --count 1000 ;;
	open) echo 200 --clients 200 --rate 2000 --seconds 8 ;;
	presence) echo 420 --clients 420 --contacts 20 --count 20 ;;
	offline) echo 200 --clients 200 --window 10 --count 100 ;;
	return) echo 1000 --clients 1000 ;;
	*) die "profile.sh MODE [none|starttls|direct]; MODE is all, or one of:" \
		$modes ;;
	esac
}

# --- by perf --------------------------------------------------------------------

perf_works() {
	perf record -q -e cpu-clock -g -o /dev/null true >/dev/null 2>&1
}

# perf takes its orders from a pipe: nothing is recorded until the mark.
recording_start() {
	mkfifo "$folder/order" "$folder/answer"
	perf record -q -e cpu-clock -F 997 --call-graph dwarf -p "$pid" -D -1 \
		--control "fifo:$folder/order,$folder/answer" \
		-o "$folder/perf.data" 2>"$folder/perf.log" &
	recorder=$!
	cat >"$folder/mark" <<-END
	if test -e "$folder/on"; then
		order=disable
		rm "$folder/on"
	else
		order=enable
		: >"$folder/on"
	fi
	echo \$order >"$folder/order"
	read -r answer <"$folder/answer"
	END
}

recording_stop() {
	kill -INT "$recorder"
	wait "$recorder" || :
	perf script --no-inline -F comm,ip,sym,dso -i "$folder/perf.data" \
		2>/dev/null |
		awk -v folded="$2.folded" -f "$here/stacks.awk" >"$2.txt" ||
		die "perf has recorded nothing: $(cat "$folder/perf.log")"
	if command -v flamegraph.pl >/dev/null; then
		flamegraph.pl --title "$1" "$2.folded" >"$2.svg"
	fi
}

by_perf() {
	# shellcheck disable=SC2046 # words
	set -- "$1" $(options "$1")
	name=$1 accounts=$2
	shift 2
	server_start "${SHARDS:-1}" "$accounts"
	recording_start
	eval "port=\$port_$tls"
	"$bench" "$name" "$@" --pid "$pid" --port "$port" --tls "$tls" \
		--mark "sh $folder/mark" || die "the run failed"
	recording_stop "$name, TLS: $tls" "$out/$name-$tls"
	server_stop || die "the server did not end well"
	rm -rf "$folder"
	folder=
}

# --- by valgrind -----------------------------------------------------------------

by_valgrind() {
	case $tls in
	none) with=none ;;
	*) with=tls ;;
	esac
	case $1 in
	open) rows=chat-$with ;;
	return) rows=login-$with ;;
	offline) rows="store-$with fetch-$with" ;;
	*) rows=$1-$with ;;
	esac
	# shellcheck disable=SC2086 # words
	sh "$here/instructions.sh" --profile $rows >"$out/$1-$tls.txt"
}

case $tls in
none | starttls | direct) ;;
*) die "TLS is none, starttls or direct" ;;
esac
test "$mode" != all || mode=$modes
for one in $mode; do options "$one" >/dev/null; done
test -n "$mode" || options ''

how=by_perf
perf_works || {
	echo "perf does not work here: valgrind counts instructions" >&2
	how=by_valgrind
}
mkdir -p "$out"
for one in $mode; do
	$how "$one"
	echo "$one, TLS: $tls"
	head -n 50 "$out/$one-$tls.txt"
done
echo "see $out"
