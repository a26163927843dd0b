#!/bin/sh
# slow.sh [SECONDS] - what clients that read slowly cost: memory of the server, and
# the latency of others; see slow.py.
exec python3 "$(dirname "$0")/slow.py" "$@"
