# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034,SC2154
title='python3 with 8 threads and 3 child processes passes work through pipes'
command=(python3 "$programs/work.py" "${jobs:-1000}")
results=(progress)

make_input()
{
	:
}

middle()
{
	grown progress 40
}
