#!/bin/sh
# fresh.sh - the two commands of README on a bare machine: as root, in a new
# Debian of the smallest kind (debootstrap), with nothing of the machine outside.
#
#   sh tests/fresh.sh [--quick] [--keep] [--suite NAME] [option of check.sh...]
#
# What is tried is the last commit, not what is not committed yet.  In the fresh
# system, the first command has to build and start a server that clients can log
# in to, and to stop it again: as root, and as an ordinary user, who is first told
# what only root can install.  Then the server is installed as README says, and
# tests/check.sh runs, with --quick its short way.  --keep leaves the folder; so
# does what fails.
#
# It needs root, debootstrap, git, some 10 GB in TMPDIR (/var/tmp), the ports of
# XMPP (5222, 5223) free, and a mirror of Debian: the one that apt uses here, in
# the way that apt reaches it.
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
user=visitor

say() { printf '%s\n' "$*"; }
die() {
	printf 'fresh.sh: %s\n' "$*" >&2
	exit 1
}

# --- inside: a command, as who calls this ---------------------------------------

quickstart() { sh "$top/contrib/quickstart.sh" "$@"; }

# Nothing is left of it: asked of the kernel, for there is no pgrep.
no_server_runs() {
	! cat /proc/[0-9]*/comm 2>/dev/null | grep -qx antiphond
}

# Two clients of our own log in and talk, and OpenSSL believes the certificate.
log_in() {
	make -C "$top/build-quickstart" tests/bench/antiphon-bench >make.log 2>&1 ||
		die "the load generator cannot be built: $(tail -n 5 make.log)"
	bench=$top/build-quickstart/tests/bench/antiphon-bench
	# shellcheck disable=SC1091 # written by quickstart.sh
	. "$top/build-quickstart/server/env.sh"
	"$bench" accounts --clients 2 --domain "$DOMAIN" >accounts
	$CTL adduser --batch "$PWD/accounts"
	for way in starttls:$PORT_C2S direct:$PORT_DIRECT_TLS; do
		"$bench" chat --clients 2 --count 5 --domain "$DOMAIN" \
			--tls "${way%:*}" --port "${way#*:}" >bench.log ||
			die "nobody can log in (${way%:*}): $(cat bench.log)"
	done
	openssl s_client -connect "$HOST:$PORT_C2S" -starttls xmpp \
		-xmpphost "$DOMAIN" -verify_hostname "$DOMAIN" \
		-CAfile "$CA_FILE" -verify_return_error \
		</dev/null >openssl.log 2>&1 ||
		die "the certificate is not believed: $(cat openssl.log)"
}

try_quickstart() {
	cd "$(mktemp -d)"
	chmod 755 . # the server's user reads the accounts
	quickstart
	log_in
	say "clients have logged in"
	quickstart --stop | tee stop.log
	grep -q '^stopped ' stop.log || die "--stop did not find the server"
	no_server_runs || die "--stop left the server running"
	quickstart --stop | grep -q '^no server runs' ||
		die "--stop finds a server where there is none"
}

# Who may not install learns what is missing, and nothing else happens.
try_without_root() {
	if quickstart >without.log 2>&1; then
		die "an ordinary user could build on a bare system"
	fi
	grep -q 'apt-get install .*gcc' without.log ||
		die "an ordinary user is not told what is missing: $(cat without.log)"
	no_server_runs
}

# --- inside: the whole ----------------------------------------------------------

# A server that is installed as README says, and started as its service would.
service() {
	setpriv --reuid antiphon --regid antiphon --init-groups \
		--bounding-set=-all --no-new-privs \
		antiphond --config /etc/antiphon/antiphond.yml --daemon
}

# Somebody who is nothing but a member of the control group.
as_admin() {
	setpriv --reuid $user --regid $user \
		--groups "$(getent group antiphon-admin | cut -d: -f3)" "$@"
}

install_all() {
	mkdir "$top/build-install"
	cd "$top/build-install"
	../configure --prefix=/usr --sysconfdir=/etc --localstatedir=/var \
		--runstatedir=/run
	make -j"$(nproc)"
	make install
	apt-get -qy --no-install-recommends install systemd
	systemd-sysusers
	systemd-tmpfiles --create
	systemd-analyze --man=no verify antiphon.service
}

try_install() {
	install_all
	conf=/etc/antiphon/antiphond.yml
	antiphonctl cert make localhost --dir /etc/antiphon
	antiphonctl check-config
	pair=/etc/antiphon/localhost
	sed -i -e "s,^  localhost:,& { certificate: $pair.pem\, key: $pair.key }," \
		-e 's,# group: antiphon-admin,group: antiphon-admin,' $conf
	antiphonctl check-config
	service
	antiphonctl reload
	as_admin antiphonctl status
	"$top/build-quickstart/tests/bench/antiphon-bench" accounts --clients 2 \
		--domain localhost >/tmp/accounts
	antiphonctl adduser --batch /tmp/accounts
	"$top/build-quickstart/tests/bench/antiphon-bench" chat --clients 2 \
		--count 5 --domain localhost --tls starttls --port 5222
	antiphonctl stop
	no_server_runs
	antiphond --daemon # by root this time
	antiphonctl reload
	antiphonctl stop
}

as_user() {
	setpriv --reuid $user --regid $user --init-groups \
		env HOME=/home/$user "$@"
}

# One try, and how long it took; what it says is shown when it fails.
try() {
	name=$1
	shift
	began=$(date +%s)
	"$@" >/try.log 2>&1 || {
		tail -n 50 /try.log
		die "failed: $name"
	}
	printf '%-36s ok %5d s\n' "$name" $(($(date +%s) - began))
}

inside() {
	umask 022
	useradd --create-home --shell /bin/sh $user
	cp -R "$top" /home/$user/antiphon
	chown -R $user: /home/$user
	theirs=/home/$user/antiphon
	cd /home/$user
	try "quickstart, user, nothing installed" \
		as_user sh "$theirs/tests/fresh.sh" --without-root
	cd /
	try "quickstart, root" sh "$top/tests/fresh.sh" --try
	try "quickstart, user" as_user sh "$theirs/tests/fresh.sh" --try
	try "make install, root" sh "$top/tests/fresh.sh" --install
	began=$(date +%s)
	sh "$top/tests/check.sh" "$@" 2>/try.log ||
		die "failed: check.sh $*: $(tail -n 20 /try.log)"
	printf '%-36s ok %5d s\n' "check.sh${*:+ $*}" $(($(date +%s) - began))
}

# --- the fresh system -----------------------------------------------------------

# What apt has here of the release: mirror, suite, component, a line each.
mirrors() {
	apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' \
		'Identifier: Packages' 'Origin: Debian' 2>/dev/null |
		awk -v suite="$suite" '
			$2 == suite { print }
			$2 == suite "-updates" || $2 == suite "-security" { print }' |
		grep ' main$' | sort -u
}

default_mirrors() {
	cat <<-X
	http://deb.debian.org/debian $suite main
	http://deb.debian.org/debian $suite-updates main
	http://deb.debian.org/debian-security $suite-security main
	X
}

# As much of apt's settings as it takes to reach the mirror, and to believe it.
configure_apt() {
	say "$from" | sed 's/^/deb /' >"$root/etc/apt/sources.list"
	apt-config dump | grep '^Acquire::' | grep -v '^Acquire::IndexTargets' \
		>"$root/etc/apt/apt.conf.d/00mirror" || :
	cp -R /etc/apt/trusted.gpg.d/. "$root/etc/apt/trusted.gpg.d/"
}

bootstrap() {
	from=$(mirrors)
	[ -n "$from" ] || from=$(default_mirrors)
	mirror=$(say "$from" | awk -v suite="$suite" '$2 == suite { print $1; exit }')
	proxy=$(apt-config shell it Acquire::http::Proxy)
	eval "${proxy:-it=}"
	[ -z "$it" ] || [ "$it" = DIRECT ] || export http_proxy="$it"
	say "making a $suite in $root"
	debootstrap --variant=minbase "$suite" "$root" "$mirror" \
		>"$work/debootstrap.log" 2>&1 ||
		die "debootstrap failed: $(tail -n 5 "$work/debootstrap.log")"
	configure_apt
	mkdir "$root/root/antiphon"
	git -C "$top" archive HEAD | tar -xf - -C "$root/root/antiphon"
}

# In namespaces of its own: mounts and processes end with it.  /dev has what a
# bare system cannot do without.
enter() {
	root=$1
	shift
	mount -t proc proc "$root/proc"
	mount -t tmpfs -o mode=755 tmpfs "$root/dev"
	for device in null zero full random urandom tty; do
		: >"$root/dev/$device"
		mount --bind "/dev/$device" "$root/dev/$device"
	done
	mkdir "$root/dev/shm" "$root/dev/pts"
	mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
	mount -t devpts -o newinstance,ptmxmode=666 devpts "$root/dev/pts"
	ln -s pts/ptmx "$root/dev/ptmx"
	ln -s /proc/self/fd "$root/dev/fd"
	exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
		TERM="${TERM:-dumb}" \
		${http_proxy:+http_proxy="$http_proxy"} \
		${FUZZ_SECONDS:+FUZZ_SECONDS="$FUZZ_SECONDS"} \
		chroot "$root" /bin/sh /root/antiphon/tests/fresh.sh --inside "$@"
}

finish() {
	status=$?
	[ -z "$child" ] || kill -KILL "$child" 2>/dev/null || :
	if [ "$keep" = yes ] || [ "$status" -ne 0 ]; then
		say "the fresh system is in $work"
	else
		rm -rf --one-file-system "$work"
	fi
}

outside() {
	keep=no suite=bookworm child=
	rest=
	while [ $# -gt 0 ]; do
		case $1 in
		--keep) keep=yes ;;
		--suite)
			[ $# -ge 2 ] || die "--suite needs a name"
			suite=$2
			shift
			;;
		--quick | --peers) rest="$rest $1" ;;
		*)
			sed -n 's/^#   \(sh tests\)/usage: \1/p' "$0" >&2
			exit 2
			;;
		esac
		shift
	done
	[ "$(id -u)" -eq 0 ] || die "only root can make a system"
	command -v debootstrap >/dev/null || die "debootstrap is not installed"
	work=$(mktemp -d "${TMPDIR:-/var/tmp}/antiphon-fresh.XXXXXX")
	root=$work/root
	trap finish EXIT
	trap 'exit 130' INT TERM
	chmod 755 "$work"
	say "commit $(git -C "$top" log -1 --format='%h %s')"
	bootstrap
	# in the background, so that a signal is not kept waiting
	# shellcheck disable=SC2086 # words
	unshare --mount --pid --ipc --uts --fork --kill-child \
		sh "$0" --enter "$root" $rest </dev/null &
	child=$!
	wait "$child" || die "the fresh system has failed"
	child=
}

mode=${1:-}
case $mode in
--inside | --enter | --try | --install | --without-root) shift ;;
esac
case $mode in
--inside) inside "$@" ;;
--enter) enter "$@" ;;
--try) try_quickstart ;;
--install) try_install ;;
--without-root) try_without_root ;;
*) outside "$@" ;;
esac
exit
