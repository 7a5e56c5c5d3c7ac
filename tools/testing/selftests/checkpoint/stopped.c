// SPDX-License-Identifier: GPL-2.0
/*
 * Job control goes on after a restart: who is stopped, and what becomes of a
 * process group that nobody in its session can continue any more.
 */
#include <pthread.h>

#include "ckpt_test.h"

/* Shared by all processes of a subject, so that they can talk without files. */
static volatile int *shared;

enum { PID, GO, COUNT, HANGUPS, CONTINUES };

static void share(void)
{
	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(shared != MAP_FAILED);
}

static void wait_shared(int i, int value)
{
	while (shared[i] != value)
		subject_sleep_ms(1);
}

static char state_of(pid_t pid, pid_t tid)
{
	char path[64], state;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", pid, tid);
	file = fopen(path, "r");
	CHECK(file && fscanf(file, "%*d (%*[^)]) %c", &state) == 1);
	fclose(file);
	return state;
}

static void wait_stopped(pid_t pid)
{
	while (state_of(pid, pid) != 'T')
		subject_sleep_ms(1);
}

static void on_hangup(int sig)
{
	shared[HANGUPS]++;
}

static void on_continue(int sig)
{
	shared[CONTINUES]++;
}

static void count_for_ever(void)
{
	for (;;) {
		shared[COUNT]++;
		subject_sleep_ms(1);
	}
}

static void be_a_job(void)
{
	CHECK(!setpgid(0, 0));
	signal(SIGHUP, on_hangup);
	signal(SIGCONT, on_continue);
	shared[PID] = getpid();
	count_for_ever();
}

/* A shell, in the session of the subject but in a group of its own, and its job */
static pid_t start_shell(void)
{
	pid_t shell = fork();

	if (!shell) {
		CHECK(!setpgid(0, 0));
		if (!fork())
			be_a_job();
		wait_shared(GO, 1);
		_exit(0);
	}
	while (!shared[PID] || !shared[COUNT])
		subject_sleep_ms(1);
	return shell;
}

/* The death of the shell orphans the group of its job, which is stopped. */
SURVIVE(stopped_group_that_is_orphaned)
{
	pid_t shell;

	share();
	shell = start_shell();
	CHECK(!kill(shared[PID], SIGTSTP));
	wait_stopped(shared[PID]);
	subject_ready();
	wait_stopped(shared[PID]);
	CHECK(shared[HANGUPS] == 0 && shared[CONTINUES] == 0);
	shared[GO] = 1;
	CHECK_EQ(waitpid(shell, NULL, 0), shell);
	wait_shared(HANGUPS, 1);
	wait_shared(CONTINUES, 1);
	CHECK(!kill(shared[PID], SIGKILL));
}

static pid_t start_counter(int i, void (*leave_group)(void))
{
	pid_t kid = fork();

	if (!kid) {
		leave_group();
		for (;;) {
			shared[i]++;
			subject_sleep_ms(1);
		}
	}
	while (!shared[i])
		subject_sleep_ms(1);
	return kid;
}

static void to_own_group(void)
{
	CHECK(!setpgid(0, 0));
}

static void to_own_session(void)
{
	CHECK(setsid() > 0);
}

/* They stop a job that its shell can continue, and no group without a shell. */
SURVIVE(stop_signals_of_a_terminal)
{
	pid_t job, orphan;
	int count;

	share();
	job = start_counter(20, to_own_group);
	orphan = start_counter(21, to_own_session);
	subject_ready();
	CHECK(!kill(job, SIGTSTP) && !kill(orphan, SIGTSTP) && !kill(orphan, SIGTTIN));
	wait_stopped(job);
	subject_sleep_ms(50);
	count = shared[21];
	while (shared[21] == count)
		subject_sleep_ms(1);
	CHECK(!kill(orphan, SIGSTOP));
	wait_stopped(orphan);
	CHECK(!kill(job, SIGKILL) && !kill(orphan, SIGKILL));
	CHECK(wait(NULL) > 0 && wait(NULL) > 0);
}

static void *count_in_thread(void *arg)
{
	int i = (long)arg;

	shared[i + 10] = gettid();
	for (;;) {
		shared[i]++;
		subject_sleep_ms(1);
	}
	return NULL;
}

#define NR_THREADS	3

static void be_many_threads(void)
{
	pthread_t thread;
	long i;

	for (i = 0; i < NR_THREADS; i++)
		CHECK(!pthread_create(&thread, NULL, count_in_thread, (void *)(i + 20)));
	pause();
}

static void sum(int *counts)
{
	for (int i = 0; i < NR_THREADS; i++)
		counts[i] = shared[i + 20];
}

/* All threads are stopped, and all go on. */
SURVIVE(process_with_threads)
{
	int before[NR_THREADS], after[NR_THREADS], i, status;
	pid_t kid;

	share();
	kid = fork();
	if (!kid)
		be_many_threads();
	for (i = 0; i < NR_THREADS; i++)
		while (!shared[i + 20])
			subject_sleep_ms(1);
	CHECK(!kill(kid, SIGSTOP));
	CHECK_EQ(waitpid(kid, &status, WUNTRACED), kid);
	subject_ready();
	for (i = 0; i < NR_THREADS; i++)
		while (state_of(kid, shared[i + 30]) != 'T')
			subject_sleep_ms(1);
	sum(before);
	subject_sleep_ms(50);
	sum(after);
	CHECK(!memcmp(before, after, sizeof(before)));
	CHECK(!kill(kid, SIGCONT));
	CHECK_EQ(waitpid(kid, &status, WCONTINUED), kid);
	CHECK(WIFCONTINUED(status));
	for (i = 0; i < NR_THREADS; i++)
		while (shared[i + 20] == before[i])
			subject_sleep_ms(1);
	CHECK(!kill(kid, SIGKILL));
	CHECK_EQ(waitpid(kid, &status, 0), kid);
}

TEST_HARNESS_MAIN
