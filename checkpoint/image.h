/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The image codec: blocks and records over a byte stream. Knows nothing of the
 * kernel and is also built into userspace tools and tests.
 */
#ifndef _CHECKPOINT_IMAGE_H
#define _CHECKPOINT_IMAGE_H

#include <linux/types.h>
#include <linux/xxhash.h>
#include <linux/checkpoint.h>

#define CKPT_IMAGE_PAGE		4096	/* unit of page runs, alignment of DATA payload */

/* payload bytes of the longest record */
#define CKPT_RECORD_MAX		(CKPT_BLOCK_META_MAX - sizeof(struct ckpt_record))

/* bytes of the block that holds the trailer, which ends every image */
#define CKPT_TRAILER_SIZE \
	(sizeof(struct ckpt_block) + sizeof(struct ckpt_record) + sizeof(struct ckpt_rec_trailer))

/* What a record's payload of @len bytes takes in its block. */
static inline size_t ckpt_align(size_t len)
{
	return (len + CKPT_BLOCK_ALIGN - 1) & ~(size_t)(CKPT_BLOCK_ALIGN - 1);
}

/**
 * struct ckpt_writer - an image being written
 * @write: writes all of @len bytes, or returns an errno
 * @priv: argument of @write
 * @align: DATA payload starts at a multiple of this; 0 if that is no use
 * @base: position of the image in what it is written to, for @align
 * @offset: bytes of the image so far, those that wait in @buf not included
 * @seq: number of the next block
 * @err: first error; nothing is written after it
 * @error: what went wrong, for people, or NULL
 * @buf: the META block being filled: header, then records
 * @used: bytes of records in @buf
 * @sealed: bytes of a complete META block in @buf that a DATA block follows
 * @headers: hash over the block headers
 */
struct ckpt_writer {
	int (*write)(void *priv, const void *buf, size_t len);
	void *priv;
	u32 align;
	u64 base;
	u64 offset;
	u32 seq;
	int err;
	const char *error;
	u8 *buf;
	u32 used;
	u32 sealed;
	struct xxh64_state headers;
};

int ckpt_writer_init(struct ckpt_writer *w,
		     int (*write)(void *priv, const void *buf, size_t len), void *priv);
void ckpt_writer_destroy(struct ckpt_writer *w);
int ckpt_writer_fail(struct ckpt_writer *w, int err, const char *error);
int ckpt_writer_put(struct ckpt_writer *w, u16 type, u16 flags, const void *head,
		    size_t head_len, const void *tail, size_t tail_len);
int ckpt_writer_pages(struct ckpt_writer *w, u32 objref, const struct ckpt_page_run *runs,
		      u32 nr_runs, u32 data_len);
int ckpt_writer_data(struct ckpt_writer *w, const void *buf, u32 len, u64 hash);
int ckpt_writer_flush(struct ckpt_writer *w);
int ckpt_writer_trailer(struct ckpt_writer *w);

/**
 * struct ckpt_reader - an image being read
 * @read: reads @len bytes, returns how many: fewer only at the end of the
 *	stream; or an errno
 * @priv: argument of @read
 * @offset: bytes of the image read so far
 * @seq: number of the next block
 * @err: first error; nothing is read after it
 * @error: what is wrong with the image, for people, or NULL
 * @error_offset: position of the block that @error is about
 * @error_seq: its number
 * @complete: the trailer was read, and it is right
 * @buf: payload of the current META block
 * @len: its length
 * @pos: where in @buf the next record starts
 * @next: that record, if it was @peeked at
 * @peeked: it was, and is of a known type
 * @trailer_hash: hash over the headers before the current META block
 * @headers: hash over the block headers
 * @block: header of the current block
 * @data: hash over the payload of the current DATA block
 * @data_due: bytes of the DATA block that the last record announced and whose
 *	header has not been read
 * @data_left: bytes of the current DATA block that were not read
 * @in_data: the current block is a DATA block
 */
struct ckpt_reader {
	ssize_t (*read)(void *priv, void *buf, size_t len);
	void *priv;
	u64 offset;
	u32 seq;
	int err;
	const char *error;
	u64 error_offset;
	u32 error_seq;
	bool complete;
	u8 *buf;
	u32 len;
	u32 pos;
	struct ckpt_rec next;
	bool peeked;
	u64 trailer_hash;
	struct xxh64_state headers;
	struct ckpt_block block;
	struct xxh64_state data;
	u32 data_due;
	u32 data_left;
	bool in_data;
};

int ckpt_reader_init(struct ckpt_reader *r,
		     ssize_t (*read)(void *priv, void *buf, size_t len), void *priv);
void ckpt_reader_destroy(struct ckpt_reader *r);
int ckpt_reader_fail(struct ckpt_reader *r, int err, const char *error);

/*
 * Records. A payload stays valid until a record of another block is looked
 * at; reading DATA does not disturb it.
 */
int ckpt_reader_next(struct ckpt_reader *r, struct ckpt_rec *rec);
int ckpt_reader_peek(struct ckpt_reader *r, struct ckpt_rec *rec);
int ckpt_reader_expect(struct ckpt_reader *r, u16 type, struct ckpt_rec *rec);
int ckpt_reader_trailer(struct ckpt_reader *r);

/*
 * The DATA block that the last record announced. Whoever reads the payload
 * himself, from where @read reads, does begin, then take and hash for each
 * piece, then end. ckpt_reader_data() does begin, take and hash.
 */
int ckpt_reader_data_begin(struct ckpt_reader *r);
int ckpt_reader_data_take(struct ckpt_reader *r, size_t len);
void ckpt_reader_hash(struct ckpt_reader *r, const void *buf, size_t len);
int ckpt_reader_data(struct ckpt_reader *r, void *buf, size_t len);
int ckpt_reader_data_end(struct ckpt_reader *r);
int ckpt_reader_data_skip(struct ckpt_reader *r, void *buf, size_t len);

/* Pure rules of the format. */
bool ckpt_record_known(u16 type);
int ckpt_record_copy(const struct ckpt_rec *rec, void *buf, size_t len);
int ckpt_pages_check(const struct ckpt_rec *rec);
int ckpt_image_complete(ssize_t (*read_at)(void *priv, void *buf, size_t len, u64 offset),
			void *priv, u64 size, const char **error, u64 *error_offset);

static inline const struct ckpt_page_run *ckpt_pages_runs(const struct ckpt_rec *rec)
{
	return rec->data + sizeof(struct ckpt_rec_pages);
}

#endif /* _CHECKPOINT_IMAGE_H */
