// SPDX-License-Identifier: GPL-2.0
/*
 * CLOCK_MONOTONIC and CLOCK_BOOTTIME stand still from the checkpoint to the
 * restart, and with them all that is to happen at a time of theirs.
 *
 * A machine that was started at another time is made of the image: its times
 * are moved, and the offsets of its time namespaces the other way.
 */
#include <linux/futex.h>
#include <pthread.h>
#include <sys/syscall.h>

#include "caps.h"
#include "clock.h"
#include "codec.h"

#define AWAY	4	/* s between checkpoint and restart */
#define SLEEP	3	/* s that sleepers sleep */
#define LATE	(2 * NSEC * test_slowness())

static struct image image;

static struct timespec timespec_of(long long ns)
{
	return (struct timespec){ .tv_sec = ns / NSEC, .tv_nsec = ns % NSEC };
}

static long long syscall_ns(clockid_t clock)
{
	struct timespec ts;

	CHECK(!syscall(SYS_clock_gettime, clock, &ts));
	return ts.tv_sec * NSEC + ts.tv_nsec;
}

/* As /proc tells it to who asks, in ticks */
static unsigned long long start_of(pid_t pid)
{
	unsigned long long start;
	char path[64], buf[1024];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "r");
	CHECK(file && fgets(buf, sizeof(buf), file));
	fclose(file);
	CHECK(sscanf(strrchr(buf, ')') + 2,
		     "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
		     &start) == 1);
	return start;
}

/* Where the vdso reads it, and where the kernel does */
static void clock_goes_on(clockid_t clock, long long before)
{
	long long now = clock_ns(clock), gone = now - before;

	CHECK(gone >= 0 && gone < AWAY * NSEC);
	CHECK(syscall_ns(clock) >= now && syscall_ns(clock) < now + LATE);
}

/* Between two looks nothing has happened, though the test was away for longer. */
static void subject_clocks(void)
{
	long long monotonic, boottime, raw, coarse;
	unsigned long long start = start_of(getpid());

	subject_touch("ready");
	do {
		monotonic = clock_ns(CLOCK_MONOTONIC);
		boottime = clock_ns(CLOCK_BOOTTIME);
		raw = clock_ns(CLOCK_MONOTONIC_RAW);
		coarse = clock_ns(CLOCK_MONOTONIC_COARSE);
		subject_sleep_ms(5);
		clock_goes_on(CLOCK_MONOTONIC, monotonic);
		clock_goes_on(CLOCK_BOOTTIME, boottime);
		clock_goes_on(CLOCK_MONOTONIC_RAW, raw);
		clock_goes_on(CLOCK_MONOTONIC_COARSE, coarse);
	} while (access("go", F_OK));
	CHECK_EQ(start_of(getpid()), start);
}

static void sleep_clock(clockid_t clock, long long end)
{
	struct timespec ts = timespec_of(end);

	CHECK(!clock_nanosleep(clock, TIMER_ABSTIME, &ts, NULL));
}

static void sleep_monotonic(long long end)
{
	sleep_clock(CLOCK_MONOTONIC, end);
}

static void sleep_boottime(long long end)
{
	sleep_clock(CLOCK_BOOTTIME, end - clock_ns(CLOCK_MONOTONIC) + clock_ns(CLOCK_BOOTTIME));
}

static void sleep_futex(long long end)
{
	struct timespec ts = timespec_of(end);
	int word = 0;

	CHECK_EQ(syscall(SYS_futex, &word, FUTEX_WAIT_BITSET_PRIVATE, 0, &ts, NULL, 1), -1);
	CHECK_EQ(errno, ETIMEDOUT);
}

static void sleep_relative(long long end)
{
	struct timespec ts = timespec_of(end - clock_ns(CLOCK_MONOTONIC));

	while (nanosleep(&ts, &ts))
		CHECK_EQ(errno, EINTR);
}

static void sleep_on_timer(clockid_t clock, long long end)
{
	struct sigevent event = {
		.sigev_notify = SIGEV_THREAD_ID,
		.sigev_signo = SIGRTMIN,
	};
	struct itimerspec at = { .it_value = timespec_of(end) };
	sigset_t set;
	timer_t id;
	int sig;

	event._sigev_un._tid = gettid();
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	CHECK(!timer_create(clock, &event, &id));
	CHECK(!timer_settime(id, TIMER_ABSTIME, &at, NULL));
	CHECK(!sigwait(&set, &sig));
}

static void sleep_timer(long long end)
{
	sleep_on_timer(CLOCK_MONOTONIC, end);
}

static void sleep_boot_timer(long long end)
{
	sleep_on_timer(CLOCK_BOOTTIME,
		       end - clock_ns(CLOCK_MONOTONIC) + clock_ns(CLOCK_BOOTTIME));
}

static void (*const sleepers[])(long long end) = {
	sleep_monotonic, sleep_boottime, sleep_futex, sleep_relative, sleep_timer,
	sleep_boot_timer,
};

#define NR_SLEEPERS	ARRAY_SIZE(sleepers)

/* Neither too soon nor too late by the clock that the program reads */
static void *sleeper(void *arg)
{
	long long end = clock_ns(CLOCK_MONOTONIC) + SLEEP * NSEC, now;

	sleepers[(long)arg](end);
	now = clock_ns(CLOCK_MONOTONIC);
	if (now < end - NSEC / 1000 || now > end + LATE)
		dprintf(2, "number %ld is %lld ns late\n", (long)arg, now - end);
	CHECK(now >= end - NSEC / 1000 && now <= end + LATE);
	return NULL;
}

static void subject_sleepers(void)
{
	pthread_t threads[NR_SLEEPERS];
	sigset_t set;
	long i;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	CHECK(!sigprocmask(SIG_BLOCK, &set, NULL));
	for (i = 0; i < NR_SLEEPERS; i++)
		CHECK(!pthread_create(&threads[i], NULL, sleeper, (void *)i));
	subject_sleep_ms(100);
	subject_touch("ready");
	for (i = 0; i < NR_SLEEPERS; i++)
		CHECK(!pthread_join(threads[i], NULL));
}

SURVIVE(what_sleeps_until_a_time)
{
	subject_sleepers();
}

static bool is_of_machine(clockid_t clock)
{
	return clock == CLOCK_MONOTONIC || clock == CLOCK_BOOTTIME;
}

static void move_timer(struct ckpt_rec_task_timer *timer, long long by)
{
	if (is_of_machine(timer->clock) && timer->expires)
		timer->expires += by;
}

static void move_call(struct ckpt_rec_task_restart *call, long long by)
{
	if (!is_of_machine(call->clockid) || !(call->flags & CKPT_RESTARTF_TIMEOUT))
		return;
	/* never is never */
	if (__builtin_add_overflow(call->time_ns, by, &call->time_ns))
		call->time_ns = LLONG_MAX;
}

static void move_record(const struct item *item, long long by)
{
	struct ckpt_rec_task_itimers *itimers = (void *)item->payload;
	struct ckpt_rec_task_times *times = (void *)item->payload;
	struct ckpt_rec_clocks *clocks = (void *)item->payload;
	struct ckpt_rec_time_ns *ns = (void *)item->payload;

	switch (item->type) {
	case CKPT_REC_CLOCKS:
		clocks->monotonic += by;
		clocks->boottime += by;
		break;
	case CKPT_REC_TIME_NS:
		ns->monotonic -= by;
		ns->boottime -= by;
		break;
	case CKPT_REC_TASK_TIMES:
		times->start += by;
		times->boot_start += by;
		break;
	case CKPT_REC_TASK_ITIMERS:
		if (itimers->expires[0])
			itimers->expires[0] += by;
		break;
	case CKPT_REC_TASK_TIMER:
		move_timer((void *)item->payload, by);
		break;
	case CKPT_REC_TASK_RESTART:
		move_call((void *)item->payload, by);
		break;
	}
}

/* The image of a machine that was up for longer, or not for as long */
static void move_image(struct subject *s, long long by)
{
	size_t i;

	CHECK(image_load(s, &image));
	for (i = 0; i < image.nr; i++)
		if (!image.items[i].data)
			move_record(&image.items[i], by);
	CHECK(image_store(s, &image));
}

static long long uptime(struct subject *s)
{
	const struct ckpt_rec_clocks *clocks;

	CHECK(image_load(s, &image));
	clocks = (void *)image.items[image.nr - 2].payload;
	CHECK_EQ(image.items[image.nr - 2].type, CKPT_REC_CLOCKS);
	return clocks->monotonic;
}

FIXTURE(machine)
{
	struct subject s;
};

FIXTURE_VARIANT(machine)
{
	bool moved;
	long long uptime;	/* of the one that wrote the image, if it is another */
};

FIXTURE_VARIANT_ADD(machine, same) {};
FIXTURE_VARIANT_ADD(machine, up_for_years) { true, 300000000 * NSEC };
FIXTURE_VARIANT_ADD(machine, up_for_a_second) { true, NSEC };

FIXTURE_SETUP(machine)
{
	memset(&self->s, 0, sizeof(self->s));
}

FIXTURE_TEARDOWN(machine)
{
	if (self->s.pid > 0)
		subject_kill(&self->s);
	subject_clean(&self->s);
}

static void go_away(struct __test_metadata *_metadata, struct subject *s,
		    const FIXTURE_VARIANT(machine) *variant, void (*fn)(void))
{
	ASSERT_TRUE(subject_start(s, fn)) subject_print(s);
	ASSERT_GT(subject_checkpoint(s, CHECKPOINT_KILL), 0) subject_print(s);
	ASSERT_EQ(waitpid(s->pid, NULL, 0), s->pid);
	if (variant->moved)
		move_image(s, variant->uptime - uptime(s));
	else
		subject_sleep_ms(AWAY * 1000);
}

static void come_back(struct __test_metadata *_metadata, struct subject *s,
		      const FIXTURE_VARIANT(machine) *variant, void (*fn)(void))
{
	go_away(_metadata, s, variant, fn);
	ASSERT_EQ(subject_restart(s, 0), s->pid) subject_print(s);
	subject_sleep_ms(100);
	/* And once more, from outside its time namespace */
	ASSERT_GT(subject_checkpoint(s, CHECKPOINT_KILL), 0) subject_print(s);
	ASSERT_EQ(waitpid(s->pid, NULL, 0), s->pid);
	ASSERT_EQ(subject_restart(s, 0), s->pid) subject_print(s);
	subject_sleep_ms(100);
	EXPECT_EQ(subject_finish(s), 0) subject_print(s);
	s->pid = 0;
}

TEST_F(machine, clocks_stand_still_until_the_restart)
{
	come_back(_metadata, &self->s, variant, subject_clocks);
}

TEST_F(machine, sleepers_sleep_until_then)
{
	come_back(_metadata, &self->s, variant, subject_sleepers);
}

/* Older than the machine is up: to who is outside, as old as that */
TEST_F(machine, start_as_others_see_it)
{
	go_away(_metadata, &self->s, variant, subject_clocks);
	ASSERT_EQ(subject_restart(&self->s, 0), self->s.pid) subject_print(&self->s);
	EXPECT_LE(start_of(self->s.pid), clock_ns(CLOCK_BOOTTIME) * sysconf(_SC_CLK_TCK) / NSEC);
	EXPECT_EQ(subject_finish(&self->s), 0) subject_print(&self->s);
	self->s.pid = 0;
}

/* Without a time namespace the clocks are the machine's. */
static void subject_machine_clocks(void)
{
	char own[64] = "", machine[64] = "", path[64];

	subject_ready();
	CHECK(readlink("/proc/self/ns/time", own, sizeof(own) - 1) > 0);
	snprintf(path, sizeof(path), "/proc/%d/ns/time", getppid());
	CHECK(readlink(path, machine, sizeof(machine) - 1) > 0);
	CHECK(!strcmp(own, machine));
}

TEST_F(machine, without_time_namespace)
{
	go_away(_metadata, &self->s, variant, subject_machine_clocks);
	ASSERT_EQ(subject_restart(&self->s, RESTART_NO_TIME_NAMESPACE), self->s.pid)
		subject_print(&self->s);
	EXPECT_EQ(subject_finish(&self->s), 0) subject_print(&self->s);
	self->s.pid = 0;
}

static void (*the_sleep)(long long end);

static void subject_one_sleeper(void)
{
	subject_touch("ready");
	for (;;)
		the_sleep(clock_ns(CLOCK_MONOTONIC) + 1000 * NSEC);
}

static void wait_asleep(struct subject *s)
{
	char path[64], state = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", s->pid);
	do {
		subject_sleep_ms(50);
		file = fopen(path, "r");
		CHECK(file && fscanf(file, "%*d (%*[^)]) %c", &state) == 1);
		fclose(file);
	} while (state != 'S');
}

static void refuse_sleeper(struct __test_metadata *_metadata, struct subject *s,
			   void (*sleep)(long long end), const char *text)
{
	the_sleep = sleep;
	ASSERT_TRUE(subject_start(s, subject_one_sleeper)) subject_print(s);
	wait_asleep(s);
	ASSERT_GT(subject_checkpoint(s, CHECKPOINT_KILL), 0) subject_print(s);
	ASSERT_EQ(waitpid(s->pid, NULL, 0), s->pid);
	EXPECT_EQ(subject_restart(s, RESTART_NO_TIME_NAMESPACE), -EOPNOTSUPP) subject_print(s);
	EXPECT_TRUE(log_has(s, text)) subject_print(s);
	EXPECT_EQ(kill(s->pid, 0), -1);
	ASSERT_EQ(subject_restart(s, 0), s->pid) subject_print(s);
	/* Again, of a call that has begun again */
	wait_asleep(s);
	ASSERT_GT(subject_checkpoint(s, CHECKPOINT_KILL), 0) subject_print(s);
	ASSERT_EQ(waitpid(s->pid, NULL, 0), s->pid);
	EXPECT_EQ(subject_restart(s, RESTART_NO_TIME_NAMESPACE), -EOPNOTSUPP) subject_print(s);
	s->pid = 0;
}

TEST_F(refuse, sleeper_on_monotonic_without_time_namespace)
{
	refuse_sleeper(_metadata, &self->s, sleep_monotonic,
		       "sleeps until a time of CLOCK_MONOTONIC");
}

TEST_F(refuse, sleeper_on_boottime_without_time_namespace)
{
	refuse_sleeper(_metadata, &self->s, sleep_boottime,
		       "sleeps until a time of CLOCK_BOOTTIME");
}

TEST_F(refuse, sleeper_on_futex_without_time_namespace)
{
	refuse_sleeper(_metadata, &self->s, sleep_futex,
		       "sleeps until a time of CLOCK_MONOTONIC");
}

/* That of CLOCK_BOOTTIME, which wakes the machine up */
static void sleep_alarm(long long end)
{
	sleep_clock(CLOCK_BOOTTIME_ALARM,
		    end - clock_ns(CLOCK_MONOTONIC) + clock_ns(CLOCK_BOOTTIME));
}

static bool has_alarm_clock(void)
{
	struct timespec now = {};

	return !clock_nanosleep(CLOCK_BOOTTIME_ALARM, TIMER_ABSTIME, &now, NULL);
}

TEST_F(refuse, sleeper_on_alarm_clock_without_time_namespace)
{
	if (!has_alarm_clock())
		SKIP(return, "no clock that can wake the machine up");
	refuse_sleeper(_metadata, &self->s, sleep_alarm,
		       "sleeps until a time of CLOCK_BOOTTIME");
}

SURVIVE_IF(sleep_until_a_time_of_an_alarm_clock, has_alarm_clock(),
	   "no clock that can wake the machine up")
{
	long long end = clock_ns(CLOCK_MONOTONIC) + SLEEP * NSEC;
	pid_t kid = fork();
	int status;

	if (!kid) {
		sleep_alarm(end);
		CHECK(clock_ns(CLOCK_MONOTONIC) >= end - NSEC / 1000);
		CHECK(clock_ns(CLOCK_MONOTONIC) < end + LATE);
		_exit(0);
	}
	subject_sleep_ms(100);
	subject_ready();
	CHECK_EQ(waitpid(kid, &status, 0), kid);
	CHECK_EQ(status, 0);
}

REFUSE_IF(sleep_for_a_time_of_an_alarm_clock, has_alarm_clock(),
	  "no clock that can wake the machine up", EOPNOTSUPP,
	  "sleeps on a CPU-time or alarm clock")
{
	struct timespec ts = { .tv_sec = 1000 };
	pid_t kid = fork();

	if (!kid)
		_exit(clock_nanosleep(CLOCK_BOOTTIME_ALARM, 0, &ts, NULL));
	subject_sleep_ms(100);
	subject_ready();
	CHECK(!kill(kid, SIGKILL));
	CHECK_EQ(waitpid(kid, NULL, 0), kid);
}

REFUSE_IF(timer_on_an_alarm_clock, has_alarm_clock(), "no clock that can wake the machine up",
	  EOPNOTSUPP, "POSIX timer 0 on an alarm clock")
{
	struct sigevent event = { .sigev_notify = SIGEV_NONE };
	timer_t id;

	CHECK(!timer_create(CLOCK_REALTIME_ALARM, &event, &id));
	subject_ready();
}

static long long cpu_end;
static volatile bool cpu_end_reached;

static void *sleep_until_cpu_end(void *unused)
{
	sleep_clock(CLOCK_PROCESS_CPUTIME_ID, cpu_end);
	CHECK(clock_ns(CLOCK_PROCESS_CPUTIME_ID) >= cpu_end);
	cpu_end_reached = true;
	return NULL;
}

/* Only the program itself, which goes on after the restart, makes its CPU time pass. */
SURVIVE(sleep_until_a_time_of_a_cpu_clock)
{
	pthread_t thread;

	cpu_end = clock_ns(CLOCK_PROCESS_CPUTIME_ID) + NSEC / 2;
	CHECK(!pthread_create(&thread, NULL, sleep_until_cpu_end, NULL));
	subject_sleep_ms(100);
	subject_ready();
	CHECK(!cpu_end_reached);
	while (!cpu_end_reached)
		;
	CHECK(clock_ns(CLOCK_PROCESS_CPUTIME_ID) < cpu_end + LATE);
	CHECK(!pthread_join(thread, NULL));
}

/* One that sleeps for a time, or until a time of day, is let go. */
static void subject_other_sleepers(void)
{
	struct timespec ts = timespec_of(clock_ns(CLOCK_REALTIME) + SLEEP * NSEC);
	pid_t kid = fork();
	int status;

	if (!kid) {
		CHECK(!clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &ts, NULL));
		_exit(0);
	}
	subject_touch("ready");
	subject_sleep_ms(SLEEP * 1000);
	CHECK_EQ(waitpid(kid, &status, 0), kid);
	CHECK_EQ(status, 0);
}

TEST_F(machine, other_sleepers_without_time_namespace)
{
	go_away(_metadata, &self->s, variant, subject_other_sleepers);
	ASSERT_EQ(subject_restart(&self->s, RESTART_NO_TIME_NAMESPACE), self->s.pid)
		subject_print(&self->s);
	EXPECT_EQ(subject_finish(&self->s), 0) subject_print(&self->s);
	self->s.pid = 0;
}

#define AHEAD	1000000LL	/* s that a time namespace is ahead */

static void new_time_namespace(void)
{
	char text[64];
	int fd;

	CHECK(!unshare(CLONE_NEWTIME));
	fd = open("/proc/self/timens_offsets", O_WRONLY);
	CHECK(fd >= 0);
	snprintf(text, sizeof(text), "monotonic %lld 0\nboottime %lld 0\n", AHEAD, 2 * AHEAD);
	CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

static void check_ahead(long long base)
{
	long long ahead = clock_ns(CLOCK_MONOTONIC) - base;

	/* of the machine's clock: the parent's may be off from it by then */
	CHECK(ahead >= AHEAD * NSEC - NSEC && ahead < AHEAD * NSEC + 60 * NSEC);
	CHECK(clock_ns(CLOCK_BOOTTIME) >= 2 * AHEAD * NSEC);
	CHECK(syscall_ns(CLOCK_MONOTONIC) - clock_ns(CLOCK_MONOTONIC) < LATE);
}

static pid_t fork_ahead(long long base)
{
	pid_t kid = fork();

	if (kid)
		return kid;
	check_ahead(base);
	while (access("go", F_OK))
		subject_sleep_ms(5);
	check_ahead(base);
	_exit(0);
}

/* The parent's clock is the machine's; its children have their own. */
SURVIVE(own_time_namespaces)
{
	long long base = clock_ns(CLOCK_MONOTONIC);
	pid_t kid;
	int status;

	new_time_namespace();
	kid = fork_ahead(base);
	subject_ready();
	CHECK_EQ(waitpid(kid, &status, 0), kid);
	CHECK_EQ(status, 0);
	CHECK(clock_ns(CLOCK_MONOTONIC) >= base);
	CHECK(clock_ns(CLOCK_MONOTONIC) < base + 60 * NSEC);
	kid = fork_ahead(base);
	CHECK_EQ(waitpid(kid, &status, 0), kid);
	CHECK_EQ(status, 0);
}

/* Nobody has been born into it yet: its clocks can still be set. */
SURVIVE(time_namespace_to_be)
{
	long long base;
	pid_t kid;
	int status;

	CHECK(!unshare(CLONE_NEWTIME));
	subject_ready();
	base = clock_ns(CLOCK_MONOTONIC);
	new_time_namespace();
	kid = fork_ahead(base);
	CHECK_EQ(waitpid(kid, &status, 0), kid);
	CHECK_EQ(status, 0);
}

/* Without the right to make a time namespace, nobody is given one. */
TEST_F(refuse, time_namespace_without_capability)
{
	pid_t kid;
	int status;

	ASSERT_TRUE(subject_start(&self->s, subject_machine_clocks)) subject_print(&self->s);
	ASSERT_GT(subject_checkpoint(&self->s, CHECKPOINT_KILL), 0) subject_print(&self->s);
	ASSERT_EQ(waitpid(self->s.pid, NULL, 0), self->s.pid);
	kid = fork();
	if (!kid) {
		caps_lower(1ULL << CAP_SYS_TIME);
		CHECK_EQ(subject_restart(&self->s, 0), -EPERM);
		CHECK(log_has(&self->s, "RESTART_NO_TIME_NAMESPACE"));
		CHECK_EQ(kill(self->s.pid, 0), -1);
		CHECK_EQ(subject_restart(&self->s, RESTART_NO_TIME_NAMESPACE), self->s.pid);
		CHECK_EQ(subject_finish(&self->s), 0);
		_exit(0);
	}
	ASSERT_EQ(waitpid(kid, &status, 0), kid);
	EXPECT_EQ(status, 0) subject_print(&self->s);
	self->s.pid = 0;
}

/* No image sets a clock to a time before its beginning, or near the end of time. */
static void forge_offset(struct __test_metadata *_metadata, struct subject *s, long long offset)
{
	size_t i;

	ASSERT_TRUE(subject_start(s, subject_clocks)) subject_print(s);
	ASSERT_GT(subject_checkpoint(s, CHECKPOINT_KILL), 0) subject_print(s);
	ASSERT_EQ(waitpid(s->pid, NULL, 0), s->pid);
	CHECK(image_load(s, &image));
	for (i = 0; i < image.nr; i++) {
		struct ckpt_rec_time_ns *ns = (void *)image.items[i].payload;

		if (!image.items[i].data && image.items[i].type == CKPT_REC_TIME_NS)
			ns->monotonic = ns->boottime = offset;
	}
	CHECK(image_store(s, &image));
	ASSERT_EQ(subject_restart(s, RESTART_STOPPED), s->pid) subject_print(s);
	subject_kill(s);
	s->pid = 0;
}

TEST_F(refuse, no_clock_below_zero)
{
	forge_offset(_metadata, &self->s, -(LLONG_MAX / 2));
}

TEST_F(refuse, no_clock_at_the_end_of_time)
{
	forge_offset(_metadata, &self->s, LLONG_MAX / 2);
}

TEST_HARNESS_MAIN
