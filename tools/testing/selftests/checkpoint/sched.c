// SPDX-License-Identifier: GPL-2.0
/* Scheduling policies, with their parameters and what the caller may set. */
#include <grp.h>
#include <pthread.h>
#include <sys/prctl.h>

#include "caps.h"

#ifndef SCHED_DEADLINE
#define SCHED_DEADLINE	6
#endif

#define FLAG_RECLAIM	2
#define FLAG_OVERRUN	4
#define FLAG_UTIL_MIN	0x20
#define FLAG_UTIL_MAX	0x40

struct attr {
	uint32_t size;
	uint32_t policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime;
	uint64_t deadline;
	uint64_t period;
	int32_t util_min;
	int32_t util_max;
};

static long set_attr(pid_t pid, const struct attr *attr)
{
	return syscall(SYS_sched_setattr, pid, attr, 0);
}

static struct attr get_attr(void)
{
	struct attr got = {};

	CHECK(!syscall(SYS_sched_getattr, 0, &got, sizeof(got), 0));
	return got;
}

static void check_attr(const struct attr *set)
{
	struct attr got = get_attr();

	CHECK_EQ(got.policy, set->policy);
	CHECK_EQ(got.flags, set->flags);
	CHECK_EQ(got.priority, set->priority);
	CHECK_EQ(got.runtime, set->runtime);
	CHECK_EQ(got.deadline, set->deadline);
	CHECK_EQ(got.period, set->period);
}

/* Of an ordinary task that has asked for one */
SURVIVE(time_slice)
{
	const struct attr attr = {
		.size = sizeof(attr), .policy = SCHED_OTHER, .nice = 3, .runtime = 7000000,
	};

	CHECK(!set_attr(0, &attr));
	CHECK_EQ(get_attr().runtime, attr.runtime);
	subject_ready();
	CHECK_EQ(get_attr().runtime, attr.runtime);
	CHECK_EQ(get_attr().nice, attr.nice);
}

/* It stays with a task whose policy has no use for it. */
SURVIVE(time_slice_of_an_idle_task)
{
	const struct attr attr = {
		.size = sizeof(attr), .policy = SCHED_OTHER, .runtime = 5000000,
	};
	const struct sched_param param = {};

	CHECK(!set_attr(0, &attr));
	CHECK(!sched_setscheduler(0, SCHED_IDLE, &param));
	CHECK_EQ(get_attr().runtime, attr.runtime);
	subject_ready();
	CHECK_EQ(get_attr().policy, SCHED_IDLE);
	CHECK_EQ(get_attr().runtime, attr.runtime);
	CHECK(!sched_setscheduler(0, SCHED_OTHER, &param));
	CHECK_EQ(get_attr().runtime, attr.runtime);
}

SURVIVE(time_slice_of_a_realtime_task)
{
	const struct attr attr = {
		.size = sizeof(attr), .policy = SCHED_OTHER, .runtime = 5000000,
	};
	struct sched_param param = { .sched_priority = 1 };

	CHECK(!set_attr(0, &attr));
	CHECK(!sched_setscheduler(0, SCHED_FIFO, &param));
	subject_ready();
	CHECK_EQ(sched_getscheduler(0), SCHED_FIFO);
	param.sched_priority = 0;
	CHECK(!sched_setscheduler(0, SCHED_OTHER, &param));
	CHECK_EQ(get_attr().runtime, attr.runtime);
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

static bool has_clamps(void)
{
	struct attr attr = get_attr();

	attr.flags = FLAG_UTIL_MIN;
	attr.util_min = -1;
	return !set_attr(0, &attr);
}

#define NO_CLAMPS	"no CONFIG_UCLAMP_TASK"

static void clamp(uint64_t which, int min, int max)
{
	struct attr attr = get_attr();

	attr.flags = which;
	attr.util_min = min;
	attr.util_max = max;
	CHECK(!set_attr(0, &attr));
}

static void check_clamps(int min, int max)
{
	struct attr got = get_attr();

	CHECK_EQ(got.util_min, min);
	CHECK_EQ(got.util_max, max);
}

SURVIVE_IF(utilization_clamps, has_clamps(), NO_CLAMPS)
{
	clamp(FLAG_UTIL_MIN | FLAG_UTIL_MAX, 100, 900);
	subject_ready();
	check_clamps(100, 900);
}

/* What the task has asked for stays when its class changes; the rest does not. */
SURVIVE_IF(one_utilization_clamp, has_clamps(), NO_CLAMPS)
{
	const struct attr fifo = { .size = sizeof(fifo), .policy = SCHED_FIFO, .priority = 1 };

	clamp(FLAG_UTIL_MAX, 0, 500);
	subject_ready();
	check_clamps(0, 500);
	CHECK(!set_attr(0, &fifo));
	CHECK_EQ(get_attr().util_max, 500);
}

static void *clamped_thread(void *arg)
{
	volatile int *stage = arg;

	clamp(FLAG_UTIL_MIN | FLAG_UTIL_MAX, 300, 300);
	*stage = 1;
	while (*stage == 1)
		subject_sleep_ms(1);
	check_clamps(300, 300);
	return NULL;
}

SURVIVE_IF(utilization_clamps_of_one_thread, has_clamps(), NO_CLAMPS)
{
	volatile int stage = 0;
	pthread_t thread;

	CHECK(!pthread_create(&thread, NULL, clamped_thread, (void *)&stage));
	while (!stage)
		subject_sleep_ms(1);
	subject_ready();
	check_clamps(0, 1024);
	stage = 2;
	CHECK(!pthread_join(thread, NULL));
}

static void subject_unclamped(void)
{
	check_clamps(0, 1024);
	subject_ready();
	check_clamps(0, 1024);
}

/* The clamps of the restarter are not those of the tree. */
TEST_F(refuse, clamps_of_the_restarter)
{
	if (!has_clamps())
		SKIP(return, NO_CLAMPS);
	ASSERT_TRUE(subject_start(&self->s, subject_unclamped)) subject_print(&self->s);
	ASSERT_GT(subject_checkpoint(&self->s, CHECKPOINT_KILL), 0) subject_print(&self->s);
	ASSERT_EQ(waitpid(self->s.pid, NULL, 0), self->s.pid);
	clamp(FLAG_UTIL_MIN | FLAG_UTIL_MAX, 200, 800);
	ASSERT_EQ(subject_restart(&self->s, 0), self->s.pid) subject_print(&self->s);
	EXPECT_EQ(subject_finish(&self->s), 0) subject_print(&self->s);
	self->s.pid = 0;
}

static bool has_autogroups(void)
{
	return !access("/proc/self/autogroup", W_OK);
}

#define NO_AUTOGROUPS	"no CONFIG_SCHED_AUTOGROUP"
#define NOBODY		65534

static int group_of(pid_t pid, int *nice)
{
	char path[64];
	FILE *file;
	int id;

	snprintf(path, sizeof(path), "/proc/%d/autogroup", pid);
	file = fopen(path, "r");
	CHECK(file && fscanf(file, "/autogroup-%d nice %d", &id, nice) == 2);
	fclose(file);
	return id;
}

static void set_group_nice(const char *nice)
{
	int fd = open("/proc/self/autogroup", O_WRONLY);

	CHECK(fd >= 0 && write(fd, nice, strlen(nice)) == (ssize_t)strlen(nice));
	close(fd);
}

static pid_t start_member(bool own)
{
	pid_t kid = fork();

	if (kid)
		return kid;
	CHECK(!own || setsid() > 0);
	for (;;)
		pause();
}

/* One group for parent and child, another one for who has left the session */
SURVIVE_IF(autogroups, has_autogroups(), NO_AUTOGROUPS)
{
	pid_t member = start_member(false), leaver = start_member(true);
	int nice;

	subject_sleep_ms(50);
	set_group_nice("7");
	subject_ready();
	CHECK_EQ(group_of(member, &nice), group_of(getpid(), &nice));
	CHECK_EQ(nice, 7);
	CHECK(group_of(leaver, &nice) != group_of(getpid(), &nice));
	group_of(leaver, &nice);
	CHECK_EQ(nice, 0);
	CHECK(group_of(getppid(), &nice) != group_of(getpid(), &nice));
	kill(member, SIGKILL);
	kill(leaver, SIGKILL);
}

/* Without CAP_SYS_ADMIN only one in 100 ms may be given a nice value by a program. */
static void subject_with_nice_groups(void)
{
	pid_t kid;
	int nice;

	CHECK(!chmod(".", 0777) && !chmod("stderr", 0666));
	set_group_nice("3");
	kid = fork();
	if (!kid) {
		CHECK(setsid() > 0);
		set_group_nice("7");
	}
	CHECK(!setgroups(0, NULL) && !setresgid(NOBODY, NOBODY, NOBODY));
	CHECK(!setresuid(NOBODY, NOBODY, NOBODY) && !prctl(PR_SET_DUMPABLE, 1));
	if (!kid)
		for (;;)
			pause();
	subject_sleep_ms(100);
	subject_ready();
	CHECK_EQ((group_of(getpid(), &nice), nice), 3);
	CHECK_EQ((group_of(kid, &nice), nice), 7);
	kill(kid, SIGKILL);
}

/* With no more than the right to choose pids */
static void become_restarter(void)
{
	struct __user_cap_data_struct caps[2] = {};

	CHECK(!prctl(PR_SET_KEEPCAPS, 1));
	CHECK(!setgroups(0, NULL) && !setresgid(NOBODY, NOBODY, NOBODY));
	CHECK(!setresuid(NOBODY, NOBODY, NOBODY));
	caps[1].permitted = 1U << (CAP_CHECKPOINT_RESTORE - 32);
	caps[1].effective = caps[1].permitted;
	caps_set(caps);
}

static int restart_as_nobody(struct subject *s)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		become_restarter();
		_exit(subject_restart(s, RESTART_NO_TIME_NAMESPACE) != s->pid);
	}
	return waitpid(pid, &status, 0) == pid ? status : -1;
}

TEST_F(refuse, no_wait_for_nice_groups)
{
	if (!has_autogroups())
		SKIP(return, NO_AUTOGROUPS);
	ASSERT_EQ(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
	ASSERT_TRUE(subject_start(&self->s, subject_with_nice_groups)) subject_print(&self->s);
	ASSERT_GT(subject_checkpoint(&self->s, CHECKPOINT_KILL), 0) subject_print(&self->s);
	/* Its child is ours now, and keeps its pid until it is reaped. */
	while (waitpid(-1, NULL, 0) > 0)
		;
	test_unlink(&self->s, "log");
	ASSERT_EQ(restart_as_nobody(&self->s), 0) {
		test_read_log(&self->s, test_open(&self->s, "log", O_RDONLY));
		subject_print(&self->s);
	}
	EXPECT_EQ(subject_finish(&self->s), 0) subject_print(&self->s);
	self->s.pid = 0;
}

#ifndef PR_SCHED_CORE
#define PR_SCHED_CORE		62
#define PR_SCHED_CORE_CREATE	1
#endif

static bool has_core_scheduling(void)
{
	unsigned long cookie;

	return !prctl(PR_SCHED_CORE, 0 /* GET */, 0, 0 /* thread */, &cookie);
}

static void subject_core_cookie(void)
{
	CHECK(!prctl(PR_SCHED_CORE, PR_SCHED_CORE_CREATE, 0, 0, 0));
	subject_ready();
}

TEST_F(refuse, core_scheduling_cookie)
{
	if (!has_core_scheduling())
		SKIP(return, "no CONFIG_SCHED_CORE, or no SMT");
	refuse_run(_metadata, &self->s, 0, subject_core_cookie, EOPNOTSUPP,
		   "core scheduling cookie");
}

TEST_HARNESS_MAIN
