#!/bin/sh
# The manual has the paths of this build, says what the source says, and mandoc
# has nothing to say about it.
set -eu

if grep -n '@[a-z]*@' man/*.[0-9]; then
	echo 'tests/man.sh: a path is missing there, see man_subst in Makefile.am' >&2
	exit 1
fi
ANTIPHON_SOCKET='' sh "${srcdir:-.}/man/update.sh" --check .
command -v mandoc >/dev/null || exit 0
for page in man/*.[0-9]; do
	mandoc -T lint -W warning "$page"
done
