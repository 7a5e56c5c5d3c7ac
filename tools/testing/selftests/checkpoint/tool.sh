#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# shellcheck source-path=SCRIPTDIR
# shellcheck disable=SC2317
# shellcheck disable=SC2086 # $ckpt may be several words
#
# ckpt(1): what scripts rely on.
here=$(dirname "$0")
# shellcheck source=tool/lib.sh
. "$here/tool/lib.sh"

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

# What nohup(1) protects us from, it protects the root from, too.
test_ignored_signals()
{
	local restart
	start_seven
	$ckpt checkpoint --container --kill -o image "$pid" && gone "$pid" || return
	(trap '' HUP; exec $ckpt restart -i image) &
	restart=$!
	sleep 0.5
	kill -HUP "$restart"
	wait "$restart"
	[ $? = 7 ]
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

# A file with a name is one that a restart finds again.
test_own_tree()
{
	setsid --wait bash -c "$ckpt checkpoint \$\$ >own && exit 7" </dev/null >out 2>err
	[ $? = 7 ] || return
	$ckpt restart -i own
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

user=(setpriv --reuid=65534 --regid=65534 --clear-groups)
chmod 711 .

# It takes privilege to restart only.
test_user()
{
	stop
	mkdir -m 777 user
	setsid "${user[@]}" sleep 600 </dev/null >out 2>err &
	pid=$!
	wait_until runs sleep
	echo old >user/image
	chown 65534 user/image
	"${user[@]}" $ckpt checkpoint --container --kill -o user/image "$pid" && gone "$pid" &&
		[ "$(stat -c %u user/image)" = 65534 ] && $ckpt verify user/image &&
		! "${user[@]}" $ckpt restart -i user/image 2>stderr && stderr_is_one_line &&
		$ckpt restart -d -i user/image && [ "$(stat -c %u "/proc/$pid")" = 65534 ] || return
	# without --kill the image has no name until it is complete
	"${user[@]}" $ckpt checkpoint --container -o user/image "$pid" &&
		"${user[@]}" $ckpt checkpoint --container -o user/other "$pid" &&
		$ckpt verify user/image && $ckpt verify user/other
}

# The program of the test before. What cannot be read cannot be synced.
test_unreadable_directory()
{
	mkdir -m 300 blind && chown 65534 blind || return
	"${user[@]}" $ckpt checkpoint --container -o blind/image "$pid" &&
		"${user[@]}" $ckpt checkpoint --container --kill -o blind/image "$pid" &&
		gone "$pid" && $ckpt verify blind/image && [ "$(ls blind)" = image ]
}

# What others have put where we write to decides nothing.
test_sticky_directory()
{
	local sysctl=/proc/sys/fs/protected_symlinks old status
	start sleep 60
	old=$(cat $sysctl)
	mkdir -m 1777 sticky && echo precious >victim || return
	"${user[@]}" ln -s "$work/victim" sticky/link
	"${user[@]}" sh -c 'umask 0; : >sticky/file'
	echo 1 >$sysctl
	$ckpt checkpoint --container -o sticky/link "$pid" 2>stderr
	status=$?
	echo "$old" >$sysctl
	[ $status = 1 ] && stderr_is_one_line && [ "$(cat victim)" = precious ] || return
	$ckpt checkpoint --container -o sticky/file "$pid" &&
		[ "$(stat -c '%u %a' sticky/file)" = "0 600" ]
}

# the program of the test before
test_names()
{
	local name
	$ckpt checkpoint --container -o image "$pid" || return
	for name in '' none/ none/x; do
		$ckpt checkpoint --container -o "$name" "$pid" 2>stderr
		[ $? = 1 ] && stderr_is_one_line && grep -q "^ckpt: $name: " stderr || return
		$ckpt restart -d -p "$name" -i image 2>stderr
		[ $? = 125 ] && stderr_is_one_line && grep -q "^ckpt: $name: " stderr || return
	done
	: >target && ln -s target link && ln -s nowhere dangling || return
	$ckpt checkpoint --container -o link "$pid" && [ -L link ] && [ -s target ] &&
		$ckpt checkpoint --container -o dangling "$pid" && [ ! -L dangling ] &&
		[ ! -e nowhere ]
}

# injected ERROR OPTION...: a checkpoint of $pid to "late", with the error
injected()
{
	rm -f late*
	strace -f -qq -o trace -e "inject=$1" \
		$ckpt checkpoint --container "${@:2}" -o late "$pid" 2>stderr
	[ $? = 1 ] && stderr_is_one_line && $ckpt verify late*
}

# Who has lost the processes, or finds them stopped, is told where the image is.
test_late_failure()
{
	injected rename:error=EACCES --leave-stopped && [ ! -e late ] &&
		grep -q 'the image is in late\.[^;]*; the processes are stopped$' stderr &&
		grep -q '^State:.T' "/proc/$pid/status" && kill -CONT "$pid" || return
	# that of the directory, after the one for a name to begin with and the file's
	injected fsync:error=EIO:when=3 --leave-stopped && [ -e late ] &&
		grep -q 'the image is in late; the processes are stopped$' stderr &&
		kill -CONT "$pid" || return
	injected rename:error=EACCES --kill && gone "$pid" &&
		grep -q 'the image is in late\.[^;]*$' stderr
}

test_file_size_limit()
{
	local option
	stop
	start sleep 60
	for option in --container --kill; do
		(ulimit -f 10; exec $ckpt checkpoint $option -o limited "$pid" 2>stderr)
		[ $? = 1 ] && stderr_is_one_line && [ -z "$(find . -name 'limited*')" ] &&
			runs sleep || return
	done
}

# the program of the test before
test_closed_stdio()
{
	$ckpt checkpoint --container --kill -o image -l log "$pid" <&- >&- 2>&- &&
		gone "$pid" && $ckpt verify image || return
	$ckpt restart -d -i image -p pidfile -l log <&- >&- 2>&- && runs sleep &&
		[ "$(cat pidfile)" = "$pid" ] || return
	! $ckpt checkpoint --container "$pid" >&- 2>stderr && stderr_is_one_line
}

same_file()
{
	stderr_is_one_line && grep -q 'are the same file$' stderr && cmp image copy
}

# the program of the test before
test_log_is_not_the_image()
{
	local name
	$ckpt checkpoint --container --kill -o image "$pid" && gone "$pid" || return
	cp image copy && ln -s image alias || return
	for name in image alias; do
		$ckpt restart -d -i image -l "$name" 2>stderr
		[ $? = 125 ] && same_file || return
		$ckpt restart -d -l "$name" <image 2>stderr
		[ $? = 125 ] && same_file || return
		$ckpt restart -d -i image -p "$name" 2>stderr
		[ $? = 125 ] && same_file || return
		! $ckpt checkpoint -o image -l "$name" 4194300 2>stderr && same_file || return
		! $ckpt checkpoint -l "$name" 4194300 >>image 2>stderr && same_file || return
	done
	head -c 100000 /dev/zero >log
	$ckpt restart -d -i image -l log && runs sleep && [ "$(stat -c %s log)" -lt 100000 ]
}

# the image of the test before
test_log_is_not_the_output()
{
	! $ckpt checkpoint -o new -l new 4194300 2>stderr && same_file && [ ! -e new ] || return
	$ckpt restart -d -i image -p new -l ./new 2>stderr
	[ $? = 125 ] && same_file && [ ! -e new ] || return
	echo 1 >former && ln -s former latter || return
	$ckpt restart -d -i image -p former -l latter 2>stderr
	[ $? = 125 ] && same_file && [ "$(cat former)" = 1 ]
}

# A program whose standard output is read by somebody outside, through the FIFO $1.
start_leaky()
{
	mkfifo "$1"
	cat "$1" >/dev/null &
	setsid sleep 60 </dev/null >"$1" 2>err &
	pid=$!
	sleep 0.3
}

test_failure_keeps_old_image()
{
	stop
	start_leaky fifo
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
	# nobody may open for writing what runs
	keys+=(--external unused=/proc/self/exe)
	$ckpt restart -d "${keys[@]}" -i image || return
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

# Descriptors are those of a thread if its leader is dead.
test_external_of_thread()
{
	local thread
	stop
	mkfifo fifo10 || return
	cat fifo10 >/dev/null &
	start_headless 9>fifo10 || return
	! $ckpt check --container "$pid" >/dev/null &&
		$ckpt check --container --external "fd:$thread:9" "$pid" >/dev/null || return
	! $ckpt check --external fd:9 "$pid" >/dev/null 2>stderr && stderr_is_one_line &&
		grep -q 'external fd:9: No such process$' stderr
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
	stop
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

# What the log is about has happened; the warning is not lost.
test_log_full()
{
	stop
	start_leaky outside
	$ckpt checkpoint --kill --log /dev/full -o image "$pid" 2>stderr && gone "$pid" &&
		grep -q '^ckpt: /dev/full: ' stderr && grep -q '^ckpt: warning: ' stderr
}

test_no_such_process()
{
	! $ckpt checkpoint -o none 4194300 2>stderr && stderr_is_one_line && [ ! -e none ]
}

# Several of us may write to the same log at once.
test_line_is_one_write()
{
	strace -qq -o trace -e trace=write,writev \
		$ckpt checkpoint -o none 4194300 2>stderr
	stderr_is_one_line && [ "$(grep -c '(2,' trace)" = 1 ]
}

test_version()
{
	$ckpt --version | grep -q '^ckpt, for images of version [0-9]*$'
}

test_usage()
{
	local line
	while read -r line; do
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

# Neither a reader nor a writer that does not come can hold us.
test_interrupted()
{
	local tool option
	stop
	mkfifo stalled
	sleep 60 >stalled &
	for option in --log=log --detach; do
		$ckpt restart "$option" <stalled 2>stderr &
		tool=$!
		sleep 0.5
		kill -TERM "$tool"
		wait "$tool" 2>/dev/null
		[ $? = $((128 + 15)) ] || return
	done
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
	ignored_signals 'signals that are ignored are not passed on'
	pipes 'checkpoint and restart through pipes'
	stream 'one pipe from checkpoint to restart'
	own_tree 'a tree that saves itself to standard output'
	detach 'restart --detach --pidfile'
	pid_taken 'a pid that is taken is named'
	pidfile 'a pidfile is replaced by a successful restart only'
	leave_stopped 'checkpoint --leave-stopped'
	restart_stopped 'restart --stopped'
	no_time_namespace 'restart --no-time-namespace'
	user 'a user saves a program of its own'
	unreadable_directory 'an image in a directory that cannot be read'
	sticky_directory 'links and files of others in a sticky directory'
	names 'names that cannot be, and links'
	late_failure 'an image that gets no name is not lost'
	file_size_limit 'an image larger than a file may be'
	closed_stdio 'closed standard input, output and error'
	log_is_not_the_image 'neither log nor pidfile replaces the image'
	log_is_not_the_output 'a log is neither the new image nor the pidfile'
	failure_keeps_old_image 'a failed checkpoint leaves the old image alone'
	external 'an external file, and a path in its place'
	external_descriptor 'a descriptor of ours in place of an external file'
	external_of_child 'several external files of a child'
	external_mistakes 'wrong keys and values are named'
	external_of_thread 'an external file of a thread'
	check_lists_all 'check lists all reasons'
	check_is_harmless 'check leaves no trace'
	log 'all is in the log'
	log_full 'a log that cannot be written'
	no_such_process 'no such process'
	line_is_one_write 'a line on stderr is one write'
	version 'ckpt --version'
	usage 'wrong command lines are refused'
	refuses_devices 'a device is no image'
	interrupted 'a signal ends a call that waits for its stream'
)
run_tests
