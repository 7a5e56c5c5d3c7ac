// SPDX-License-Identifier: GPL-2.0
/*
 * What an image says of a task is checked as by the system calls that set it: no
 * value gets into the kernel that no program could have put there.
 */
#include <sched.h>
#include <sys/prctl.h>
#include <time.h>

#include "forged.h"

#define CPU_CLOCK(pid, which)	((int)(~(unsigned int)(pid) << 3 | (which)))
#define NO_CLOCK		3
#define OF_THREAD		4

static void handler(int sig)
{
	(void)sig;
}

static int create_timer(clockid_t clock)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	int id;

	CHECK(!syscall(SYS_timer_create, clock, &event, &id));
	return id;
}

/* The timer that is made first is the first in the image. */
static void subject_with_all_that(void)
{
	stack_t stack = { .ss_sp = malloc(1 << 16), .ss_size = 1 << 16 };
	cpu_set_t cpus = { { 1 } };
	int timer;

	CHECK(!sched_setaffinity(0, sizeof(cpus), &cpus));
	signal(SIGUSR1, handler);
	CHECK(!sigaltstack(&stack, NULL));
	timer = create_timer(CLOCK_MONOTONIC);
	create_timer(CLOCK_PROCESS_CPUTIME_ID);
	subject_ready();
	CHECK(!sched_getaffinity(0, sizeof(cpus), &cpus));
	dprintf(2, "overrun %ld dumpable %d affinity %lx\n",
		syscall(SYS_timer_getoverrun, timer), prctl(PR_GET_DUMPABLE), cpus.__bits[0]);
}

#define F(rec, ...)	FORGE(rec, F_##rec, __VA_ARGS__)

#define F_CKPT_REC_SIGHAND	ckpt_rec_sighand
#define F_CKPT_REC_TASK_CREDS	ckpt_rec_task_creds
#define F_CKPT_REC_TASK_ITIMERS	ckpt_rec_task_itimers
#define F_CKPT_REC_TASK_REGS	ckpt_rec_task_regs
#define F_CKPT_REC_TASK_SIGMASK	ckpt_rec_task_sigmask
#define F_CKPT_REC_TASK_TIMER	ckpt_rec_task_timer
#define F_CKPT_REC_TASK_XSTATE	ckpt_rec_task_xstate

#define HUGE	0xffffffffU

static const struct forgery forgeries[] = {
	F(CKPT_REC_TASK_TIMER, id, HUGE, EINVAL, "bad POSIX timer -1"),
	F(CKPT_REC_TASK_TIMER, notify, 7, EINVAL, "cannot create POSIX timer"),
	F(CKPT_REC_TASK_TIMER, notify, SIGEV_THREAD_ID, EINVAL, "cannot create POSIX timer"),
	F(CKPT_REC_TASK_TIMER, signo, 65, EINVAL, "bad POSIX timer"),
	F(CKPT_REC_TASK_TIMER, signo, 0, EINVAL, "cannot create POSIX timer"),
	F(CKPT_REC_TASK_TIMER, expires, 1ULL << 63, EINVAL, "bad POSIX timer"),
	F(CKPT_REC_TASK_TIMER, interval, 1ULL << 63, EINVAL, "bad POSIX timer"),
	F(CKPT_REC_TASK_TIMER, overrun, -1ULL, EINVAL, "bad POSIX timer"),
	F(CKPT_REC_TASK_TIMER, overrun, 1ULL << 63, EINVAL, "bad POSIX timer"),
	F(CKPT_REC_TASK_TIMER, overrun_last, -2ULL, EINVAL, "bad POSIX timer"),
	F(CKPT_REC_TASK_TIMER, flags, 1U << 31, EINVAL, "bad POSIX timer"),
	F(CKPT_REC_TASK_TIMER, flags, CKPT_TIMERF_TIME_OF_DAY, EINVAL, "bad POSIX timer"),
	/* the place of a signal that is not pending; one beyond all queues */
	F(CKPT_REC_TASK_TIMER, turn, 1, EINVAL, "bad POSIX timer"),
	F(CKPT_REC_TASK_TIMER, turn, HUGE, EINVAL, "bad POSIX timer"),
	F(CKPT_REC_TASK_ITIMERS, expires[2], 1ULL << 63, EINVAL, "bad interval timers"),
	F(CKPT_REC_TASK_ITIMERS, interval[1], 1ULL << 63, EINVAL, "bad interval timers"),
	F(CKPT_REC_TASK_ITIMERS, next_timer_id, 1U << 31, EINVAL, "bad interval timers"),
	F(CKPT_REC_TASK_ITIMERS, flags, 1U << 31, EINVAL, "bad interval timers"),
	/* once "dumpable", which is the address space's */
	F(CKPT_REC_TASK_CREDS, dumpable, 2, EINVAL, "bad credentials"),
	F(CKPT_REC_TASK_CREDS, no_new_privs, 2, EINVAL, "bad credentials"),
	F(CKPT_REC_TASK_CREDS, cap_effective, 1ULL << 63, EINVAL, "bad credentials"),
	F(CKPT_REC_TASK_CREDS, nr_groups, HUGE, EINVAL, "bad credentials"),
	F(CKPT_REC_TASK_CREDS, nr_groups, 9, EINVAL, "bad credentials"),
	F(CKPT_REC_TASK_CREDS, fsuid, HUGE, EINVAL, "cannot become uid"),
	F(CKPT_REC_TASK_CREDS, sgid, HUGE, EINVAL, "cannot become gid"),
	F(CKPT_REC_TASK_CREDS, securebits, 1U << 31, EINVAL, "cannot set securebits"),
	/* immutable, and yet not SIG_DFL */
	F(CKPT_REC_SIGHAND, action[9].flags, 0x00800000, EINVAL, "bad handler of signal 10"),
	F(CKPT_REC_TASK_SIGMASK, altstack_flags, SS_ONSTACK | SS_DISABLE, EINVAL,
	  "bad signal mask"),
	F(CKPT_REC_TASK_SIGMASK, altstack_flags, 4, EINVAL, "bad signal mask"),
	/* addresses to no CPU */
	F(CKPT_REC_TASK_REGS, fs_base, 1ULL << 62, EINVAL, "bad registers"),
	F(CKPT_REC_TASK_REGS, gs_base, 1ULL << 63, EINVAL, "bad registers"),
	F(CKPT_REC_TASK_XSTATE, guest_permitted, 1, EINVAL, "bad FPU record"),
	F(CKPT_REC_TASK_XSTATE, guest_permitted, 1 << 17, EINVAL, "bad FPU record"),
};

FIXTURE(forged_task)
{
	struct census before;
};

FIXTURE_SETUP(forged_task)
{
	out.buf = malloc(MAX_IMAGE);
	out.headers = XXH64_createState();
	ASSERT_TRUE(out.buf && out.headers);
	ASSERT_TRUE(census_adopt_orphans());
	ASSERT_TRUE(take_image(subject_with_all_that)) subject_print(&s);
	copy_good();
	ASSERT_EQ(try_work(), s.pid) subject_print(&s);
	ASSERT_EQ(census_kill_children(), 1);
	census_take(&self->before);
}

FIXTURE_TEARDOWN(forged_task)
{
	EXPECT_EQ(census_kill_children(), 0);
	EXPECT_TRUE(census_same(&self->before));
	subject_clean(&s);
}

TEST_F_TIMEOUT(forged_task, one_field, 120)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(forgeries); i++)
		EXPECT_TRUE(forge(&forgeries[i]));
}

static struct ckpt_rec_task_timer *first_timer(void)
{
	copy_good();
	return (void *)image_first(&work, CKPT_REC_TASK_TIMER)->payload;
}

static bool clock_is_refused(int clock, int cpu_pid)
{
	struct ckpt_rec_task_timer *timer = first_timer();

	timer->clock = clock;
	timer->cpu_pid = cpu_pid;
	if (refused(try_work(), EINVAL, "bad POSIX timer"))
		return true;
	fprintf(stderr, "# clock %d cpu_pid %d\n", clock, cpu_pid);
	return false;
}

/* A timer on them would be one kind of timer to some functions and another to others. */
TEST_F_TIMEOUT(forged_task, clocks_that_are_none, 120)
{
	static const int clocks[] = {
		CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID, CLOCK_MONOTONIC_RAW,
		CLOCK_REALTIME_COARSE, CLOCK_MONOTONIC_COARSE, CLOCK_REALTIME_ALARM,
		CLOCK_BOOTTIME_ALARM, 10, CLOCK_TAI, 12, 1000, INT_MAX,
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(clocks); i++) {
		EXPECT_TRUE(clock_is_refused(clocks[i], 0));
		EXPECT_TRUE(clock_is_refused(clocks[i], s.pid));
	}
	EXPECT_TRUE(clock_is_refused(CLOCK_REALTIME, s.pid));
	EXPECT_TRUE(clock_is_refused(CLOCK_MONOTONIC, s.pid));
	EXPECT_TRUE(clock_is_refused(CPU_CLOCK(0, NO_CLOCK), s.pid));
	EXPECT_TRUE(clock_is_refused(CPU_CLOCK(s.pid, NO_CLOCK), s.pid));
	EXPECT_TRUE(clock_is_refused(CPU_CLOCK(s.pid, OF_THREAD | NO_CLOCK), s.pid));
	EXPECT_TRUE(clock_is_refused(CPU_CLOCK(s.pid + 1, 2), s.pid));
}

static bool turn_is_refused(unsigned int turn, int notify)
{
	struct ckpt_rec_task_timer *timer = first_timer();

	timer->flags = CKPT_TIMERF_PENDING;
	timer->turn = turn;
	timer->notify = notify;
	return refused(try_work(), EINVAL, "bad POSIX timer");
}

/* From which numbers of the kernel are made that must not overflow */
TEST_F(forged_task, turns_of_timers)
{
	EXPECT_TRUE(turn_is_refused(CKPT_MAX_TIMER_TURN + 1, SIGEV_SIGNAL));
	EXPECT_TRUE(turn_is_refused(HUGE, SIGEV_SIGNAL));
	EXPECT_TRUE(turn_is_refused(1, SIGEV_NONE));
}

static bool twice_is_refused(uint16_t type)
{
	size_t i;

	copy_good();
	for (i = 0; i < work.nr && work.items[i].type != type; i++)
		;
	if (i < work.nr) {
		image_insert(&work, i + 1, &work.items[i]);
		if (refused(try_work(), EINVAL, "comes twice"))
			return true;
	}
	fprintf(stderr, "# record type %u\n", type);
	return false;
}

/* A restart remembers something of each until the tree is complete. */
TEST_F_TIMEOUT(forged_task, parts_that_come_twice, 120)
{
	static const uint16_t types[] = {
		CKPT_REC_TASK_ITIMERS, CKPT_REC_TASK_MISC, CKPT_REC_TASK_RLIMITS,
		CKPT_REC_TASK_SCHED, CKPT_REC_TASK_SIGMASK, CKPT_REC_TASK_TIMES,
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(types); i++)
		EXPECT_TRUE(twice_is_refused(types[i]));
}

/* Some of which make another clock of the number that a CPU clock is asked for by */
TEST_F_TIMEOUT(forged_task, pids_that_are_none, 120)
{
	static const int pids[] = { 0, -1, -2, INT_MIN, 1 << 28, (1 << 29) - 1, 1 << 29, INT_MAX };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(pids); i++) {
		EXPECT_TRUE(clock_is_refused(CPU_CLOCK(0, 2), pids[i]));
		EXPECT_TRUE(clock_is_refused(CPU_CLOCK(0, OF_THREAD | 1), pids[i]));
	}
}

/* A task group each, which only the restart would know of */
TEST_F(forged_task, second_autogroup)
{
	struct ckpt_rec_header *head;
	struct ckpt_rec_obj *obj;
	size_t i;

	if (access("/proc/self/autogroup", F_OK))
		SKIP(return, "no CONFIG_SCHED_AUTOGROUP");
	copy_good();
	for (i = 0; i < work.nr && work.items[i].type != CKPT_REC_AUTOGROUP; i++)
		;
	ASSERT_LT(i, work.nr);
	image_insert(&work, i + 1, &work.items[i]);
	image_insert(&work, i + 1, &work.items[i - 1]);
	obj = (void *)work.items[i + 1].payload;
	ASSERT_EQ(obj->type, CKPT_OBJ_AUTOGROUP);
	head = (void *)image_first(&work, CKPT_REC_HEADER)->payload;
	obj->objref = ++head->nr_objs;
	EXPECT_TRUE(refused(try_work(), EINVAL, "a second autogroup"));
}

static bool subject_tells(const char *text)
{
	int fd, status = subject_finish(&s);
	char buf[256] = "";

	fd = test_open(&s, "stderr", O_RDONLY);
	if (read(fd, buf, sizeof(buf) - 1) < 0 || status || !strstr(buf, text))
		fprintf(stderr, "# status %d, not \"%s\": %s", status, text, buf);
	close(fd);
	return !status && strstr(buf, text);
}

/* What others would have made of a larger number is what programs are told. */
TEST_F(forged_task, overruns_beyond_an_int)
{
	first_timer()->overrun_last = INT64_MAX;
	ASSERT_EQ(try_work(), s.pid) subject_print(&s);
	EXPECT_TRUE(subject_tells("overrun 2147483647 "));
}

/* Which prctl(2) does not set: the kernel does, for programs that change users. */
TEST_F(forged_task, dumpable_for_root_only)
{
	struct ckpt_rec_mm *mm;

	copy_good();
	mm = (void *)image_first(&work, CKPT_REC_MM)->payload;
	ASSERT_EQ(mm->dumpable, CKPT_MM_DUMPABLE_USER);
	mm->dumpable = CKPT_MM_DUMPABLE_ROOT;
	ASSERT_EQ(try_work(), s.pid) subject_print(&s);
	EXPECT_TRUE(subject_tells("dumpable 0"));
}

/* From a machine with more CPUs: those that are here remain. */
TEST_F(forged_task, cpu_that_is_not_here)
{
	struct item *item;
	uint64_t *cpus;

	copy_good();
	item = image_first(&work, CKPT_REC_TASK_SCHED);
	ASSERT_EQ(item->len, sizeof(struct ckpt_rec_task_sched) + sizeof(*cpus));
	cpus = (void *)(item->payload + sizeof(struct ckpt_rec_task_sched));
	ASSERT_EQ(*cpus, 1);
	*cpus |= 1ULL << 63;
	ASSERT_EQ(try_work(), s.pid) subject_print(&s);
	EXPECT_TRUE(log_has(&s, "CPU 63 of its affinity is not there")) subject_print(&s);
	EXPECT_TRUE(subject_tells("affinity 1\n"));
}

TEST_HARNESS_MAIN
