#!/bin/sh
# What is installed for modules is all that a module needs.
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for part in base xml xmpp conf store core account command module; do
	${MAKE:-make} -s DESTDIR="$work" "install-moduleinc${part}HEADERS" >/dev/null
done
dir=$(dirname "$(dirname "$(find "$work" -name module.h)")")
# shellcheck disable=SC2086 # words
${CC:-cc} -std=gnu11 -fsyntax-only ${DEPS_CFLAGS-} -I"$dir" \
	"${srcdir:-.}/contrib/example-module/mod_example.c"
