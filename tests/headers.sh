#!/bin/sh
# What is installed for modules is all that a module needs, and nothing else:
# the example and the modules of the tests are built as the manual says, with
# pkg-config.
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for part in base xml xmpp conf store core account command module; do
	${MAKE:-make} -s DESTDIR="$work" "install-moduleinc${part}HEADERS" >/dev/null
done
${MAKE:-make} -s DESTDIR="$work" install-pkgconfigDATA >/dev/null
pc=$(find "$work" -name antiphon.pc)
cflags=$(PKG_CONFIG_PATH=$(dirname "$pc") PKG_CONFIG_SYSROOT_DIR=$work \
	${PKG_CONFIG:-pkg-config} --cflags antiphon)

top=${srcdir:-.}
for module in "$top"/contrib/example-module/*.c "$top"/tests/modules/*.c; do
	# shellcheck disable=SC2086 # words
	${CC:-cc} -std=gnu11 -fsyntax-only -Wall -Wextra -Werror $cflags "$module"
done

# A module includes module.h alone, so what that does not include is of no use.
dir=$(dirname "$(dirname "$(find "$work" -name module.h)")")
echo '#include <module/module.h>' >"$work/all.c"
# shellcheck disable=SC2086 # words
${CC:-cc} -std=gnu11 -M $cflags "$work/all.c" | tr ' ' '\n' |
	grep -F "$dir/" | LC_ALL=C sort >"$work/included"
find "$dir" -type f | LC_ALL=C sort >"$work/installed"
diff "$work/included" "$work/installed" >"$work/diff" || {
	echo 'installed, but not included by module.h:'
	sed -n "s,^> $dir/,,p" "$work/diff"
	exit 1
}
