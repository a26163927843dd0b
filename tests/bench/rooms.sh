#!/bin/sh
# rooms.sh - what rooms cost, beside ejabberd and Prosody, one shard and no TLS:
#
#   tests/bench/rooms.sh [RUN]...
#
#   small    20 rooms of 20: CPU ms of the server per 1,000 deliveries, no archive
#   middle   4 rooms of 100
#   archive  both once more, with the archive: ours alone
#   enter    how long one takes to enter a room of 5,000, and CPU for each presence
#   large    a room of 10,000 that tells presence of moderators alone: how long until a
#            message has reached the last one, and what chats of others wait meanwhile;
#            and the memory of an occupant.  One there says WORDS (60) messages, every
#            EVERY ms (0: as fast as the room lets him)
#
# BUILD names the build tree; COUNT (20) messages of each client, PEERS (prosody ejabberd)
# beside us, SIZE (5000) and LARGE (10000) of the last two.
# shellcheck disable=SC2034,SC2154 # set by lib.sh, or for it
set -eu
. "$(dirname "$0")/lib.sh"
for peer in lib prosody ejabberd; do
	# shellcheck source=tests/bench/peers/prosody.sh
	. "$top/tests/bench/peers/$peer.sh"
done

count=${COUNT:-20} peers=${PEERS-prosody ejabberd} size=${SIZE:-5000}
large=${LARGE:-10000} words=${WORDS:-60} every=${EVERY:-0}
contacts=0 tuned='' rooms=yes accounts=400
stock=$(mktemp -d)
trap 'cleanup; rm -rf "$stock"' EXIT
if test "$(id -u)" = 0; then chmod 755 "$stock"; fi
server_muc='{ message_rate: 0, join_rate: 0, max_users: 20000 }'
# shellcheck disable=SC3045 # dash and bash know it
ulimit -n "$(ulimit -Hn)"

say() { # name, mode and options
	name=$1
	shift
	printf '%-28s ' "$name"
	"$bench" "$@" --pid "$pid" --port "$port_none" --tls none
}

ours() { # accounts, name, mode and options
	server_start "${SHARDS:-1}" "$1"
	shift
	say "$@" || failed=1
	server_stop || failed=1
	rm -rf "$folder"
	folder=
}

# The others get a tenth of the messages, since they take so long.
beside() { # name, count, mode and options
	title=$1 n=$2
	shift 2
	ours 400 "antiphon $title" "$@" --count "$n"
	for peer in $peers; do
		"${peer}_version" >/dev/null || continue
		"${peer}_start" || die "$peer did not start"
		say "$peer $title" "$@" --count $((n / 10 + 1)) || :
		peer_stop
	done
}

small='rooms --clients 400 --size 20 --window 1'
middle='rooms --clients 400 --size 100 --window 1'
chats="open --first $large --clients 200 --rate 200"
failed=0
# shellcheck disable=SC2048,SC2086 # words
for run in ${*:-small middle archive enter large}; do
	case $run in
	small) beside "20 of 20" "$count" $small ;;
	middle) beside "4 of 100" $((count / 4 + 1)) $middle ;;
	archive)
		ours 400 "antiphon 20 of 20, archive" $small --count "$count" \
			--archive
		ours 400 "antiphon 4 of 100, archive" $middle \
			--count $((count / 4 + 1)) --archive ;;
	enter)
		ours $((size + 1)) "antiphon enter $size" enter \
			--clients $((size + 1)) --count 20 --patience 120 ;;
	large)
		server_start "${SHARDS:-1}" $((large + 200))
		say "antiphon chats alone" $chats --seconds 8
		# the others chat while the room talks: with --pid they would wait
		# until it is done; nobody leaves before they are done
		cat >"$stock/mark" <<-END
		#!/bin/sh
		if test -e "$stock/chats"; then
			until test -s "$stock/chats"; do sleep 0.1; done
		else
			$bench $chats --seconds 6 --port $port_none --tls none \
				>"$stock/chats" &
		fi
		$BUILD/antiphonctl --socket "$folder/control" stats --memory |
			grep occupants
		END
		chmod +x "$stock/mark"
		say "antiphon room of $large" rooms --clients "$large" \
			--size "$large" --senders 1 --window 1 --count "$words" \
			--every "$every" --moderators --patience 120 \
			--mark "$stock/mark" || failed=1
		until test -s "$stock/chats"; do sleep 1; done
		printf '%-28s ' "antiphon chats beside it"
		cat "$stock/chats"
		server_stop || failed=1
		rm -rf "$folder"
		folder= ;;
	*) die "there is no run $run" ;;
	esac
done
exit $failed
