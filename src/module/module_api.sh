#!/bin/sh
# module_api.sh - makes module/module_api.h: MODULE_API is a hash of the installed
# headers, so that a module that was built against others is refused.
#
#   sh module_api.sh SRCDIR HEADER ...
#
# Comments, blanks and empty lines do not count, nor does where SRCDIR is, or in
# which order the headers are named.
set -eu

LC_ALL=C
export LC_ALL
cd "$1"
shift
code=$(printf '%s\n' "$@" | sort | while read -r header; do
	# shellcheck disable=SC2016 # awk's
	"${AWK:-awk}" -v name="$header" '
BEGIN { print name }
{
	line = $0
	code = ""
	while (line != "") {
		if (comment) {
			end = index(line, "*/")
			line = end ? substr(line, end + 2) : ""
			comment = !end
			code = code " "
		} else if (match(line, /\/[*]|"([^"\\]|\\.)*"|\047([^\047\\]|\\.)*\047/)) {
			code = code substr(line, 1, RSTART - 1)
			token = substr(line, RSTART, RLENGTH)
			line = substr(line, RSTART + RLENGTH)
			comment = token == "/*"
			code = code (comment ? " " : token)
		} else {
			code = code line
			line = ""
		}
	}
	gsub(/[ \t]+/, " ", code)
	sub(/^ /, "", code)
	sub(/ $/, "", code)
	if (code != "")
		print code
}' "$header"
done)
hash=$(printf '%s' "$code" | sha256sum)

cat <<END
/*
 * module_api.h - what a module was built against: made by module_api.sh.
 */
#ifndef MODULE_MODULE_API_H
#define MODULE_MODULE_API_H

#include <stdint.h>

/* A hash of all headers that are installed. */
#define MODULE_API UINT64_C(0x$(printf '%.16s' "$hash"))

#endif
END
