#!/bin/sh
# steady.sh - no queue grows under a steady load: every second the depths of all
# queues are read from a server that carries a fixed rate of messages, and what
# waits in the second half of the time is held against the first.
#
# BUILD names the build tree.  RATE (2000) messages a second for SECONDS_LONG (20)
# seconds; SHARDS (4) are the server's.
# shellcheck disable=SC2154 # set by lib.sh
set -eu
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"

rate=${RATE:-2000}
seconds=${SECONDS_LONG:-20}
shards=${SHARDS:-4}

server_start "$shards" 200
"$bench" open --clients 200 --rate "$rate" --seconds "$seconds" --pid "$pid" \
	--port "$port_starttls" --tls starttls >"$folder/line" &
load=$!
until test "$("$BUILD/antiphonctl" --socket "$folder/control" stats |
	awk '$1 == "sessions" { print $2 }')" = 200; do
	kill -0 "$load" 2>/dev/null || die "the load ended before it began"
	sleep 0.1
done
for second in $(seq $((seconds - 2))); do
	"$BUILD/antiphonctl" --socket "$folder/control" stats |
		awk -v second="$second" '
		$1 ~ /^(mailbox_mails|mailbox_bytes|inbox_bytes|line_bytes|write_bytes|store_queued|store_queued_bytes|worker_waiting)$/ {
			print second, $1, $2
		}' >>"$folder/depths"
	sleep 1
done
failed=0
wait "$load" || failed=1
cat "$folder/line"
server_stop || failed=1

# One batch that waits when it is looked at is no growth.
awk -v half=$(((seconds - 2) / 2)) '
{
	n[$2]++
	if ($1 <= half) early[$2] += $3; else late[$2] += $3
	if ($3 > most[$2]) most[$2] = $3
}
END {
	for (name in n) {
		slack = name ~ /bytes/ ? 65536 : 100
		grew = late[name] > 2 * early[name] + slack
		printf "queue=%s mean_early=%.1f mean_late=%.1f most=%d grew=%s\n",
			name, early[name] / half, late[name] / half,
			most[name], grew ? "yes" : "no"
		bad = bad || grew
	}
	exit bad
}' "$folder/depths" || failed=1
exit $failed
