// SPDX-License-Identifier: GPL-2.0
/*
 * A process of a given shape for the benchmark:
 *
 *   bench_subject tiny|processes|threads|files|vmas|memory N READY
 *
 * writes to the file READY how many nanoseconds it took to become complete, and
 * sleeps.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench_clock.h"

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void make_processes(long n)
{
	while (n--) {
		pid_t pid = fork();

		if (pid < 0)
			die("fork");
		if (!pid)
			for (;;)
				pause();
	}
}

static void *sleeper(void *arg)
{
	for (;;)
		pause();
	return arg;
}

static void make_threads(long n)
{
	pthread_attr_t attr;
	pthread_t thread;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 65536);
	while (n--)
		if (pthread_create(&thread, &attr, sleeper, NULL))
			die("pthread_create");
}

static void make_files(long n, const char *ready)
{
	char path[4096];

	while (n--) {
		snprintf(path, sizeof(path), "%s.%ld", ready, n);
		if (open(path, O_CREAT | O_RDWR, 0644) < 0)
			die(path);
	}
}

static void make_vmas(long n)
{
	char *p = mmap(NULL, 2 * n * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	long i;

	if (p == MAP_FAILED)
		die("mmap");
	for (i = 0; i < n; i++)
		if (mprotect(p + 2 * i * 4096, 4096, PROT_READ | PROT_WRITE))
			die("mprotect");
}

static void make_memory(long mib)
{
	size_t len = mib << 20, i;
	uint64_t *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		die("mmap");
	for (i = 0; i < len / 8; i += 8)
		p[i] = i * 0x9e3779b97f4a7c15;
}

int main(int argc, char **argv)
{
	uint64_t start = now(), made;
	FILE *ready;
	long n;

	if (argc != 4) {
		fprintf(stderr, "usage: bench_subject SHAPE N READY\n");
		return 2;
	}
	n = atol(argv[2]);
	if (!strcmp(argv[1], "processes"))
		make_processes(n);
	else if (!strcmp(argv[1], "threads"))
		make_threads(n);
	else if (!strcmp(argv[1], "files"))
		make_files(n, argv[3]);
	else if (!strcmp(argv[1], "vmas"))
		make_vmas(n);
	else if (!strcmp(argv[1], "memory"))
		make_memory(n);
	made = now() - start;
	ready = fopen(argv[3], "w");
	if (!ready || fprintf(ready, "%llu\n", (unsigned long long)made) < 0 || fclose(ready))
		die(argv[3]);
	for (;;)
		pause();
}
