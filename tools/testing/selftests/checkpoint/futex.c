// SPDX-License-Identifier: GPL-2.0
/* Futexes, robust lists, priority inheritance, clear_child_tid. */
#include <linux/futex.h>
#include <pthread.h>
#include <sys/mman.h>

#include "ckpt_test.h"

struct area {
	pthread_mutex_t mutex;
	volatile int held, done;
};

static struct area *area(int robust, int protocol)
{
	struct area *a = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pthread_mutexattr_t attr;

	CHECK(a != MAP_FAILED);
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&attr, robust);
	CHECK(!pthread_mutexattr_setprotocol(&attr, protocol));
	CHECK(!pthread_mutex_init(&a->mutex, &attr));
	return a;
}

static void contend(struct area *a)
{
	int status;
	pid_t kid;

	CHECK(!pthread_mutex_lock(&a->mutex));
	kid = fork();
	if (!kid) {
		a->held = 1;
		CHECK(!pthread_mutex_lock(&a->mutex));
		a->done = 1;
		CHECK(!pthread_mutex_unlock(&a->mutex));
		_exit(0);
	}
	while (!a->held)
		subject_sleep_ms(1);
	subject_sleep_ms(50);
	subject_ready();
	CHECK_EQ(a->done, 0);
	CHECK(!pthread_mutex_unlock(&a->mutex));
	CHECK_EQ(waitpid(kid, &status, 0), kid);
	CHECK_EQ(status, 0);
	CHECK_EQ(a->done, 1);
}

SURVIVE(shared_mutex)
{
	contend(area(PTHREAD_MUTEX_STALLED, PTHREAD_PRIO_NONE));
}

SURVIVE(priority_inheritance_mutex)
{
	contend(area(PTHREAD_MUTEX_STALLED, PTHREAD_PRIO_INHERIT));
}

SURVIVE(robust_mutex_of_a_dying_owner)
{
	struct area *a = area(PTHREAD_MUTEX_ROBUST, PTHREAD_PRIO_NONE);
	pid_t kid = fork();

	if (!kid) {
		CHECK(!pthread_mutex_lock(&a->mutex));
		a->held = 1;
		while (!a->done)
			subject_sleep_ms(1);
		_exit(0);
	}
	while (!a->held)
		subject_sleep_ms(1);
	subject_ready();
	CHECK_EQ(pthread_mutex_trylock(&a->mutex), EBUSY);
	a->done = 1;
	CHECK_EQ(waitpid(kid, NULL, 0), kid);
	CHECK_EQ(pthread_mutex_lock(&a->mutex), EOWNERDEAD);
}

static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static int turns, waiting;

static void *waiter(void *arg)
{
	(void)arg;
	CHECK(!pthread_mutex_lock(&mutex));
	waiting++;
	while (!turns)
		CHECK(!pthread_cond_wait(&cond, &mutex));
	turns--;
	CHECK(!pthread_mutex_unlock(&mutex));
	return NULL;
}

SURVIVE(condition_variable_and_join)
{
	pthread_t threads[4];
	int i;

	for (i = 0; i < 4; i++)
		CHECK(!pthread_create(&threads[i], NULL, waiter, NULL));
	for (;;) {
		CHECK(!pthread_mutex_lock(&mutex));
		i = waiting;
		CHECK(!pthread_mutex_unlock(&mutex));
		if (i == 4)
			break;
		subject_sleep_ms(1);
	}
	subject_ready();
	CHECK(!pthread_mutex_lock(&mutex));
	turns = 4;
	CHECK(!pthread_cond_broadcast(&cond));
	CHECK(!pthread_mutex_unlock(&mutex));
	for (i = 0; i < 4; i++)
		CHECK(!pthread_join(threads[i], NULL));
}

#ifndef SYS_futex_waitv
#define SYS_futex_waitv	449
#endif

/* In memory that is shared with a child. */
struct words {
	uint32_t first, second;
	volatile long ret;
};

static struct words *words(void)
{
	struct words *w = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			       -1, 0);

	CHECK(w != MAP_FAILED);
	w->ret = -4711;
	return w;
}

static long futex(uint32_t *word, int op, long val, long val2, uint32_t *word2, long val3)
{
	return syscall(SYS_futex, word, op, val, val2, word2, val3);
}

static pid_t child(void (*fn)(struct words *w), struct words *w)
{
	pid_t kid = fork();

	if (!kid) {
		fn(w);
		_exit(0);
	}
	subject_sleep_ms(50);
	return kid;
}

static void reap(pid_t kid)
{
	int status;

	CHECK_EQ(waitpid(kid, &status, 0), kid);
	CHECK_EQ(status, 0);
}

static void wait_for_either(struct words *w)
{
	struct futex_waitv waiters[] = {
		{ .uaddr = (uintptr_t)&w->first, .flags = FUTEX_32 },
		{ .uaddr = (uintptr_t)&w->second, .flags = FUTEX_32 },
	};

	w->ret = syscall(SYS_futex_waitv, waiters, 2, 0, NULL, 0);
}

SURVIVE(one_of_two_words)
{
	struct words *w = words();
	pid_t kid = child(wait_for_either, w);

	subject_ready();
	CHECK_EQ(w->ret, -4711);
	while (!futex(&w->second, FUTEX_WAKE, 1, 0, NULL, 0))
		subject_sleep_ms(1);
	reap(kid);
	CHECK_EQ(w->ret, 1);
}

static void wait_for_bit(struct words *w)
{
	w->ret = futex(&w->first, FUTEX_WAIT_BITSET, 0, 0, NULL, 4);
}

SURVIVE(bit_that_is_waited_for)
{
	struct words *w = words();
	pid_t kid = child(wait_for_bit, w);

	subject_ready();
	subject_sleep_ms(50);
	CHECK_EQ(futex(&w->first, FUTEX_WAKE_BITSET, 1, 0, NULL, ~4), 0);
	while (!futex(&w->first, FUTEX_WAKE_BITSET, 1, 0, NULL, 4))
		subject_sleep_ms(1);
	reap(kid);
	CHECK_EQ(w->ret, 0);
}

static void wait_to_be_requeued(struct words *w)
{
	w->ret = futex(&w->first, FUTEX_WAIT_REQUEUE_PI, 0, 0, &w->second, 0);
	CHECK(!futex(&w->second, FUTEX_UNLOCK_PI, 0, 0, NULL, 0));
}

/* A condition variable whose mutex passes priorities on. */
SURVIVE(waiter_gets_the_mutex)
{
	struct words *w = words();
	pid_t kid = child(wait_to_be_requeued, w);

	CHECK(!futex(&w->second, FUTEX_LOCK_PI, 0, 0, NULL, 0));
	subject_ready();
	while (!futex(&w->first, FUTEX_CMP_REQUEUE_PI, 1, 0, &w->second, 0))
		subject_sleep_ms(1);
	subject_sleep_ms(50);
	CHECK_EQ(w->ret, -4711);
	CHECK(!futex(&w->second, FUTEX_UNLOCK_PI, 0, 0, NULL, 0));
	reap(kid);
	CHECK_EQ(w->ret, 0);
}

static void lock_word(struct words *w)
{
	w->ret = futex(&w->second, FUTEX_LOCK_PI, 0, 0, NULL, 0);
	CHECK(!futex(&w->second, FUTEX_UNLOCK_PI, 0, 0, NULL, 0));
}

SURVIVE(waiter_for_a_word_with_owner)
{
	struct words *w = words();
	pid_t kid;

	CHECK(!futex(&w->second, FUTEX_LOCK_PI, 0, 0, NULL, 0));
	kid = child(lock_word, w);
	subject_ready();
	subject_sleep_ms(50);
	CHECK_EQ(w->ret, -4711);
	CHECK(!futex(&w->second, FUTEX_UNLOCK_PI, 0, 0, NULL, 0));
	reap(kid);
	CHECK_EQ(w->ret, 0);
}

TEST_HARNESS_MAIN
