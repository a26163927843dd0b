#!/bin/sh
# list.sh - what the Makefile has to know of the bundled modules, made of
# src/module/modules.def, in modules/list.am.  NAME is modules/NAME.c, or all of
# modules/NAME/.  autoreconf runs it (configure.ac), and make when modules.def
# has changed: touch that when a folder has got another file.
set -eu

cd "$(dirname "$0")/.."

sources() {
	if [ -d "modules/$1" ]; then
		find "modules/$1" -name '*.[ch]' | LC_ALL=C sort | tr '\n' ' '
	else
		echo "modules/$1.c"
	fi
}

exec >modules/list.am
names=$(sed -n 's/^BUNDLED(\([a-z0-9_]*\),.*/\1/p' src/module/modules.def)
echo 'bundled_modules ='
for name in $names; do
	echo "bundled_modules += $(sources "$name")"
done
echo 'if !STATIC_MODULES'
echo 'module_LTLIBRARIES ='
for name in $names; do
	la="modules_mod_${name}_la"
	echo "module_LTLIBRARIES += modules/mod_$name.la"
	echo "${la}_SOURCES = $(sources "$name")"
	echo "${la}_CPPFLAGS = \$(AM_CPPFLAGS)"
	echo "${la}_CFLAGS = \$(AM_CFLAGS) -fvisibility=hidden"
	echo "${la}_LDFLAGS = \$(module_ldflags)"
done
echo 'endif'
