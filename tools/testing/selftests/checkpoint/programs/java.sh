# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034,SC2154
title='OpenJDK computes with threads, garbage, compiled code, a file and a pipe'

# QEMU's TCG may translate code that another processor is patching, half old and
# half new, whatever the kernel: OpenJDK then dies of SIGSEGV at the entry of a
# method. Its threads share a processor there, but are as many as with two.
on_processors=()
if grep -q '^model name.*QEMU TCG' /proc/cpuinfo; then
	on_processors=(taskset -c 0)
fi
command=("${on_processors[@]}" java -XX:ActiveProcessorCount=2 -Xmx96m
	-XX:+UseG1GC -cp ../input Work 4 200)
results=(progress)

make_input()
{
	"${on_processors[@]}" javac -d . "$programs/Work.java"
}

middle()
{
	grown progress 40
}
