// SPDX-License-Identifier: GPL-2.0
/* I/O contexts: the priority, and who shares it by CLONE_IO. */
#include <linux/ioprio.h>

#include "ckpt_test.h"

#define BEST_EFFORT(level)	IOPRIO_PRIO_VALUE(IOPRIO_CLASS_BE, level)

static long set_ioprio(int prio)
{
	return syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, prio);
}

static long get_ioprio(pid_t pid)
{
	return syscall(SYS_ioprio_get, IOPRIO_WHO_PROCESS, pid);
}

/* A child that does as files tell it: sets priority 6, exits. */
static pid_t fork_kid(unsigned long flags)
{
	pid_t kid = syscall(SYS_clone, flags | SIGCHLD, NULL, NULL, NULL, NULL);

	CHECK(kid >= 0);
	if (kid)
		return kid;
	while (access("change", F_OK))
		subject_sleep_ms(2);
	CHECK(!set_ioprio(BEST_EFFORT(6)));
	subject_touch("changed");
	while (access("end", F_OK))
		subject_sleep_ms(2);
	_exit(0);
}

static void end_kid(pid_t kid)
{
	int status;

	subject_touch("end");
	CHECK_EQ(waitpid(kid, &status, 0), kid);
	CHECK_EQ(status, 0);
}

/* What one sets, the other has. */
SURVIVE(shared_io_context)
{
	pid_t kid;

	CHECK(!set_ioprio(BEST_EFFORT(2)));
	kid = fork_kid(CLONE_IO);
	subject_ready();
	CHECK_EQ(get_ioprio(0), BEST_EFFORT(2));
	CHECK_EQ(get_ioprio(kid), BEST_EFFORT(2));
	subject_touch("change");
	while (access("changed", F_OK))
		subject_sleep_ms(2);
	CHECK_EQ(get_ioprio(kid), BEST_EFFORT(6));
	CHECK_EQ(get_ioprio(0), BEST_EFFORT(6));
	end_kid(kid);
}

SURVIVE(io_context_of_each)
{
	pid_t kid;

	CHECK(!set_ioprio(BEST_EFFORT(2)));
	kid = fork_kid(0);
	subject_ready();
	CHECK_EQ(get_ioprio(kid), BEST_EFFORT(2));
	subject_touch("change");
	while (access("changed", F_OK))
		subject_sleep_ms(2);
	CHECK_EQ(get_ioprio(kid), BEST_EFFORT(6));
	CHECK_EQ(get_ioprio(0), BEST_EFFORT(2));
	end_kid(kid);
}

TEST_HARNESS_MAIN
