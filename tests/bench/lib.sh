# lib.sh - a server for benchmarks, in a folder of its own; to be sourced.
#
# BUILD names the build tree (default: build/ beside tests/); WRAP is put
# before the server, such as "valgrind --tool=massif".
#   server_start SHARDS ACCOUNTS   sets pid, and port_<tls>; server_limits is one
#                                  more line of the section limits, and
#                                  server_archive the options of the archive, or
#                                  yes (no); server_muc those of rooms;
#                                  server_listen one more port, and server_more
#                                  sections
#   server_stop                    false if it did not end well
# What other servers need (see peers/) is here too.
# shellcheck shell=sh disable=SC2034,SC2046,SC2154

top=$(cd "$(dirname "$0")/../.." && pwd)
BUILD=$(cd "${BUILD:-$top/build}" && pwd)
bench=$BUILD/tests/bench/antiphon-bench
domain=bench.test
folder=
pid=

die() {
	echo "$0: $*" >&2
	exit 2
}

for built in "$BUILD/antiphond" "$BUILD/antiphonctl" "$bench"; do
	test -x "$built" || die "$built is missing; in the build tree," \
		"run: make all tests/bench/antiphon-bench"
done

# pid is one process, or several with commas between them.
cleanup() {
	if test -n "$pid"; then
		kill -KILL $(echo "$pid" | tr , ' ') 2>/dev/null || :
	fi
	if test -n "$folder"; then rm -rf "$folder"; fi
}
trap cleanup EXIT
trap 'exit 130' INT TERM

server_conf() {
	if test "$(id -u)" = 0; then echo "user: nobody"; fi
	cat <<-END
	shards: $1
	log: { level: info }
	control: { socket: $folder/control }
	storage: { path: $folder/data.sqlite }
	auth: { tls_required: no }
	limits:
	  stanzas_per_second: 1000000
	  stanzas_burst: 1000000
	  bytes_per_second: 1GiB
	  bytes_burst: 1GiB
	  connections_per_address: 1000000
	  unauthenticated_connections: 100000
	  write_queue_bytes: 64MiB
	  write_queue_max_bytes: 64MiB
	  auth_failures_per_address: 1000000
	  login_timeout: 5m
	  ${server_limits:-}
	modules:
	  offline: { stranger_share: 100, sender_share: 100 }
	  archive: ${server_archive:-no}
	  muc: ${server_muc:-yes}
	listen:
	  - { address: 127.0.0.1, port: 0, tls: starttls, backlog: 4096 }
	  - { address: 127.0.0.1, port: 0, tls: direct, backlog: 4096 }
	  - { address: 127.0.0.1, port: 0, tls: none, backlog: 4096 }
	  ${server_listen:-}
	hosts:
	  $domain:
	    certificate: $folder/cert.pem
	    key: $folder/key.pem
	${server_more:-}
	END
}

# The modules of the build tree, in one folder.
server_modules() {
	mkdir "$folder/modules"
	for module in "$BUILD"/modules/.libs/mod_*.so; do
		test -e "$module" || continue
		ln -s "$module" "$folder/modules/"
	done
}

server_launch() {
	${WRAP:-} "$BUILD/antiphond" --config "$folder/antiphond.yml" \
		--module-dir "$folder/modules" 2>>"$folder/log" &
	pid=$!
	until grep -q ' ready$' "$folder/log"; do
		kill -0 "$pid" 2>/dev/null || {
			cat "$folder/log" >&2
			pid=
			die "the server did not start"
		}
		sleep 0.1
	done
	set -- $(sed -n 's/.*listening kind=c2s .*port=\([0-9]*\).*/\1/p' \
		"$folder/log" | tail -n 3)
	port_starttls=$1 port_direct=$2 port_none=$3
}

# A folder for one server, with a certificate.
folder_new() {
	folder=$(mktemp -d)
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 \
		-nodes -keyout "$folder/key.pem" -out "$folder/cert.pem" \
		-days 30 -subj "/CN=$domain" \
		-addext "subjectAltName=DNS:$domain" 2>/dev/null
}

server_start() {
	folder_new
	server_conf "$1" >"$folder/antiphond.yml"
	server_modules
	: >"$folder/log"
	if test "$(id -u)" = 0; then chown -R nobody "$folder"; fi
	server_launch
	"$bench" accounts --clients "$2" --domain "$domain" >"$folder/accounts"
	"$BUILD/antiphonctl" --socket "$folder/control" adduser \
		--batch "$folder/accounts" >"$folder/adduser.log" 2>&1 || {
		cat "$folder/adduser.log" >&2
		die "the accounts could not be made"
	}
}

server_stop() {
	kill -TERM "$pid"
	wait "$pid" && code=0 || code=$?
	pid=
	return "$code"
}

# A fresh process, with the accounts there are.
server_restart() {
	server_stop || die "the server did not end well"
	: >"$folder/log"
	server_launch
}
