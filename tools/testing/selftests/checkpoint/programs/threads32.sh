# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034,SC2154
title='a 32-bit C program with 4 threads computes orbits'
command=(../input/orbits)
results=(progress)

make_input()
{
	cat >orbits.c <<-'EOT'
	/*
	 * Threads move the bodies of a system, each its own, in steps that all
	 * begin together. The sums at the end depend on each bit of each step.
	 */
	#include <math.h>
	#include <pthread.h>
	#include <stdint.h>
	#include <stdio.h>
	#include <stdlib.h>
	#include <time.h>

	#define THREADS	4
	#define BODIES	48
	#define STEPS	2400

	struct body {
		double x, y, vx, vy, mass;
	};

	static struct body now[BODIES], next[BODIES];
	static pthread_barrier_t barrier;
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static uint64_t checksum;
	static __thread uint64_t own_sum;

	static void move(int i)
	{
		double ax = 0, ay = 0;
		int j;

		for (j = 0; j < BODIES; j++) {
			double dx = now[j].x - now[i].x, dy = now[j].y - now[i].y;
			double d = dx * dx + dy * dy + 0.01;

			ax += now[j].mass * dx / (d * sqrt(d));
			ay += now[j].mass * dy / (d * sqrt(d));
		}
		next[i] = now[i];
		next[i].vx += ax * 1e-4;
		next[i].vy += ay * 1e-4;
		next[i].x += next[i].vx * 1e-4;
		next[i].y += next[i].vy * 1e-4;
		own_sum = own_sum * 31 + (uint64_t)(int64_t)(next[i].x * 1e12);
	}

	static void report(int step)
	{
		static FILE *progress;
		struct timespec tick = { .tv_nsec = 5000000 };

		if (!progress)
			progress = fopen("progress", "w");
		fprintf(progress, "step %d: %.17g %.17g\n", step, now[0].x, now[1].y);
		fflush(progress);
		nanosleep(&tick, NULL);
	}

	static void *work(void *arg)
	{
		int first = (intptr_t)arg * (BODIES / THREADS), step, i;

		for (step = 0; step < STEPS; step++) {
			for (i = first; i < first + BODIES / THREADS; i++)
				move(i);
			pthread_barrier_wait(&barrier);
			for (i = first; i < first + BODIES / THREADS; i++)
				now[i] = next[i];
			if (!first && step % 10 == 0)
				report(step);
			pthread_barrier_wait(&barrier);
		}
		pthread_mutex_lock(&lock);
		checksum ^= own_sum;
		pthread_mutex_unlock(&lock);
		return NULL;
	}

	int main(void)
	{
		pthread_t threads[THREADS];
		intptr_t i;

		for (i = 0; i < BODIES; i++)
			now[i] = (struct body){ i * cos(i), i * sin(i), -sin(i), cos(i),
						1 + i % 7 };
		pthread_barrier_init(&barrier, NULL, THREADS);
		for (i = 0; i < THREADS; i++)
			pthread_create(&threads[i], NULL, work, (void *)i);
		for (i = 0; i < THREADS; i++)
			pthread_join(threads[i], NULL);
		for (i = 0; i < BODIES; i++)
			printf("%.17g %.17g\n", now[i].x, now[i].y);
		printf("%d bits, checksum %llx\n", 8 * (int)sizeof(void *),
		       (unsigned long long)checksum);
		return 0;
	}
	EOT
	gcc -m32 -O2 orbits.c -o orbits -lm -lpthread
}

middle()
{
	grown progress 40
}
