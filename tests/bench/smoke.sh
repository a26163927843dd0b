#!/bin/sh
# smoke.sh - bench_million with few sessions: what it measures is not looked at,
# but every message must arrive, and at the right client.  Run by make check.
set -eu

exec tests/bench/bench_million --sessions 2000 --messages 9000
