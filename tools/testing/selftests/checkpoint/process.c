// SPDX-License-Identifier: GPL-2.0
/* One process: the thinnest path, and what belongs to it alone. */
#include <elf.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "ckpt_test.h"

SURVIVE(nothing_special)
{
	pid_t pid = getpid();
	char stack[256];

	memset(stack, 0x5a, sizeof(stack));
	subject_ready();
	CHECK_EQ(getpid(), pid);
	for (size_t i = 0; i < sizeof(stack); i++)
		CHECK_EQ(stack[i], 0x5a);
}

#ifdef __x86_64__
SURVIVE(callee_saved_registers)
{
	register unsigned long r12 asm("r12") = 0x1212121212121212;
	register unsigned long r15 asm("r15") = 0x1515151515151515;

	asm volatile("" : "+r"(r12), "+r"(r15));
	subject_ready();
	asm volatile("" : "+r"(r12), "+r"(r15));
	CHECK_EQ(r12, 0x1212121212121212);
	CHECK_EQ(r15, 0x1515151515151515);
}
#endif

SURVIVE(identity)
{
	pid_t pid = getpid(), sid = getsid(0), pgid = getpgid(0);
	char name[16] = "";

	CHECK(!prctl(PR_SET_NAME, "subject name"));
	CHECK(!prctl(PR_SET_CHILD_SUBREAPER, 1));
	umask(027);
	subject_ready();
	CHECK_EQ(getpid(), pid);
	CHECK_EQ(getsid(0), sid);
	CHECK_EQ(getpgid(0), pgid);
	CHECK(!prctl(PR_GET_NAME, name));
	CHECK(!strcmp(name, "subject name"));
	int subreaper = 0;

	CHECK(!prctl(PR_GET_CHILD_SUBREAPER, &subreaper));
	CHECK_EQ(subreaper, 1);
	CHECK_EQ(umask(0), 027);
}

SURVIVE(rlimits_and_nice)
{
	struct rlimit set = { .rlim_cur = 123, .rlim_max = 456 }, got;

	CHECK(!setrlimit(RLIMIT_NOFILE, &set));
	CHECK(!setpriority(PRIO_PROCESS, 0, 7));
	subject_ready();
	CHECK(!getrlimit(RLIMIT_NOFILE, &got));
	CHECK_EQ(got.rlim_cur, set.rlim_cur);
	CHECK_EQ(got.rlim_max, set.rlim_max);
	CHECK_EQ(getpriority(PRIO_PROCESS, 0), 7);
}

static void dump_core(void)
{
	struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };
	unsigned char ident[EI_NIDENT];
	pid_t kid = fork();
	int status, fd;
	char name[32];

	if (!kid) {
		CHECK(!setrlimit(RLIMIT_CORE, &unlimited));
		raise(SIGQUIT);
	}
	CHECK_EQ(waitpid(kid, &status, 0), kid);
	CHECK(WIFSIGNALED(status) && WCOREDUMP(status));
	snprintf(name, sizeof(name), "core.%d", kid);
	fd = open(access(name, F_OK) ? "core" : name, O_RDONLY);
	CHECK_EQ(read(fd, ident, sizeof(ident)), sizeof(ident));
	CHECK_EQ(ident[EI_CLASS], sizeof(long) == 8 ? ELFCLASS64 : ELFCLASS32);
	CHECK(!close(fd));
}

/* If the system puts them where they can be found */
static bool core_pattern_is_core(void)
{
	char pattern[8] = "";
	FILE *f = fopen("/proc/sys/kernel/core_pattern", "r");

	CHECK(f && fgets(pattern, sizeof(pattern), f));
	fclose(f);
	return !strcmp(pattern, "core\n");
}

SURVIVE_IF(core_dumps, core_pattern_is_core(), "core_pattern is not the default")
{
	dump_core();
	subject_ready();
	dump_core();
}

static int counters[8];

static void *count(void *arg)
{
	int *counter = arg;

	while (*counter >= 0)
		__atomic_add_fetch(counter, 1, __ATOMIC_RELAXED), sched_yield();
	return (void *)(long)gettid();
}

SURVIVE(threads)
{
	pthread_t threads[8];
	int before[8], i;

	for (i = 0; i < 8; i++)
		CHECK(!pthread_create(&threads[i], NULL, count, &counters[i]));
	subject_ready();
	for (i = 0; i < 8; i++) {
		before[i] = __atomic_load_n(&counters[i], __ATOMIC_RELAXED);
		while (__atomic_load_n(&counters[i], __ATOMIC_RELAXED) == before[i])
			sched_yield();
		__atomic_store_n(&counters[i], INT_MIN, __ATOMIC_RELAXED);
		CHECK(!pthread_join(threads[i], NULL));
	}
}

TEST_HARNESS_MAIN
