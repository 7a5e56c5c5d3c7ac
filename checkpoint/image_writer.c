// SPDX-License-Identifier: GPL-2.0
/*
 * Writes an image. See DOC: stream in <linux/checkpoint_image.h> for the format.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "image.h"

/* the header of a block, its padding, and a META payload with a DATA header behind it */
#define CKPT_WRITER_BUF		(2 * sizeof(struct ckpt_block) + CKPT_BLOCK_META_MAX + \
				 CKPT_IMAGE_PAGE)

/**
 * ckpt_writer_init() - begin an image
 * @w: what to initialize; the caller may set @w->align and @w->base afterwards
 * @write: where the image goes
 * @priv: argument of @write
 *
 * Nothing is written before a block is full or flushed.
 *
 * Return: 0 or -ENOMEM.
 */
int ckpt_writer_init(struct ckpt_writer *w,
		     int (*write)(void *priv, const void *buf, size_t len), void *priv)
{
	*w = (struct ckpt_writer){ .write = write, .priv = priv };
	xxh64_reset(&w->headers, 0);
	w->buf = kvmalloc(CKPT_WRITER_BUF, GFP_KERNEL);
	return w->buf ? 0 : -ENOMEM;
}

/**
 * ckpt_writer_destroy() - free what ckpt_writer_init() allocated
 * @w: the writer, or zeros
 */
void ckpt_writer_destroy(struct ckpt_writer *w)
{
	kvfree(w->buf);
	w->buf = NULL;
}

/**
 * ckpt_writer_fail() - end an image that cannot be completed
 * @w: the writer
 * @err: errno, negative
 * @error: why, for people; a constant
 *
 * Return: @err, or the error that came first.
 */
int ckpt_writer_fail(struct ckpt_writer *w, int err, const char *error)
{
	if (!w->err) {
		w->err = err;
		w->error = error;
	}
	return w->err;
}

static int ckpt_writer_emit(struct ckpt_writer *w, const void *buf, size_t len)
{
	int err = w->write(w->priv, buf, len);

	if (err)
		return ckpt_writer_fail(w, err, NULL);
	w->offset += len;
	return 0;
}

static void ckpt_writer_frame(struct ckpt_writer *w, struct ckpt_block *block)
{
	block->magic = CKPT_BLOCK_MAGIC;
	block->seq = w->seq++;
	xxh64_update(&w->headers, block, sizeof(*block));
}

/* Completes the META block in the buffer; a DATA header may be put behind it. */
static void ckpt_writer_seal(struct ckpt_writer *w)
{
	struct ckpt_block *block = (struct ckpt_block *)w->buf;

	if (!w->used)
		return;
	*block = (struct ckpt_block){
		.kind = CKPT_BLOCK_META,
		.len = w->used,
		.offset = w->offset,
		.hash = xxh64(block + 1, w->used, w->seq),
	};
	ckpt_writer_frame(w, block);
	w->sealed = sizeof(*block) + w->used;
	w->used = 0;
}

/**
 * ckpt_writer_flush() - write what waits in the buffer
 * @w: the writer
 *
 * Return: 0 or the errno of the first error.
 */
int ckpt_writer_flush(struct ckpt_writer *w)
{
	u32 len;

	if (w->err)
		return w->err;
	ckpt_writer_seal(w);
	len = w->sealed;
	w->sealed = 0;
	return len ? ckpt_writer_emit(w, w->buf, len) : 0;
}

/**
 * ckpt_writer_put() - append a record
 * @w: the writer
 * @type: CKPT_REC_*
 * @flags: CKPT_RECF_*
 * @head: first part of the payload
 * @head_len: its length
 * @tail: what follows it
 * @tail_len: its length; both together at most CKPT_RECORD_MAX
 *
 * Return: 0, -EOVERFLOW if the record is too long, or the errno of the first
 * error.
 */
int ckpt_writer_put(struct ckpt_writer *w, u16 type, u16 flags, const void *head,
		    size_t head_len, const void *tail, size_t tail_len)
{
	struct ckpt_record rec = { .type = type, .flags = flags };
	size_t len, all;
	u8 *to;
	int err;

	if (w->err)
		return w->err;
	if (check_add_overflow(head_len, tail_len, &len) || len > CKPT_RECORD_MAX)
		return ckpt_writer_fail(w, -EOVERFLOW, "record is too long");
	all = sizeof(rec) + ckpt_align(len);
	if (w->sealed || w->used + all > CKPT_BLOCK_META_MAX) {
		err = ckpt_writer_flush(w);
		if (err)
			return err;
	}

	rec.len = len;
	to = w->buf + sizeof(struct ckpt_block) + w->used;
	memcpy(to, &rec, sizeof(rec));
	to += sizeof(rec);
	if (head_len)
		memcpy(to, head, head_len);
	if (tail_len)
		memcpy(to + head_len, tail, tail_len);
	memset(to + len, 0, ckpt_align(len) - len);
	w->used += all;
	return 0;
}

/**
 * ckpt_writer_pages() - append a CKPT_REC_PAGES record
 * @w: the writer
 * @objref: object that the pages belong to
 * @runs: what they are
 * @nr_runs: number of @runs
 * @data_len: bytes of the DATA block that the caller writes next, or 0
 *
 * Return: 0, -EINVAL if no reader would accept the record, -EOVERFLOW if it is
 * too long, or the errno of the first error.
 */
int ckpt_writer_pages(struct ckpt_writer *w, u32 objref, const struct ckpt_page_run *runs,
		      u32 nr_runs, u32 data_len)
{
	struct ckpt_rec_pages pages = {
		.objref = objref,
		.nr_runs = nr_runs,
		.data_len = data_len,
	};
	struct ckpt_rec rec = { .type = CKPT_REC_PAGES };
	int err;

	err = ckpt_writer_put(w, CKPT_REC_PAGES, 0, &pages, sizeof(pages),
			      runs, array_size(nr_runs, sizeof(*runs)));
	if (err)
		return err;
	rec.len = sizeof(pages) + nr_runs * sizeof(*runs);
	rec.data = w->buf + sizeof(struct ckpt_block) + w->used - ckpt_align(rec.len);
	if (ckpt_pages_check(&rec))
		return ckpt_writer_fail(w, -EINVAL, "page runs are not consistent");
	return 0;
}

/* Completes the META block before it and writes both, up to the payload. */
static int ckpt_writer_data_header(struct ckpt_writer *w, u32 len, u64 hash)
{
	struct ckpt_block *block;
	u32 pad = 0;
	u64 pos;

	ckpt_writer_seal(w);
	if (w->err)
		return w->err;
	block = (struct ckpt_block *)(w->buf + w->sealed);
	pos = w->offset + w->sealed + sizeof(*block);
	if (w->align)
		pad = -(w->base + pos) & (w->align - 1);
	*block = (struct ckpt_block){
		.kind = CKPT_BLOCK_DATA,
		.pad = pad,
		.len = len,
		.offset = w->offset + w->sealed,
		.hash = hash,
	};
	ckpt_writer_frame(w, block);
	memset(block + 1, 0, pad);
	w->sealed += sizeof(*block) + pad;
	return ckpt_writer_flush(w);
}

/**
 * ckpt_writer_data() - write a DATA block
 * @w: the writer, whose last record announced the block
 * @buf: the payload
 * @len: bytes of it, as announced: whole pages
 * @hash: xxh64 of the payload, seed 0
 *
 * Return: 0 or the errno of the first error.
 */
int ckpt_writer_data(struct ckpt_writer *w, const void *buf, u32 len, u64 hash)
{
	return ckpt_writer_data_header(w, len, hash) ?: ckpt_writer_emit(w, buf, len);
}

/**
 * ckpt_writer_trailer() - complete the image
 * @w: the writer
 *
 * Return: 0 or the errno of the first error.
 */
int ckpt_writer_trailer(struct ckpt_writer *w)
{
	struct ckpt_rec_trailer trailer = { .magic = ~CKPT_IMAGE_MAGIC };
	int err;

	err = ckpt_writer_flush(w);
	if (err)
		return err;
	trailer.nr_blocks = w->seq;
	trailer.hash = xxh64_digest(&w->headers);
	err = ckpt_writer_put(w, CKPT_REC_TRAILER, 0, &trailer, sizeof(trailer), NULL, 0);
	return err ?: ckpt_writer_flush(w);
}
