# lib.sh - what the scripts of the peers share; to be sourced after
# tests/bench/lib.sh.
#
# A peer is a server of somebody else, that we compare ourselves with.  Its
# script, peers/NAME.sh, defines
#   NAME_version   prints it; false if it is not installed
#   NAME_start     starts it in a folder of its own, and sets pid and
#                  port_<tls>; false if it did not start.  It has $accounts
#                  accounts, b0 and so on, each with $contacts contacts: in
#                  groups of $contacts + 1 everybody knows everybody, by the
#                  names and groups that contact_send() gives.  If
#                  $tuned is not empty, it is as fast as its settings make
#                  it; if $components is not, a.$domain may connect to
#                  $port_component and b.$domain to that or $port_second, by
#                  the secret "bench"; if $peer_archive is not, it keeps
#                  archives (prosody, ejabberd), in SQLite if that is sql; if
#                  $rooms is not, it has rooms (prosody, ejabberd).
#                  $stock is a folder for what a later start can use
#   NAME_sql       prints the version of what an archive in SQLite needs; false
#                  if it is not installed (prosody, ejabberd)
#   NAME_launch    starts it again, after peer_end: as NAME_start, but with what
#                  is in its folder (prosody, ejabberd)
# and leaves every setting as Debian has it but for those that keep it to
# itself, and those that limit what one client may do.
# shellcheck shell=sh disable=SC2034,SC2046,SC2154

# Version of a Debian package, without its revision.
package_version() {
	version=$(dpkg-query -W -f '${db:Status-Status} ${Version}\n' "$1" \
		2>/dev/null) || return 1
	test "${version%% *}" = installed || return 1
	version=${version#* }
	echo "${version%-*}"
}

# Runs a command without root's rights: some servers refuse to have them.  The
# command keeps the number of the process.
as_nobody() {
	if test "$(id -u)" = 0; then
		exec setpriv --reuid nobody --regid nogroup --clear-groups "$@"
	fi
	exec "$@"
}

# True if somebody listens on the port.
port_is_open() {
	awk -v port="$(printf ':%04X' "$1")" '
		$4 == "0A" && substr($2, length($2) - 4) == port { found = 1 }
		END { exit !found }' /proc/net/tcp /proc/net/tcp6
}

# Sets port to one that is free, and not among those that connections get.
port_next=$((20000 + $$ % 10000))
port_new() {
	port_next=$((port_next + 1))
	while port_is_open $port_next; do
		port_next=$((port_next + 1))
	done
	port=$port_next
}

# Waits until a process listens on the port.
port_await() { # port process
	until port_is_open "$1"; do
		kill -0 "$2" 2>/dev/null || {
			cat "$folder/log" >&2
			return 1
		}
		sleep 0.1
	done
}

# The processes named and their children, with commas between them.
process_family() {
	for parent in "$@"; do
		echo "$parent"
		cat "/proc/$parent/task/$parent/children"
	done | tr -s ' \n' ',' | sed 's/,$//'
}

# Ends it as an administrator does who waits for half a minute.
peer_end() {
	set -- $(echo "$pid" | tr , ' ')
	kill -TERM "$1"
	for _ in $(seq 300); do
		readlink "/proc/$1/exe" >/dev/null || break
		sleep 0.1
	done
	kill -KILL "$@" 2>/dev/null || :
	pid=
}

peer_stop() {
	kill -KILL $(echo "$pid" | tr , ' ') 2>/dev/null || :
	wait $(echo "$pid" | tr , ' ') 2>/dev/null || :
	pid=
	rm -rf "$folder"
	folder=
}
