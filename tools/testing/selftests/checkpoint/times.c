// SPDX-License-Identifier: GPL-2.0
/* What a process has used of the machine goes on counting, and so does its age. */
#include <pthread.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>

#include "clock.h"

static void burn_ms(int ms)
{
	long long end = clock_ns(CLOCK_THREAD_CPUTIME_ID) + ms * 1000000LL;

	while (clock_ns(CLOCK_THREAD_CPUTIME_ID) < end)
		;
}

static long long rusage_us(int who)
{
	struct rusage ru;

	CHECK(!getrusage(who, &ru));
	return (ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) * 1000000LL +
	       ru.ru_utime.tv_usec + ru.ru_stime.tv_usec;
}

static void *burn_in_thread(void *unused)
{
	burn_ms(200);
	return NULL;
}

SURVIVE(cpu_clocks_go_on)
{
	long long process, thread, usage;
	pthread_t dead;

	burn_ms(300);
	CHECK(!pthread_create(&dead, NULL, burn_in_thread, NULL));
	CHECK(!pthread_join(dead, NULL));
	process = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	thread = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	usage = rusage_us(RUSAGE_SELF);
	CHECK(process >= thread + 190000000);
	subject_ready();
	CHECK(clock_ns(CLOCK_PROCESS_CPUTIME_ID) >= process);
	CHECK(clock_ns(CLOCK_PROCESS_CPUTIME_ID) < process + 10 * NSEC);
	CHECK(clock_ns(CLOCK_THREAD_CPUTIME_ID) >= thread);
	CHECK(clock_ns(CLOCK_THREAD_CPUTIME_ID) < thread + 10 * NSEC);
	CHECK(rusage_us(RUSAGE_SELF) >= usage);
	CHECK(rusage_us(RUSAGE_SELF) < usage + 10000000);
}

static bool less(const struct timeval *a, const struct timeval *b)
{
	return timercmp(a, b, <);
}

/* Estimates: what was told once is the least that is told ever after. */
SURVIVE(neither_time_goes_back)
{
	struct rusage before, after, thread_before, thread_after;
	int i;

	for (i = 0; i < 30; i++) {
		burn_ms(3);
		subject_sleep_ms(1);
		CHECK(!getrusage(RUSAGE_SELF, &before));
		CHECK(!getrusage(RUSAGE_THREAD, &thread_before));
	}
	subject_ready();
	CHECK(!getrusage(RUSAGE_THREAD, &thread_after));
	CHECK(!getrusage(RUSAGE_SELF, &after));
	CHECK(!less(&after.ru_utime, &before.ru_utime));
	CHECK(!less(&after.ru_stime, &before.ru_stime));
	CHECK(!less(&thread_after.ru_utime, &thread_before.ru_utime));
	CHECK(!less(&thread_after.ru_stime, &thread_before.ru_stime));
}

SURVIVE(usage_of_children)
{
	struct rusage before, after;
	pid_t kid = fork();

	if (!kid) {
		burn_ms(200);
		_exit(0);
	}
	CHECK_EQ(waitpid(kid, NULL, 0), kid);
	CHECK(!getrusage(RUSAGE_CHILDREN, &before));
	CHECK(before.ru_maxrss > 0 && before.ru_minflt > 0);
	subject_ready();
	CHECK(!getrusage(RUSAGE_CHILDREN, &after));
	CHECK(!memcmp(&before, &after, sizeof(before)));
}

/* One that has not been waited for yet. */
SURVIVE(usage_of_a_zombie)
{
	struct rusage seen = {}, usage, children;
	siginfo_t info;
	pid_t kid = fork();

	if (!kid) {
		burn_ms(300);
		_exit(3);
	}
	CHECK(!syscall(SYS_waitid, P_PID, kid, &info, WEXITED | WNOWAIT, &seen));
	subject_sleep_ms(100);	/* for its last context switch */
	CHECK(!syscall(SYS_waitid, P_PID, kid, &info, WEXITED | WNOWAIT, &seen));
	/* Sampled by ticks: on a slow kernel all may come during system calls. */
	CHECK(timerisset(&seen.ru_utime) || timerisset(&seen.ru_stime));
	subject_ready();
	CHECK_EQ(wait4(kid, NULL, 0, &usage), kid);
	CHECK_EQ(usage.ru_utime.tv_usec, seen.ru_utime.tv_usec);
	CHECK_EQ(usage.ru_stime.tv_usec, seen.ru_stime.tv_usec);
	CHECK_EQ(usage.ru_nvcsw, seen.ru_nvcsw);
	CHECK_EQ(usage.ru_nivcsw, seen.ru_nivcsw);
	CHECK_EQ(usage.ru_minflt, seen.ru_minflt);
	CHECK_EQ(usage.ru_maxrss, seen.ru_maxrss);
	CHECK(!memcmp(&seen, &usage, sizeof(seen)));
	CHECK(!getrusage(RUSAGE_CHILDREN, &children));
	CHECK_EQ(children.ru_maxrss, usage.ru_maxrss);
	CHECK_EQ(children.ru_minflt, usage.ru_minflt);
}

SURVIVE(faults_and_switches)
{
	struct rusage before, after;
	int i;

	for (i = 0; i < 20; i++)
		subject_sleep_ms(1);
	CHECK(!getrusage(RUSAGE_SELF, &before));
	subject_ready();
	CHECK(!getrusage(RUSAGE_SELF, &after));
	CHECK(after.ru_nvcsw >= before.ru_nvcsw && after.ru_nvcsw < before.ru_nvcsw + 10000);
	CHECK(after.ru_minflt >= before.ru_minflt && after.ru_minflt < before.ru_minflt + 10000);
}

static volatile sig_atomic_t over_limit;

static void on_xcpu(int sig)
{
	over_limit = 1;
}

/* A second may be used in all: that before the checkpoint counts. */
SURVIVE(cpu_limit_counts_on)
{
	struct rlimit limit = { .rlim_cur = 1, .rlim_max = 100 };
	long long used;

	CHECK(signal(SIGXCPU, on_xcpu) != SIG_ERR);
	CHECK(!setrlimit(RLIMIT_CPU, &limit));
	while (clock_ns(CLOCK_PROCESS_PROF) < NSEC * 6 / 10)
		burn_ms(1);
	CHECK(!over_limit);
	subject_ready();
	while (!over_limit)
		burn_ms(1);
	used = clock_ns(CLOCK_PROCESS_PROF);
	CHECK(used >= NSEC && used < NSEC + NSEC / 2);
}

/* To within a clock tick, which is how /proc tells the start. */
static long long age_ms(void)
{
	unsigned long long start;
	char buf[1024];
	FILE *file = fopen("/proc/self/stat", "r");

	CHECK(file && fgets(buf, sizeof(buf), file));
	fclose(file);
	CHECK(sscanf(strrchr(buf, ')') + 2,
		     "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
		     &start) == 1);
	return clock_ns(CLOCK_BOOTTIME) / 1000000 - start * 1000 / sysconf(_SC_CLK_TCK);
}

SURVIVE(age)
{
	long long before;

	subject_sleep_ms(1500);
	before = age_ms();
	CHECK(before >= 1490);
	subject_ready();
	CHECK(age_ms() >= before - 1000 / sysconf(_SC_CLK_TCK));
	CHECK(age_ms() < before + 60000);
}

static long status_kb(const char *name)
{
	char line[256];
	long value = -1;
	FILE *file = fopen("/proc/self/status", "r");

	CHECK(file);
	while (fgets(line, sizeof(line), file)) {
		if (!strncmp(line, name, strlen(name)))
			value = atol(line + strlen(name));
	}
	fclose(file);
	return value;
}

SURVIVE(high_water_marks)
{
	size_t size = 64 << 20;
	long peak, hwm;
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	memset(p, 1, size);
	CHECK(!munmap(p, size));
	peak = status_kb("VmPeak:");
	hwm = status_kb("VmHWM:");
	CHECK(hwm >= 64 << 10 && peak > hwm);
	subject_ready();
	CHECK_EQ(status_kb("VmPeak:"), peak);
	CHECK_EQ(status_kb("VmHWM:"), hwm);
}

/* Memory of files is not there after a restart, but it was. */
SURVIVE(high_water_mark_of_files)
{
	size_t size = 8 << 20, i;
	int fd = open("file", O_CREAT | O_RDWR, 0600);
	long hwm;
	char *p;

	CHECK(fd >= 0 && !ftruncate(fd, size));
	p = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
	CHECK(p != MAP_FAILED);
	for (i = 0; i < size; i += 4096)
		CHECK_EQ(*(volatile char *)(p + i), 0);
	hwm = status_kb("VmHWM:");
	CHECK(hwm >= 8 << 10);
	subject_ready();
	CHECK(status_kb("VmHWM:") >= hwm);
}

TEST_HARNESS_MAIN
