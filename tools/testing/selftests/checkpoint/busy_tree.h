/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A tree of processes and threads which all do something all the time, so that a
 * test sees whether each of them goes on.
 */
#ifndef _CKPT_BUSY_TREE_H
#define _CKPT_BUSY_TREE_H

#include <pthread.h>

#include "ckpt_test.h"

#define NR_WORKERS	6	/* tasks of the tree that count */
#define PROGRESS_MS	(20000 * test_slowness())

/* Counters that the tree's tasks write to a file, and the test reads. */
struct progress {
	uint64_t count[NR_WORKERS];
};

static int progress_fd;

static inline void *count_for_ever(void *arg)
{
	long n = (long)arg;
	uint64_t count;

	for (count = 1;; count++) {
		CHECK_EQ(pwrite(progress_fd, &count, sizeof(count), n * sizeof(count)),
			 sizeof(count));
		if (n % 2)
			sched_yield();
		else
			subject_sleep_ms(1);
	}
	return NULL;
}

static size_t ballast;

static inline void subject_busy(void)
{
	pthread_t thread;
	char *p;
	long n;

	p = mmap(NULL, ballast, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(p != MAP_FAILED);
	memset(p, 1, ballast);
	progress_fd = open("progress", O_CREAT | O_RDWR, 0644);
	CHECK(progress_fd >= 0);
	for (n = 0; n < 3; n++)
		CHECK(!pthread_create(&thread, NULL, count_for_ever, (void *)n));
	for (; n < NR_WORKERS; n++) {
		pid_t pid = fork();

		CHECK(pid >= 0);
		if (!pid) {
			p[0] = n;
			count_for_ever((void *)n);
		}
	}
	subject_ready();
}

static inline bool read_progress(struct subject *s, struct progress *now)
{
	int fd = test_open(s, "progress", O_RDONLY);
	bool ok;

	*now = (struct progress){};
	ok = fd >= 0 && read(fd, now, sizeof(*now)) >= 0;
	close(fd);
	return ok;
}

/* Does each thread and process of the tree go on? */
static inline bool all_progress(struct subject *s)
{
	struct progress before, now;
	int n, ms;

	if (!read_progress(s, &before))
		return false;
	for (ms = 0; ms < PROGRESS_MS; ms++) {
		if (!read_progress(s, &now))
			return false;
		for (n = 0; n < NR_WORKERS && now.count[n] > before.count[n]; n++)
			;
		if (n == NR_WORKERS)
			return true;
		subject_sleep_ms(1);
	}
	fprintf(stderr, "# task %d of the tree stands still\n", n);
	return false;
}

/* Exits with the errno of the checkpoint, or 0. */
static inline pid_t start_checkpointer(struct subject *s, int image_fd)
{
	pid_t pid = fork();

	if (!pid) {
		struct checkpoint_args args = {
			.pid = s->pid, .pidfd = -1, .image_fd = image_fd, .log_fd = -1,
		};

		_exit(sys_checkpoint(&args, sizeof(args)) > 0 ? 0 : errno);
	}
	return pid;
}

#endif /* _CKPT_BUSY_TREE_H */
