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

# Both ends at once, so the second tree needs pids of its own.
test_stream()
{
	local restart
	for restart in "$ckpt restart" "$ckpt restart -d && kill -0 \$pid && (exit 7)"; do
		start_seven
		export pid
		$ckpt checkpoint --container "$pid" | zstd -q | zstd -dc |
			unshare --pid --fork bash -c "$restart"
		[ "${PIPESTATUS[*]}" = "0 0 0 7" ] || return
		wait "$pid"
		[ $? = 7 ] || return
	done
	# what is damaged on the way is found
	start_seven
	$ckpt checkpoint --container "$pid" 2>/dev/null | tr x y | $ckpt restart -d 2>stderr
	[ "${PIPESTATUS[2]}" = 125 ] && stderr_is_one_line && grep -q hash stderr || return
	wait "$pid"
	[ $? = 7 ]
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
	[ "$status" = 125 ] && stderr_is_one_line && [ ! -e other ] &&
		grep -q "^ckpt: cannot restart image: pid $pid is taken" stderr || return
	$ckpt restart <image 2>stderr
	status=$?
	[ "$status" = 125 ] && stderr_is_one_line &&
		grep -q "^ckpt: cannot restart standard input: pid $pid is taken" stderr
}

# pidfile_is PID MODE
pidfile_is()
{
	[ "$(cat pidfile)" = "$1" ] && [ "$(stat -c %a pidfile)" = "$2" ] &&
		[ -z "$(find . -name 'pidfile.*')" ]
}

# The program of the tests before runs, and the file says so.
test_pidfile()
{
	pidfile_is "$pid" 644 || return
	! $ckpt restart -d --pidfile pidfile -i image 2>stderr && pidfile_is "$pid" 644 || return
	stop
	# the directory is looked at before there are processes
	$ckpt restart -d --pidfile none/pidfile -i image 2>stderr
	[ $? = 125 ] && stderr_is_one_line && grep -q none/pidfile stderr &&
		[ ! -e "/proc/$pid" ] || return
	echo old >pidfile && chmod 600 pidfile
	$ckpt restart -d --pidfile pidfile -i image && pidfile_is "$pid" 600 || return
	stop
	mkfifo named
	$ckpt restart -d --pidfile named -i image &
	[ "$(cat named)" = "$pid" ] && wait $! && [ -p named ]
}

test_leave_stopped()
{
	stop
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

# A tree in which only the child has open files that lead outside.
start_leaky_child()
{
	mkfifo fifo7 fifo8
	cat fifo7 >/dev/null &
	cat fifo8 >/dev/null &
	rm -f child
	start bash -c 'sleep 60 7>fifo7 8>fifo8 9>&8 & echo $! >child; wait'
	wait_until test -s child
	child=$(cat child)
	wait_until [ -e "/proc/$child/fd/9" ]
}

target()
{
	readlink "/proc/$child/fd/$1"
}

test_external_of_child()
{
	local keys
	stop
	start_leaky_child
	keys=(--external "fd:$child:9" --external "fd:$child:7" --external "fd:$child:8")
	! $ckpt check --container --external "fd:$child:7" "$pid" >/dev/null || return
	$ckpt checkpoint --container "${keys[@]}" --kill -o image "$pid" && gone "$pid" || return
	$ckpt info image | sed -n 's/^  --external \(.*\)=.*/\1/p' | sort >keys
	[ "$(xargs <keys)" = "fd:$child:7 fd:$child:9" ] || return
	: >stand-in
	! $ckpt restart -d --external "fd:$child:7=/dev/null" -i image 2>stderr &&
		stderr_is_one_line && grep -q "fd:$child:9" stderr || return
	keys=(--external "fd:$child:7=/dev/null" --external "fd:$child:9=$work/stand-in")
	$ckpt restart -d "${keys[@]}" --external unused=/dev/null -i image || return
	[ "$(target 7) $(target 8) $(target 9)" = "/dev/null $work/stand-in $work/stand-in" ]
}

test_external_mistakes()
{
	local key
	for key in fd: fd:x fd:1:2:3 fd:-1 file:1 "fd:$child:99" "fd:4194300:1"; do
		$ckpt check --external "$key" "$pid" >/dev/null 2>stderr
		[ $? = 1 ] && stderr_is_one_line && grep -q "external $key: " stderr || return
	done
	for key in fd:1 fd:1= =x tty=inherit fd:1=fd:x fd:1=fd:99 fd:1=none/x; do
		$ckpt restart --external "$key" -i image 2>stderr
		[ $? = 125 ] && stderr_is_one_line && grep -q "external $key: " stderr || return
	done
}

# Two real terminals: a program that reads one goes on with the other.
test_external_terminal()
{
	stop
	CKPT=$ckpt python3 - 2>stderr <<-'EOT' || return
	import os, pty, subprocess, sys, time
	ckpt = os.environ["CKPT"].split()
	def terminal():
	    master, slave = pty.openpty()
	    return master, slave, os.ttyname(slave)
	first, slave, _ = terminal()
	reader = "read -r a; echo first $a; read -r b; echo second $b; exit 6"
	with open("terminal.out", "w") as out:
	    program = subprocess.Popen(["sh", "-c", reader], stdin=slave, stdout=out, stderr=out,
	                               start_new_session=True)
	os.write(first, b"one\n")
	while not os.path.getsize("terminal.out"):
	    time.sleep(0.05)
	time.sleep(0.3)
	subprocess.run([*ckpt, "checkpoint", "--container", "--external", "fd:0", "--kill",
	                "-o", "image", str(program.pid)], check=True)
	program.wait()
	second, slave, name = terminal()
	restart = subprocess.Popen([*ckpt, "restart", "--external", "fd:0=" + name, "-i", "image"])
	os.write(second, b"two\n")
	if restart.wait() != 6:
	    sys.exit("the root did not exit with 6")
	EOT
	[ "$(cat terminal.out)" = $'first one\nsecond two' ]
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

test_version()
{
	$ckpt --version | grep -q '^ckpt, for images of version [0-9]*$'
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

# damaged FILE WHAT: verify, info and restart say so
damaged()
{
	$ckpt verify "$1" 2>stderr
	[ $? = 1 ] && stderr_is_one_line && grep -Eq "^ckpt: $1: .*$2" stderr || return
	$ckpt info "$1" >text 2>stderr
	[ $? = 1 ] && stderr_is_one_line && grep -Eq "^ckpt: $1: .*$2" stderr && [ ! -s text ]
}

# Each is changed in one byte: in the header, in a page, in the trailer.
test_verify()
{
	local name
	start sleep 60
	$ckpt checkpoint --container -o image "$pid" && $ckpt verify image &&
		$ckpt verify - <image || return
	stop
	head -c 5000 image >short && damaged short truncated &&
		! $ckpt verify - <short 2>stderr && grep -q '^ckpt: standard input: ' stderr ||
		return
	cp image long && echo >>long &&
		damaged long "data follows the end of the image at byte $(stat -c %s image)" ||
		return
	: >empty && damaged empty . || return
	head -c 100000 /dev/zero >foreign && damaged foreign . || return
	python3 - <<-'EOT' || return
	image = open("image", "rb").read()
	for name, where in ("header", 60), ("page", len(image) // 2), ("trailer", len(image) - 4):
	    wrong = bytearray(image)
	    wrong[where] ^= 16
	    open(name, "wb").write(wrong)
	EOT
	damaged header 'hash mismatch' && damaged page 'block [0-9]+ at byte [0-9]+: hash' &&
		damaged trailer 'block [0-9]+ at byte [0-9]+: ' || return
	for name in short empty foreign header page trailer; do
		$ckpt restart -d -i "$name" 2>stderr
		[ $? = 125 ] && stderr_is_one_line && [ ! -e "/proc/$pid" ] &&
			grep -q "^ckpt: cannot restart $name: " stderr || return
	done
}

# What differs from run to run has a name here.
info_lines()
{
	$ckpt info image | sed -E -e "s|$work|WORK|g" \
		-e "s/\<$pid\>/ROOT/g" -e "s/\<$dead\>/DEAD/g" -e "s/\<$child\>/CHILD/g" \
		-e "s/by Linux $(uname -r),/by Linux RELEASE,/" \
		-e 's/[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{8} [+-][0-9]{4}/DATE/' \
		-e 's/[0-9]+(\.[0-9])? [KM]iB/SIZE/g' -e 's/[0-9]+\.[0-9]{3} s/TIME/g' \
		-e 's/0x[0-9a-f]+/FEATURES/' -e 's/[0-9a-f]{40}/VDSO/' \
		-e 's/[0-9]+ (mappings|objects)/N \1/' -e 's/checkpoint [0-9]+/checkpoint N/' \
		-e 's/pipe:[0-9]+/pipe:N/' -e 's/python3\.[0-9]+$/PYTHON/' \
		-e 's/ +(ROOT|DEAD|CHILD|SIZE|-)/ \1/g'
}

# A parent, a child that has stopped, and one that is dead.
start_family()
{
	echo 12345 >in
	rm -f ready
	start python3 -c '
import os, signal, time
os.open("in", os.O_RDONLY)
os.read(3, 4)
os.dup2(os.open("log", os.O_WRONLY | os.O_CREAT | os.O_APPEND), 4)
os.write(os.pipe()[1], b"abc")
dead = os.fork() or os._exit(3)
child = os.fork()
if not child:
    os.umask(0o27)
    os.chdir("/")
    os.close(4)
    os.kill(os.getpid(), signal.SIGSTOP)
os.waitid(os.P_PID, dead, os.WEXITED | os.WNOWAIT)
os.waitid(os.P_PID, child, os.WSTOPPED | os.WNOWAIT)
print(dead, child, file=open("ready", "w"))
time.sleep(60)'
	wait_until test -s ready && read -r dead child <ready && sleep 0.3
}

test_info()
{
	local dead child
	start_family
	$ckpt checkpoint --container -o image "$pid" && info_lines >text || return
	diff - text >stderr <<-EOT
	image     image, SIZE
	written   DATE by Linux RELEASE, checkpoint N
	mode      container
	needs     x86-64 with xfeatures FEATURES, vdso VDSO
	clocks    monotonic TIME, boottime TIME

	    PID    PGRP SESSION THREADS  STATE               MAPPED     STORED  COMMAND
	 ROOT ROOT ROOT       1  running SIZE SIZE  python3
	 DEAD ROOT ROOT       1  dead, exit 3 - -    python3
	 CHILD ROOT ROOT       1  stopped SIZE SIZE    python3

	pid ROOT (python3), uid 0, gid 0
	  exe     /usr/bin/PYTHON
	  cwd     WORK, umask 022
	  memory  N mappings, SIZE; SIZE stored
	  fd 0   r    /dev/null
	  fd 1   w    WORK/out
	  fd 2   w    WORK/err
	  fd 3   r    WORK/in at 4 cloexec
	  fd 4   w    WORK/log (append) cloexec
	  fd 5   r    pipe:N, 3 B waiting cloexec
	  fd 6   w    pipe:N, 3 B waiting cloexec

	pid CHILD (python3), uid 0, gid 0
	  exe     /usr/bin/PYTHON
	  cwd     /, umask 027
	  memory  N mappings, SIZE; SIZE stored, SIZE shared copy-on-write
	  fd 0   r    /dev/null
	  fd 1   w    WORK/out
	  fd 2   w    WORK/err
	  fd 3   r    WORK/in at 4 cloexec
	  fd 5   r    pipe:N, 3 B waiting cloexec
	  fd 6   w    pipe:N, 3 B waiting cloexec

	total     3 processes, 3 threads, N objects; SIZE of pages stored, SIZE shared copy-on-write
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

# What a container runtime does, and the program of the tutorial.
write_programs()
{
	cat >library.c <<-'EOT'
	#include <fcntl.h>
	#include <stdio.h>
	#include <stdlib.h>
	#include <libckpt.h>
	#include <linux/checkpoint_image.h>

	int main(int argc, char **argv)
	{
		struct ckpt_image_record record;
		struct ckpt_rec_tree_task task;
		struct ckpt_image *image;
		struct ckpt_output *out;

		if (argc != 2 || ckpt_output_open("library.ckpt", false, &out) ||
		    ckpt_checkpoint(atoi(argv[1]), 0, ckpt_output_fd(out), NULL, NULL) <= 0 ||
		    ckpt_output_commit(out) ||
		    ckpt_image_open(open("library.ckpt", O_RDONLY), &image))
			return 1;
		while (ckpt_image_next(image, &record) > 0)
			if (record.type == CKPT_REC_TREE_TASK &&
			    !ckpt_image_record_copy(&record, &task, sizeof(task)))
				printf("task %d %s\n", task.pid, task.comm);
		printf("%llu bytes\n", (unsigned long long)ckpt_image_size(image));
		ckpt_image_close(image);
		return ckpt_image_open(open("library.ckpt", O_RDONLY), &image) ||
		       ckpt_image_verify(image);
	}
	EOT
	cat >self.c <<-'EOT'
	#include <fcntl.h>
	#include <stdio.h>
	#include <libckpt.h>
	#include <linux/checkpoint.h>

	int main(void)
	{
		int fd = open("self.ckpt", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		int id = ckpt_checkpoint(0, CHECKPOINT_SUBTREE, fd, NULL, NULL);

		if (id > 0)
			puts("saved");
		else if (id == 0)
			puts("I am back from a restart");
		else
			fprintf(stderr, "not saved: %s\n", ckpt_strerror(id));
		return id < 0;
	}
	EOT
}

# Where ckpt is installed, there is the library.
prefix=$(dirname "$(dirname "$(command -v "${ckpt%% *}")")")

# package WORD: what pkg-config would say of it
package()
{
	# shellcheck disable=SC2034 # used by eval
	local prefix includedir libdir
	eval "$(grep -E '^(prefix|includedir|libdir)=' "$pc")"
	eval "echo $(sed -n "s/^$1: //p" "$pc")"
}

# compile SOURCE TARGET OPTION...: with what is installed and nothing else
compile()
{
	local pc=$prefix/lib/pkgconfig/libckpt.pc
	# shellcheck disable=SC2046
	gcc -Wall -Wextra -Werror "${@:3}" $(package Cflags) -o "$2" "$1" \
		$(package Libs) 2>stderr
}

test_library()
{
	local program
	stop
	write_programs
	compile library.c shared && compile library.c static -static || return
	ldd ./shared | grep -q "libckpt.so.1 => $prefix/lib/" || return
	start sleep 60
	for program in shared static; do
		rm -f library.ckpt
		"./$program" "$pid" >text 2>stderr && $ckpt verify library.ckpt || return
		printf 'task %d sleep\n%d bytes\n' "$pid" "$(stat -c %s library.ckpt)" |
			diff - text >stderr || return
	done
	stop
	$ckpt restart -d -i library.ckpt && runs sleep
}

# The symbols of the library are the functions of its header, in one version.
test_library_symbols()
{
	gcc -E -P -include libckpt.h -xc /dev/null | grep -Eo '\<ckpt_[a-z_]+\(' |
		tr -d '(' | sort >functions && [ -s functions ] || return
	nm -D --defined-only "$prefix/lib/libckpt.so.1" | awk '$2 != "A" { print $3 }' |
		sort >symbols
	sed 's/$/@@LIBCKPT_1/' functions | diff - symbols >stderr || return
	nm -g --defined-only "$prefix/lib/libckpt.a" | awk 'NF == 3 { print $3 }' | sort |
		diff functions - >stderr
}

test_saves_itself()
{
	stop
	compile self.c self || return
	setsid ./self </dev/null >out 2>stderr &
	wait $! && [ "$(cat out)" = saved ] || return
	# it writes where it was
	$ckpt restart -i self.ckpt && [ "$(cat out)" = "I am back from a restart" ]
}

# on_terminal COMMAND: what it shows goes to stderr
on_terminal()
{
	script -qec "$1" stderr >/dev/null </dev/null
}

# However fast the machine is, strace makes ckpt read the log of a call two seconds
# after the call; nobody knows how much of the image went through a pipe.
test_progress()
{
	local slowly='strace -f -qq -o /dev/null -e inject=lseek:delay_enter=2000000:when=1'
	local mib='20[0-9] MiB'
	rm -f ready
	start python3 -c '
import os, time
data = bytearray(os.urandom(1 << 20)) * 200
open("ready", "w").close()
time.sleep(600)'
	wait_until test -e ready
	on_terminal "$ckpt checkpoint $pid | (sleep 2; cat >/dev/null)" &&
		grep -Eq "checkpointing $pid: [0-9]+ s" stderr && ! grep -q MiB stderr || return
	on_terminal "$slowly $ckpt checkpoint --container --kill -o big $pid" && gone "$pid" &&
		grep -Eq "checkpointing $pid: $mib, [0-9]+ MiB/s" stderr || return
	on_terminal "$slowly $ckpt restart -d -i big" && [ -e "/proc/$pid" ] &&
		grep -Eq "restarting: $mib \([0-9]+ %\), [0-9]+ MiB/s" stderr || return
	stop
	on_terminal "(sleep 2; cat big) | $ckpt restart -d" && [ -e "/proc/$pid" ] &&
		grep -Eq 'restarting: [0-9]+ s' stderr && ! grep -q MiB stderr && rm big
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
	stream 'one pipe from checkpoint to restart'
	detach 'restart --detach --pidfile'
	pid_taken 'a pid that is taken is named'
	pidfile 'a pidfile is replaced by a successful restart only'
	leave_stopped 'checkpoint --leave-stopped'
	restart_stopped 'restart --stopped'
	no_time_namespace 'restart --no-time-namespace'
	failure_keeps_old_image 'a failed checkpoint leaves the old image alone'
	external 'an external file, and a path in its place'
	external_descriptor 'a descriptor of ours in place of an external file'
	external_of_child 'several external files of a child'
	external_mistakes 'wrong keys and values are named'
	external_terminal 'a terminal in place of a terminal'
	check_lists_all 'check lists all reasons'
	check_is_harmless 'check leaves no trace'
	log 'all is in the log'
	no_such_process 'no such process'
	version 'ckpt --version'
	usage 'wrong command lines are refused'
	refuses_devices 'a device is no image'
	verify 'verify finds what is truncated, added or changed'
	json 'info --json'
	info 'info shows the tree, its files and its memory'
	library 'a program with libckpt, shared and static'
	library_symbols 'libckpt has the functions of its header'
	saves_itself 'a program saves itself'
	progress 'progress is shown on a terminal'
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
