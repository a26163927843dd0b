#!/bin/sh
# quickstart.sh - from this folder to a running server, for trying it out.
#
# Builds, makes certificates, and starts antiphond on this machine only, with a
# database in a folder of its own and without touching what is installed.  The
# server never runs as root: started by root, it runs as the owner of this
# folder, as who called sudo, or as nobody.  What it writes is in data/; the rest
# belongs to whoever runs this, who trusts nothing in data/.
set -eu

usage() {
	cat <<-X
	usage: sh contrib/quickstart.sh [options]
	       sh contrib/quickstart.sh [--dir DIR] --stop

	  --dir DIR        where the server lives (build-quickstart/server)
	  --build DIR      where it is built (build-quickstart)
	  --host NAME      the domain to serve (localhost)
	  --port-base N    ports N+22 with STARTTLS and N+23 with TLS from the
	                   start, N+65 for files that clients cannot send each
	                   other directly, N+80 and N+81 for HTTP without and
	                   with TLS (5200, or the next that is free)
	  --shards N       threads (one for each core)
	  --component      a component of the name component.NAME may connect, to
	                   port N+147; env.sh has its secret
	  --s2s            talk to other servers, which connect to ports N+69 with
	                   STARTTLS and N+70 with TLS from the start
	  --one-port       the same, at the ports of clients, and HTTP too: whoever
	                   connects says by ALPN, or by its first bytes, what it
	                   is
	  --peer DIR       the same as --s2s, and know the server that lives in DIR and was
	                   started with --s2s; it is told of this one
	  --cert FILE --key FILE [--ca-cert FILE]
	                   a certificate with its chain, its key, and who signed
	                   it; without them, a test authority is made
	  --no-install     install no packages
	  --stop           stop the server; its accounts stay in DIR
	X
}

say() { printf '%s\n' "$*"; }
die() {
	printf 'quickstart: %s\n' "$*" >&2
	exit 1
}

top=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=contrib/deps.sh
. "$top/contrib/deps.sh"

# --- what is wanted -----------------------------------------------------------

parse() {
	dir='' build='' host='' base='' shards='' cert='' key='' ca='' with_component=no
	install=yes action=start with_s2s=no one_port=no peer=''
	while [ $# -gt 0 ]; do
		case $1 in
		--no-install) install=no ;;
		--component) with_component=yes ;;
		--s2s) with_s2s=yes ;;
		--one-port) with_s2s=yes one_port=yes ;;
		--stop) action=stop ;;
		--help | -h)
			usage
			exit 0
			;;
		--dir | --build | --host | --port-base | --shards | --cert | --key | \
			--ca-cert | --peer)
			[ $# -ge 2 ] || die "$1 needs a value; see --help"
			case $1 in
			--dir) dir=$2 ;;
			--build) build=$2 ;;
			--host) host=$2 ;;
			--port-base) base=$2 ;;
			--shards) shards=$2 ;;
			--cert) cert=$2 ;;
			--key) key=$2 ;;
			--ca-cert) ca=$2 ;;
			--peer) peer=$2 with_s2s=yes ;;
			esac
			shift
			;;
		*)
			usage >&2
			exit 2
			;;
		esac
		shift
	done
	check_values
}

check_values() {
	case $host in
	*[!A-Za-z0-9.-]*) die "--host $host: a domain name is wanted" ;;
	esac
	case $base$shards in
	*[!0-9]*) die "--port-base and --shards take numbers" ;;
	esac
	[ -z "$base" ] || [ "$base" -le 65388 ] ||
		die "--port-base $base: at most 65388"
	case $cert:$key in
	: | ?*:?*) ;;
	*) die "--cert and --key go together" ;;
	esac
	[ -z "$ca" ] || [ -n "$cert" ] || die "--ca-cert needs --cert and --key"
	for given in "$cert" "$key" "$ca"; do
		[ -z "$given" ] || [ -r "$given" ] || die "cannot read $given"
	done
	[ -z "$peer" ] || [ -n "$(remembered PORT_S2S "$peer")" ] ||
		die "--peer $peer: no server was started there with --s2s"
}

# --- who, and where -----------------------------------------------------------

# Sets user: who the server runs as.
choose_user() {
	user=$(id -un)
	[ "$(id -u)" -eq 0 ] || return 0
	for user in "$(stat -c %U "$top")" "${SUDO_USER:-}" nobody; do
		[ -n "$user" ] && [ "$user" != root ] &&
			id -u "$user" >/dev/null 2>&1 && return 0
	done
	die "there is no ordinary user to run the server as"
}

as_user() {
	if [ "$(id -u)" -eq 0 ]; then
		setpriv --reuid "$user" --regid "$(id -g "$user")" --init-groups \
			env HOME=/nonexistent "$@"
	else
		"$@"
	fi
}

# To the process $2, with the rights of the server's user.  The shell's own kill:
# the program is in a package (procps) that may not be there.
signal() {
	# shellcheck disable=SC2016 # that shell's
	as_user sh -c 'kill -s "$0" "$1"' "$1" "$2" 2>/dev/null
}

# Who builds: the owner of this folder, so that none of it becomes root's.
as_builder() {
	if [ "$(stat -c %U "$top")" = "$user" ]; then as_user "$@"; else "$@"; fi
}

# Sets source, build and dir.  A folder that is not ours is copied before it is
# built.
choose_folders() {
	source=$top
	if [ -z "$build" ]; then
		build=$top/build-quickstart
		[ -w "$top" ] || build=${XDG_CACHE_HOME:-${HOME:-}/.cache}/antiphon
	fi
	if [ ! -d "$build" ]; then
		mkdir -p "$build" || die "cannot make a folder to build in; use --build"
		[ "$(id -u)" -ne 0 ] || chown --reference="$top" "$build"
	fi
	build=$(cd "$build" && pwd)
	[ -w "$top" ] || source=$build/source
	dir=${dir:-$build/server}
	case $dir in
	/*) ;;
	*) dir=$PWD/$dir ;;
	esac
}

# The server can live in $dir: its user gets there, the address of a socket,
# which has room for 107 bytes, can name it, and so can a shell without quoting.
dir_fits() {
	[ ${#dir} -le 90 ] || return 1
	case $dir in
	*[!A-Za-z0-9._/+@=-]*) return 1 ;;
	esac
	as_user test -x "$dir"
}

# Sets home, where the server lives: $dir, or a folder that $dir/home names.
choose_home() {
	home=$dir
	if [ -L "$dir/home" ]; then
		home=$(readlink "$dir/home")
	elif [ -d "$dir" ] && ! dir_fits; then
		parent=/tmp
		[ "$(id -u)" -ne 0 ] || parent=/var/lib
		home=$(mktemp -d "$parent/antiphon-quickstart.XXXXXX")
		chmod 755 "$home"
		ln -s "$home" "$dir/home"
	fi
	data=$home/data
}

# --- building -----------------------------------------------------------------

copy_source() {
	[ "$source" != "$top" ] || return 0
	rm -rf "$source"
	mkdir -p "$source"
	(cd "$top" && tar -cf - --exclude=./.git --exclude='./build*' \
		--exclude=./autom4te.cache --exclude=./config.status .) |
		(cd "$source" && tar -xf -)
}

build_steps() {
	deps_configure_script "$source" as_builder || return 1
	cd "$build" || return 1
	[ -f Makefile ] || as_builder "$source/configure" || return 1
	as_builder make -j"$(nproc)" || return 1
}

build() {
	say "building in $build"
	copy_source
	log=$build/quickstart-build.log
	if ! (build_steps) >"$log" 2>&1 </dev/null; then
		tail -n 30 "$log" >&2
		die "building failed; all of it is in $log"
	fi
}

# Copies, so that the next build does not pull them from under the server, and
# so that a server without access to the build tree can load its modules.
install_programs() {
	mkdir -p "$home/bin" "$home/modules"
	for program in antiphond antiphonctl; do
		install -m 755 "$build/$program" "$home/bin/$program.new"
		mv "$home/bin/$program.new" "$home/bin/$program"
	done
	rm -f "$home"/modules/*.so
	for module in "$build"/modules/.libs/mod_*.so; do
		[ ! -e "$module" ] || install -m 644 "$module" "$home/modules/"
	done
}

# --- certificates -------------------------------------------------------------

openssl_quietly() {
	openssl "$@" >"$home/openssl.log" 2>&1 || {
		cat "$home/openssl.log" >&2
		die "openssl $1 failed"
	}
	rm -f "$home/openssl.log"
}

make_certificates() (
	mkdir -p "$home/certs"
	cd "$home/certs"
	[ ! -s server.crt ] || [ "$(cat host 2>/dev/null)" != "$host" ] ||
		! openssl x509 -checkend 86400 -noout -in server.crt >/dev/null ||
		exit 0
	umask 077
	openssl_quietly req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 \
		-nodes -keyout ca.key -out ca.crt -sha256 -days 3650 \
		-subj "/CN=Antiphon test authority" \
		-addext basicConstraints=critical,CA:TRUE \
		-addext keyUsage=critical,keyCertSign,cRLSign
	openssl_quietly req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
		-keyout server.key -out server.csr -subj "/CN=antiphon"
	cat >extensions <<-X
	basicConstraints=CA:FALSE
	keyUsage=digitalSignature
	extendedKeyUsage=serverAuth
	subjectKeyIdentifier=hash
	authorityKeyIdentifier=keyid
	subjectAltName=DNS:$host,DNS:*.$host,DNS:localhost,IP:127.0.0.1
	X
	openssl_quietly x509 -req -in server.csr -CA ca.crt -CAkey ca.key \
		-CAcreateserial -days 800 -sha256 -extfile extensions -out leaf.crt
	cat leaf.crt ca.crt >server.crt
	rm -f server.csr extensions leaf.crt
	chmod 644 ca.crt server.crt
)

take_certificates() {
	mkdir -p "$home/certs"
	install -m 644 "$cert" "$home/certs/server.crt"
	install -m 600 "$key" "$home/certs/server.key"
	install -m 644 "${ca:-$cert}" "$home/certs/ca.crt"
}

certificates() {
	if [ -n "$cert" ]; then take_certificates; else make_certificates; fi
	echo "$host" >"$home/certs/host"
	[ "$(id -u)" -ne 0 ] || chown "$user" "$home/certs/server.key"
}

# --- the server ---------------------------------------------------------------

# A value that an earlier run left in a folder ($dir); read, not run.
remembered() {
	[ ! -r "${2:-$dir}/env.sh" ] ||
		sed -n "s/^export $1=\([A-Za-z0-9.-]*\)\$/\1/p" "${2:-$dir}/env.sh"
}

# Sets pid if the server is running: what the file says is believed only of a
# process of that user and that name.
running() {
	pid=$(as_user cat "$data/antiphond.pid" 2>/dev/null | head -n 1) || return 1
	case $pid in
	'' | *[!0-9]*) return 1 ;;
	esac
	[ "$(cat "/proc/$pid/comm" 2>/dev/null)" = antiphond ] &&
		signal 0 "$pid"
}

stop() {
	running || return 1
	signal TERM "$pid"
	tries=0
	while signal 0 "$pid"; do
		tries=$((tries + 1))
		[ $tries -lt 300 ] || die "process $pid does not end; see $data/antiphond.log"
		sleep 0.1
	done
}

# Somebody listens there.  Asked of the kernel, because two servers of one user
# may share a port without either of them being told.
port_taken() {
	cat /proc/net/tcp /proc/net/tcp6 2>/dev/null |
		awk -v port="$(printf ':%04X' "$1")" '
			$4 == "0A" && substr($2, length($2) - 4) == port { taken = 1 }
			END { exit !taken }'
}

choose_ports() {
	if [ -n "$base" ]; then
		bases=$base
	else
		before=$(remembered PORT_C2S)
		bases="${before:+$((before - 22))} 5200 15200 25200 35200"
	fi
	for base in $bases; do
		c2s=$((base + 22)) direct=$((base + 23)) component=$((base + 147))
		proxy=$((base + 65)) http=$((base + 80)) https=$((base + 81))
		s2s=$((base + 69)) s2s_direct=$((base + 70))
		[ $one_port = no ] || s2s=$c2s s2s_direct=$direct
		ports="$c2s $direct $proxy $http $https"
		[ $with_component = no ] || ports="$ports $component"
		[ $with_s2s$one_port != yesno ] || ports="$ports $s2s $s2s_direct"
		taken=
		for port in $ports; do
			! port_taken "$port" || taken="$taken $port"
		done
		[ -n "$taken" ] || return 0
		say "somebody listens already on$taken"
	done
	die "no free ports; choose others with --port-base"
}

# $1 kind, or several, $2 port, $3 port with TLS from the start
write_listeners() {
	for address in 127.0.0.1 ::1; do
		[ "$address" != ::1 ] || grep -q ' lo$' /proc/net/if_inet6 2>/dev/null ||
			continue
		say "  - { kind: $1, address: \"$address\", port: $2, tls: starttls }"
		say "  - { kind: $1, address: \"$address\", port: $3, tls: direct }"
	done
}

# Sets secret, which stays the same from one run to the next.
choose_secret() {
	secret=$(remembered COMPONENT_SECRET)
	[ -n "$secret" ] || secret=$(openssl rand -hex 16)
}

# $1 kind, $2 port
write_address_listeners() {
	say "  - { kind: $1, address: 127.0.0.1, port: $2 }"
	! grep -q ' lo$' /proc/net/if_inet6 2>/dev/null ||
		say "  - { kind: $1, address: \"::1\", port: $2 }"
}

# For a reverse proxy on this machine, and for all others.
write_web_listeners() {
	say "  - { kind: http, address: localhost, port: $http }"
	write_address_listeners https "$https"
}

write_component() {
	[ $with_component = yes ] || return 0
	cat <<-X
	components:
	  component.$host:
	    secret: "$secret"
	X
}

write_component_listener() {
	[ $with_component = no ] ||
		say "  - { kind: component, port: $component }"
}

write_client_listeners() {
	kinds=c2s
	[ $one_port = no ] || kinds='[ c2s, server, web ]'
	write_listeners "$kinds" "$c2s" "$direct"
}

write_s2s_listeners() {
	[ $with_s2s$one_port != yesno ] ||
		write_listeners server "$s2s" "$s2s_direct"
}

# Who comes with a certificate and no authority believes whom the system does.
write_s2s() {
	[ $with_s2s = yes ] || return 0
	authorities=", authorities: $home/certs/ca.crt"
	[ -z "$cert" ] || [ -n "$ca" ] || authorities=
	cat <<-X
	federation: { mode: on$authorities }
	include: peers/*.yml
	X
}

# In the folder $1 of a server: where the domain $2 is, at port $3, and who signs
# for it ($4).
introduce() {
	[ -d "$1/peers" ] || mkdir "$1/peers"
	install -m 644 "$4" "$1/peers/$2.crt"
	cat >"$1/peers/$2.yml" <<-X
	remotes:
	  $2: { address: 127.0.0.1, port: $3, authorities: $1/peers/$2.crt }
	X
}

# Sets peer_home and peer_host.
choose_peer() {
	[ -n "$peer" ] || return 0
	peer=$(cd "$peer" && pwd)
	peer_home=$peer
	[ ! -L "$peer/home" ] || peer_home=$(readlink "$peer/home")
	peer_host=$(remembered DOMAIN "$peer")
	[ "$peer_host" != "$host" ] ||
		die "$peer serves $host, too; choose another one with --host"
	introduce "$home" "$peer_host" "$(remembered PORT_S2S "$peer")" \
		"$peer_home/certs/ca.crt"
	introduce "$peer_home" "$host" "$s2s" "$home/certs/ca.crt"
}

# It may be stopped, and reads it when it starts.
tell_peer() {
	[ -n "$peer" ] || return 0
	"$peer_home/bin/antiphonctl" --socket "$peer_home/data/control" reload \
		>/dev/null 2>&1 || say "the server in $peer was not told; start it again"
}

write_configuration() {
	[ $with_component = no ] || choose_secret
	rm -f "$home/antiphond.yml"
	(umask 027 && : >"$home/antiphond.yml")
	[ "$(id -u)" -ne 0 ] || chgrp "$(id -g "$user")" "$home/antiphond.yml"
	{
		say "# written by contrib/quickstart.sh, and written again by its next run"
		[ -z "$shards" ] || say "shards: $shards"
		cat <<-X
		pid_file: $data/antiphond.pid
		log:
		  to: file
		  file: $data/antiphond.log
		storage:
		  path: $data/antiphon.db
		control:
		  socket: $data/control
		listen:
		$(write_client_listeners)
		$(write_address_listeners proxy65 "$proxy")
		$(write_web_listeners)
		$(write_s2s_listeners)
		$(write_component_listener)
		hosts:
		  $host:
		    certificate: $home/certs/server.crt
		    key: $home/certs/server.key
		modules:
		  proxy65: { name: 127.0.0.1 }
		X
		write_component
		write_s2s
	} >"$home/antiphond.yml"
}

write_env() {
	ctl="$home/bin/antiphonctl --socket $data/control"
	cat >"$dir/env.sh" <<-X
	export HOST=127.0.0.1
	export DOMAIN=$host
	export PORT_C2S=$c2s
	export PORT_DIRECT_TLS=$direct
	export PORT_PROXY=$proxy
	export PORT_HTTP=$http
	export HTTP_TLS=0
	export PORT_HTTPS=$https
	export CA_FILE=$home/certs/ca.crt
	export CTL='$ctl'
	export ADDUSER="printf '%s\\n' {password} | $ctl adduser {user}@{domain}"
	export DELUSER="$ctl deluser {user}@{domain}"
	export PIDFILE=$data/antiphond.pid
	X
	[ $with_s2s = no ] || cat >>"$dir/env.sh" <<-X
	export PORT_S2S=$s2s
	export PORT_S2S_DIRECT_TLS=$s2s_direct
	X
	[ $with_component = yes ] || return 0
	chmod 600 "$dir/env.sh"
	cat >>"$dir/env.sh" <<-X
	export PORT_COMPONENT=$component
	export COMPONENT_SECRET=$secret
	X
}

prepare_data() {
	mkdir -p "$data"
	chmod 700 "$data"
	[ "$(id -u)" -ne 0 ] || chown "$user:" "$data"
}

launch() {
	if ! as_user "$home/bin/antiphond" --config "$home/antiphond.yml" \
		--module-dir "$home/modules" --daemon \
		</dev/null >"$home/start.log" 2>&1; then
		cat "$home/start.log" >&2
		as_user tail -n 20 "$data/antiphond.log" >&2 || :
		die "the server did not start"
	fi
	running || die "the server has ended already; see $data/antiphond.log"
}

tell() {
	stop_words=--stop
	[ "$dir" = "$build/server" ] || stop_words="--dir $dir --stop"
	cat <<-X

	antiphond serves $host on ports $c2s and $direct of this machine
	(pid $pid, user $user, everything in $home).

	Create an account; this asks for its password:
	    $ctl adduser romeo@$host

	To log in with a client:
	 1. Add the account romeo@$host with that password.
	 2. Set its server to 127.0.0.1, port $c2s with STARTTLS, or port $direct with TLS.
	 3. Let it trust $home/certs/ca.crt, or accept the certificate when it asks.
	 4. Profanity, for one: /connect romeo@$host server 127.0.0.1 port $c2s tls trust
	 5. Scripts find all of this in $dir/env.sh; "sh contrib/quickstart.sh $stop_words" ends it.
	X
	[ $with_component = no ] || cat <<-X

	The component component.$host may connect to port $component of 127.0.0.1; its
	secret is COMPONENT_SECRET in $dir/env.sh.
	X
	tell_s2s
}

tell_s2s() {
	[ $with_s2s = yes ] || return 0
	if [ -n "$peer" ]; then
		say
		say "It talks to $peer_host, the server in $peer."
		return
	fi
	cat <<-X

	It talks to other servers, which connect to port $s2s, or $s2s_direct with TLS.
	To start another one that it knows and that knows it:
	    sh contrib/quickstart.sh --peer $dir --dir $dir-2 --host peer.localhost
	X
}

start() {
	if [ "$install" = yes ]; then
		# shellcheck disable=SC2086 # words, each a package
		deps_install $deps_build $deps_run ||
			die "install what is missing, or use --no-install"
	fi
	build
	mkdir -p "$dir"
	choose_home
	if stop; then say "stopped the server that ran before (pid $pid)"; fi
	[ -n "$host" ] || host=$(remembered DOMAIN)
	host=${host:-localhost}
	choose_ports
	install_programs
	certificates
	choose_peer
	write_configuration
	write_env
	prepare_data
	launch
	tell_peer
	tell
}

umask 022
parse "$@"
choose_user
choose_folders
if [ "$action" = start ]; then
	start
	exit
fi
choose_home
if stop; then
	say "stopped (pid $pid)"
else
	say "no server runs in $home"
fi
