/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the tests of the image codec share: an image in memory, which they write
 * and read.
 */
#ifndef _CHECKPOINT_TESTS_IMAGE_STREAM_H
#define _CHECKPOINT_TESTS_IMAGE_STREAM_H

#include <kunit/test.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "../image.h"

#define STREAM_MAX	(3 * 1024 * 1024)
#define PAGE		CKPT_IMAGE_PAGE

/**
 * struct stream - an image in memory
 * @buf: its bytes
 * @len: how many there are
 * @max: writing stops with -ENOSPC here
 * @pos: where the next read starts
 * @writes: number of calls of write
 * @w: writes to it
 * @r: reads from it
 * @page: scratch
 */
struct stream {
	u8 *buf;
	size_t len;
	size_t max;
	size_t pos;
	int writes;
	struct ckpt_writer w;
	struct ckpt_reader r;
	u8 page[PAGE];
};

static inline int stream_write(void *priv, const void *buf, size_t len)
{
	struct stream *s = priv;

	s->writes++;
	if (len > s->max - s->len)
		return -ENOSPC;
	memcpy(s->buf + s->len, buf, len);
	s->len += len;
	return 0;
}

static inline ssize_t stream_read_at(void *priv, void *buf, size_t len, u64 offset)
{
	struct stream *s = priv;
	size_t n = offset < s->len ? min_t(size_t, len, s->len - offset) : 0;

	memcpy(buf, s->buf + offset, n);
	return n;
}

static inline ssize_t stream_read(void *priv, void *buf, size_t len)
{
	struct stream *s = priv;
	ssize_t n = stream_read_at(s, buf, len, s->pos);

	s->pos += n;
	return n;
}

/* To the start of the image, without another allocation. */
static inline void reread(struct stream *s)
{
	u8 *buf = s->r.buf;

	s->r = (struct ckpt_reader){ .read = stream_read, .priv = s, .buf = buf };
	xxh64_reset(&s->r.headers, 0);
	s->pos = 0;
}

static inline void rewrite(struct stream *s)
{
	u8 *buf = s->w.buf;

	s->w = (struct ckpt_writer){ .write = stream_write, .priv = s, .buf = buf };
	xxh64_reset(&s->w.headers, 0);
	s->len = 0;
	s->max = STREAM_MAX;
	s->writes = 0;
}

static inline int stream_init(struct kunit *test)
{
	struct stream *s = kunit_kzalloc(test, sizeof(*s), GFP_KERNEL);

	if (!s)
		return -ENOMEM;
	test->priv = s;
	s->max = STREAM_MAX;
	s->buf = kvmalloc(STREAM_MAX, GFP_KERNEL);
	if (!s->buf || ckpt_writer_init(&s->w, stream_write, s) ||
	    ckpt_reader_init(&s->r, stream_read, s))
		return -ENOMEM;
	return 0;
}

static inline void stream_exit(struct kunit *test)
{
	struct stream *s = test->priv;

	if (!s)
		return;
	ckpt_writer_destroy(&s->w);
	ckpt_reader_destroy(&s->r);
	kvfree(s->buf);
}

static inline int put(struct stream *s, u16 type, const void *data, size_t len)
{
	return ckpt_writer_put(&s->w, type, 0, data, len, NULL, 0);
}

static inline const u8 *page_of(u8 fill)
{
	static u8 page[PAGE];

	memset(page, fill, sizeof(page));
	return page;
}

static inline int put_page_of(struct stream *s, u8 fill)
{
	const u8 *page = page_of(fill);

	return ckpt_writer_data(&s->w, page, PAGE, xxh64(page, PAGE, 0));
}

/* Reads all of an image, as far as it is right. */
static inline int read_all(struct stream *s)
{
	struct ckpt_rec rec;
	u8 buf[256];
	int err;

	do {
		err = ckpt_reader_next(&s->r, &rec);
		if (!err)
			err = ckpt_reader_data_skip(&s->r, buf, sizeof(buf));
	} while (!err && !s->r.complete);
	return err;
}

static inline int read_again(struct stream *s)
{
	reread(s);
	return read_all(s);
}

static inline void announce(struct stream *s, u32 pages)
{
	const struct ckpt_page_run run = { .index = 1, .nr = pages };

	ckpt_writer_pages(&s->w, 1, &run, 1, pages * PAGE);
}

#endif /* _CHECKPOINT_TESTS_IMAGE_STREAM_H */
