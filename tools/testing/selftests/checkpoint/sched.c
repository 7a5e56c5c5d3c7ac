// SPDX-License-Identifier: GPL-2.0
/* Scheduling policies, with their parameters and what the caller may set. */
#include <pthread.h>

#include "ckpt_test.h"

#ifndef SCHED_DEADLINE
#define SCHED_DEADLINE	6
#endif

#define FLAG_RECLAIM	2
#define FLAG_OVERRUN	4

struct attr {
	uint32_t size;
	uint32_t policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime;
	uint64_t deadline;
	uint64_t period;
};

static long set_attr(pid_t pid, const struct attr *attr)
{
	return syscall(SYS_sched_setattr, pid, attr, 0);
}

static void check_attr(const struct attr *set)
{
	struct attr got = {};

	CHECK(!syscall(SYS_sched_getattr, 0, &got, sizeof(got), 0));
	CHECK_EQ(got.policy, set->policy);
	CHECK_EQ(got.flags, set->flags);
	CHECK_EQ(got.priority, set->priority);
	CHECK_EQ(got.runtime, set->runtime);
	CHECK_EQ(got.deadline, set->deadline);
	CHECK_EQ(got.period, set->period);
}

SURVIVE(deadline)
{
	const struct attr attr = {
		.size = sizeof(attr), .policy = SCHED_DEADLINE, .flags = FLAG_RECLAIM,
		.runtime = 10000000, .deadline = 50000000, .period = 100000000,
	};

	CHECK(!set_attr(0, &attr));
	subject_ready();
	check_attr(&attr);
}

static void *deadline_thread(void *arg)
{
	const struct attr attr = {
		.size = sizeof(attr), .policy = SCHED_DEADLINE, .flags = FLAG_OVERRUN,
		.runtime = 50000000, .deadline = 100000000, .period = 100000000,
	};
	volatile int *stage = arg;

	CHECK(!set_attr(0, &attr));
	*stage = 1;
	while (*stage == 1)
		subject_sleep_ms(1);
	check_attr(&attr);
	return NULL;
}

/* One thread of an ordinary process; the nice value waits for its day. */
SURVIVE(deadline_of_one_thread)
{
	volatile int stage = 0;
	pthread_t thread;

	CHECK_EQ(nice(5), 5);
	CHECK(!pthread_create(&thread, NULL, deadline_thread, (void *)&stage));
	while (!stage)
		subject_sleep_ms(1);
	subject_ready();
	CHECK_EQ(sched_getscheduler(0), SCHED_OTHER);
	CHECK_EQ(nice(0), 5);
	stage = 2;
	CHECK(!pthread_join(thread, NULL));
}

static void subject_with_deadline(void)
{
	const struct attr attr = {
		.size = sizeof(attr), .policy = SCHED_DEADLINE,
		.runtime = 10000000, .deadline = 100000000, .period = 100000000,
	};

	CHECK(!set_attr(0, &attr));
	subject_ready();
}

#define HOGS_MAX	256

/* Takes what is left of the bandwidth; returns the number of processes. */
static int take_bandwidth(pid_t *hogs)
{
	const struct attr attr = {
		.size = sizeof(attr), .policy = SCHED_DEADLINE,
		.runtime = 8000000, .deadline = 100000000, .period = 100000000,
	};
	int i;

	for (i = 0; i < HOGS_MAX; i++) {
		hogs[i] = fork();
		if (!hogs[i])
			for (;;)
				pause();
		if (set_attr(hogs[i], &attr))
			return i + 1;
	}
	return i;
}

/* The restart fails, and says what it could not set. */
TEST_F(refuse, no_bandwidth_for_deadline)
{
	struct subject *s = &self->s;
	pid_t hogs[HOGS_MAX];
	int i, nr;

	ASSERT_TRUE(subject_start(s, subject_with_deadline)) subject_print(s);
	ASSERT_GT(subject_checkpoint(s, CHECKPOINT_KILL), 0) subject_print(s);
	ASSERT_EQ(waitpid(s->pid, NULL, 0), s->pid);
	/* What the dead one had is given back when its period ends. */
	subject_sleep_ms(300);
	nr = take_bandwidth(hogs);
	EXPECT_EQ(subject_restart(s, 0), -EBUSY);
	EXPECT_TRUE(log_has(s, "cannot set scheduling policy 6")) subject_print(s);
	for (i = 0; i < nr; i++) {
		kill(hogs[i], SIGKILL);
		waitpid(hogs[i], NULL, 0);
	}
	s->pid = 0;
}

TEST_HARNESS_MAIN
