# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034,SC2154
title='a bash pipeline in a sandbox of seccomp filters'
command=(python3 "$programs/sandbox.py" "$programs/look" "$programs/pipeline" 6000)
results=(squares sum ticks.1 ticks.2 ticks.3 seen)

make_input()
{
	:
}

middle()
{
	grown squares 40 && grown ticks.2 40
}
