# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034,SC2154,SC2317
#
# Real programs that are checkpointed in the middle of their work, killed,
# restarted, and whose result is then compared with an undisturbed run. Used by
# programs.sh (TAP) and by the demo.
#
# A program is a file NAME.sh of this directory, which sets
#
#   title      what it does, for people
#   command    array: run in a directory of its own, input is in ../input
#   results    array: the files that it makes there, beside "out", its output
#
# and defines
#
#   make_input   in the directory "input"
#   middle       tells by its status whether it is amid its work
#   finish       optional: afterwards, in the directory; may make more results
#
# It runs in a session of its own with all descriptors in files of its own:
# nothing is shared with the outside, as in a container.

programs=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
ckpt=${CKPT:-ckpt}

# What a function that has failed has to say.
why=

fail()
{
	why=$*
	return 1
}

# program_load NAME WORK: everything goes into the directory WORK.
program_load()
{
	name=$1
	work=$2
	finish() { :; }
	# shellcheck source=/dev/null
	. "$programs/$name.sh"
	mkdir -p "$work/input"
	(cd "$work/input" && make_input) || fail "cannot make the input of $name"
}

# Seconds since boot with two decimals, and the difference to now.
now()
{
	local up
	read -r up _ </proc/uptime
	echo "$up"
}

since()
{
	awk "BEGIN { printf \"%.1f\", $(now) - $1 }"
}

# What we have open ourselves would be shared with the program.
close_all_but_stdio()
{
	local fd
	for fd in "/proc/$BASHPID/fd/"*; do
		fd=${fd##*/}
		[ "$fd" -le 2 ] || eval "exec $fd>&-"
	done
}

# program_start DIR: sets $pid and $dir.
program_start()
{
	dir=$work/$1
	rm -rf "$dir"
	mkdir "$dir"
	(
		cd "$dir" || exit
		close_all_but_stdio
		exec setsid "${command[@]}" </dev/null >out 2>err
	) &
	pid=$!
}

program_runs()
{
	grep -q '^State:.[^Z]' "/proc/$pid/status" 2>/dev/null
}

# All processes of the program: those of its session.
program_pids()
{
	ps -o pid= -s "$pid" | tr -d ' '
}

program_kill()
{
	pkill -KILL -s "$pid"
	wait "$pid" 2>/dev/null
	return 0
}

# The undisturbed run: sets $reference and $took.
program_reference()
{
	local start status
	reference=$work/undisturbed
	start=$(now)
	program_start undisturbed
	wait "$pid"
	status=$?
	took=$(since "$start")
	if [ $status != 0 ]; then
		fail "undisturbed run: exit status $status: $(tail -n 1 "$dir/err")"
	elif ! (cd "$dir" && finish); then
		fail "undisturbed run: no result"
	fi
}

size()
{
	stat -c %s "$1" 2>/dev/null || echo 0
}

# grown FILE PERCENT: FILE has that much of the size that it has in the end.
grown()
{
	[ $((100 * $(size "$dir/$1"))) -ge $(($2 * $(size "$reference/$1"))) ]
}

program_wait_middle()
{
	local start=$SECONDS
	until middle; do
		if ! program_runs; then
			fail "it ended before it could be checkpointed"
			return
		fi
		[ $((SECONDS - start)) -lt 120 ] || { fail "it did not get to work"; return; }
		sleep 0.05
	done
}

# Pipes and unnamed memory have new inodes after a restart: their order counts.
number_inodes()
{
	sed -E '/\(deleted\)/s/ [0-9]+ +\// \//' | awk '{
		while (match($0, /pipe:\[[0-9]+\]/)) {
			inode = substr($0, RSTART, RLENGTH)
			if (!(inode in order))
				order[inode] = ++count
			$0 = substr($0, 1, RSTART - 1) "pipe " order[inode] \
				substr($0, RSTART + RLENGTH)
		}
		print
	}'
}

# What can be seen of the program from outside, while it is stopped.
program_state()
{
	local p fd
	for p in $(program_pids | sort -n); do
		ps -L -o pid=,tid=,pgid=,sid=,nlwp=,comm= -p "$p"
		[ "$p" = "$pid" ] || ps -o ppid= -p "$p"
		# the dead have no more than that
		[ -e "/proc/$p/exe" ] || continue
		for fd in "/proc/$p/fd/"*; do
			echo "${fd##*/} $(readlink "$fd")"
			grep -E '^(pos|flags):' "/proc/$p/fdinfo/${fd##*/}"
		done
		cat "/proc/$p/maps"
		grep -E '^(Sig[PBIC]|Shd|Cap|Uid|Gid|Umask)' "/proc/$p/status"
	done | number_inodes
}

# program_generation IMAGE: stopped, killed, restarted, and the same in all that shows.
program_generation()
{
	why=$($ckpt checkpoint --container --leave-stopped -o "$1" --log "$dir/log" "$pid" 2>&1) ||
		return
	program_state >"$work/before"
	program_kill 2>/dev/null
	why=$($ckpt restart --detach --stopped -i "$1" --log "$dir/log" 2>&1) || return
	program_state >"$work/after"
	why=$(diff "$work/before" "$work/after" | head -n 12 | tr '\n' ' ')
	[ -s "$work/before" ] && [ -z "$why" ] && pkill -CONT -s "$pid"
}

# The dead are reaped by init, or by us, in a moment.
gone()
{
	local i
	for ((i = 0; i < 50; i++)); do
		[ -d "/proc/$1" ] || return 0
		sleep 0.02
	done
	return 1
}

# program_checkpoint IMAGE: and kill; nothing of the program is left.
program_checkpoint()
{
	local pids p
	pids=$(program_pids)
	why=$($ckpt checkpoint --container --kill -o "$1" --log "$dir/log" "$pid" 2>&1) ||
		return
	wait "$pid" 2>/dev/null
	for p in $pids $(program_pids); do
		gone "$p" || { fail "pid $p is still there after --kill"; return; }
	done
}

# program_restart IMAGE: and wait for the end, which must be a good one.
program_restart()
{
	local status
	why=$(timeout -k 5 "${PROGRAM_TIMEOUT:-200}" "$ckpt" restart -i "$1" --log "$dir/log" 2>&1)
	status=$?
	[ $status = 0 ] || fail "restart: exit status $status: ${why:-$(tail -n 1 "$dir/err")}"
}

program_compare()
{
	local file
	(cd "$dir" && finish) || { fail "there is no result"; return; }
	for file in out err "${results[@]}"; do
		cmp -s "$reference/$file" "$dir/$file" ||
			{ fail "$file is not as in the undisturbed run"; return; }
	done
}
