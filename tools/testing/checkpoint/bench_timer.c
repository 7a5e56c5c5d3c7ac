// SPDX-License-Identifier: GPL-2.0
/*
 * What a command takes, from its fork to its end:
 *
 *   bench_timer FILE COMMAND...
 *
 * writes the nanoseconds to FILE and ends as the command did. An interpreter
 * that starts the command itself takes longer for that than some commands do.
 */
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "bench_clock.h"

extern char **environ;

int main(int argc, char **argv)
{
	int status, error;
	uint64_t start;
	pid_t pid;
	FILE *out;

	if (argc < 3) {
		fprintf(stderr, "usage: bench_timer FILE COMMAND...\n");
		return 125;
	}
	out = fopen(argv[1], "we");
	if (!out) {
		perror(argv[1]);
		return 125;
	}
	start = now();
	error = posix_spawnp(&pid, argv[2], NULL, NULL, argv + 2, environ);
	if (error) {
		fprintf(stderr, "%s: %s\n", argv[2], strerror(error));
		return 127;
	}
	waitpid(pid, &status, 0);
	fprintf(out, "%llu\n", (unsigned long long)(now() - start));
	if (fclose(out)) {
		perror(argv[1]);
		return 125;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
