# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034,SC2154
title='perl forks, and its processes work by POSIX timers'
command=(perl "$programs/timers.pl" 4 160)
results=(progress)

make_input()
{
	:
}

middle()
{
	grown progress 25
}
