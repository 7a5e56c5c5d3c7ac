/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _CLOCK_H
#define _CLOCK_H

#include "ckpt_test.h"

#define NSEC 1000000000LL

/* User and system time of the process, by ticks: what RLIMIT_CPU and ITIMER_PROF count */
#define CLOCK_PROCESS_PROF ((clockid_t)(~0U << 3))

static inline long long clock_ns(clockid_t clock)
{
	struct timespec ts;

	CHECK(!clock_gettime(clock, &ts));
	return ts.tv_sec * NSEC + ts.tv_nsec;
}

#endif
