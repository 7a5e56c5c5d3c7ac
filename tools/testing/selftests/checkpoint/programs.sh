#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# shellcheck source-path=SCRIPTDIR
#
# Real programs: checkpointed in the middle, killed, restarted, and the result
# compared with an undisturbed run; see programs/lib.sh.
#
# Environment:
#   PROGRAMS  which (default: some; the others have a script of their own;
#             "generations" is python again and again)
#   REPEAT    how often each (default: 1)
#   GENERATIONS  how many of them (default: 10)
#   CHECKS    how often each must be found free of leaks while it runs, in runs
#             of their own, whose results must be right, too (default: 0; see
#             programs-alarms.sh)
here=$(dirname "$0")
# shellcheck source=programs/lib.sh
. "$here/programs/lib.sh"

read -ra names <<<"${PROGRAMS:-xz python bash sqlite gcc threads32 leak}"
repeat=${REPEAT:-1}
checks=${CHECKS:-0}
generations=${GENERATIONS:-10}
work=$(mktemp -d "${TMPDIR:-/var/tmp}/programs.XXXXXX")
trap 'rm -rf "$work"' EXIT
nr=0
failed=0

result()
{
	nr=$((nr + 1))
	if [ "$1" = 0 ]; then
		echo "ok $nr $2"
	else
		failed=1
		[ ! -s "$dir/log" ] || sed 's/^/# log: /' "$dir/log"
		echo "# $why"
		echo "not ok $nr $2"
	fi
}

# Until it is in a session of its own, it has open what we have.
start_apart()
{
	program_start "$1"
	while program_runs && [ -z "$(program_pids)" ]; do
		sleep 0.01
	done
}

# Checks until there were enough, in as many runs as it takes; if they are few,
# then from the start of one run to its end.
no_false_alarm()
{
	local left=$checks pause
	pause=$(awk "BEGIN { print $took / ($checks + 1) }")
	while [ "$left" -gt 0 ]; do
		start_apart checked
		while sleep "$pause" && [ "$left" -gt 0 ] && program_runs; do
			if why=$($ckpt check --container "$pid" 2>&1); then
				left=$((left - 1))
			elif program_runs; then
				return 1
			fi
		done
		wait "$pid"
		program_compare || return
	done
}

once()
{
	program_start run &&
		program_wait_middle &&
		program_checkpoint "$dir/image" &&
		program_restart "$dir/image" &&
		program_compare
}

run_program()
{
	local i status
	program_load "$1" "$work/$1" && program_reference
	status=$?
	if [ "$checks" -gt 0 ]; then
		[ $status = 0 ] && no_false_alarm
		result $? "$title, found free of leaks $checks times"
		program_kill
	fi
	for ((i = 1; i <= repeat; i++)); do
		[ $status = 0 ] && once
		result $? "$title, run $i"
		program_kill
	done
	rm -rf "${work:?}/$1"
}

# One that has been restarted is checkpointed again, at equal distances. The
# slower the machine, the more it gets done while we look.
all_generations()
{
	# shellcheck disable=SC2034 # for programs/python.sh
	local i jobs=$((500 * ${CKPT_SLOW:-2}))
	program_load python "$work/generations" && program_reference || return
	program_start "run.$1"
	for ((i = 1; i < generations; i++)); do
		until grown progress $((60 * i / generations)); do
			program_runs || { fail "it ended in generation $i"; return; }
			sleep 0.02
		done
		program_generation "$dir/image" || { why="generation $i: $why"; return 1; }
	done
	program_checkpoint "$dir/image" && program_restart "$dir/image" && program_compare
}

run_generations()
{
	local i
	for ((i = 1; i <= repeat; i++)); do
		all_generations "$i"
		result $? "$title, in $generations generations, run $i"
		program_kill
	done
}

run_leak()
{
	local i
	# shellcheck source=programs/leak.sh
	. "$programs/leak.sh"
	for ((i = 1; i <= repeat; i++)); do
		leak_start "$work/leak.$i" &&
			leak_is_refused && leak_wrote_nothing && leak_is_harmless
		result $? "$title, run $i"
		program_kill
		kill "$reader" 2>/dev/null
	done
}

# Of each program its repetitions, and of all but the two that are special whether
# there was a false alarm.
plan()
{
	local program count=0
	for program in "${names[@]}"; do
		count=$((count + repeat))
		[[ $program = @(leak|generations) || $checks = 0 ]] || count=$((count + 1))
	done
	echo "1..$count"
}

echo "TAP version 13"
plan
for program in "${names[@]}"; do
	case $program in
	leak) run_leak ;;
	generations) run_generations ;;
	*) run_program "$program" ;;
	esac
done
exit $failed
