#!/bin/sh
# web_idle.sh [CONNECTIONS] - the bytes of connections of HTTP that are kept open and
# idle, without TLS and with; see web_idle.py.
exec python3 "$(dirname "$0")/web_idle.py" "$@"
