// SPDX-License-Identifier: GPL-2.0
/*
 * System calls that were waiting when the tree was frozen go on as if nothing
 * had happened: no EINTR, no lost or doubled time.
 *
 * The root waits in subject_ready(); a child waits in the call under test and
 * the root ends the wait afterwards.
 */
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/socket.h>

#include "ckpt_test.h"

static volatile int *shared;

static void share(void)
{
	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(shared != MAP_FAILED);
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

/* Forks a child that runs @wait, lets it block, and is ready. */
static pid_t waiting_child(void (*wait)(void))
{
	pid_t kid = fork();

	if (!kid) {
		shared[0] = 1;
		wait();
		_exit(0);
	}
	while (!shared[0])
		subject_sleep_ms(1);
	subject_sleep_ms(100);
	return kid;
}

static void reap(pid_t kid)
{
	int status;

	CHECK_EQ(waitpid(kid, &status, 0), kid);
	CHECK_EQ(status, 0);
}

static int fds[2];

static void wait_read(void)
{
	char c = 0;

	CHECK_EQ(read(fds[0], &c, 1), 1);
	CHECK_EQ(c, 'x');
}

SURVIVE(read_of_an_empty_pipe)
{
	pid_t kid;

	share();
	CHECK(!pipe(fds));
	kid = waiting_child(wait_read);
	subject_ready();
	CHECK_EQ(write(fds[1], "x", 1), 1);
	reap(kid);
}

static void wait_poll(void)
{
	struct pollfd pfd = { .fd = fds[0], .events = POLLIN };

	CHECK_EQ(poll(&pfd, 1, -1), 1);
	CHECK_EQ(pfd.revents, POLLIN);
}

SURVIVE(poll_without_timeout)
{
	pid_t kid;

	share();
	CHECK(!pipe(fds));
	kid = waiting_child(wait_poll);
	subject_ready();
	CHECK_EQ(write(fds[1], "x", 1), 1);
	reap(kid);
}

static void wait_nanosleep(void)
{
	struct timespec ts = { .tv_sec = 1 };
	double start = now(), took;

	CHECK(!nanosleep(&ts, NULL));
	took = now() - start;
	CHECK(took >= 1.0);
}

SURVIVE(nanosleep_goes_on)
{
	pid_t kid;

	share();
	kid = waiting_child(wait_nanosleep);
	subject_ready();
	reap(kid);
}

static void wait_poll_timeout(void)
{
	struct pollfd pfd = { .fd = fds[0], .events = POLLIN };
	double start = now();

	CHECK_EQ(poll(&pfd, 1, 1000), 0);
	CHECK(now() - start >= 0.999);
}

SURVIVE(poll_with_timeout)
{
	pid_t kid;

	share();
	CHECK(!pipe(fds));
	kid = waiting_child(wait_poll_timeout);
	subject_ready();
	reap(kid);
}

static void wait_futex(void)
{
	long ret;

	ret = syscall(SYS_futex, &shared[1], FUTEX_WAIT, 0, NULL, NULL, 0);
	CHECK(ret == 0 || (ret == -1 && errno == EAGAIN));
	CHECK_EQ(shared[1], 1);
}

SURVIVE(futex_in_shared_memory)
{
	pid_t kid;

	share();
	kid = waiting_child(wait_futex);
	subject_ready();
	shared[1] = 1;
	CHECK(syscall(SYS_futex, &shared[1], FUTEX_WAKE, 1, NULL, NULL, 0) >= 0);
	reap(kid);
}

static void wait_futex_timeout(void)
{
	struct timespec ts = { .tv_sec = 1 };
	double start = now();

	CHECK(syscall(SYS_futex, &shared[1], FUTEX_WAIT, 0, &ts, NULL, 0) == -1);
	CHECK_EQ(errno, ETIMEDOUT);
	CHECK(now() - start >= 0.999);
}

SURVIVE(futex_with_timeout)
{
	pid_t kid;

	share();
	kid = waiting_child(wait_futex_timeout);
	subject_ready();
	reap(kid);
}

static void wait_sigtimedwait(void)
{
	siginfo_t info;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	CHECK_EQ(sigwaitinfo(&set, &info), SIGUSR1);
}

SURVIVE(sigwaitinfo)
{
	sigset_t set;
	pid_t kid;

	share();
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	CHECK(!sigprocmask(SIG_BLOCK, &set, NULL));
	kid = waiting_child(wait_sigtimedwait);
	subject_ready();
	CHECK(!kill(kid, SIGUSR1));
	reap(kid);
}

static int msgid;

static void wait_msgrcv(void)
{
	struct { long type; char text[8]; } message;

	CHECK_EQ(msgrcv(msgid, &message, sizeof(message.text), 5, 0), 1);
	CHECK_EQ(message.text[0], 'm');
}

SURVIVE(msgrcv_goes_on)
{
	struct { long type; char text[8]; } message = { 5, "m" };
	pid_t kid;

	share();
	msgid = msgget(IPC_PRIVATE, 0600);
	CHECK(msgid >= 0);
	kid = waiting_child(wait_msgrcv);
	subject_ready();
	CHECK(!msgsnd(msgid, &message, 1, 0));
	reap(kid);
	CHECK(!msgctl(msgid, IPC_RMID, NULL));
}

static void wait_pause(void)
{
	pause();
	_exit(1);
}

SURVIVE(pause_goes_on)
{
	int status;
	pid_t kid;

	share();
	kid = waiting_child(wait_pause);
	subject_ready();
	CHECK_EQ(waitpid(kid, &status, WNOHANG), 0);
	CHECK(!kill(kid, SIGTERM));
	CHECK_EQ(waitpid(kid, &status, 0), kid);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
}

static void wait_sigsuspend(void)
{
	sigset_t empty;

	sigemptyset(&empty);
	CHECK(sigsuspend(&empty) == -1 && errno == EINTR);
	CHECK(!sigprocmask(SIG_BLOCK, NULL, &empty));
	CHECK(sigismember(&empty, SIGUSR1) == 1);
}

static void nothing(int sig)
{
	(void)sig;
}

SURVIVE(sigsuspend_keeps_the_mask)
{
	sigset_t set;
	pid_t kid;

	share();
	signal(SIGUSR1, nothing);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	CHECK(!sigprocmask(SIG_BLOCK, &set, NULL));
	kid = waiting_child(wait_sigsuspend);
	subject_ready();
	CHECK(!kill(kid, SIGUSR1));
	reap(kid);
}

static char big[1 << 20];

static void wait_write(void)
{
	size_t done = 0;

	memset(big, 'w', sizeof(big));
	while (done < sizeof(big)) {
		ssize_t n = write(fds[1], big + done, sizeof(big) - done);

		CHECK(n > 0);
		done += n;
	}
}

SURVIVE(write_to_a_full_pipe)
{
	size_t done = 0;
	pid_t kid;

	share();
	CHECK(!pipe(fds));
	kid = waiting_child(wait_write);
	close(fds[1]);
	subject_ready();
	while (done < sizeof(big)) {
		ssize_t n = read(fds[0], big, sizeof(big));
		ssize_t i;

		CHECK(n > 0);
		for (i = 0; i < n; i++)
			CHECK_EQ(big[i], 'w');
		done += n;
	}
	CHECK_EQ(read(fds[0], big, 1), 0);
	reap(kid);
}

static volatile int handled;

static void on_signal(int sig)
{
	handled++;
}

static void wait_write_all(void)
{
	signal(SIGUSR1, on_signal);
	close(fds[0]);
	memset(big, 'w', sizeof(big));
	shared[2] = write(fds[1], big, sizeof(big));
	shared[3] = errno;
	shared[4] = handled;
}

/* A child whose write has been done in part, after some was read. */
static pid_t writing_child(void)
{
	pid_t kid;

	share();
	CHECK(!pipe(fds));
	kid = waiting_child(wait_write_all);
	close(fds[1]);
	CHECK(read(fds[0], big, 5000) == 5000);
	subject_sleep_ms(20);
	return kid;
}

static size_t read_all(void)
{
	size_t done = 0;
	ssize_t n, i;

	while ((n = read(fds[0], big, 7777)) > 0) {
		for (i = 0; i < n; i++)
			CHECK_EQ(big[i], 'w');
		done += n;
	}
	CHECK_EQ(n, 0);
	return done;
}

SURVIVE(write_that_is_done_in_part)
{
	pid_t kid = writing_child();

	subject_ready();
	CHECK_EQ(5000 + read_all(), sizeof(big));
	reap(kid);
	CHECK_EQ(shared[2], sizeof(big));
}

/* A signal ends it, and no byte is written twice. */
SURVIVE(write_that_a_signal_ends)
{
	pid_t kid = writing_child();

	subject_ready();
	CHECK(!kill(kid, SIGUSR1));
	CHECK_EQ(read_all() + 5000, shared[2]);
	reap(kid);
	CHECK(shared[2] > 5000 && shared[2] <= (int)sizeof(big));
	CHECK_EQ(shared[4], 1);
}

/* The reader goes away: the writer is told what it could write, by SIGPIPE first. */
SURVIVE(write_whose_reader_leaves)
{
	int status;
	pid_t kid = writing_child();

	subject_ready();
	close(fds[0]);
	CHECK_EQ(waitpid(kid, &status, 0), kid);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE);
}

static void subject_write(void)
{
	pid_t kid = writing_child();
	size_t done = 5000;

	subject_touch("ready");
	while (access("go", F_OK)) {
		if (done + 1000 < sizeof(big) / 2) {
			CHECK_EQ(read(fds[0], big, 1000), 1000);
			done += 1000;
		}
		subject_sleep_ms(1);
	}
	CHECK_EQ(done + read_all(), sizeof(big));
	reap(kid);
	CHECK_EQ(shared[2], sizeof(big));
}

/*
 * Calls whose objects cannot be saved yet must still not notice that the tree
 * was looked at: CHECKPOINT_DRY_RUN freezes and thaws it.
 */
static void look_at(struct __test_metadata *_metadata, void (*fn)(void))
{
	struct subject s = {};
	int i;

	ASSERT_TRUE(subject_start(&s, fn)) subject_print(&s);
	for (i = 0; i < 20; i++)
		subject_checkpoint(&s, CHECKPOINT_DRY_RUN | CHECKPOINT_SUBTREE);
	EXPECT_EQ(subject_finish(&s), 0) subject_print(&s);
	subject_clean(&s);
}

static void wait_epoll(void)
{
	struct epoll_event ev = { .events = EPOLLIN };
	int ep = epoll_create1(0);

	CHECK(ep >= 0 && !epoll_ctl(ep, EPOLL_CTL_ADD, fds[0], &ev));
	CHECK_EQ(epoll_wait(ep, &ev, 1, -1), 1);
}

static void subject_epoll(void)
{
	pid_t kid;

	share();
	CHECK(!pipe(fds));
	kid = waiting_child(wait_epoll);
	subject_ready();
	CHECK_EQ(write(fds[1], "x", 1), 1);
	reap(kid);
}

TEST(no_eintr_from_epoll_wait)
{
	look_at(_metadata, subject_epoll);
}

TEST(no_short_write)
{
	look_at(_metadata, subject_write);
}

static int semid;

static void wait_semop(void)
{
	struct sembuf op = { .sem_op = -1 };

	CHECK(!semop(semid, &op, 1));
}

static void subject_semop(void)
{
	struct sembuf op = { .sem_op = 1 };
	pid_t kid;

	share();
	semid = semget(IPC_PRIVATE, 1, 0600);
	CHECK(semid >= 0);
	kid = waiting_child(wait_semop);
	subject_ready();
	CHECK(!semop(semid, &op, 1));
	reap(kid);
	semctl(semid, 0, IPC_RMID);
}

TEST(no_eintr_from_semop)
{
	look_at(_metadata, subject_semop);
}

SURVIVE(semop_goes_on)
{
	subject_semop();
}

static void wait_recv(void)
{
	char c;

	CHECK_EQ(recv(fds[0], &c, 1, 0), 1);
}

static void subject_recv(void)
{
	struct timeval tv = { .tv_sec = 60 };
	pid_t kid;

	share();
	CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	CHECK(!setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
	kid = waiting_child(wait_recv);
	subject_ready();
	CHECK_EQ(write(fds[1], "x", 1), 1);
	reap(kid);
}

TEST(no_eintr_from_recv_with_timeout)
{
	look_at(_metadata, subject_recv);
}

/* It ends with what there was, and the socket is none the worse for it. */
static void wait_recvmmsg(void)
{
	struct mmsghdr messages[3] = {};
	int n = recvmmsg(fds[0], messages, 3, 0, NULL);
	char c;

	CHECK(n == 2 || n == 3);
	if (n == 2)
		CHECK_EQ(recv(fds[0], &c, 1, 0), 1);
}

static void subject_recvmmsg(void)
{
	pid_t kid;

	share();
	CHECK(!socketpair(AF_UNIX, SOCK_DGRAM, 0, fds));
	CHECK_EQ(send(fds[1], "1", 1, 0), 1);
	CHECK_EQ(send(fds[1], "2", 1, 0), 1);
	kid = waiting_child(wait_recvmmsg);
	subject_ready();
	CHECK_EQ(send(fds[1], "3", 1, 0), 1);
	reap(kid);
}

TEST(no_error_after_recvmmsg)
{
	look_at(_metadata, subject_recvmmsg);
}

TEST_HARNESS_MAIN
