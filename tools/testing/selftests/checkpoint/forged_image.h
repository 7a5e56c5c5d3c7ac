/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Forging images at will: one is taken of a subject, which is no more then,
 * changed, and restarted.
 */
#ifndef _CKPT_FORGED_IMAGE_H
#define _CKPT_FORGED_IMAGE_H

#include "codec.h"

static struct subject s;
static struct image image;

static inline bool take(void (*fn)(void))
{
	bool ok = subject_start(&s, fn) && subject_checkpoint(&s, CHECKPOINT_KILL) > 0 &&
		  waitpid(s.pid, NULL, 0) == s.pid && image_load(&s, &image);

	if (!ok)
		subject_print(&s);
	return ok;
}

static inline bool nobody_left(void)
{
	return kill(s.pid, 0) == -1 && errno == ESRCH;
}

static inline bool was_refused(long ret, int err, const char *text)
{
	bool ok = ret == -err && log_has(&s, text) && nobody_left();

	if (!ok)
		fprintf(stderr, "# %ld, not %d \"%s\": %s", ret, -err, text,
			s.log[0] ? s.log : "\n");
	return ok;
}

static inline bool refused(int err, const char *text)
{
	return image_store(&s, &image) && was_refused(subject_restart(&s, 0), err, text);
}

static inline bool accepted(void)
{
	bool ok = image_store(&s, &image) && subject_restart(&s, 0) == s.pid &&
		  !subject_finish(&s);

	if (!ok)
		subject_print(&s);
	return ok;
}

static inline struct item *next_of(uint16_t type, const struct item *after)
{
	size_t i = after ? after - image.items + 1 : 0;

	for (; i < image.nr; i++)
		if (!image.items[i].data && image.items[i].type == type)
			return &image.items[i];
	return NULL;
}

static inline void drop(struct item *item)
{
	size_t behind = image.nr - (item - image.items) - 1;

	free(item->payload);
	memmove(item, item + 1, behind * sizeof(*item));
	image.nr--;
}

FIXTURE(forged_image)
{
};

FIXTURE_SETUP(forged_image)
{
	memset(&s, 0, sizeof(s));
}

FIXTURE_TEARDOWN(forged_image)
{
	if (s.pid > 0)
		subject_kill(&s);
	if (s.dir[0])
		subject_clean(&s);
}

#endif /* _CKPT_FORGED_IMAGE_H */
