// SPDX-License-Identifier: GPL-2.0
/* What a task has asked of the kernel, each by a number that can be read again. */
#include <linux/membarrier.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "ckpt_test.h"

#ifndef PR_SET_MEMORY_MERGE
#define PR_SET_MEMORY_MERGE	67
#define PR_GET_MEMORY_MERGE	68
#endif

#ifndef SCHED_RESET_ON_FORK
#define SCHED_RESET_ON_FORK	0x40000000
#endif

#ifndef PR_SET_MDWE
#define PR_SET_MDWE		65
#define PR_GET_MDWE		66
#define PR_MDWE_REFUSE_EXEC_GAIN 1
#endif
#ifndef PR_MDWE_NO_INHERIT
#define PR_MDWE_NO_INHERIT	2
#endif

static const struct {
	int policy, priority;
} policies[] = {
	{ SCHED_FIFO, 7 },
	{ SCHED_RR, 99 },
	{ SCHED_BATCH, 0 },
	{ SCHED_IDLE, 0 },
	{ SCHED_RR | SCHED_RESET_ON_FORK, 1 },
	{ SCHED_OTHER | SCHED_RESET_ON_FORK, 0 },
};

#define NR_POLICIES	((int)ARRAY_SIZE(policies))

static volatile int set_up, look;

static void *with_policy(void *arg)
{
	struct sched_param param;
	int i = (long)arg;

	param.sched_priority = policies[i].priority;
	CHECK(!sched_setscheduler(0, policies[i].policy, &param));
	__atomic_fetch_add(&set_up, 1, __ATOMIC_SEQ_CST);
	while (!look)
		subject_sleep_ms(2);
	CHECK_EQ(sched_getscheduler(0), policies[i].policy);
	CHECK(!sched_getparam(0, &param));
	CHECK_EQ(param.sched_priority, policies[i].priority);
	return NULL;
}

static void start_all(pthread_t *threads, void *(*fn)(void *), int nr)
{
	long i;

	for (i = 0; i < nr; i++)
		CHECK(!pthread_create(&threads[i], NULL, fn, (void *)i));
	while (set_up < nr)
		subject_sleep_ms(2);
}

static void join_all(pthread_t *threads, int nr)
{
	int i;

	look = 1;
	for (i = 0; i < nr; i++)
		CHECK(!pthread_join(threads[i], NULL));
}

SURVIVE(policy_of_each_thread)
{
	pthread_t threads[NR_POLICIES];

	start_all(threads, with_policy, NR_POLICIES);
	subject_ready();
	CHECK_EQ(sched_getscheduler(0), SCHED_OTHER);
	join_all(threads, NR_POLICIES);
}

static void *with_processor(void *arg)
{
	int cpu = (long)arg % sysconf(_SC_NPROCESSORS_ONLN);
	unsigned long slack = 1000 + (long)arg;
	cpu_set_t set, got;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	CHECK(!sched_setaffinity(0, sizeof(set), &set));
	CHECK(!prctl(PR_SET_TIMERSLACK, slack));
	CHECK(!setpriority(PRIO_PROCESS, syscall(SYS_gettid), (long)arg));
	__atomic_fetch_add(&set_up, 1, __ATOMIC_SEQ_CST);
	while (!look)
		subject_sleep_ms(2);
	CHECK(!sched_getaffinity(0, sizeof(got), &got));
	CHECK(CPU_EQUAL(&set, &got));
	CHECK_EQ(prctl(PR_GET_TIMERSLACK), slack);
	CHECK_EQ(getpriority(PRIO_PROCESS, syscall(SYS_gettid)), (long)arg);
	return NULL;
}

SURVIVE(affinity_slack_and_nice_of_each_thread)
{
	cpu_set_t before, after;
	pthread_t threads[4];

	CHECK(!sched_getaffinity(0, sizeof(before), &before));
	start_all(threads, with_processor, 4);
	subject_ready();
	CHECK(!sched_getaffinity(0, sizeof(after), &after));
	CHECK(CPU_EQUAL(&before, &after));
	CHECK_EQ(prctl(PR_GET_TIMERSLACK), 50000);
	CHECK_EQ(getpriority(PRIO_PROCESS, 0), 0);
	join_all(threads, 4);
}

/* In percent of memory, by which the process to kill is chosen. */
static int badness(const char *set)
{
	char text[16] = "";
	int fd = open("/proc/self/oom_score_adj", O_RDWR);

	CHECK(fd >= 0);
	CHECK(!set || write(fd, set, strlen(set)) == (ssize_t)strlen(set));
	CHECK(pread(fd, text, sizeof(text) - 1, 0) > 0);
	CHECK(!close(fd));
	return atoi(text);
}

SURVIVE(out_of_memory_score)
{
	CHECK_EQ(badness("-321"), -321);
	subject_ready();
	CHECK_EQ(badness(NULL), -321);
}

SURVIVE(machine_check_policy)
{
	CHECK(!prctl(PR_MCE_KILL, PR_MCE_KILL_SET, PR_MCE_KILL_EARLY, 0, 0));
	subject_ready();
	CHECK_EQ(prctl(PR_MCE_KILL_GET, 0, 0, 0, 0), PR_MCE_KILL_EARLY);
}

static bool can_merge(void)
{
	return prctl(PR_GET_MEMORY_MERGE, 0, 0, 0, 0) >= 0;
}

SURVIVE_IF(memory_is_merged, can_merge(), "no CONFIG_KSM")
{
	CHECK(!prctl(PR_SET_MEMORY_MERGE, 1, 0, 0, 0));
	subject_ready();
	CHECK_EQ(prctl(PR_GET_MEMORY_MERGE, 0, 0, 0, 0), 1);
}

static long membarrier(int cmd)
{
	return syscall(SYS_membarrier, cmd, 0, 0);
}

/* That memory does not become code, which children may forget */
SURVIVE(mdwe_that_children_do_not_inherit)
{
	const int mdwe = PR_MDWE_REFUSE_EXEC_GAIN | PR_MDWE_NO_INHERIT;
	int status;
	pid_t kid;

	CHECK(!prctl(PR_SET_MDWE, mdwe, 0, 0, 0));
	subject_ready();
	CHECK_EQ(prctl(PR_GET_MDWE, 0, 0, 0, 0), mdwe);
	kid = fork();
	if (!kid)
		_exit(prctl(PR_GET_MDWE, 0, 0, 0, 0));
	CHECK_EQ(waitpid(kid, &status, 0), kid);
	CHECK_EQ(status, 0);
}

SURVIVE(membarrier_registrations)
{
	long registered;

	CHECK(!membarrier(MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED));
	CHECK(!membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED));
	CHECK(!membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE));
	registered = membarrier(MEMBARRIER_CMD_GET_REGISTRATIONS);
	CHECK(registered > 0);
	subject_ready();
	CHECK_EQ(membarrier(MEMBARRIER_CMD_GET_REGISTRATIONS), registered);
	CHECK(!membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED));
	CHECK(!membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE));
	CHECK(membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ) == -1 && errno == EPERM);
}

static const int lowered[] = {
	RLIMIT_AS, RLIMIT_DATA, RLIMIT_FSIZE, RLIMIT_MEMLOCK, RLIMIT_MSGQUEUE, RLIMIT_NICE,
	RLIMIT_NOFILE, RLIMIT_NPROC, RLIMIT_RTPRIO, RLIMIT_SIGPENDING,
};

#define LOW	3	/* less than is used of anything */
#define SIGNALS	20

static void use_much(char *p, size_t size)
{
	struct sigevent event = { .sigev_notify = SIGEV_NONE };
	struct sched_param param = { .sched_priority = 5 };
	sigset_t set;
	timer_t timer;
	int i;

	memset(p, 1, size);
	CHECK(!mlock(p, size));
	CHECK(!sched_setscheduler(0, SCHED_RR, &param));
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	CHECK(!sigprocmask(SIG_BLOCK, &set, NULL));
	for (i = 0; i < SIGNALS; i++) {
		CHECK(!sigqueue(getpid(), SIGRTMIN, (union sigval){ .sival_int = i }));
		CHECK(!timer_create(CLOCK_MONOTONIC, &event, &timer));
	}
}

static void check_much(const char *p, size_t size)
{
	siginfo_t info;
	sigset_t set;
	int i;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	for (i = 0; i < SIGNALS; i++) {
		CHECK_EQ(sigwaitinfo(&set, &info), SIGRTMIN);
		CHECK_EQ(info.si_value.sival_int, i);
	}
	CHECK_EQ(p[size - 1], 1);
	CHECK_EQ(sched_getscheduler(0), SCHED_RR);
}

/* What a task has above its limits it keeps. */
SURVIVE(limits_lowered_below_what_is_used)
{
	const struct rlimit low = { LOW, LOW };
	size_t size = 1 << 20;
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct rlimit got;
	int fd, i;

	CHECK(p != MAP_FAILED);
	use_much(p, size);
	fd = open("file", O_CREAT | O_RDWR, 0600);
	CHECK(fd >= 0 && !ftruncate(fd, size) && dup2(fd, 700) == 700);
	CHECK(!chmod(".", 0777));
	for (i = 0; i < (int)ARRAY_SIZE(lowered); i++)
		CHECK(!setrlimit(lowered[i], &low));
	CHECK(!setresuid(1000, 1000, 1000));
	subject_ready();
	for (i = 0; i < (int)ARRAY_SIZE(lowered); i++) {
		CHECK(!getrlimit(lowered[i], &got));
		CHECK(got.rlim_cur == LOW && got.rlim_max == LOW);
	}
	CHECK_EQ(lseek(700, 0, SEEK_END), size);
	check_much(p, size);
}

TEST_HARNESS_MAIN
