# deps.sh - Debian packages that are missing; read by quickstart.sh and
# tests/check.sh with `.'.
# shellcheck shell=sh disable=SC2034

deps_build='gcc make autoconf automake libtool pkg-config libc6-dev
	libexpat1-dev libssl-dev libevent-dev libsqlite3-dev libidn2-dev
	libunistring-dev libunbound-dev liburcu-dev libyaml-dev libjansson-dev
	node-llhttp uthash-dev'
deps_run='openssl util-linux'
deps_test='libcmocka-dev libxml2-dev python3-pytest python3-pytest-xdist python3-slixmpp
	ccache clang libclang-rt-dev mandoc shellcheck valgrind xz-utils
	unbound nsd ldnsutils'
deps_gateways='biboumi ngircd'
# in front of the server, with what is in contrib/
deps_fronts='nginx-light libnginx-mod-stream haproxy caddy'
deps_peers='prosody lua-unbound lua-dbi-sqlite3 ejabberd erlang-p1-sqlite3 jabberd2
	sqlite3'

# Sanitizers and libFuzzer are in a package that clang only recommends.
deps_clang_sanitizes() {
	echo 'int main(void) { return 0; }' |
		clang -fsanitize=address,undefined -x c -o /dev/null - 2>/dev/null
}

# Prints those of the packages named that are not installed.
deps_missing() {
	for deps_name in "$@"; do
		# a package may be there under the name of one that provides it
		case $deps_name in
		pkg-config) command -v pkg-config >/dev/null && continue ;;
		gcc | make | clang) command -v "$deps_name" >/dev/null && continue ;;
		libclang-rt-dev) deps_clang_sanitizes && continue ;;
		# its source, where there is no library of it
		node-llhttp) pkg-config --exists libllhttp 2>/dev/null && continue ;;
		esac
		dpkg-query -W -f '${db:Status-Status}\n' "$deps_name" 2>/dev/null |
			grep -qx installed || printf ' %s' "$deps_name"
	done
}

# Installs what is missing of the packages named, or says what would.
deps_install() {
	if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
		echo "no apt-get here: what is missing has to be installed by hand" >&2
		return 0
	fi
	deps_wanted=$(deps_missing "$@")
	[ -n "$deps_wanted" ] || return 0
	deps_sudo=
	if [ "$(id -u)" -ne 0 ]; then
		if ! command -v sudo >/dev/null; then
			echo "missing, and only root may install it:" >&2
			echo "	apt-get install$deps_wanted" >&2
			return 1
		fi
		deps_sudo=sudo
	fi
	echo "installing$deps_wanted"
	# shellcheck disable=SC2086 # words, each a package
	{ $deps_sudo apt-get -q update &&
		$deps_sudo env DEBIAN_FRONTEND=noninteractive apt-get -qy \
			--no-install-recommends install $deps_wanted; } >&2
}

# The same for servers of others, which shall not start when they are there.
deps_install_stopped() {
	deps_policy=/usr/sbin/policy-rc.d
	if [ "$(id -u)" -ne 0 ] || [ -e $deps_policy ]; then
		deps_install "$@"
		return
	fi
	printf '#!/bin/sh\nexit 101\n' >$deps_policy
	chmod 755 $deps_policy
	deps_install "$@" && deps_status=0 || deps_status=$?
	rm -f $deps_policy
	return $deps_status
}

# Makes configure in the source tree $1, unless it is there; from then on make
# sees to it.  What follows is a command to run autoreconf by.
deps_configure_script() (
	cd "$1" || exit 1
	shift
	[ -e configure ] || "$@" autoreconf -fi
)
