# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034,SC2154
title='xz -T2 compresses a file of 64 MiB'
command=(xz -T2 -0 --block-size=4MiB -c ../input/file)
results=()

make_input()
{
	tar -C /usr -cf - include share bin lib 2>/dev/null | head -c 64M >file
	[ "$(stat -c %s file)" = $((64 << 20)) ]
}

middle()
{
	grown out 40
}
