// SPDX-License-Identifier: GPL-2.0
/* Futexes, robust lists, priority inheritance, clear_child_tid. */
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

TEST_HARNESS_MAIN
