#!/bin/sh
# sessions.sh - what sessions cost that survive, and the archive: the section of
# tests/bench/RESULTS.md behind the tables of compare.sh.
#
#   tests/bench/sessions.sh [return] [chat] [idle] [latency]
#
# return: CLIENTS (10000), each with CONTACTS (9), come back at once to a server
# that was stopped and started, over TLS; with stream management (XEP-0198), and
# without it.  Beside Antiphon stand those of SERVERS (prosody ejabberd) that are
# installed.  chat: a message over TLS with stream management on both sides, and
# without.  idle: a session over TLS, likewise.  latency: from sending to arrival,
# with the archive on both sides, on disk before anybody sees it, and without, at
# each of RATES (200 2000) messages a second.
#
# BUILD is the build tree, REPEAT how often chat and latency are measured (3): the
# median counts.  TMPDIR has to be a real disk.  Progress goes to stderr.
# shellcheck disable=SC2034,SC2154 # shared with lib.sh and peers/*.sh
set -eu
here=$(dirname "$0")
# shellcheck source=tests/bench/lib.sh
. "$here/lib.sh"
# shellcheck source=tests/bench/peers/lib.sh
. "$here/peers/lib.sh"
# shellcheck source=tests/bench/peers/ejabberd.sh
. "$here/peers/ejabberd.sh"
# shellcheck source=tests/bench/peers/prosody.sh
. "$here/peers/prosody.sh"

clients=${CLIENTS:-10000}
servers="${FIRST-antiphon} ${SERVERS-prosody ejabberd}"
repeat=${REPEAT:-3}
rates=${RATES:-200 2000}
work=$(mktemp -d)
stock=$work tuned=
trap 'cleanup; rm -rf "$work"' EXIT
# shellcheck disable=SC3045 # dash and bash know it
ulimit -n "$(ulimit -Hn)"

note() {
	echo "$(date +%T) $*" >&2
}

# Figures of a line of results, those that are named.
figures() { # line name...
	line=$1
	shift
	for name in "$@"; do
		echo "$line" | tr ' ' '\n' | sed -n "s/^$name=//p" | head -n 1
	done | tr '\n' ' '
}

# The middle of the lines of a file, by the first figure.
median() {
	sort -n "$1" | sed -n "$(((repeat + 1) / 2))p"
}

down() {
	case $1 in
	antiphon)
		server_stop || die "the server did not end well"
		rm -rf "$folder"
		folder= ;;
	*) peer_stop ;;
	esac
}

# --- all come back ----------------------------------------------------------------

title() {
	case $1 in
	antiphon) echo Antiphon ;;
	*) echo "$1 $("$1_version")" ;;
	esac
}

# Fresh, with accounts and contacts, and ports that stay.
return_up() { # server
	accounts=$clients
	if test "$1" != antiphon; then
		"$1_start" || die "$1 did not start"
		return
	fi
	server_start 1 "$accounts"
	for port in $port_starttls $port_direct $port_none; do
		sed -i "0,/port: 0/s//port: $port/" "$folder/antiphond.yml"
	done
	if test "$contacts" != 0; then
		"$bench" roster --port "$port_none" --tls none --clients \
			"$accounts" --contacts "$contacts" >/dev/null
	fi
	server_restart
}

return_restart() { # server
	if test "$1" = antiphon; then
		server_restart
		return
	fi
	peer_end
	"$1_launch" || die "$1 did not start again"
}

# The generator waits for a file while this shell, whose children the servers are,
# restarts them.
return_once() { # server option...
	server=$1
	shift
	return_up "$server"
	rm -f "$work/away" "$work/back"
	"$bench" return --clients "$clients" --window 20 --patience 100 "$@" \
		--port "$port_starttls" --pid "$pid" --command \
		"touch $work/away; until test -e $work/back; do sleep 0.1; done
		cat $work/back" >"$work/line" &
	load=$!
	until test -e "$work/away"; do
		kill -0 "$load" || die "$server: $(cat "$work/line")"
		sleep 0.1
	done
	begun=$(date +%s%3N)
	return_restart "$server"
	started=$(($(date +%s%3N) - begun))
	echo "$pid" >"$work/back.new"
	mv "$work/back.new" "$work/back"
	wait "$load" || note "$server: $(cat "$work/line")"
	down "$server"
	echo "restart_ms=$started $(cat "$work/line")"
}

run_return() {
	contacts=${CONTACTS:-9}
	cat <<-END

	$clients clients with $contacts contacts each come back at once, over TLS, when the
	server was stopped and started again: each by itself as fast as it can, 20 at a
	time.  CPU is all that the new process has used when all are back and told of it,
	its start included.

	| | sessions resumed | all are back after, s | CPU of the new process, s | stop and start, s |
	| --- | ---: | ---: | ---: | ---: |
	END
	for sm in '' --sm; do
		for server in $servers; do
			title "$server" >/dev/null || continue
			# shellcheck disable=SC2086 # no word, or one
			line=$(return_once "$server" $sm)
			note "$server $sm: $line"
			# shellcheck disable=SC2046 # four figures
			set -- $(figures "$line" sessions seconds \
				server_cpu_seconds restart_ms)
			echo "$4" | awk -v a="$(title "$server")${sm:+, with stream management}" \
				-v b="$1" -v c="$2" -v d="$3" '{ printf \
				"| %s | %d | %.1f | %.1f | %.1f |\n", a, b, c, d, $1 / 1000 }'
		done
	done
}

# --- Antiphon alone ---------------------------------------------------------------

alone() { # archive port bench's arguments...
	server_archive=$1 want=$2
	shift 2
	server_start 1 "$accounts"
	eval "port=\$port_$want"
	"$bench" "$@" --clients "$accounts" --port "$port" --pid "$pid" \
		--tls "$want"
	down antiphon
}

alone_median() { # names, arguments of alone
	names=$1
	shift
	: >"$work/all"
	for _ in $(seq "$repeat"); do
		line=$(alone "$@")
		note "$line"
		# shellcheck disable=SC2086 # words
		figures "$line" $names >>"$work/all"
		echo >>"$work/all"
	done
	median "$work/all"
}

run_chat() {
	accounts=200
	set -- no starttls chat --one-way --window 2 --count 1000
	: >"$work/pairs"
	# in turn, so that what disturbs the machine disturbs both
	for _ in $(seq "$repeat"); do
		line="$(figures "$(alone "$@")" server_cpu_ms_per_1000) $(figures \
			"$(alone "$@" --sm)" server_cpu_ms_per_1000)"
		note "$line"
		echo "$line" | awk '{ print $2 / $1, $1, $2 }' >>"$work/pairs"
	done
	median "$work/pairs" | awk '{ printf "\nA message over TLS, 100 pairs, " \
		"window 2, archive off: %.2f us of CPU, with stream\nmanagement " \
		"on both sides %.2f: %.2f times that (must reach: 1.3).\n",
		$2, $3, $1 }'
}

run_idle() {
	accounts=5000
	set -- no starttls idle --seconds 8
	without=$(figures "$(alone "$@")" server_bytes_per_session)
	with=$(figures "$(alone "$@" --sm)" server_bytes_per_session)
	echo "$without $with" | awk '{ printf "\nAn idle session over TLS, of " \
		"5,000: %d bytes, with stream management %d: %d more\n" \
		"(must reach: 400).\n", $1, $2, $2 - $1 }'
}

run_latency() {
	accounts=200
	cat <<-END

	From sending to arrival, 100 pairs, TLS; with the archive, what arrives is on disk
	on both sides.

	| messages a second | archive | p50, ms | p99, ms | CPU us a message |
	| ---: | --- | ---: | ---: | ---: |
	END
	for rate in $rates; do
		for archive in no '{ stranger_bytes: 1TiB }'; do
			case $archive in no) what=off ;; *) what=on ;; esac
			alone_median "latency_p50_ms latency_p99_ms
				server_cpu_ms_per_1000" "$archive" starttls open \
				--rate "$rate" --seconds 10 | awk -v r="$rate" \
				-v w=$what '{ printf "| %d | %s | %.2f | %.2f | " \
				"%.1f |\n", r, w, $1, $2, $3 }'
		done
	done
}

runs=${*:-return chat idle latency}
cat <<END

## Sessions that survive

Made by \`tests/bench/sessions.sh $runs\` at commit $(git -C "$top" describe --always), $(date -u +%Y-%m-%d), on this machine.
END
for run in $runs; do
	"run_$run"
done
