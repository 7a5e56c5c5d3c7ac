# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034,SC2154
title='OpenJDK computes with threads, garbage, compiled code, a file and a pipe'
command=(java -Xmx96m -XX:+UseG1GC -cp ../input Work 4 200)
results=(progress)

make_input()
{
	javac -d . "$programs/Work.java"
}

middle()
{
	grown progress 40
}
