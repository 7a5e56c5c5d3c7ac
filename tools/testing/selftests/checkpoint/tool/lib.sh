# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034,SC2154
#
# For the tests of ckpt(1). Each of them has functions test_NAME, which may rely on
# what the ones before have left behind, and an array "tests" of names and titles.
#
# Environment:
#   CKPT  the tool (default: ckpt)
ckpt=${CKPT:-ckpt}
pid=
work=$(mktemp -d "${TMPDIR:-/var/tmp}/tool.XXXXXX")
cd "$work" || exit 1
trap 'rm -rf "$work"' EXIT

# wait_until COMMAND...: until it succeeds, or 30 s have passed
wait_until()
{
	local i
	for ((i = 0; i < 600; i++)); do
		"$@" 2>/dev/null && return
		sleep 0.05
	done
	return 1
}

runs()
{
	[ "$(cat "/proc/$pid/comm")" = "${1##*/}" ]
}

# start COMMAND...: a program that shares nothing with us; sets $pid.
start()
{
	setsid "$@" </dev/null >"$work/out" 2>"$work/err" &
	pid=$!
	wait_until runs "$1"
	sleep 0.3
}

stop()
{
	[ -n "$pid" ] || return
	pkill -KILL -s "$pid"
	wait "$pid" 2>/dev/null
}

# A program that ends with status 7 two seconds after it was started.
start_seven()
{
	start bash -c 'sleep 2; echo done; exit 7'
}

# A program whose first thread has ended, in a way that leaves the other alone.
start_headless()
{
	start python3 -c '
import ctypes, threading, time
threading.Thread(target=time.sleep, args=[60]).start()
ctypes.CDLL(None).syscall(60, 0)'
	wait_until grep -q '^State:.Z' "/proc/$pid/status" || return
	thread=$(find "/proc/$pid/task" -mindepth 1 -maxdepth 1 ! -name "$pid" -printf %f)
}

gone()
{
	wait "$1" 2>/dev/null
	[ ! -e "/proc/$1" ]
}

stderr_is_one_line()
{
	[ "$(wc -l <stderr)" = 1 ] && grep -q '^ckpt: ' stderr
}

# Prints TAP, and exits.
run_tests()
{
	local nr=0 failed=0 name title
	echo "TAP version 13"
	echo "1..$((${#tests[@]} / 2))"
	while [ $nr -lt $((${#tests[@]} / 2)) ]; do
		name=${tests[2 * nr]}
		title=${tests[2 * nr + 1]}
		nr=$((nr + 1))
		: >stderr
		if "test_$name"; then
			echo "ok $nr $title"
		else
			failed=1
			sed 's/^/# /' stderr
			echo "not ok $nr $title"
		fi
	done
	stop
	exit $failed
}
