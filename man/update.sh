#!/bin/sh
# update.sh - holds the parts of the manual that come from the source against
# it: options, hooks, the example module, commands.
#
#   sh man/update.sh --check BUILD   says what differs, and fails
#   sh man/update.sh BUILD           puts it right
#
# BUILD is the build tree.  Commands are looked at only if ANTIPHON_SOCKET names
# a server that runs, without modules that are not bundled.
set -eu

check=no
if [ "${1-}" = --check ]; then
	check=yes
	shift
fi
[ $# -eq 1 ] || {
	echo "usage: update.sh [--check] BUILD" >&2
	exit 2
}
build=$1
top=$(dirname "$0")/..
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# put PAGE NAME: what stands between the two marks is to be standard input.  It may
# be the end of a pipe, a shell of its own: that something differs says a file.
put() {
	cat >"$work/part"
	awk -v name="$2" -v part="$work/part" '
		$1 == ".\\\"" && $2 == "end" && $3 == name { off = 0 }
		!off { print }
		$1 == ".\\\"" && $2 == "begin" && $3 == name ":" {
			off = 1
			while ((getline line <part) > 0)
				print line
		}' "$top/man/$1" >"$work/page"
	cmp -s "$work/page" "$top/man/$1" && return
	if [ "$check" = yes ]; then
		diff -u "$top/man/$1" "$work/page" >&2 || :
		echo "man/$1: $2 are out of date: sh man/update.sh BUILD" >&2
		: >"$work/differs"
	else
		cat "$work/page" >"$top/man/$1"
	fi
}

# Paths of this build become what configure replaces again.
unsubstituted() {
	sed -e "s|$(sed -n 's/^runstatedir = //p' "$build/man/paths")|@runstatedir@|g" \
		-e "s|$(sed -n 's/^localstatedir = //p' "$build/man/paths")|@localstatedir@|g" \
		-e "s|$(sed -n 's/^sysconfdir = //p' "$build/man/paths")|@sysconfdir@|g"
}

hooks() {
	awk '
		/^HOOK\(/ {
			split($0, f, ",")
			id = f[1]
			sub(/^HOOK\(/, "", id)
			name = f[2]
			gsub(/[ "]/, "", name)
			arg = f[3]
			sub(/^ */, "", arg)
			on = f[4] ~ /OWNER/ ? "owner shard" : "any shard"
			next
		}
		/^     "/ {
			text = $0
			sub(/^ *"/, "", text)
			sub(/"\)$/, "", text)
			gsub(/§/, "\\(sc", text)
			printf ".It Dv HOOK_%s Pq Li %s\n", id, name
			printf "%s%s.\n", toupper(substr(text, 1, 1)), substr(text, 2)
			printf "Argument:\n.Vt %s ;\n%s.\n", arg, on
		}' "$top/src/core/hooks.def"
}

example() {
	echo '.Bd -literal'
	sed -e 's/\\/\\e/g' -e "s/^[.']/\\\\\\&&/" \
		"$top/contrib/example-module/mod_example.c"
	echo '.Ed'
}

"$build/antiphond" --module-dir "$build/modules/.libs" --options-mdoc \
	>"$work/options"
unsubstituted <"$work/options" | put antiphond.yml.5.in options
hooks | put antiphon-module.7.in hooks
example | put antiphon-module.7.in module
if [ -n "${ANTIPHON_SOCKET-}" ]; then
	"$build/antiphonctl" --list-mdoc >"$work/commands"
	put antiphonctl.8.in commands <"$work/commands"
fi
[ ! -e "$work/differs" ]
