/* SPDX-License-Identifier: GPL-2.0 */
/* The clock of the benchmark */
#ifndef _BENCH_CLOCK_H
#define _BENCH_CLOCK_H

#include <stdint.h>
#include <time.h>

/* Nanoseconds since the machine was started */
static inline uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

#endif /* _BENCH_CLOCK_H */
