#!/bin/sh
# What is installed for modules is all that a module needs, and nothing else:
# the example, the modules that antiphon-module(7) shows, and those of the tests
# are built as it says, with pkg-config.  MODULE_API is another one when it is another interface.
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for part in base xml xmpp net conf disk store core http account archive command \
	module; do
	${MAKE:-make} -s DESTDIR="$work" "install-moduleinc${part}HEADERS" >/dev/null
done
${MAKE:-make} -s DESTDIR="$work" install-nodist_moduleincmoduleHEADERS >/dev/null
${MAKE:-make} -s DESTDIR="$work" install-pkgconfigDATA >/dev/null
pc=$(find "$work" -name antiphon.pc)
cflags=$(PKG_CONFIG_PATH=$(dirname "$pc") PKG_CONFIG_SYSROOT_DIR=$work \
	${PKG_CONFIG:-pkg-config} --cflags antiphon)

top=${srcdir:-.}
mkdir "$work/shown"
${AWK:-awk} -v dir="$work/shown" -f "$top/man/modules.awk" \
	"$top/man/antiphon-module.7.in"
for module in "$top"/contrib/example-module/*.c "$top"/tests/modules/*.c \
	"$work"/shown/*.c; do
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

# Of libraries, what antiphon-module(7) names, beside that of the system.
system='assert|pthread|std(atomic|bool|def|int|lib)|string|sys/(queue|types)'
find "$dir" -type f -exec sed -n 's/^#include <\(.*\)>.*/\1/p' {} + |
	LC_ALL=C sort -u | grep -vE "^(urcu/[a-z]*|uthash|$system)\.h\$" && {
	echo 'are of other libraries, and installed headers include them'
	exit 1
}

# api DIR [SORT]: what module_api.sh makes of the headers there.
api() {
	# shellcheck disable=SC2046 # names without blanks
	sh "$top/src/module/module_api.sh" "$1" $(cd "$1" &&
		find . -name '*.h' -o -name '*.def' | sort "${2:--s}")
}

# changed SED: what it makes of them when one has changed like this.
changed() {
	rm -rf "$work/changed"
	cp -R "$dir" "$work/changed"
	sed "$1" "$dir/core/entity.h" >"$work/changed/core/entity.h"
	cmp -s "$dir/core/entity.h" "$work/changed/core/entity.h" && {
		echo "core/entity.h: nothing to do for $1"
		exit 1
	}
	api "$work/changed"
}

before=$(api "$dir")
fail() {
	echo "MODULE_API: $1"
	exit 1
}
[ "$(api "$dir/../$(basename "$dir")" -r)" = "$before" ] ||
	fail 'it depends on names or order'
for same in '1s,^,/* a word */ /* and\
	another */,' 's/\t/        /g' 's/^$/\
	/' 's,calls;,& /* "quoted" and "half */,'; do
	[ "$(changed "$same")" = "$before" ] || fail "it depends on $same"
done
for other in 's/uint8_t calls;/uint16_t calls;/' '/uint8_t calls;/d' \
	's/WARM_STEPS 3/WARM_STEPS 4/' 's,^#endif,const char *x = "/*";&,'; do
	[ "$(changed "$other")" != "$before" ] || fail "it is the same for $other"
done
[ "$(changed 's,^#endif,const char *x = "/* 1 */";&,')" != \
	"$(changed 's,^#endif,const char *x = "/* 2 */";&,')" ] ||
	fail 'it is the same for other texts'
