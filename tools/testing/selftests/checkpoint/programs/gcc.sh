# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034,SC2154
title='make and gcc compile large C files'
command=(make -s -j2 -f ../input/Makefile)
results=(program program.out)

make_input()
{
	local file
	for file in a b c; do
		generate $file >$file.c
	done
	cat >main.c <<-'EOT'
	#include <stdio.h>
	unsigned int a(unsigned int), b(unsigned int), c(unsigned int);
	int main(void)
	{
		printf("%u\n", a(1) ^ b(2) ^ c(3));
		return 0;
	}
	EOT
	cat >Makefile <<-'EOT'
	.RECIPEPREFIX = >
	VPATH = ../input
	CFLAGS = -O2 -pipe
	all: program.out
	program.out: program
	> ./program >$@
	program: main.o a.o b.o c.o
	> gcc -o $@ $^
	%.o: %.c
	> gcc $(CFLAGS) -c -o $@ $<
	EOT
}

generate()
{
	awk -v name="$1" -v count=40 'BEGIN {
		for (i = 0; i < count; i++) {
			printf "static unsigned int %s%d(unsigned int x)\n{\n", name, i
			printf "\tfor (unsigned int i = 0; i < x %% 7; i++)\n"
			printf "\t\tx = i & 1 ? x * %du + i : x ^ (x >> %d);\n",
				2 * i + 3, i % 13 + 1
			printf "\tswitch (x %% 5) {\n"
			for (j = 0; j < 5; j++)
				printf "\tcase %d: return x + %d;\n", j, i * j
			printf "\t}\n\treturn x;\n}\n"
		}
		printf "unsigned int %s(unsigned int x)\n{\n", name
		for (i = 0; i < count; i++)
			printf "\tx = %s%d(x);\n", name, i
		printf "\treturn x;\n}\n"
	}'
}

# one file is done, and the compiler is at work on the next
middle()
{
	[ -s "$dir/main.o" ] && pgrep -s "$pid" -x cc1 >/dev/null &&
		pgrep -s "$pid" -x as >/dev/null
}
