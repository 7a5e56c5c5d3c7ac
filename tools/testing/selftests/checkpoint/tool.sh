#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# ckpt(1): what scripts rely on.
# shellcheck disable=SC2317
ckpt=${CKPT:-ckpt}
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
	pkill -KILL -s "$pid"
	wait "$pid" 2>/dev/null
}

# A program that ends with status 7 two seconds after it was started.
start_seven()
{
	start bash -c 'sleep 2; echo done; exit 7'
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

test_goes_on()
{
	start_seven
	$ckpt checkpoint --container -o image "$pid" && [ -s image ] || return
	wait "$pid"
	[ $? = 7 ]
}

test_exit_status()
{
	start_seven
	$ckpt checkpoint --container --kill -o image "$pid" && gone "$pid" || return
	$ckpt restart -i image
	[ $? = 7 ] && [ "$(cat out)" = "done" ]
}

test_any_number_of_times()
{
	for _ in 1 2 3; do
		$ckpt restart --input image
		[ $? = 7 ] || return
	done
}

test_signal_status()
{
	start bash -c 'sleep 1; kill -KILL $$'
	$ckpt checkpoint --container --kill -o image "$pid" && gone "$pid" || return
	$ckpt restart -i image
	[ $? = $((128 + 9)) ]
}

test_passes_signals_on()
{
	local restart
	start bash -c 'trap "echo caught; exit 3" TERM; while :; do sleep 0.1; done'
	$ckpt checkpoint --container --kill -o image "$pid" && gone "$pid" || return
	$ckpt restart -i image &
	restart=$!
	sleep 1
	kill -TERM "$restart"
	wait "$restart"
	[ $? = 3 ] && [ "$(cat out)" = caught ]
}

test_pipes()
{
	start_seven
	$ckpt checkpoint --container --kill "$pid" | cat >piped
	[ "${PIPESTATUS[*]}" = "0 0" ] && gone "$pid" || return
	# shellcheck disable=SC2002
	cat piped | $ckpt restart
	[ "${PIPESTATUS[*]}" = "0 7" ]
}

test_detach()
{
	start sleep 60
	$ckpt checkpoint --container --kill -o image "$pid" && gone "$pid" || return
	$ckpt restart --detach --pidfile pidfile -i image || return
	[ "$(cat pidfile)" = "$pid" ] && [ "$(cat "/proc/$pid/comm")" = sleep ]
}

test_pid_taken()
{
	local status
	$ckpt restart --pidfile other -i image 2>stderr
	status=$?
	stop
	[ "$status" = 125 ] && stderr_is_one_line && grep -q "pid $pid" stderr && [ ! -e other ]
}

test_leave_stopped()
{
	start sleep 60
	$ckpt checkpoint --container --leave-stopped -o image "$pid" || return
	grep -q '^State:.T' "/proc/$pid/status" || return
	kill -CONT "$pid" && sleep 0.2 && grep -q '^State:.S' "/proc/$pid/status"
}

test_no_time_namespace()
{
	start sleep 60
	$ckpt checkpoint --container --kill -o image "$pid" && gone "$pid" || return
	$ckpt restart -d -i image || return
	[ "$(readlink "/proc/$pid/ns/time")" != "$(readlink /proc/self/ns/time)" ] || return
	$ckpt checkpoint --container --kill -o image "$pid" && gone "$pid" || return
	$ckpt restart -d --no-time-namespace -i image || return
	[ "$(readlink "/proc/$pid/ns/time")" = "$(readlink /proc/self/ns/time)" ]
}

test_restart_stopped()
{
	stop
	$ckpt restart -d --stopped -i image || return
	sleep 0.2
	grep -q '^State:.T' "/proc/$pid/status"
}

# A program whose standard output is read by somebody outside.
start_leaky()
{
	mkfifo fifo
	cat fifo >/dev/null &
	setsid sleep 60 </dev/null >fifo 2>err &
	pid=$!
	sleep 0.3
}

test_failure_keeps_old_image()
{
	stop
	start_leaky
	echo precious >old
	! $ckpt checkpoint --container --kill -o old "$pid" 2>stderr && stderr_is_one_line &&
		[ "$(cat old)" = precious ] && [ -z "$(find . -name 'old.*')" ] &&
		[ -e "/proc/$pid" ]
}

# the program of the test before
test_external()
{
	$ckpt checkpoint --container --external fd:1 --kill -o image "$pid" && gone "$pid" &&
		$ckpt info image | grep -q -- '--external fd:1=' || return
	! $ckpt restart -d -i image 2>stderr && grep -q fd:1 stderr || return
	$ckpt restart -d --external fd:1="$work/stand-in" -i image 2>/dev/null && return 1
	: >stand-in
	$ckpt restart -d --external fd:1="$work/stand-in" -i image || return
	[ "$(readlink "/proc/$pid/fd/1")" = "$work/stand-in" ]
}

test_external_descriptor()
{
	stop
	: >eight
	$ckpt restart -d --external fd:1=fd:8 -i image 8>>eight || return
	[ "$(readlink "/proc/$pid/fd/1")" = "$work/eight" ] || return
	stop
	$ckpt restart -d --external fd:1=inherit -i image >eight || return
	[ "$(readlink "/proc/$pid/fd/1")" = "$work/eight" ]
}

start_unfit()
{
	rm -f unfit
	start python3 -c '
import select, socket, time
s = [socket.socket(socket.AF_PACKET, socket.SOCK_RAW) for _ in range(2)]
open("unfit", "w").close()
time.sleep(60)'
	wait_until test -e unfit
}

test_check_lists_all()
{
	start_unfit
	$ckpt check "$pid" >reasons
	[ $? = 1 ] && cat reasons >stderr && [ "$(grep -c 'fd [0-9]*: socket' reasons)" = 2 ] &&
		grep -q 'cannot be checkpointed: 2 reasons$' reasons
}

test_check_is_harmless()
{
	stop
	start_seven
	[ "$($ckpt check --container "$pid")" = "pid $pid can be checkpointed" ] || return
	wait "$pid"
	[ $? = 7 ]
}

test_log()
{
	start_unfit
	! $ckpt checkpoint --log log -o image "$pid" 2>stderr && stderr_is_one_line &&
		grep -Eq '^(error|refuse) [0-9]+ [0-9-]+ [^ ]+ .*socket' log
}

test_no_such_process()
{
	! $ckpt checkpoint -o none 4194300 2>stderr && stderr_is_one_line && [ ! -e none ]
}

test_usage()
{
	local line
	while read -r line; do
		# shellcheck disable=SC2086
		$ckpt $line >/dev/null 2>&1
		[ $? = 2 ] || { echo "# ckpt $line"; return 1; }
	done <<-'EOT'
	frobnicate
	checkpoint
	checkpoint 1 2
	checkpoint one
	checkpoint --frobnicate 1
	checkpoint --kill --leave-stopped 1
	restart image
	check
	info
	verify a b
	EOT
}

test_refuses_devices()
{
	! $ckpt checkpoint -o /dev/zero $$ 2>/dev/null &&
		! $ckpt restart -i /dev/zero 2>/dev/null
}

test_verify()
{
	start sleep 60
	$ckpt checkpoint --container -o image "$pid" && $ckpt verify image &&
		$ckpt verify - <image || return
	head -c 5000 image >short
	! $ckpt verify short 2>stderr && stderr_is_one_line && grep -q truncated stderr || return
	! $ckpt restart -d -i short 2>stderr && stderr_is_one_line || return
	cp image long && echo >>long && ! $ckpt verify long 2>/dev/null || return
	python3 - <<-'EOT' && ! $ckpt verify wrong 2>stderr && grep -q hash stderr
	image = bytearray(open("image", "rb").read())
	image[len(image) // 2] ^= 16
	open("wrong", "wb").write(image)
	EOT
}

test_json()
{
	$ckpt info --json image | python3 -c '
import json, sys
image = json.load(sys.stdin)
root, = image["tasks"]
files = {o["objref"]: o for o in image["objects"]}
paths = [files[fd["file"]]["file"].get("path") for fd in files[root["files"]]["table"]["fds"]]
ok = root["pid"] == int(sys.argv[1]) and root["comm"] == "sleep" \
    and paths == ["/dev/null", sys.argv[2] + "/out", sys.argv[2] + "/err"] \
    and files[root["mm"]]["memory"]["stored_bytes"] > 0 and image["externals"] == [] \
    and [o["monotonic_ns"] > 0 for o in files.values() if o["type"] == "time_namespace"] == [True]
sys.exit(not ok)' "$pid" "$work"
}

# In a terminal of its own: a job of a shell goes on in another shell.
test_shell_job()
{
	cat >first <<-EOT
	bash -c 'for i in 1 2 3 4 5 6; do echo tick \$i; sleep 0.3; done' &
	sleep 0.7
	$ckpt checkpoint --shell-job --kill -o job \$! && echo saved
	EOT
	script -qec 'bash first' first.out >/dev/null </dev/null
	grep -q 'tick 2' first.out && grep -q saved first.out && ! grep -q 'tick 6' first.out ||
		return
	script -qec "$ckpt restart --shell-job -i job" second.out >/dev/null </dev/null &&
		! grep -q 'tick 1' second.out && grep -q 'tick 6' second.out
}

# A job in the foreground of a terminal reads from it; so it does in the next
# terminal, where ckpt must give it the foreground, and take it back.
# shown TEXT FILE: wait until it is there
shown()
{
	local i
	for ((i = 0; i < 300; i++)); do
		! grep -q "$1" "$2" 2>/dev/null || return 0
		sleep 0.1
	done
	return 1
}

test_foreground_job()
{
	# shellcheck disable=SC2016
	local job='while read -r line; do echo "got $line"; done; exit 5'
	rm -f first.out second.out
	cat >first <<-EOT
	set -m
	(until grep -q 'got one' first.out; do sleep 0.1; done
	$ckpt checkpoint --shell-job --kill -o job \$(cat pid) && echo saved) &
	bash -c 'echo \$\$ >pid; $job'
	wait
	EOT
	cat >second <<-EOT
	set -m
	$ckpt restart --shell-job -i job
	echo status \$?
	read -r line && echo "shell has \$line"
	EOT
	(echo one; shown saved first.out) | script -qefc 'bash first' first.out >/dev/null
	(echo two; shown 'got two' second.out; printf '\4'; shown 'status 5' second.out
	 echo three; shown 'shell has' second.out) |
		script -qefc 'bash second' second.out >/dev/null
	grep -q 'got one' first.out && grep -q 'got two' second.out &&
		grep -q 'status 5' second.out && grep -q 'shell has three' second.out
}

# Neither a reader nor a writer that does not come can hold us.
test_interrupted()
{
	local tool
	stop
	mkfifo stalled
	sleep 60 >stalled &
	$ckpt restart <stalled &
	tool=$!
	sleep 0.5
	kill -TERM "$tool"
	wait "$tool" 2>/dev/null
	[ $? = $((128 + 15)) ] || return
	start_seven
	# shellcheck disable=SC2217 # it only keeps the FIFO open
	sleep 60 <stalled &
	$ckpt checkpoint --container --kill "$pid" >stalled &
	tool=$!
	sleep 0.5
	kill -TERM "$tool"
	wait "$tool" 2>/dev/null
	[ $? = $((128 + 15)) ] || return
	wait "$pid"
	[ $? = 7 ]
}

tests=(
	goes_on 'a program goes on after a checkpoint'
	exit_status 'restart exits with the status of the root'
	any_number_of_times 'an image restarts any number of times'
	signal_status 'a root killed by a signal is told as 128+n'
	passes_signals_on 'signals are passed on to the root'
	pipes 'checkpoint and restart through pipes'
	detach 'restart --detach --pidfile'
	pid_taken 'a pid that is taken is named'
	leave_stopped 'checkpoint --leave-stopped'
	restart_stopped 'restart --stopped'
	no_time_namespace 'restart --no-time-namespace'
	failure_keeps_old_image 'a failed checkpoint leaves the old image alone'
	external 'an external file, and a path in its place'
	external_descriptor 'a descriptor of ours in place of an external file'
	check_lists_all 'check lists all reasons'
	check_is_harmless 'check leaves no trace'
	log 'all is in the log'
	no_such_process 'no such process'
	usage 'wrong command lines are refused'
	refuses_devices 'a device is no image'
	verify 'verify finds what is truncated, added or changed'
	json 'info --json'
	interrupted 'a signal ends a call that waits for its stream'
	shell_job 'a job moves to another terminal'
	foreground_job 'a job in the foreground moves to another terminal'
)
nr=0
failed=0
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
