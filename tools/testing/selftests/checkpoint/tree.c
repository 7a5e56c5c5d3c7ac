// SPDX-License-Identifier: GPL-2.0
/* Trees of processes: relations, groups, sessions, orphans, zombies, stopped tasks. */
#include <dirent.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "ckpt_test.h"

/* Shared by all processes of a subject, so that they can talk without files. */
static volatile int *shared;

static void share(void)
{
	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(shared != MAP_FAILED);
}

/* Ever less often: a hundred who all look a thousand times per second leave no time. */
static void wait_shared(int i, int value)
{
	long ms = 1;

	while (shared[i] != value) {
		subject_sleep_ms(ms);
		ms = ms < 64 ? ms * 2 : ms;
	}
}

static pid_t parent_of(pid_t pid)
{
	char path[64], buf[512], *p;
	int fd, ppid;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY);
	CHECK(fd >= 0);
	n = read(fd, buf, sizeof(buf) - 1);
	close(fd);
	CHECK(n > 0);
	buf[n] = 0;
	p = strrchr(buf, ')');
	CHECK(p && sscanf(p + 2, "%*c %d", &ppid) == 1);
	return ppid;
}

static char state_of(pid_t pid)
{
	char state = test_state(pid);

	CHECK(state);
	return state;
}

SURVIVE(children_keep_pid_and_parent)
{
	pid_t kids[4];
	int i, status;

	share();
	for (i = 0; i < 4; i++) {
		kids[i] = fork();
		if (!kids[i]) {
			pid_t me = getpid(), parent = getppid();

			shared[i] = 1;
			wait_shared(10, 1);
			CHECK_EQ(getpid(), me);
			CHECK_EQ(getppid(), parent);
			_exit(40 + i);
		}
	}
	for (i = 0; i < 4; i++)
		wait_shared(i, 1);
	subject_ready();
	shared[10] = 1;
	for (i = 0; i < 4; i++) {
		CHECK_EQ(waitpid(kids[i], &status, 0), kids[i]);
		CHECK(WIFEXITED(status));
		CHECK_EQ(WEXITSTATUS(status), 40 + i);
	}
	CHECK(waitpid(-1, NULL, 0) == -1 && errno == ECHILD);
}

SURVIVE(grandchildren)
{
	pid_t kid;
	int status;

	share();
	kid = fork();
	if (!kid) {
		pid_t grandkid = fork();

		if (!grandkid) {
			shared[0] = 1;
			wait_shared(1, 1);
			_exit(5);
		}
		CHECK_EQ(waitpid(grandkid, &status, 0), grandkid);
		CHECK_EQ(WEXITSTATUS(status), 5);
		_exit(6);
	}
	wait_shared(0, 1);
	subject_ready();
	shared[1] = 1;
	CHECK_EQ(waitpid(kid, &status, 0), kid);
	CHECK_EQ(WEXITSTATUS(status), 6);
}

static int asks_for_sigusr1(void *unused)
{
	shared[0] = getpid();
	return pause();
}

/* By clone(SIGUSR1), but the parent is another program now: it gets SIGCHLD, and lives. */
SURVIVE(exit_signal_for_the_program_before_exec)
{
	static _Alignas(16) char stack[4096];
	int status;
	pid_t kid;

	share();
	kid = fork();
	if (!kid) {
		clone(asks_for_sigusr1, stack + sizeof(stack), SIGUSR1, NULL);
		execlp("sleep", "sleep", "1000", NULL);
		_exit(1);
	}
	while (!shared[0])
		subject_sleep_ms(1);
	subject_sleep_ms(100);
	subject_ready();
	CHECK_EQ(kill(shared[0], SIGKILL), 0);
	while (state_of(shared[0]) != 'Z')
		subject_sleep_ms(1);
	CHECK_EQ(waitpid(kid, &status, WNOHANG), 0);
	CHECK_EQ(kill(kid, SIGTERM), 0);
	CHECK_EQ(waitpid(kid, &status, 0), kid);
	CHECK_EQ(WTERMSIG(status), SIGTERM);
}

SURVIVE(wait_for_a_child_goes_on)
{
	pid_t kid = fork();
	int status;

	if (!kid) {
		subject_ready();
		_exit(9);
	}
	CHECK_EQ(waitpid(kid, &status, 0), kid);
	CHECK_EQ(WEXITSTATUS(status), 9);
}

SURVIVE(groups_and_sessions)
{
	pid_t kids[3];
	int i, status;

	share();
	for (i = 0; i < 3; i++) {
		kids[i] = fork();
		if (!kids[i]) {
			pid_t sid, pgid;

			if (i == 0)
				CHECK(!setpgid(0, 0));
			if (i == 1)
				CHECK(setsid() > 0);
			sid = getsid(0);
			pgid = getpgid(0);
			shared[i] = 1;
			wait_shared(10, 1);
			CHECK_EQ(getsid(0), sid);
			CHECK_EQ(getpgid(0), pgid);
			_exit(0);
		}
	}
	for (i = 0; i < 3; i++)
		wait_shared(i, 1);
	subject_ready();
	CHECK_EQ(getpgid(kids[0]), kids[0]);
	CHECK_EQ(getsid(kids[1]), kids[1]);
	CHECK_EQ(getsid(kids[2]), getsid(0));
	shared[10] = 1;
	for (i = 0; i < 3; i++) {
		CHECK_EQ(waitpid(kids[i], &status, 0), kids[i]);
		CHECK_EQ(status, 0);
	}
}

SURVIVE(group_whose_leader_is_dead)
{
	pid_t leader, member;
	int status;

	share();
	leader = fork();
	if (!leader) {
		CHECK(!setpgid(0, 0));
		shared[0] = 1;
		wait_shared(1, 1);
		_exit(0);
	}
	wait_shared(0, 1);
	member = fork();
	if (!member) {
		CHECK(!setpgid(0, leader));
		shared[2] = 1;
		wait_shared(3, 1);
		CHECK_EQ(getpgid(0), leader);
		_exit(0);
	}
	wait_shared(2, 1);
	shared[1] = 1;
	CHECK_EQ(waitpid(leader, NULL, 0), leader);
	subject_ready();
	CHECK_EQ(getpgid(member), leader);
	CHECK(!kill(-leader, 0));
	shared[3] = 1;
	CHECK_EQ(waitpid(member, &status, 0), member);
	CHECK_EQ(status, 0);
}

SURVIVE(orphan_of_a_subreaper)
{
	pid_t kid, orphan;
	int status;

	share();
	CHECK(!prctl(PR_SET_CHILD_SUBREAPER, 1));
	kid = fork();
	if (!kid) {
		if (!fork()) {
			shared[0] = getpid();
			wait_shared(1, 1);
			_exit(3);
		}
		_exit(0);
	}
	CHECK_EQ(waitpid(kid, NULL, 0), kid);
	while (!shared[0])
		subject_sleep_ms(1);
	orphan = shared[0];
	CHECK_EQ(parent_of(orphan), getpid());
	subject_ready();
	CHECK_EQ(parent_of(orphan), getpid());
	shared[1] = 1;
	CHECK_EQ(waitpid(orphan, &status, 0), orphan);
	CHECK_EQ(WEXITSTATUS(status), 3);
}

SURVIVE(zombies)
{
	pid_t exited, killed;
	siginfo_t info;
	int status;

	exited = fork();
	if (!exited) {
		prctl(PR_SET_NAME, "the dead");
		_exit(77);
	}
	killed = fork();
	if (!killed)
		raise(SIGKILL);
	CHECK(!waitid(P_PID, exited, &info, WEXITED | WNOWAIT));
	CHECK(!waitid(P_PID, killed, &info, WEXITED | WNOWAIT));
	subject_ready();
	CHECK_EQ(state_of(exited), 'Z');
	CHECK_EQ(waitpid(exited, &status, 0), exited);
	CHECK(WIFEXITED(status));
	CHECK_EQ(WEXITSTATUS(status), 77);
	CHECK_EQ(waitpid(killed, &status, 0), killed);
	CHECK(WIFSIGNALED(status));
	CHECK_EQ(WTERMSIG(status), SIGKILL);
}

SURVIVE(stopped_child)
{
	int status;
	pid_t kid;

	share();
	kid = fork();
	if (!kid) {
		for (;;) {
			shared[0]++;
			subject_sleep_ms(1);
		}
	}
	while (!shared[0])
		subject_sleep_ms(1);
	CHECK(!kill(kid, SIGSTOP));
	CHECK_EQ(waitpid(kid, &status, WUNTRACED), kid);
	CHECK(WIFSTOPPED(status));
	subject_ready();
	/* a restarted task stops on its way to user mode, as soon as it runs */
	while (state_of(kid) != 'T')
		subject_sleep_ms(1);
	int before = shared[0];

	subject_sleep_ms(50);
	CHECK_EQ(shared[0], before);
	CHECK(!kill(kid, SIGCONT));
	CHECK_EQ(waitpid(kid, &status, WCONTINUED), kid);
	CHECK(WIFCONTINUED(status));
	while (shared[0] == before)
		subject_sleep_ms(1);
	CHECK(!kill(kid, SIGKILL));
	CHECK_EQ(waitpid(kid, &status, 0), kid);
}

static pid_t stopped(int sig)
{
	pid_t kid = fork();
	siginfo_t info;

	/* Only a group with a parent in its session, but not in itself, can be stopped. */
	if (!kid) {
		CHECK(!setpgid(0, 0));
		raise(sig);
		for (;;)
			pause();
	}
	CHECK(!waitid(P_PID, kid, &info, WSTOPPED | WNOWAIT));
	return kid;
}

/* What a parent was told it is not told again, and what not, it still is. */
SURVIVE(stops_that_the_parent_was_told)
{
	pid_t told = stopped(SIGTSTP), untold = stopped(SIGTTIN), continued = stopped(SIGSTOP);
	siginfo_t info;
	int status;

	CHECK_EQ(waitpid(told, &status, WUNTRACED), told);
	CHECK_EQ(waitpid(continued, &status, WUNTRACED), continued);
	CHECK(!kill(continued, SIGCONT));
	CHECK(!waitid(P_PID, continued, &info, WCONTINUED | WNOWAIT));
	subject_ready();
	CHECK_EQ(waitpid(untold, &status, WUNTRACED), untold);
	CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTTIN);
	CHECK_EQ(waitpid(continued, &status, WCONTINUED), continued);
	CHECK(WIFCONTINUED(status));
	subject_sleep_ms(50);
	CHECK_EQ(waitpid(-1, &status, WUNTRACED | WCONTINUED | WNOHANG), 0);
	CHECK(!kill(told, SIGKILL) && !kill(untold, SIGKILL) && !kill(continued, SIGKILL));
	while (wait(NULL) > 0)
		;
}

static void *thread_body(void *arg)
{
	long i = (long)arg;

	shared[i] = gettid();
	wait_shared(100, 1);
	CHECK_EQ(gettid(), shared[i]);
	return NULL;
}

SURVIVE(processes_with_threads)
{
	pthread_t threads[8];
	pid_t kids[3];
	int i, k, status;

	share();
	for (k = 0; k < 3; k++) {
		kids[k] = fork();
		if (!kids[k]) {
			for (i = 0; i < 8; i++)
				CHECK(!pthread_create(&threads[i], NULL, thread_body,
						      (void *)(long)(k * 10 + i)));
			for (i = 0; i < 8; i++)
				CHECK(!pthread_join(threads[i], NULL));
			_exit(0);
		}
	}
	for (k = 0; k < 3; k++)
		for (i = 0; i < 8; i++)
			while (!shared[k * 10 + i])
				subject_sleep_ms(1);
	subject_ready();
	shared[100] = 1;
	for (k = 0; k < 3; k++) {
		CHECK_EQ(waitpid(kids[k], &status, 0), kids[k]);
		CHECK_EQ(status, 0);
	}
}

SURVIVE(pdeath_signal)
{
	pid_t kid, grandkid;
	int status;

	share();
	CHECK(!prctl(PR_SET_CHILD_SUBREAPER, 1));
	kid = fork();
	if (!kid) {
		if (!fork()) {
			CHECK(!prctl(PR_SET_PDEATHSIG, SIGUSR1));
			shared[0] = getpid();
			for (;;)
				pause();
		}
		wait_shared(1, 1);
		_exit(0);
	}
	while (!shared[0])
		subject_sleep_ms(1);
	grandkid = shared[0];
	subject_ready();
	CHECK(!kill(grandkid, 0));
	shared[1] = 1;
	CHECK_EQ(waitpid(kid, &status, 0), kid);
	CHECK_EQ(waitpid(grandkid, &status, 0), grandkid);
	CHECK(WIFSIGNALED(status));
	CHECK_EQ(WTERMSIG(status), SIGUSR1);
}

static pid_t thread_child;

/* The child is this thread's: its end, not that of another, is the parent's. */
static void *fork_and_end_when_told(void *arg)
{
	pid_t child = fork();

	if (!child) {
		CHECK(!prctl(PR_SET_PDEATHSIG, SIGUSR1));
		shared[0] = 1;
		for (;;)
			pause();
	}
	thread_child = child;
	wait_shared(1, 1);
	return NULL;
}

static void *end_when_told(void *arg)
{
	wait_shared(2, 1);
	return NULL;
}

SURVIVE(pdeath_signal_of_a_thread)
{
	pthread_t parent, other;
	int status;

	share();
	CHECK(!pthread_create(&other, NULL, end_when_told, NULL));
	CHECK(!pthread_create(&parent, NULL, fork_and_end_when_told, NULL));
	wait_shared(0, 1);
	subject_ready();
	shared[2] = 1;
	CHECK(!pthread_join(other, NULL));
	CHECK_EQ(waitpid(thread_child, &status, WNOHANG), 0);
	CHECK_EQ(waitpid(thread_child, &status, __WNOTHREAD), -1);
	CHECK_EQ(errno, ECHILD);
	shared[1] = 1;
	CHECK(!pthread_join(parent, NULL));
	CHECK_EQ(waitpid(thread_child, &status, 0), thread_child);
	CHECK(WIFSIGNALED(status));
	CHECK_EQ(WTERMSIG(status), SIGUSR1);
}

SURVIVE(a_hundred_processes)
{
	int i, status;

	share();
	for (i = 0; i < 100; i++) {
		pid_t kid = fork();

		CHECK(kid >= 0);
		if (!kid) {
			shared[i] = 1;
			wait_shared(200, 1);
			_exit(0);
		}
	}
	for (i = 0; i < 100; i++)
		wait_shared(i, 1);
	subject_ready();
	shared[200] = 1;
	for (i = 0; i < 100; i++) {
		CHECK(waitpid(-1, &status, 0) > 0);
		CHECK_EQ(status, 0);
	}
}

TEST_HARNESS_MAIN
