#!/bin/sh
# The manual says what the source says, and mandoc has nothing to say about it.
set -eu

ANTIPHON_SOCKET='' sh "${srcdir:-.}/man/update.sh" --check .
command -v mandoc >/dev/null || exit 0
for page in man/*.[0-9]; do
	mandoc -T lint -W warning "$page"
done
