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
	struct rusage seen = {}, earlier, usage, children;
	siginfo_t info;
	pid_t kid = fork();

	if (!kid) {
		burn_ms(300);
		_exit(3);
	}
	CHECK(!syscall(SYS_waitid, P_PID, kid, &info, WEXITED | WNOWAIT, &seen));
	do {	/* up to its last context switch */
		earlier = seen;
		subject_sleep_ms(100);
		CHECK(!syscall(SYS_waitid, P_PID, kid, &info, WEXITED | WNOWAIT, &seen));
	} while (memcmp(&seen, &earlier, sizeof(seen)));
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

static pthread_t first_thread;
static timer_t timer_of_first;

static void wait_without_first_thread(void)
{
	struct itimerspec timer, timer_after;
	struct itimerval itimer, itimer_after;
	long long used = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	siginfo_t info;
	sigset_t set;

	CHECK(!timer_gettime(timer_of_first, &timer));
	CHECK(!getitimer(ITIMER_REAL, &itimer));
	subject_ready();
	CHECK(clock_ns(CLOCK_PROCESS_CPUTIME_ID) >= used);
	CHECK(clock_ns(CLOCK_PROCESS_CPUTIME_ID) < used + 10 * NSEC);
	CHECK(!timer_gettime(timer_of_first, &timer_after));
	CHECK(timer_after.it_value.tv_sec <= timer.it_value.tv_sec);
	CHECK(timer_after.it_value.tv_sec > timer.it_value.tv_sec - 100);
	CHECK(!getitimer(ITIMER_REAL, &itimer_after));
	CHECK(itimer_after.it_value.tv_sec <= itimer.it_value.tv_sec);
	CHECK(itimer_after.it_value.tv_sec > itimer.it_value.tv_sec - 100);
	CHECK_EQ(itimer_after.it_interval.tv_sec, 77);
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	CHECK_EQ(sigwaitinfo(&set, &info), SIGRTMIN);
	CHECK_EQ(info.si_value.sival_int, 4711);
}

static void *outlive_first_thread(void *unused)
{
	CHECK(!pthread_join(first_thread, NULL));
	CHECK(clock_ns(CLOCK_PROCESS_CPUTIME_ID) >=
	      clock_ns(CLOCK_THREAD_CPUTIME_ID) + NSEC * 19 / 100);
	wait_without_first_thread();
	_exit(0);
}

static void leave_it_to_the_second_thread(void)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	struct itimerspec timer = { .it_value.tv_sec = 1000 };
	struct itimerval itimer = { .it_value.tv_sec = 1000, .it_interval.tv_sec = 77 };
	union sigval value = { .sival_int = 4711 };
	pthread_t second;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	CHECK(!sigprocmask(SIG_BLOCK, &set, NULL));
	CHECK(!sigqueue(getpid(), SIGRTMIN, value));
	CHECK(!timer_create(CLOCK_MONOTONIC, &event, &timer_of_first));
	CHECK(!timer_settime(timer_of_first, 0, &timer, NULL));
	CHECK(!setitimer(ITIMER_REAL, &itimer, NULL));
	burn_ms(200);
	first_thread = pthread_self();
	CHECK(!pthread_create(&second, NULL, outlive_first_thread, NULL));
	pthread_exit(NULL);
}

/* What the process has used, its timers and its signals are not the dead thread's. */
SURVIVE(process_whose_first_thread_is_dead)
{
	pid_t kid = fork();
	int status;

	if (!kid)
		leave_it_to_the_second_thread();
	CHECK_EQ(waitpid(kid, &status, 0), kid);
	CHECK_EQ(status, 0);
}

SURVIVE(root_whose_first_thread_is_dead)
{
	leave_it_to_the_second_thread();
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

struct schedstat {
	unsigned long long runtime, delay, runs;
};

static void get_schedstat(pid_t pid, struct schedstat *s)
{
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/schedstat", pid);
	file = fopen(path, "r");
	CHECK(file && fscanf(file, "%llu %llu %llu", &s->runtime, &s->delay, &s->runs) == 3);
	fclose(file);
}

/* Two that share a CPU wait for each other. */
static void be_delayed(void)
{
	cpu_set_t cpus;
	pid_t kid;

	CPU_ZERO(&cpus);
	CPU_SET(0, &cpus);
	CHECK(!sched_setaffinity(0, sizeof(cpus), &cpus));
	kid = fork();
	if (!kid) {
		for (;;)
			;
	}
	burn_ms(100);
	CHECK(!kill(kid, SIGKILL));
	CHECK_EQ(waitpid(kid, NULL, 0), kid);
}

SURVIVE_IF(scheduler_statistics, !access("/proc/schedstat", F_OK), "no CONFIG_SCHEDSTATS")
{
	struct schedstat before, after;

	be_delayed();
	get_schedstat(getpid(), &before);
	CHECK(before.delay > 0 && before.runs > 0);
	subject_ready();
	get_schedstat(getpid(), &after);
	CHECK(after.delay >= before.delay && after.delay < before.delay + 100 * NSEC);
	CHECK(after.runs >= before.runs && after.runs < before.runs + 10000);
}

SURVIVE_IF(scheduler_statistics_of_a_zombie, !access("/proc/schedstat", F_OK),
	   "no CONFIG_SCHEDSTATS")
{
	struct schedstat before, after;
	siginfo_t info;
	pid_t kid = fork();

	if (!kid) {
		be_delayed();
		_exit(0);
	}
	CHECK(!waitid(P_PID, kid, &info, WEXITED | WNOWAIT));
	subject_sleep_ms(100);	/* for its last context switch */
	get_schedstat(kid, &before);
	CHECK(before.delay > 0 && before.runs > 0);
	subject_ready();
	get_schedstat(kid, &after);
	CHECK(!memcmp(&before, &after, sizeof(before)));
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

/* It counts what is used without a sleep, and to be frozen is one. */
SURVIVE(real_time_limit_counts_anew)
{
	struct rlimit limit = { .rlim_cur = 400000, .rlim_max = 100000000 };
	struct sched_param param = { .sched_priority = 1 };
	long long start;

	CHECK(signal(SIGXCPU, on_xcpu) != SIG_ERR);
	CHECK(!setrlimit(RLIMIT_RTTIME, &limit));
	CHECK(!sched_setscheduler(0, SCHED_FIFO, &param));
	subject_ready();
	start = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	CHECK(!over_limit);
	while (!over_limit)
		;
	CHECK(clock_ns(CLOCK_THREAD_CPUTIME_ID) - start >= NSEC * 3 / 10);
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
