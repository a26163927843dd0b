#!/bin/sh
# upload_many.sh [FILES ...] - what the work with files costs that users have uploaded, at
# a thousand of them and at ten million; see upload_many.py for its options.  BUILD names
# the build tree.
here=$(dirname "$0")
ANTIPHON_BUILD_DIR=$(cd "${BUILD:-$here/../../build}" && pwd)
export ANTIPHON_BUILD_DIR ANTIPHON_TEST_PATIENCE="${ANTIPHON_TEST_PATIENCE:-120}"
exec python3 "$here/upload_many.py" "$@"
