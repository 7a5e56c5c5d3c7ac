# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034,SC2154
title='a bash pipeline under timeout, nice, taskset, chrt, setpriv and unshare'
command=(timeout 600 nice -n -5 taskset -c 0 chrt --rr 1
	unshare --time --boottime 1000000 --fork --kill-child
	setpriv --no-new-privs --bounding-set=-sys_admin
	"$programs/look" "$programs/pipeline" 6000)
results=(squares sum ticks.1 ticks.2 ticks.3 seen)

make_input()
{
	:
}

middle()
{
	grown squares 40 && grown ticks.2 40
}
