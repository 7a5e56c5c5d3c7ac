#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# shellcheck source-path=SCRIPTDIR
# shellcheck disable=SC2154 # what programs/lib.sh sets
#
# stress-ng, which verifies what it does, is checkpointed, killed and restarted
# every second.
#
# Environment:
#   STRESSORS       which (default: all of the list)
#   STRESS_SECONDS  how long each (default: 10)
here=$(dirname "$0")
# shellcheck source=programs/lib.sh
. "$here/programs/lib.sh"

declare -A options=(
	[cpu]="--cpu 2"
	[vm]="--vm 2 --vm-bytes 32m"
	[fork]="--fork 2"
	[mmap]="--mmap 2 --mmap-bytes 32m"
	[futex]="--futex 2"
	[timer]="--timer 2"
	[signals]="--sigq 1 --sigfpe 1 --sigsuspend 1"
)
read -ra names <<<"${STRESSORS:-cpu vm fork mmap futex timer signals}"
seconds=${STRESS_SECONDS:-10}
work=$(mktemp -d "${TMPDIR:-/var/tmp}/stress.XXXXXX")
trap 'rm -rf "$work"' EXIT
nr=0
failed=0

stress_start()
{
	read -ra command <<<"stress-ng --verify --timeout $seconds ${options[$1]}"
	program_start run
	restarter=
	times=0
}

# It may end while it is about to be checkpointed.
stress_save()
{
	$ckpt checkpoint --container --kill -o "$work/image" --log "$dir/log" "$pid" \
		2>"$work/why" && return
	! program_runs && return 1
	why=$(<"$work/why")
	return 1
}

stress_restart()
{
	wait "${restarter:-$pid}" 2>/dev/null
	$ckpt restart -i "$work/image" --log "$dir/log" 2>"$work/why" &
	restarter=$!
	times=$((times + 1))
}

stress()
{
	local status
	why=
	stress_start "$1"
	sleep 1
	while program_runs && stress_save; do
		stress_restart
		sleep 1
	done
	[ -z "$why" ] || return
	wait "${restarter:-$pid}"
	status=$?
	[ $status = 0 ] || fail "exit status $status: $(cat "$work/why" "$dir/err")" || return
	! grep -E 'fail|error' "$dir/err" || fail "it complains" || return
	[ $times -ge $((seconds / 4)) ] || fail "restarted $times times only"
}

echo "TAP version 13"
echo "1..${#names[@]}"
for name in "${names[@]}"; do
	nr=$((nr + 1))
	if stress "$name"; then
		echo "ok $nr stress-ng $name, restarted $times times"
	else
		failed=1
		sed 's/^/# log: /' "$dir/log"
		echo "# ${why//$'\n'/$'\n# '}"
		echo "not ok $nr stress-ng $name"
	fi
	program_kill
done
exit $failed
