// SPDX-License-Identifier: GPL-2.0
/* Interval timers and POSIX timers keep their time, number, signal and overruns. */
#include <pthread.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>

#include "clock.h"

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

#define MS 1000000LL

static volatile sig_atomic_t signals;

static void on_signal(int sig)
{
	signals++;
}

static void count_signal(int sig)
{
	struct sigaction act = { .sa_handler = on_signal, .sa_flags = SA_RESTART };

	CHECK(!sigaction(sig, &act, NULL));
}

static void wait_signals(int count)
{
	while (signals < count)
		subject_sleep_ms(1);
}

static void block(int sig)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, sig);
	CHECK(!sigprocmask(SIG_BLOCK, &set, NULL));
}

static int take(int sig, siginfo_t *info)
{
	struct timespec timeout = { .tv_sec = 20 };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, sig);
	return sigtimedwait(&set, info, &timeout);
}

static void set_itimer(int which, long ms, long interval_ms)
{
	struct itimerval it = {
		.it_value = { ms / 1000, ms % 1000 * 1000 },
		.it_interval = { interval_ms / 1000, interval_ms % 1000 * 1000 },
	};

	CHECK(!setitimer(which, &it, NULL));
}

static long itimer_ms(int which)
{
	struct itimerval it;

	CHECK(!getitimer(which, &it));
	return it.it_value.tv_sec * 1000 + it.it_value.tv_usec / 1000;
}

SURVIVE(alarm_has_the_time_that_was_left)
{
	long long start;
	long left;

	count_signal(SIGALRM);
	set_itimer(ITIMER_REAL, 4000, 0);
	subject_sleep_ms(1500);
	start = clock_ns(CLOCK_MONOTONIC);
	left = itimer_ms(ITIMER_REAL);
	CHECK(left > 0 && left <= 2500);
	subject_ready();
	CHECK(itimer_ms(ITIMER_REAL) <= left);
	wait_signals(1);
	CHECK(clock_ns(CLOCK_MONOTONIC) - start >= (left - 1) * MS);
	CHECK_EQ(itimer_ms(ITIMER_REAL), 0);
}

SURVIVE(interval_of_alarms)
{
	count_signal(SIGALRM);
	set_itimer(ITIMER_REAL, 50, 50);
	wait_signals(2);
	subject_ready();
	signals = 0;
	wait_signals(3);
}

SURVIVE(pending_alarm_of_an_interval)
{
	siginfo_t info;

	block(SIGALRM);
	set_itimer(ITIMER_REAL, 20, 20);
	subject_sleep_ms(100);
	subject_ready();
	CHECK_EQ(take(SIGALRM, &info), SIGALRM);
	CHECK_EQ(take(SIGALRM, &info), SIGALRM);
}

static bool has_time_namespaces(void)
{
	return !access("/proc/self/ns/time", F_OK);
}

#define NO_TIME_NAMESPACES	"no CONFIG_TIME_NS"

/* It counts from when it went off, not from when it was restored. */
SURVIVE_IF(phase_of_a_pending_alarm, has_time_namespaces(), NO_TIME_NAMESPACES)
{
	long long first, next, was_set, asked;
	siginfo_t info;

	block(SIGALRM);
	first = clock_ns(CLOCK_MONOTONIC);
	set_itimer(ITIMER_REAL, 20, 1000000);
	was_set = clock_ns(CLOCK_MONOTONIC) - first;
	first += 20 * MS;
	subject_sleep_ms(200);
	subject_ready();
	CHECK_EQ(take(SIGALRM, &info), SIGALRM);
	next = clock_ns(CLOCK_MONOTONIC);
	asked = next;
	next += itimer_ms(ITIMER_REAL) * MS;
	asked = clock_ns(CLOCK_MONOTONIC) - asked;
	CHECK(next >= first + 1000 * NSEC - asked - 2 * MS);
	CHECK(next <= first + 1000 * NSEC + was_set + 2 * MS);
}

SURVIVE(pending_alarm_comes_once)
{
	struct timespec soon = { .tv_nsec = 200 * MS };
	siginfo_t info;
	sigset_t set;

	block(SIGALRM);
	set_itimer(ITIMER_REAL, 20, 0);
	subject_sleep_ms(100);
	subject_ready();
	CHECK_EQ(take(SIGALRM, &info), SIGALRM);
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	CHECK(sigtimedwait(&set, &info, &soon) == -1 && errno == EAGAIN);
}

SURVIVE(profiling_interval)
{
	count_signal(SIGPROF);
	set_itimer(ITIMER_PROF, 1000, 0);
	while (clock_ns(CLOCK_PROCESS_PROF) < 600 * MS)
		CHECK_EQ(signals, 0);
	subject_ready();
	while (!signals)
		;
	CHECK(clock_ns(CLOCK_PROCESS_PROF) >= NSEC);
	CHECK(clock_ns(CLOCK_PROCESS_PROF) < NSEC + 500 * MS);
}

/* As long as can be said: longer, from now on, than other clocks count. */
SURVIVE(endless_profiling_interval)
{
	struct itimerval it = { .it_value.tv_sec = LONG_MAX }, got;

	CHECK(!setitimer(ITIMER_PROF, &it, NULL));
	while (clock_ns(CLOCK_PROCESS_PROF) < 200 * MS)
		;
	subject_ready();
	CHECK(!getitimer(ITIMER_PROF, &got));
	CHECK(got.it_value.tv_sec > INT_MAX);
}

static void use_up_user_time(int until)
{
	while (signals < until)
		;
}

/* Counts user time only: it stands still while the program sleeps. */
SURVIVE(virtual_interval)
{
	struct itimerval it;
	long left;

	count_signal(SIGVTALRM);
	set_itimer(ITIMER_VIRTUAL, 300, 200);
	use_up_user_time(1);
	left = itimer_ms(ITIMER_VIRTUAL);
	subject_ready();
	CHECK(itimer_ms(ITIMER_VIRTUAL) <= left);
	CHECK(!getitimer(ITIMER_VIRTUAL, &it));
	CHECK(it.it_interval.tv_sec == 0 && it.it_interval.tv_usec == 200000);
	CHECK_EQ(signals, 1);
	use_up_user_time(3);
}

SURVIVE(times_left_of_interval_timers)
{
	set_itimer(ITIMER_VIRTUAL, 5000000, 7000);
	set_itimer(ITIMER_PROF, 6000000, 8000);
	subject_ready();
	CHECK(itimer_ms(ITIMER_VIRTUAL) > 4900000 && itimer_ms(ITIMER_VIRTUAL) <= 5000010);
	CHECK(itimer_ms(ITIMER_PROF) > 5900000 && itimer_ms(ITIMER_PROF) <= 6000010);
}

static timer_t create(clockid_t clock, int notify, int signo, int value)
{
	struct sigevent event = {
		.sigev_notify = notify,
		.sigev_signo = signo,
		.sigev_value.sival_int = value,
	};
	int id;

	if (notify == SIGEV_THREAD_ID)
		event.sigev_notify_thread_id = syscall(SYS_gettid);
	CHECK(!syscall(SYS_timer_create, clock, &event, &id));
	return (timer_t)(long)id;
}

static void set_timer(timer_t timer, int flags, long long ns, long long interval)
{
	struct itimerspec spec = {
		.it_value = { ns / NSEC, ns % NSEC },
		.it_interval = { interval / NSEC, interval % NSEC },
	};

	CHECK(!syscall(SYS_timer_settime, timer, flags, &spec, NULL));
}

static long long timer_ns(timer_t timer)
{
	struct itimerspec spec;

	CHECK(!syscall(SYS_timer_gettime, timer, &spec));
	return spec.it_value.tv_sec * NSEC + spec.it_value.tv_nsec;
}

static int overrun(timer_t timer)
{
	return syscall(SYS_timer_getoverrun, timer);
}

SURVIVE(timers_keep_their_numbers)
{
	struct itimerspec spec;
	timer_t timers[3];
	int i;

	for (i = 0; i < 3; i++)
		timers[i] = create(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGUSR1, i);
	CHECK(!syscall(SYS_timer_delete, timers[0]));
	set_timer(timers[2], 0, 1000 * NSEC, 77 * NSEC);
	subject_ready();
	CHECK(syscall(SYS_timer_gettime, timers[0], &spec) == -1 && errno == EINVAL);
	CHECK_EQ(timer_ns(timers[1]), 0);
	CHECK(timer_ns(timers[2]) > 900 * NSEC && timer_ns(timers[2]) <= 1000 * NSEC);
	CHECK(!syscall(SYS_timer_gettime, timers[2], &spec));
	CHECK_EQ(spec.it_interval.tv_sec, 77);
	CHECK(create(CLOCK_MONOTONIC, SIGEV_NONE, 0, 0) == timers[2] + 1);
}

SURVIVE(timer_goes_off_with_its_value)
{
	timer_t timer = create(CLOCK_BOOTTIME, SIGEV_SIGNAL, SIGRTMIN + 1, 4711);
	long long start, left;
	siginfo_t info;

	block(SIGRTMIN + 1);
	set_timer(timer, 0, 3 * NSEC, 0);
	subject_sleep_ms(1000);
	start = clock_ns(CLOCK_MONOTONIC);
	left = timer_ns(timer);
	CHECK(left <= 2 * NSEC);
	subject_ready();
	CHECK_EQ(take(SIGRTMIN + 1, &info), SIGRTMIN + 1);
	CHECK(clock_ns(CLOCK_MONOTONIC) - start >= left - MS);
	CHECK_EQ(info.si_code, SI_TIMER);
	CHECK_EQ(info.si_value.sival_int, 4711);
	CHECK_EQ(info.si_timerid, (int)(long)timer);
	CHECK_EQ(timer_ns(timer), 0);
}

SURVIVE(pending_signal_with_overruns)
{
	timer_t timer = create(CLOCK_MONOTONIC, SIGEV_THREAD_ID, SIGRTMIN + 2, 5);
	siginfo_t info;

	block(SIGRTMIN + 2);
	set_timer(timer, 0, 10 * MS, 10 * MS);
	subject_sleep_ms(200);
	subject_ready();
	CHECK_EQ(take(SIGRTMIN + 2, &info), SIGRTMIN + 2);
	CHECK_EQ(info.si_code, SI_TIMER);
	CHECK_EQ(info.si_value.sival_int, 5);
	CHECK(info.si_overrun >= 18);
	CHECK_EQ(overrun(timer), info.si_overrun);
	CHECK_EQ(take(SIGRTMIN + 2, &info), SIGRTMIN + 2);
	CHECK_EQ(take(SIGRTMIN + 2, &info), SIGRTMIN + 2);
}

SURVIVE(pending_signal_of_one_shot)
{
	timer_t timer = create(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGUSR2, 6);
	siginfo_t info;

	block(SIGUSR2);
	set_timer(timer, 0, 10 * MS, 0);
	subject_sleep_ms(50);
	subject_ready();
	CHECK_EQ(timer_ns(timer), 0);
	CHECK_EQ(take(SIGUSR2, &info), SIGUSR2);
	CHECK_EQ(info.si_code, SI_TIMER);
	CHECK_EQ(info.si_overrun, 0);
}

SURVIVE(timer_for_a_time_of_day)
{
	long long when = clock_ns(CLOCK_REALTIME) + 2 * NSEC;
	timer_t timer = create(CLOCK_REALTIME, SIGEV_SIGNAL, SIGUSR1, 0);

	count_signal(SIGUSR1);
	set_timer(timer, TIMER_ABSTIME, when, 0);
	subject_ready();
	wait_signals(1);
	CHECK(clock_ns(CLOCK_REALTIME) >= when);
}

SURVIVE(timer_without_signal)
{
	timer_t timer = create(CLOCK_MONOTONIC, SIGEV_NONE, 0, 0);
	long long left;

	set_timer(timer, 0, 500 * NSEC, 0);
	left = timer_ns(timer);
	subject_ready();
	CHECK(timer_ns(timer) <= left && timer_ns(timer) > left - 100 * NSEC);
}

/* It says how long from now, though it was told a time of the day. */
SURVIVE(timer_without_signal_for_a_time_of_day)
{
	timer_t timer = create(CLOCK_REALTIME, SIGEV_NONE, 0, 0);
	timer_t over = create(CLOCK_REALTIME, SIGEV_NONE, 0, 0);
	timer_t unset = create(CLOCK_REALTIME, SIGEV_NONE, 0, 0);
	long long now = clock_ns(CLOCK_REALTIME), left;

	set_timer(timer, TIMER_ABSTIME, now + 500 * NSEC, 0);
	set_timer(over, TIMER_ABSTIME, now - NSEC, 0);
	left = timer_ns(timer);
	subject_ready();
	CHECK(timer_ns(timer) <= left && timer_ns(timer) > left - 100 * NSEC);
	CHECK_EQ(timer_ns(over), 0);
	CHECK_EQ(timer_ns(unset), 0);
}

static void read_timers(char *buf, size_t size)
{
	int fd = open("/proc/self/timers", O_RDONLY);
	ssize_t n = read(fd, buf, size - 1);

	CHECK(n > 0);
	buf[n] = 0;
	close(fd);
}

SURVIVE_IF(list_of_timers, !access("/proc/self/timers", F_OK), "no CONFIG_CHECKPOINT_RESTORE")
{
	char before[1024], after[1024];
	int i;

	for (i = 0; i < 3; i++)
		create(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGUSR1, i);
	read_timers(before, sizeof(before));
	subject_ready();
	read_timers(after, sizeof(after));
	CHECK(!strcmp(before, after));
}

static void set_for_order(int value, int notify, long ms, long interval_ms)
{
	timer_t timer = create(CLOCK_MONOTONIC, notify, SIGRTMIN + 3, value);

	set_timer(timer, 0, ms * MS, interval_ms * MS);
}

static void take_in_order(int first, int last)
{
	siginfo_t info;

	for (; first <= last; first++) {
		CHECK_EQ(take(SIGRTMIN + 3, &info), SIGRTMIN + 3);
		CHECK_EQ(info.si_code, SI_TIMER);
		CHECK_EQ(info.si_value.sival_int, first);
	}
}

/* Not in that of their creation, nor the reverse of it */
SURVIVE(pending_signals_in_order_of_expiry)
{
	block(SIGRTMIN + 3);
	set_for_order(1, SIGEV_SIGNAL, 10, 0);
	set_for_order(3, SIGEV_SIGNAL, 50, 0);
	set_for_order(2, SIGEV_SIGNAL, 30, 1000 * 1000);
	set_for_order(4, SIGEV_SIGNAL, 70, 0);
	subject_sleep_ms(150);
	subject_ready();
	take_in_order(1, 4);
}

/* Those of the thread are in a queue of their own, which comes first. */
SURVIVE(pending_signals_of_thread_and_process_in_order)
{
	block(SIGRTMIN + 3);
	set_for_order(4, SIGEV_SIGNAL, 50, 0);
	set_for_order(2, SIGEV_THREAD_ID, 70, 0);
	set_for_order(3, SIGEV_SIGNAL, 10, 0);
	set_for_order(1, SIGEV_THREAD_ID, 30, 0);
	subject_sleep_ms(150);
	subject_ready();
	take_in_order(1, 4);
}

/* The interval counts on from when it began, however long a checkpoint takes. */
SURVIVE_IF(interval_keeps_its_phase, has_time_namespaces(), NO_TIME_NAMESPACES)
{
	timer_t timer = create(CLOCK_MONOTONIC, SIGEV_NONE, 0, 0);
	long long start = clock_ns(CLOCK_MONOTONIC) + NSEC;
	long long before, after, next, missing;

	set_timer(timer, TIMER_ABSTIME, start, 10 * NSEC);
	subject_sleep_ms(1200);
	subject_ready();
	before = clock_ns(CLOCK_MONOTONIC);
	next = timer_ns(timer);
	after = clock_ns(CLOCK_MONOTONIC);
	/* What is missing from @before to the time that timer_gettime() was asked */
	missing = (10 * NSEC - (before + next - start) % (10 * NSEC)) % (10 * NSEC);
	CHECK(missing <= after - before);
}

static void burn_until_signal(void)
{
	while (!signals)
		;
}

SURVIVE(timers_on_cpu_time)
{
	timer_t process = create(CLOCK_PROCESS_CPUTIME_ID, SIGEV_SIGNAL, SIGUSR1, 0);
	timer_t thread = create(CLOCK_THREAD_CPUTIME_ID, SIGEV_SIGNAL, SIGUSR1, 0);
	long long end = clock_ns(CLOCK_PROCESS_CPUTIME_ID) + 600 * MS;

	count_signal(SIGUSR1);
	set_timer(process, TIMER_ABSTIME, end, 0);
	set_timer(thread, 0, 1000 * NSEC, 0);
	while (clock_ns(CLOCK_PROCESS_CPUTIME_ID) < end - 300 * MS)
		CHECK_EQ(signals, 0);
	subject_ready();
	burn_until_signal();
	CHECK(clock_ns(CLOCK_PROCESS_CPUTIME_ID) >= end);
	CHECK(clock_ns(CLOCK_PROCESS_CPUTIME_ID) < end + NSEC);
	CHECK(timer_ns(thread) < 1000 * NSEC - 500 * MS && timer_ns(thread) > 900 * NSEC);
}

static void burn_cpu_ms(long ms)
{
	long long end = clock_ns(CLOCK_PROCESS_CPUTIME_ID) + ms * MS;

	while (clock_ns(CLOCK_PROCESS_CPUTIME_ID) < end)
		;
}

/* Who takes the signal is told the overruns, and starts the timer again. */
SURVIVE(pending_signal_of_an_interval_of_cpu_time)
{
	timer_t timer = create(CLOCK_PROCESS_CPUTIME_ID, SIGEV_SIGNAL, SIGRTMIN + 2, 7);
	siginfo_t info;

	block(SIGRTMIN + 2);
	set_timer(timer, 0, 20 * MS, 100 * MS);
	burn_cpu_ms(500);
	subject_ready();
	CHECK_EQ(take(SIGRTMIN + 2, &info), SIGRTMIN + 2);
	CHECK_EQ(info.si_value.sival_int, 7);
	CHECK(info.si_overrun >= 3);
	CHECK_EQ(overrun(timer), info.si_overrun);
	CHECK(timer_ns(timer) > 0 && timer_ns(timer) <= 100 * MS);
	burn_cpu_ms(300);
	CHECK_EQ(take(SIGRTMIN + 2, &info), SIGRTMIN + 2);
}

static timer_t of_thread;
static volatile int stage;
static int to_thread[2];

/* It waits without using the time that the timer counts. */
static void *burn_in_thread(void *unused)
{
	char c;

	of_thread = create(CLOCK_THREAD_CPUTIME_ID, SIGEV_THREAD_ID, SIGUSR1, 0);
	set_timer(of_thread, 0, 300 * MS, 0);
	stage = 1;
	CHECK_EQ(read(to_thread[0], &c, 1), 1);
	burn_until_signal();
	stage = 2;
	return NULL;
}

/* Nothing but the CPU time of that thread makes it go off. */
SURVIVE(timer_on_the_cpu_time_of_another_thread)
{
	long long end;
	pthread_t thread;

	count_signal(SIGUSR1);
	CHECK(!pipe(to_thread));
	CHECK(!pthread_create(&thread, NULL, burn_in_thread, NULL));
	while (stage != 1)
		subject_sleep_ms(1);
	subject_ready();
	end = clock_ns(CLOCK_THREAD_CPUTIME_ID) + 600 * MS;
	while (clock_ns(CLOCK_THREAD_CPUTIME_ID) < end)
		CHECK_EQ(signals, 0);
	CHECK_EQ(write(to_thread[1], "x", 1), 1);
	CHECK(!pthread_join(thread, NULL));
	CHECK_EQ(stage, 2);
}

/* It stays queued, with its siginfo, and starts no timer any more. */
SURVIVE(pending_signal_of_a_deleted_timer)
{
	timer_t timer = create(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGRTMIN + 4, 6);
	siginfo_t info;

	block(SIGRTMIN + 4);
	set_timer(timer, 0, 10 * MS, 10 * MS);
	subject_sleep_ms(100);
	CHECK(!syscall(SYS_timer_delete, timer));
	subject_ready();
	CHECK_EQ(take(SIGRTMIN + 4, &info), SIGRTMIN + 4);
	CHECK_EQ(info.si_code, SI_TIMER);
	CHECK_EQ(info.si_value.sival_int, 6);
	CHECK_EQ(info.si_timerid, (int)(long)timer);
	CHECK(timer_ns(create(CLOCK_MONOTONIC, SIGEV_NONE, 0, 0)) == 0);
}

/* A signal that does not queue, which timers queue all the same: once each */
SURVIVE(pending_signals_of_deleted_timers)
{
	timer_t timers[2];
	siginfo_t info;
	int i;

	block(SIGUSR1);
	CHECK(!kill(getpid(), SIGUSR1));
	for (i = 0; i < 2; i++) {
		timers[i] = create(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGUSR1, i);
		set_timer(timers[i], 0, MS, 0);
		subject_sleep_ms(50);
	}
	for (i = 0; i < 2; i++)
		CHECK(!syscall(SYS_timer_delete, timers[i]));
	subject_ready();
	CHECK_EQ(take(SIGUSR1, &info), SIGUSR1);
	CHECK_EQ(info.si_code, SI_USER);
	for (i = 0; i < 2; i++) {
		CHECK_EQ(take(SIGUSR1, &info), SIGUSR1);
		CHECK_EQ(info.si_code, SI_TIMER);
		CHECK_EQ(info.si_value.sival_int, i);
	}
}

/* More than an int counts, which is what programs are told */
SURVIVE(more_overruns_than_can_be_told)
{
	timer_t timer = create(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGRTMIN + 5, 0);
	siginfo_t info;

	block(SIGRTMIN + 5);
	set_timer(timer, 0, 1, 1);
	subject_sleep_ms(2500);
	subject_ready();
	CHECK_EQ(take(SIGRTMIN + 5, &info), SIGRTMIN + 5);
	CHECK_EQ(info.si_overrun, INT_MAX);
	CHECK_EQ(overrun(timer), INT_MAX);
}

TEST(id_has_to_be_told)
{
	int before, after;

	ASSERT_EQ(syscall(SYS_timer_create, CLOCK_MONOTONIC, NULL, &before), 0);
	EXPECT_EQ(syscall(SYS_timer_create, CLOCK_MONOTONIC, NULL, NULL), -1);
	EXPECT_EQ(errno, EFAULT);
	EXPECT_EQ(syscall(SYS_timer_delete, before + 1), -1);
	ASSERT_EQ(syscall(SYS_timer_create, CLOCK_MONOTONIC, NULL, &after), 0);
}

REFUSE(timer_on_tai, EOPNOTSUPP, "POSIX timer 0 on CLOCK_TAI")
{
	create(CLOCK_TAI, SIGEV_SIGNAL, SIGUSR1, 0);
	subject_ready();
}

#define ON_OTHERS_CPU_TIME "POSIX timer 0 on the CPU time of another process or a dead thread"

REFUSE(timer_on_the_cpu_time_of_another_process, EOPNOTSUPP, ON_OTHERS_CPU_TIME)
{
	clockid_t clock;
	pid_t pid = fork();

	if (!pid)
		for (;;)
			pause();
	CHECK(!clock_getcpuclockid(pid, &clock));
	create(clock, SIGEV_SIGNAL, SIGUSR1, 0);
	subject_ready();
	CHECK(!kill(pid, SIGKILL));
	CHECK_EQ(waitpid(pid, NULL, 0), pid);
}

static void *lends_its_clock(void *unused)
{
	create(CLOCK_THREAD_CPUTIME_ID, SIGEV_SIGNAL, SIGUSR1, 0);
	return NULL;
}

REFUSE(timer_on_the_cpu_time_of_a_dead_thread, EOPNOTSUPP, ON_OTHERS_CPU_TIME)
{
	pthread_t thread;

	CHECK(!pthread_create(&thread, NULL, lends_its_clock, NULL));
	CHECK(!pthread_join(thread, NULL));
	subject_ready();
}

static void *lives_shortly(void *unused)
{
	create(CLOCK_MONOTONIC, SIGEV_THREAD_ID, SIGUSR1, 0);
	return NULL;
}

REFUSE(timer_for_a_dead_thread, EOPNOTSUPP, "POSIX timer 0 for a dead thread")
{
	pthread_t thread;

	CHECK(!pthread_create(&thread, NULL, lives_shortly, NULL));
	CHECK(!pthread_join(thread, NULL));
	subject_ready();
}

TEST_HARNESS_MAIN
