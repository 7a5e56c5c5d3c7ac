// SPDX-License-Identifier: GPL-2.0
/*
 * Calls that wait for a limited time: to be frozen and restarted does not make
 * them longer, or fail with EINTR.
 */
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/sem.h>

#include "ckpt_test.h"
#ifdef __i386__
#include "ia32.h"
#endif

#define TIMEOUT		4	/* s, of each call */

/* On i386, SYS_select takes its arguments from memory. */
#ifdef SYS__newselect
#define NR_SELECT	SYS__newselect
#else
#define NR_SELECT	SYS_select
#endif

static const struct timespec timeout = { .tv_sec = TIMEOUT };

static double now_by(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static double now(void)
{
	return now_by(CLOCK_MONOTONIC);
}

static int fds[2], semid, futex_word;

static void wait_nanosleep(void)
{
	struct timespec left = timeout;

	CHECK(!syscall(SYS_nanosleep, &left, &left));
}

static void wait_clock_nanosleep(void)
{
	struct timespec end;

	CHECK(!clock_gettime(CLOCK_REALTIME, &end));
	end.tv_sec += TIMEOUT;
	CHECK(!clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &end, NULL));
}

static void wait_poll(void)
{
	struct pollfd pfd = { .fd = fds[0], .events = POLLIN };

	CHECK_EQ(poll(&pfd, 1, TIMEOUT * 1000), 0);
}

static void wait_ppoll(void)
{
	struct pollfd pfd = { .fd = fds[0], .events = POLLIN };
	struct timespec left = timeout;

	CHECK_EQ(syscall(SYS_ppoll, &pfd, 1, &left, NULL, 8), 0);
}

static void wait_select(void)
{
	struct timeval left = { .tv_sec = TIMEOUT };
	fd_set set;

	FD_ZERO(&set);
	FD_SET(fds[0], &set);
	CHECK_EQ(syscall(NR_SELECT, fds[0] + 1, &set, NULL, NULL, &left), 0);
}

static void wait_pselect(void)
{
	struct timespec left = timeout;

	CHECK_EQ(syscall(SYS_pselect6, 0, NULL, NULL, NULL, &left, NULL), 0);
}

static void wait_futex(void)
{
	CHECK_EQ(syscall(SYS_futex, &futex_word, FUTEX_WAIT_PRIVATE, 0, &timeout, NULL, 0), -1);
	CHECK_EQ(errno, ETIMEDOUT);
}

static void wait_sigtimedwait(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	CHECK_EQ(sigtimedwait(&set, NULL, &timeout), -1);
	CHECK_EQ(errno, EAGAIN);
}

static void wait_semtimedop(void)
{
	struct sembuf op = { .sem_op = -1 };

	CHECK_EQ(semtimedop(semid, &op, 1, &timeout), -1);
	CHECK_EQ(errno, EAGAIN);
}

#ifdef __i386__
/* The others enter by way of the vdso, and some have 64-bit times. */
static void wait_int80(void)
{
	struct timespec left = timeout;

	CHECK_EQ(int80(IA32_nanosleep, (long)&left, (long)&left, 0, 0, 0), 0);
}

static void wait_ipc(void)
{
	struct sembuf op = { .sem_op = -1 };

	/* 4 is SEMTIMEDOP */
	CHECK_EQ(syscall(IA32_ipc, 4, semid, 1, 0, &op, &timeout), -1);
	CHECK_EQ(errno, EAGAIN);
}

static void wait_old_sigtimedwait(void)
{
	uint64_t set = 1 << (SIGUSR1 - 1);

	CHECK_EQ(syscall(IA32_rt_sigtimedwait, &set, NULL, &timeout, 8), -1);
	CHECK_EQ(errno, EAGAIN);
}
#endif

/* These cannot be saved yet: only looked at. */
static void wait_epoll(void)
{
	struct epoll_event event;
	int fd = epoll_create1(0);

	CHECK_EQ(epoll_wait(fd, &event, 1, TIMEOUT * 1000), 0);
}

static void wait_epoll_pwait2(void)
{
	struct epoll_event event;
	int fd = epoll_create1(0);

	CHECK_EQ(syscall(SYS_epoll_pwait2, fd, &event, 1, &timeout, NULL, 8), 0);
}

static const struct {
	const char *name;
	void (*wait)(void);
	bool real;	/* by the time of day, which does not stand still until the restart */
} calls[] = {
	{ "nanosleep", wait_nanosleep },
	{ "clock_nanosleep", wait_clock_nanosleep, true },
	{ "poll", wait_poll },
	{ "ppoll", wait_ppoll },
	{ "select", wait_select },
	{ "pselect", wait_pselect },
	{ "futex", wait_futex },
	{ "sigtimedwait", wait_sigtimedwait },
	{ "semtimedop", wait_semtimedop },
#ifdef __i386__
	{ "int80", wait_int80 },
	{ "ipc", wait_ipc },
	{ "old sigtimedwait", wait_old_sigtimedwait },
#define NR_SAVED	12
#else
#define NR_SAVED	9
#endif
	{ "epoll_wait", wait_epoll },
	{ "epoll_pwait2", wait_epoll_pwait2 },
};

#define NR_CALLS	ARRAY_SIZE(calls)

static void *waiter(void *arg)
{
	long i = (long)arg;
	clockid_t clock = calls[i].real ? CLOCK_REALTIME : CLOCK_MONOTONIC;
	double start = now_by(clock);

	calls[i].wait();
	CHECK(now_by(clock) - start >= TIMEOUT - 0.002);
	subject_touch(calls[i].name);
	return NULL;
}

static void wait_in(size_t nr)
{
	pthread_t threads[NR_CALLS];
	sigset_t set;
	size_t i;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	CHECK(!sigprocmask(SIG_BLOCK, &set, NULL));
	CHECK(!pipe(fds));
	semid = semget(IPC_PRIVATE, 1, 0600);
	CHECK(semid >= 0);
	for (i = 0; i < nr; i++)
		CHECK(!pthread_create(&threads[i], NULL, waiter, (void *)i));
	subject_sleep_ms(50);
	subject_ready();
	for (i = 0; i < nr; i++)
		CHECK(!pthread_join(threads[i], NULL));
	semctl(semid, 0, IPC_RMID);
}

static void subject_saved(void)
{
	wait_in(NR_SAVED);
}

static void subject_all(void)
{
	wait_in(NR_CALLS);
}

/* Which call has not ended, or NULL */
static const char *who_waits(struct subject *s, size_t nr)
{
	char path[128];
	size_t i;

	for (i = 0; i < nr; i++) {
		snprintf(path, sizeof(path), "%s/%s", s->dir, calls[i].name);
		if (access(path, F_OK))
			return calls[i].name;
	}
	return NULL;
}

FIXTURE(timeouts)
{
	struct subject s;
};

FIXTURE_SETUP(timeouts)
{
	memset(&self->s, 0, sizeof(self->s));
}

FIXTURE_TEARDOWN(timeouts)
{
	if (self->s.pid > 0)
		subject_kill(&self->s);
	subject_clean(&self->s);
}

/* Whoever waits anew after each look would never get to the end. */
TEST_F(timeouts, do_not_grow_by_being_looked_at)
{
	const char *late = "all";
	double end;

	ASSERT_TRUE(subject_start(&self->s, subject_all)) subject_print(&self->s);
	for (end = now() + 3 * TIMEOUT; late && now() < end;) {
		subject_checkpoint(&self->s, CHECKPOINT_DRY_RUN);
		subject_sleep_ms(100);
		late = who_waits(&self->s, NR_CALLS);
	}
	EXPECT_EQ(late, NULL) {
		fprintf(stderr, "# %s still waits\n", late);
		subject_print(&self->s);
	}
	EXPECT_EQ(subject_finish(&self->s), 0) subject_print(&self->s);
	self->s.pid = 0;
}

TEST_F(timeouts, do_not_grow_by_being_saved)
{
	const char *late = "all";
	double end;

	ASSERT_TRUE(subject_start(&self->s, subject_saved)) subject_print(&self->s);
	for (end = now() + 3 * TIMEOUT; late && now() < end;) {
		ASSERT_GT(subject_checkpoint(&self->s, 0), 0) subject_print(&self->s);
		subject_sleep_ms(100);
		late = who_waits(&self->s, NR_SAVED);
	}
	EXPECT_EQ(late, NULL) {
		fprintf(stderr, "# %s still waits\n", late);
		subject_print(&self->s);
	}
	EXPECT_EQ(subject_finish(&self->s), 0) subject_print(&self->s);
	self->s.pid = 0;
}

/* Most of the time is over at the checkpoint; the restarted ones have little left. */
static void restart_run(struct __test_metadata *_metadata, struct subject *s, int generations,
			bool stopped)
{
	const char *late = "all";
	int i, status;
	double end;

	ASSERT_TRUE(subject_start(s, subject_saved)) subject_print(s);
	subject_sleep_ms(TIMEOUT * 750);
	if (stopped) {
		kill(s->pid, SIGSTOP);
		ASSERT_EQ(waitpid(s->pid, &status, WUNTRACED), s->pid);
	}
	for (i = 0; i < generations; i++) {
		ASSERT_GT(subject_checkpoint(s, CHECKPOINT_KILL), 0) subject_print(s);
		ASSERT_EQ(waitpid(s->pid, &status, 0), s->pid);
		ASSERT_EQ(subject_restart(s, 0), s->pid) subject_print(s);
	}
	if (stopped)
		kill(s->pid, SIGCONT);
	for (end = now() + TIMEOUT * 0.75; late && now() < end; subject_sleep_ms(10))
		late = who_waits(s, NR_SAVED);
	EXPECT_EQ(late, NULL) {
		fprintf(stderr, "# %s still waits\n", late);
		subject_print(s);
	}
	EXPECT_EQ(subject_finish(s), 0) subject_print(s);
	s->pid = 0;
}

TEST_F(timeouts, go_on_after_a_restart)
{
	restart_run(_metadata, &self->s, 1, false);
}

TEST_F(timeouts, go_on_after_three_restarts)
{
	restart_run(_metadata, &self->s, 3, false);
}

/* Those that the stop ended with EINTR wait for what was left then. */
TEST_F(timeouts, go_on_when_a_stopped_process_is_continued)
{
	restart_run(_metadata, &self->s, 1, true);
}

/*
 * One whose timeout the kernel cannot write back waits for all of it again,
 * but does not fail.
 */
static void subject_sticky(void)
{
	struct timespec *sticky = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
				       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pid_t kid;
	int status;

	CHECK(sticky != MAP_FAILED);
	sticky->tv_sec = 1;
	CHECK(!mprotect(sticky, 4096, PROT_READ));
	kid = fork();
	if (!kid) {
		CHECK_EQ(syscall(SYS_ppoll, NULL, 0, sticky, NULL, 8), 0);
		CHECK_EQ(syscall(SYS_pselect6, 0, NULL, NULL, NULL, sticky, NULL), 0);
		_exit(0);
	}
	subject_sleep_ms(50);
	subject_ready();
	CHECK_EQ(waitpid(kid, &status, 0), kid);
	CHECK_EQ(status, 0);
}

TEST_F(timeouts, in_read_only_memory)
{
	int i;

	ASSERT_TRUE(subject_start(&self->s, subject_sticky)) subject_print(&self->s);
	for (i = 0; i < 10; i++) {
		ASSERT_GT(subject_checkpoint(&self->s, 0), 0) subject_print(&self->s);
		subject_sleep_ms(50);
	}
	EXPECT_EQ(subject_finish(&self->s), 0) subject_print(&self->s);
	self->s.pid = 0;
}

static int ep;
static volatile int interrupted;

static void no_action(int sig)
{
}

/* Always from the same place, as a loop of events does it */
static __attribute__((noinline)) int wait_event(int ms)
{
	struct epoll_event event;

	return epoll_wait(ep, &event, 1, ms);
}

static void *event_loop(void *arg)
{
	sigset_t wake_up;
	double start;
	char c;

	sigemptyset(&wake_up);
	sigaddset(&wake_up, SIGUSR2);
	CHECK(wait_event(1000 * TIMEOUT) == -1 && errno == EINTR);
	CHECK(!pthread_sigmask(SIG_BLOCK, &wake_up, NULL));
	interrupted = 1;
	CHECK_EQ(wait_event(-1), 1);
	CHECK_EQ(read(fds[0], &c, 1), 1);
	start = now();
	CHECK_EQ(wait_event(1000), 0);
	CHECK(now() - start >= 0.998);
	return arg;
}

static void subject_event_loop(void)
{
	struct epoll_event event = { .events = EPOLLIN };
	pthread_t thread;

	signal(SIGUSR2, no_action);
	ep = epoll_create1(0);
	CHECK(!pipe(fds) && !epoll_ctl(ep, EPOLL_CTL_ADD, fds[0], &event));
	CHECK(!pthread_create(&thread, NULL, event_loop, NULL));
	while (!interrupted) {
		subject_sleep_ms(50);
		pthread_kill(thread, SIGUSR2);
	}
	subject_sleep_ms(50);
	subject_ready();
	/* until the time of the first call is over */
	subject_sleep_ms(1000 * TIMEOUT);
	CHECK_EQ(write(fds[1], "x", 1), 1);
	CHECK(!pthread_join(thread, NULL));
}

/* A signal has ended one that had a timeout, and one that has none is frozen. */
TEST_F(timeouts, are_not_those_of_earlier_calls)
{
	int i;

	ASSERT_TRUE(subject_start(&self->s, subject_event_loop)) subject_print(&self->s);
	for (i = 0; i < 5; i++)
		subject_checkpoint(&self->s, CHECKPOINT_DRY_RUN);
	EXPECT_EQ(subject_finish(&self->s), 0) subject_print(&self->s);
	self->s.pid = 0;
}

TEST_HARNESS_MAIN
