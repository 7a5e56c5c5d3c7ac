/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A checkpoint that waits in the middle of the image: it goes to a pipe from
 * which nobody reads for a while.
 */
#ifndef _STALLED_H
#define _STALLED_H

#include <poll.h>
#include <pthread.h>

#include "ckpt_test.h"

struct stalled {
	struct subject *s;
	uint64_t flags;
	pthread_t thread;
	int pipe[2];
	int image;
	long ret;
};

static inline void *stalled_checkpoint(void *arg)
{
	struct stalled *st = arg;
	struct checkpoint_args args = {
		.flags = st->flags,
		.pid = st->s->pid,
		.pidfd = -1,
		.image_fd = st->pipe[1],
		.log_fd = test_open(st->s, "log", O_CREAT | O_TRUNC | O_RDWR),
	};

	st->ret = sys_checkpoint(&args, sizeof(args));
	if (st->ret < 0)
		st->ret = -errno;
	test_read_log(st->s, args.log_fd);
	close(st->pipe[1]);
	return NULL;
}

/* From the pipe to the file "image", @len bytes or all; false if there are fewer. */
static inline bool stalled_pass_on(struct stalled *st, size_t len)
{
	char buf[65536];
	ssize_t n = 1;

	while (len && n > 0) {
		n = read(st->pipe[0], buf, len < sizeof(buf) ? len : sizeof(buf));
		if (n > 0 && write(st->image, buf, n) != n)
			return false;
		len -= n > 0 ? n : 0;
	}
	return !len;
}

static inline bool stalled_is_full(struct stalled *st)
{
	struct pollfd writer = { .fd = st->pipe[1], .events = POLLOUT };
	int ms;

	for (ms = 0; ms < SUBJECT_TIMEOUT_MS; ms += 2) {
		if (!poll(&writer, 1, 0))
			return true;
		subject_sleep_ms(2);
	}
	return false;
}

/* Returns when the checkpoint waits with @len bytes of the image taken. */
static inline bool stalled_begin(struct stalled *st, struct subject *s, uint64_t flags, size_t len)
{
	*st = (struct stalled) { .s = s, .flags = flags };
	st->image = test_open(s, "image", O_CREAT | O_TRUNC | O_WRONLY);
	if (st->image < 0 || pipe2(st->pipe, O_CLOEXEC) ||
	    pthread_create(&st->thread, NULL, stalled_checkpoint, st))
		return false;
	return stalled_pass_on(st, len) && stalled_is_full(st);
}

/* Takes the rest: what checkpoint(2) returned, or -errno. */
static inline long stalled_end(struct stalled *st)
{
	stalled_pass_on(st, SIZE_MAX);
	pthread_join(st->thread, NULL);
	close(st->pipe[0]);
	close(st->image);
	return st->ret;
}

#endif
