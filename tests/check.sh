#!/bin/sh
# check.sh - builds in every way that is supported, and runs every test.
#
#   sh tests/check.sh [--quick] [--no-install] [--peers]
#
# --peers installs the servers too that tests/bench/compare.sh knows; it makes
# do with those that are there.
#
# Works in build-check/, a folder for each build.  Each step is a line: how long
# it took, the processor time, how many tests have passed.  The last line of the
# output is "N passed, N failed": all tests of all runners, and one for each step
# that has no tests to count.  FUZZ_SECONDS is how long each fuzz target runs (5),
# SOAK_SECONDS how long a soak takes (30), CHAOS_SECONDS how long seeds of tests/chaos
# are begun (240), and at most 60 again with addresses sanitized; these are less, but
# 2, 15 and 30, where all would not end within CHECK_SECONDS (1700), with the time that
# installing takes.  SIM_SEEDS is how many seeds each simulation has (500).
# shellcheck disable=SC2317 # step() calls them by their names
set -u

top=$(cd "$(dirname "$0")/.." && pwd)
out=$top/build-check
jobs=$(nproc)
began=$(date +%s)
passed=0 failed=0 skipped=0
quick=no install=yes peers=no

# shellcheck source=contrib/deps.sh
. "$top/contrib/deps.sh"

for option in "$@"; do
	case $option in
	--quick) quick=yes ;;
	--no-install) install=no ;;
	--peers) peers=yes ;;
	*)
		echo "usage: sh tests/check.sh [--quick] [--no-install] [--peers]" >&2
		exit 2
		;;
	esac
done

# --- counting -----------------------------------------------------------------

count() {
	passed=$((passed + $1))
	failed=$((failed + $2))
	step_counted=yes
	[ "$2" -eq 0 ] || step_ok=no
}

# Sets cpu to the processor time of what has run in this lane, and was waited for.
cpu_seconds() {
	times >"$step_log.times" # in a subshell they were those of the subshell
	cpu=$(awk '{
		for (i = 1; i <= 2; i++) {
			split($i, part, "m")
			sum += part[1] * 60 + part[2]
		}
	} END { printf "%d", sum }' "$step_log.times")
	rm -f "$step_log.times"
}

# Runs a step, and says how long it took; what it prints goes to a file.  The
# step is a test itself, unless it has counted some, or one of them failed.  The
# status 77 says that it cannot be carried out here, and the last line why.
step() {
	kill -0 $$ || exit 1 # a lane does not outlive what has begun it
	step_name=$1
	step_log=$out/$(echo "$1" | tr ' ' -).log
	step_ok=yes step_counted=no
	shift
	step_begun=$(date +%s)
	before=$passed
	cpu_seconds
	step_cpu=$cpu
	"$@" >"$step_log" 2>&1 </dev/null
	step_status=$?
	cpu_seconds
	step_cpu=$((cpu - step_cpu))
	if [ $step_status -eq 77 ]; then
		skipped=$((skipped + 1))
		printf '%-26s skipped: %s\n' "$step_name" \
			"$(tail -n 1 "$step_log")"
		return 0
	fi
	if [ $step_status -ne 0 ]; then
		[ "$step_ok" = no ] || failed=$((failed + 1))
		step_ok=no
	fi
	[ "$step_counted" = yes ] || [ "$step_ok" = no ] || passed=$((passed + 1))
	seconds=$(($(date +%s) - step_begun))
	if [ "$step_ok" = yes ]; then
		printf '%-26s ok %6d s, cpu %5d s %6d\n' "$step_name" \
			"$seconds" "$step_cpu" $((passed - before))
	else
		printf '%-26s FAILED %2d s, cpu %5d s, see %s\n' "$step_name" \
			"$seconds" "$step_cpu" "$step_log"
		grep -E 'error:|warning:|^FAIL|^ERROR|BEYOND|\[  FAILED|Sanitizer:' \
			"$step_log" | sort -u | head -n 20
		tail -n 5 "$step_log"
	fi
	[ "$step_ok" = yes ]
}

# The tests inside the programs that make check ran in the build folder $1:
# those that cmocka counted, and each program that does not count.
count_programs() {
	# shellcheck disable=SC2046 # two numbers
	count $(find "$1/tests" -name '*.trs' -newer "$1/.begun" | sort |
		while read -r trs; do
			awk '
			FILENAME ~ /trs$/ && /^:test-result: PASS/ { good = 1 }
			FILENAME ~ /log$/ && /^\[       OK \]/ { ok++ }
			FILENAME ~ /log$/ && /^\[  FAILED  \] [A-Za-z0-9_]+$/ { bad[$4] }
			END {
				n = length(bad)
				if (!good && !n) n = 1
				if (good && !ok) ok = 1
				print ok + 0, n
			}' "$trs" "${trs%.trs}.log"
		done | awk '{ p += $1; f += $2 } END { print p + 0, f + 0 }')
}

# What pytest wrote to $1.
count_pytest() {
	[ -s "$1" ] || return 1
	# shellcheck disable=SC2046 # three numbers
	set -- $(python3 - "$1" <<-'X'
	import sys, xml.etree.ElementTree as tree
	sums = dict(tests=0, failures=0, errors=0, skipped=0)
	for suite in tree.parse(sys.argv[1]).iter("testsuite"):
	    for name in sums:
	        sums[name] += int(suite.get(name, 0))
	bad = sums["failures"] + sums["errors"]
	print(sums["tests"] - bad - sums["skipped"], bad, sums["skipped"])
	X
	)
	skipped=$((skipped + $3))
	count "$1" "$2"
}

# --- two lanes ----------------------------------------------------------------

# What computes all of the time has one lane, with a low priority, and what waits
# most of the time has the other, in front.  The former ends with what can be done for
# longer or shorter: chaos, which has what is left of the time.

# Says of a build whether it is there, for the lane that waits for it.
tell() { # folder, yes or no
	echo "$2" >"$out/$1.told.new"
	mv "$out/$1.told.new" "$out/$1.told"
}

# Waits until it is known whether a build is there.
told() { # folder
	until [ -e "$out/$1.told" ]; do
		kill -0 "$beside" 2>/dev/null || return 1
		sleep 1
	done
	[ "$(cat "$out/$1.told")" = yes ]
}

# A lane: a function, which counts for itself.  Each is in a shell of its own, or the
# processor time of one were that of a step of the other when it ends.
lane() { # its name, function
	passed=0 failed=0 skipped=0
	"$2"
	echo "$passed $failed $skipped" >"$out/$1"
}

# Counts what a lane has counted.
end_lane() { # its name
	read -r a b c <"$out/$1" || a=0 b=1 c=0
	passed=$((passed + a)) failed=$((failed + b)) skipped=$((skipped + c))
}

both_lanes() { # the functions of the one in front, and of the one beside
	rm -f "$out"/*.told "$out/front" "$out/beside"
	(
		renice -n 10 -p "$(exec sh -c 'echo $PPID')" >/dev/null
		lane beside "$2"
	) &
	beside=$!
	# what is in the background hears nothing of Ctrl-C
	trap 'trap - INT TERM; kill -TERM 0; exit 130' INT
	(lane front "$1")
	wait "$beside"
	end_lane front
	end_lane beside
}

# Prints how many of the seconds wanted a step has, which is followed by others that
# take so many: what is left of CHECK_SECONDS, but some in any case.
seconds_left() { # wanted, at least, for what follows
	left=$((began + ${CHECK_SECONDS:-1700} - $(date +%s) - $3))
	[ "$left" -gt "$2" ] || left=$2
	[ "$left" -lt "$1" ] || left=$1
	echo "$left"
}

# --- what is built ------------------------------------------------------------

# What configure has found out with a compiler holds for all that is built by it.
configure_in() { # folder, arguments of configure, the first of which is CC=
	mkdir -p "$out/$1" && cd "$out/$1" || return 1
	shift
	"$top/configure" --enable-werror --cache-file="$out/${1##*[= ]}.cache" "$@"
}

build_in() { # folder, arguments of configure
	configure_in "$@" && make -j"$jobs"
}

make_check() { # folder, arguments of make
	cd "$out/$1" || return 1
	folder=$1
	shift
	touch .begun
	make -j"$jobs" -k check "$@"
	status=$?
	count_programs "$out/$folder"
	return "$status"
}

# Most of a test is waiting: three at once for each core, unless processes are given.
run_pytest() { # folder, what else to give to pytest
	folder=$1
	xml=$out/pytest-$folder.xml # no build is in both lanes at once
	rm -f "$xml"
	shift
	workers=
	python3 -c 'import xdist' 2>/dev/null &&
		workers="-n ${processes:-$((jobs * 3))}"
	# shellcheck disable=SC2086 # no word, or two
	(
		cd "$top" || exit 1
		export ANTIPHON_BUILD_DIR="$out/$folder" ANTIPHON_TEST_PATIENCE=20
		# each worker would compile all tests, which takes 3 s: once is enough
		unset PYTHONDONTWRITEBYTECODE
		export PYTHONPYCACHEPREFIX="$out/pycache"
		[ -d "$out/pycache" ] ||
			python3 -m pytest -q --collect-only tests >/dev/null
		$unshuffled python3 -m pytest -q $workers --durations=20 \
			--junitxml="$xml" "$@"
	)
	status=$?
	count_pytest "$xml"
	return "$status"
}

# All of it in one process, for each has a network of its own.
run_net() { # folder
	processes=0
	run_pytest "$1" tests/net
	status=$?
	processes=
	return "$status"
}

# --- the steps ----------------------------------------------------------------

get_ready() {
	mkdir -p "$out"
	if [ "$install" = yes ]; then
		# shellcheck disable=SC2086 # words, each a package
		deps_install $deps_build $deps_run $deps_test || exit 1
		# shellcheck disable=SC2086
		[ "$quick" = yes ] || deps_install_stopped $deps_gateways $deps_fronts ||
			echo "without gateways, nginx, HAProxy and Caddy to try"
		if [ "$peers" = yes ] && [ "$quick" = no ]; then
			# shellcheck disable=SC2086
			deps_install_stopped $deps_peers ||
				echo "without other servers to compare with"
		fi
	fi
	rm -f "$out"/*.cache
	# libtool is a script that runs for each link, and half as long as in bash
	export CONFIG_SHELL=/bin/sh
	deps_configure_script "$top" >"$out/autoreconf.log" 2>&1 || {
		cat "$out/autoreconf.log"
		exit 1
	}
	# sanitizers want their addresses where kernels of today may put others
	unshuffled="setarch $(uname -m) -R"
	$unshuffled true 2>/dev/null || unshuffled=
	# three builds are by gcc, and most of what they compile is the same but
	# for paths and for options that it does not look at; clang's are not
	gcc=gcc
	command -v ccache >/dev/null && gcc='ccache gcc'
	export CCACHE_BASEDIR="$top" CCACHE_NOHASHDIR=1 \
		CCACHE_DIR="${CCACHE_DIR:-$out/ccache}"
	# a sanitizer's build links some 150 programs, which takes gold 0.2 s each and
	# not 0.34; what would be installed is linked by the linker of the system
	gold=
	command -v ld.gold >/dev/null && gold=-fuse-ld=gold
	# and compiles as many tests, each of which runs once: what is tested is there
	# already, by other flags, which make does not look at
	hasty='-gline-tables-only -O0'
	# a trace says in which line it is, and nobody asks for variables
	lines='-gline-tables-only -O1'
}

# All seeds of a simulation, with its arguments, shared out among the cores.
seeds() {
	name=$1
	shift
	share=$((${SIM_SEEDS:-500} / jobs)) pids=
	for n in $(seq "$jobs"); do
		"$out/gcc/tests/sim/$name" --first $(((n - 1) * share + 1)) \
			--seeds "$share" "$@" --module-dir \
				"$out/gcc/modules/.libs:$out/gcc/tests/modules/.libs" &
		pids="$pids $!"
	done
	status=0
	for pid in $pids; do
		wait "$pid" || status=1
	done
	return "$status"
}

# One server, and two; and a tenth of the seeds for clients to which nobody looks.
simulate() {
	seeds sim
	one=$?
	(SIM_SEEDS=$((${SIM_SEEDS:-500} / 10)) && seeds sim_quiet) || one=1
	seeds sim_s2s --steps 200 && return "$one"
}

# As many seeds as begin within so many seconds: the build folder, the first one,
# the seconds.
chaos() {
	(cd "$top" && ANTIPHON_BUILD_DIR=$out/$1 ANTIPHON_TEST_PATIENCE=20 \
		$unshuffled python3 -B tests/chaos/run.py --seed "$2" \
		--seeds 100000 --budget "$3" --jobs $((jobs * 3)) >"$out/chaos-$1.txt")
	status=$?
	cat "$out/chaos-$1.txt"
	# shellcheck disable=SC2046 # two numbers
	count $(sed -n '$s/^\([0-9]*\) passed, \([0-9]*\) failed.*/\1 \2/p' \
		"$out/chaos-$1.txt")
	return "$status"
}

# Those that have threads of their own.
threaded='test_c2s_threads test_disk test_disk_send test_log test_mailbox test_store
	test_store_kill test_store_lost test_store_outage test_store_sqlite test_tally
	test_thread test_throttle test_worker'

check_threads() {
	programs=
	for name in $threaded; do
		programs="$programs tests/unit/$name"
	done
	make_check tsan LOG_COMPILER="$unshuffled" TESTS="$programs" \
		check_PROGRAMS="$programs" check_LIBRARIES= CFLAGS="$hasty"
}

fuzz_one() { # target, seconds
	mkdir -p "corpus/$1"
	$unshuffled "tests/fuzz/fuzz_$1" -max_total_time="$2" \
		-rss_limit_mb=1024 -timeout=10 -print_final_stats=1 \
		-artifact_prefix="$out/asan/found-$1-" \
		"corpus/$1" "$top/tests/fuzz/corpus/$1" >"$1.log" 2>&1
}

# As many at once as there are cores.
fuzz() {
	make -C "$out/asan" fuzz-targets CFLAGS="$hasty" && cd "$out/asan" || return 1
	good=0 bad=0
	set -- "$top"/tests/fuzz/corpus/*
	each=$((${FUZZ_SECONDS:-5} * $# / jobs)) least=$((2 * $# / jobs))
	each=$((($(seconds_left "$each" "$least" 240) * jobs + $# - 1) / $#))
	while [ $# -gt 0 ]; do
		started=
		for _ in $(seq "$jobs"); do
			[ $# -gt 0 ] || break
			name=${1##*/}
			shift
			fuzz_one "$name" "$each" &
			started="$started $name:$!"
		done
		for one in $started; do
			if wait "${one#*:}"; then
				good=$((good + 1))
			else
				bad=$((bad + 1))
				echo "FAILED: ${one%:*}"
				tail -n 30 "${one%:*}.log"
			fi
		done
	done
	count "$good" "$bad"
}

# Half a minute of coming and going, or less.
soak() { # the build folder, how many seconds other steps take that follow
	make -C "$out/$1" tests/bench/antiphon-bench &&
		$unshuffled env BUILD="$out/$1" \
		SOAK_SECONDS="$(seconds_left "${SOAK_SECONDS:-30}" 15 "$2")" \
		SOAK_CLIENTS="${SOAK_CLIENTS:-500}" sh "$top/tests/bench/soak.sh"
}

# The cost of a login, a message and so on, against what it was.
count_instructions() {
	make -C "$out/gcc" tests/bench/antiphon-bench || return 1
	BUILD=$out/gcc sh "$top/tests/bench/instructions.sh"
}

# That every figure can be had, and no message is lost on the way to it.
compare() {
	QUICK=1 BUILD="$out/gcc" sh "$top/tests/bench/compare.sh"
}

lint_scripts() {
	cd "$top" && find contrib man tests -name '*.sh' -print0 |
		xargs -0 shellcheck -x -P SCRIPTDIR -S warning tests/fuzz/run-seeds .ci/run \
		contrib/certbot-deploy.in
}

# README says of each module what it carries out, in the module's own words.
lint_readme() {
	cd "$top" || return 1
	find modules -name "*.c" | LC_ALL=C sort | xargs awk -f tests/specs.awk >"$out/specs.modules"
	sed -n 's/^    \([a-z0-9]* *\(XEP\|RFC\).*\)/\1/p' README >"$out/specs.readme"
	diff -u "$out/specs.readme" "$out/specs.modules"
}

# From the archive: build, install, uninstall, clean.  Its tests are those that
# ran already.
distribute() {
	cd "$out/gcc" && make -j"$jobs" distcheck TESTS='' check_PROGRAMS='' \
		check_LIBRARIES='' check_LTLIBRARIES='' \
		DISTCHECK_CONFIGURE_FLAGS="--enable-werror CC='$gcc' \
			--cache-file=$out/gcc.cache"
}

check_quick() {
	step "gcc build" build_in gcc CC="$gcc" || return
	step "gcc make check" make_check gcc
	step "dialogs" run_pytest gcc tests/dialog
	[ "$quick" = no ] || step "at the limits" run_pytest gcc -m short \
		tests/e2e/test_at_limits.py
	[ "$quick" = no ] || step "chaos" chaos gcc 1 15
}

# The lane beside.  First comes what the other one waits for.
compute() {
	if step "clang asan ubsan build" build_in asan CC=clang \
		CFLAGS="$lines" LDFLAGS="$gold" --enable-fuzzing; then
		step "asan make check" make_check asan source_tests= \
			CFLAGS="$hasty" LOG_COMPILER="$unshuffled"
		tell asan yes
	else
		tell asan no
	fi
	if step "static modules build" build_in static CC="$gcc" \
		--enable-static-modules; then
		tell static yes
	else
		tell static no
	fi
	if step "clang tsan build" build_in tsan CC=clang CFLAGS="$lines" \
		LDFLAGS="$gold" --enable-sanitizers=thread; then
		step "tsan threaded units" check_threads
		tell tsan yes
	else
		tell tsan no
	fi
	if [ -x "$out/gcc/antiphond" ]; then
		step "simulation" simulate
		step "instructions" count_instructions
	fi
	[ ! -x "$out/asan/antiphond" ] || step "fuzz" fuzz
	step "scripts" lint_scripts
	step "readme" lint_readme
	step "make distcheck" distribute
	if [ -x "$out/gcc/antiphond" ]; then
		step "comparison" compare
		step "chaos" chaos gcc 1 \
			"$(seconds_left "${CHAOS_SECONDS:-240}" 30 30)"
	fi
}

# The lane in front.
converse() {
	[ -x "$out/gcc/antiphond" ] || return
	step "end to end" run_pytest gcc -m "once or plain" tests/e2e tests/chaos
	step "other servers" run_net gcc
	told static && step "static modules" run_pytest static \
		tests/e2e/test_xeps.py
	export ANTIPHON_KILLS=25 # after the hundred above
	if told asan; then
		step "asan end to end" run_pytest asan -m "not once" \
			tests/dialog tests/e2e
		step "asan chaos" chaos asan 1001 "$(seconds_left 60 30 240)"
		step "asan soak" soak asan 120
	fi
	if told tsan; then
		step "tsan end to end" run_pytest tsan tests/dialog \
			tests/e2e/test_delivery.py tests/e2e/test_presence.py \
			tests/e2e/test_subscriptions.py tests/e2e/test_server.py \
			tests/e2e/test_rooms_threads.py
		step "tsan soak" soak tsan 0
	fi
}

# Read as a whole before it runs: who edits this file does not disturb a run.
main() {
	get_ready
	check_quick
	if [ "$quick" = no ]; then
		both_lanes converse compute
	fi
	echo "$(($(date +%s) - began)) s, $skipped skipped"
	echo "$passed passed, $failed failed"
	[ "$failed" -eq 0 ]
	exit
}

main
