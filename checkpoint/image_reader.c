// SPDX-License-Identifier: GPL-2.0
/*
 * Reads an image, every byte of which may be hostile. See DOC: stream in
 * <linux/checkpoint_image.h> for the format.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "image.h"

#define CKPT_BLOCK_PAD_MAX	(CKPT_IMAGE_PAGE - 1)

static bool ckpt_all_zero(const void *buf, size_t len)
{
	return !memchr_inv(buf, 0, len);
}

/**
 * ckpt_record_known() - does this codec know the type of a record?
 * @type: CKPT_REC_*
 *
 * Return: whether @type is defined in the header that this was compiled with.
 */
bool ckpt_record_known(u16 type)
{
	return (type >= CKPT_REC_HEADER && type < CKPT_REC_FRAME_MAX) ||
	       (type >= CKPT_REC_PIPE && type < CKPT_REC_OBJ_MAX) ||
	       (type >= CKPT_REC_TASK_IO_PORTS && type < CKPT_REC_TASK_MAX);
}

/**
 * ckpt_record_copy() - copy the payload of a record into a struct
 * @rec: the record
 * @buf: the struct
 * @len: its size
 *
 * A shorter payload, from an older kernel, is completed with zeros. A longer
 * one, from a newer kernel, must not say anything that is not zero.
 *
 * Return: 0 or -E2BIG.
 */
int ckpt_record_copy(const struct ckpt_rec *rec, void *buf, size_t len)
{
	size_t n = min_t(size_t, rec->len, len);

	if (!ckpt_all_zero(rec->data + n, rec->len - n))
		return -E2BIG;
	memcpy(buf, rec->data, n);
	memset(buf + n, 0, len - n);
	return 0;
}

static bool ckpt_run_has_data(const struct ckpt_page_run *run)
{
	return run->flags == CKPT_RUN_DATA || run->flags == CKPT_RUN_SHARED ||
	       run->flags == CKPT_RUN_HUGE || run->flags == CKPT_RUN_HUGETLB;
}

static bool ckpt_run_valid(const struct ckpt_page_run *run)
{
	const u64 end = 1ULL << 52;

	if (!run->nr || run->pad || run->index >= end || run->nr > end - run->index)
		return false;
	if (ckpt_run_has_data(run))
		return !run->src_index && !run->src_objref;
	return run->flags == CKPT_RUN_COW && run->src_objref &&
	       run->src_index < end && run->nr <= end - run->src_index;
}

/**
 * ckpt_pages_check() - is a CKPT_REC_PAGES record consistent?
 * @rec: the record
 *
 * After this the runs may be used: their number is right, none is empty or
 * leaves the range of page numbers, and the runs with data add up to data_len.
 * Whether the pages exist in the object is for its owner to check.
 *
 * Return: 0 or -EINVAL.
 */
int ckpt_pages_check(const struct ckpt_rec *rec)
{
	const struct ckpt_rec_pages *pages = rec->data;
	const struct ckpt_page_run *runs = ckpt_pages_runs(rec);
	u64 nr = 0;
	u32 i;

	if (rec->len < sizeof(*pages) || !pages->objref || !pages->nr_runs || pages->pad)
		return -EINVAL;
	if ((u64)pages->nr_runs * sizeof(*runs) != rec->len - sizeof(*pages))
		return -EINVAL;
	for (i = 0; i < pages->nr_runs; i++) {
		if (!ckpt_run_valid(&runs[i]))
			return -EINVAL;
		if (ckpt_run_has_data(&runs[i]))
			nr += runs[i].nr;
	}
	if (nr * CKPT_IMAGE_PAGE != pages->data_len || pages->data_len > CKPT_BLOCK_DATA_MAX)
		return -EINVAL;
	return 0;
}

/**
 * ckpt_reader_init() - begin to read an image
 * @r: what to initialize
 * @read: where the image comes from
 * @priv: argument of @read
 *
 * Return: 0 or -ENOMEM.
 */
int ckpt_reader_init(struct ckpt_reader *r,
		     ssize_t (*read)(void *priv, void *buf, size_t len), void *priv)
{
	*r = (struct ckpt_reader){ .read = read, .priv = priv };
	xxh64_reset(&r->headers, 0);
	r->buf = kvmalloc(CKPT_BLOCK_META_MAX, GFP_KERNEL);
	return r->buf ? 0 : -ENOMEM;
}

/**
 * ckpt_reader_destroy() - free what ckpt_reader_init() allocated
 * @r: the reader, or zeros
 */
void ckpt_reader_destroy(struct ckpt_reader *r)
{
	kvfree(r->buf);
	r->buf = NULL;
}

/**
 * ckpt_reader_fail() - refuse the rest of an image
 * @r: the reader
 * @err: errno, negative
 * @error: what is wrong with the image, for people; a constant
 *
 * Return: @err, or the error that came first.
 */
int ckpt_reader_fail(struct ckpt_reader *r, int err, const char *error)
{
	if (!r->err) {
		r->err = err;
		r->error = error;
		r->error_offset = r->block.magic ? r->block.offset : r->offset;
		r->error_seq = r->block.magic ? r->block.seq : r->seq;
	}
	return r->err;
}

/* Before a header is accepted, errors are about the block that it begins. */
static int ckpt_reader_fill(struct ckpt_reader *r, void *buf, size_t len)
{
	ssize_t n = r->read(r->priv, buf, len);

	if (n < 0)
		return ckpt_reader_fail(r, n, NULL);
	r->offset += n;
	if ((size_t)n == len)
		return 0;
	return ckpt_reader_fail(r, -EINVAL, r->offset ? "image is truncated" : "image is empty");
}

/* @kind: which is expected, or 0 */
static const char *ckpt_block_check(const struct ckpt_block *block, u16 kind, u64 offset, u32 seq)
{
	if (block->magic != CKPT_BLOCK_MAGIC)
		return seq ? "no block where one must start" : "not a checkpoint image";
	if (block->seq != seq || block->offset != offset)
		return "block is out of place";
	if (block->kind != CKPT_BLOCK_META && block->kind != CKPT_BLOCK_DATA)
		return "unknown kind of block";
	if (kind && block->kind != kind)
		return kind == CKPT_BLOCK_DATA ? "page contents are missing" :
						 "unexpected page contents";
	if (!block->len || block->len % CKPT_BLOCK_ALIGN || block->pad > CKPT_BLOCK_PAD_MAX)
		return "impossible length of a block";
	if (block->kind == CKPT_BLOCK_META && (block->pad || block->len > CKPT_BLOCK_META_MAX))
		return "impossible length of a block";
	if (block->kind == CKPT_BLOCK_DATA && block->len > CKPT_BLOCK_DATA_MAX)
		return "impossible length of a block";
	return NULL;
}

/* Reads a header and nothing else. */
static int ckpt_reader_header(struct ckpt_reader *r, u16 kind)
{
	struct ckpt_block block;
	const char *error;
	u64 offset = r->offset;
	int err;

	/* errors are about the block that begins here, whatever its header says */
	r->block = (struct ckpt_block){
		.magic = CKPT_BLOCK_MAGIC,
		.seq = r->seq,
		.offset = offset,
	};
	err = ckpt_reader_fill(r, &block, sizeof(block));
	if (err)
		return err;
	error = ckpt_block_check(&block, kind, offset, r->seq);
	if (error)
		return ckpt_reader_fail(r, -EINVAL, error);
	r->block = block;
	r->trailer_hash = xxh64_digest(&r->headers);
	xxh64_update(&r->headers, &block, sizeof(block));
	r->seq++;
	return 0;
}

static int ckpt_reader_meta(struct ckpt_reader *r)
{
	int err;

	if (r->complete)
		return ckpt_reader_fail(r, -EINVAL, "records are missing: the image ends here");
	if (r->in_data || r->data_due)
		return ckpt_reader_fail(r, -EINVAL, "page contents where none are expected");
	r->len = 0;
	r->pos = 0;
	err = ckpt_reader_header(r, CKPT_BLOCK_META);
	if (err)
		return err;
	err = ckpt_reader_fill(r, r->buf, r->block.len);
	if (err)
		return err;
	if (xxh64(r->buf, r->block.len, r->block.seq) != r->block.hash)
		return ckpt_reader_fail(r, -EINVAL, "hash mismatch");
	r->len = r->block.len;
	return 0;
}

/* The record at @pos; nothing about it is trusted but that it came through the hash. */
static int ckpt_reader_parse(struct ckpt_reader *r, struct ckpt_rec *rec)
{
	const struct ckpt_record *head = (const void *)r->buf + r->pos;
	u32 left = r->len - r->pos;

	/* left is a multiple of 8 and not 0 */
	if (head->len > left - sizeof(*head))
		return ckpt_reader_fail(r, -EINVAL, "record is longer than its block");
	if (!ckpt_all_zero((const u8 *)(head + 1) + head->len, ckpt_align(head->len) - head->len))
		return ckpt_reader_fail(r, -EINVAL, "padding is not zero");
	if (head->flags & ~CKPT_RECF_IGNORABLE)
		return ckpt_reader_fail(r, -EINVAL, "unknown record flag");
	*rec = (struct ckpt_rec){
		.type = head->type,
		.flags = head->flags,
		.len = head->len,
		.data = head + 1,
	};
	return 0;
}

static void ckpt_reader_consume(struct ckpt_reader *r, const struct ckpt_rec *rec)
{
	r->pos += sizeof(struct ckpt_record) + ckpt_align(rec->len);
	r->peeked = false;
}

/**
 * ckpt_reader_peek() - look at the next record
 * @r: the reader
 * @rec: filled in
 *
 * Records of unknown type that may be ignored are skipped.
 *
 * Return: 0, -EINVAL if the image is not well-formed or ends, -E2BIG if it needs
 * a newer reader, or what reading returned.
 */
int ckpt_reader_peek(struct ckpt_reader *r, struct ckpt_rec *rec)
{
	int err;

	for (;;) {
		if (r->err)
			return r->err;
		if (r->peeked) {
			*rec = r->next;
			return 0;
		}
		if (r->pos == r->len) {
			err = ckpt_reader_meta(r);
			if (err)
				return err;
		}
		err = ckpt_reader_parse(r, rec);
		if (err)
			return err;
		if (ckpt_record_known(rec->type)) {
			r->next = *rec;
			r->peeked = true;
			return 0;
		}
		if (!(rec->flags & CKPT_RECF_IGNORABLE))
			return ckpt_reader_fail(r, -E2BIG, "unknown record: newer image");
		ckpt_reader_consume(r, rec);
	}
}

static int ckpt_reader_accept_pages(struct ckpt_reader *r, const struct ckpt_rec *rec)
{
	const struct ckpt_rec_pages *pages = rec->data;

	if (ckpt_pages_check(rec))
		return ckpt_reader_fail(r, -EINVAL, "page runs are not consistent");
	if (pages->data_len && r->pos != r->len)
		return ckpt_reader_fail(r, -EINVAL, "records between page runs and page contents");
	r->data_due = pages->data_len;
	return 0;
}

static int ckpt_reader_accept_trailer(struct ckpt_reader *r, const struct ckpt_rec *rec)
{
	struct ckpt_rec_trailer trailer;

	if (rec->len != sizeof(trailer) || r->len != r->pos ||
	    r->len != sizeof(struct ckpt_record) + sizeof(trailer))
		return ckpt_reader_fail(r, -EINVAL, "trailer is out of place");
	memcpy(&trailer, rec->data, sizeof(trailer));
	if (trailer.magic != ~CKPT_IMAGE_MAGIC || trailer.nr_blocks != r->block.seq)
		return ckpt_reader_fail(r, -EINVAL, "trailer does not belong to this image");
	if (trailer.hash != r->trailer_hash)
		return ckpt_reader_fail(r, -EINVAL, "hash mismatch of the whole image");
	r->complete = true;
	return 0;
}

/**
 * ckpt_reader_next() - read the next record
 * @r: the reader
 * @rec: filled in
 *
 * A CKPT_REC_PAGES was checked with ckpt_pages_check(); the trailer was
 * verified, and nothing can be read after it. Records of unknown type that may
 * be ignored are skipped.
 *
 * Return: as ckpt_reader_peek().
 */
int ckpt_reader_next(struct ckpt_reader *r, struct ckpt_rec *rec)
{
	int err = ckpt_reader_peek(r, rec);

	if (err)
		return err;
	ckpt_reader_consume(r, rec);
	if (rec->type == CKPT_REC_PAGES)
		return ckpt_reader_accept_pages(r, rec);
	if (rec->type == CKPT_REC_TRAILER)
		return ckpt_reader_accept_trailer(r, rec);
	return 0;
}

/**
 * ckpt_reader_expect() - read a record of one type
 * @r: the reader
 * @type: CKPT_REC_*
 * @rec: filled in; also with the record that was found in its place
 *
 * Records of other types that may be ignored are skipped.
 *
 * Return: as ckpt_reader_peek(); -EINVAL also if another record comes next.
 */
int ckpt_reader_expect(struct ckpt_reader *r, u16 type, struct ckpt_rec *rec)
{
	int err;

	for (;;) {
		err = ckpt_reader_peek(r, rec);
		if (err)
			return err;
		if (rec->type == type)
			return ckpt_reader_next(r, rec);
		if (!(rec->flags & CKPT_RECF_IGNORABLE))
			return ckpt_reader_fail(r, -EINVAL, "unexpected record");
		ckpt_reader_consume(r, rec);
	}
}

/**
 * ckpt_reader_trailer() - demand that the image ends here, completely
 * @r: the reader
 *
 * Return: as ckpt_reader_expect().
 */
int ckpt_reader_trailer(struct ckpt_reader *r)
{
	struct ckpt_rec rec;

	return ckpt_reader_expect(r, CKPT_REC_TRAILER, &rec);
}

static int ckpt_reader_pad(struct ckpt_reader *r, u32 pad)
{
	u8 buf[CKPT_IMAGE_PAGE / 4];
	u32 n;
	int err;

	for (; pad; pad -= n) {
		n = min_t(u32, pad, sizeof(buf));
		err = ckpt_reader_fill(r, buf, n);
		if (err)
			return err;
		if (!ckpt_all_zero(buf, n))
			return ckpt_reader_fail(r, -EINVAL, "padding is not zero");
	}
	return 0;
}

/**
 * ckpt_reader_data_begin() - advance to the payload of the announced DATA block
 * @r: the reader; nothing happens if it is there already
 *
 * Return: 0, -EINVAL if no block was announced or it is not there, or what
 * reading returned.
 */
int ckpt_reader_data_begin(struct ckpt_reader *r)
{
	int err;

	if (r->err || r->in_data)
		return r->err;
	if (!r->data_due)
		return ckpt_reader_fail(r, -EINVAL, "page contents are missing");
	err = ckpt_reader_header(r, CKPT_BLOCK_DATA);
	if (err)
		return err;
	if (r->block.len != r->data_due)
		return ckpt_reader_fail(r, -EINVAL, "page contents do not fit the page runs");
	err = ckpt_reader_pad(r, r->block.pad);
	if (err)
		return err;
	xxh64_reset(&r->data, 0);
	r->data_left = r->block.len;
	r->data_due = 0;
	r->in_data = true;
	return 0;
}

/**
 * ckpt_reader_data_take() - account for payload that the caller reads himself
 * @r: the reader, after ckpt_reader_data_begin()
 * @len: how much
 *
 * Return: 0, or -EINVAL if there is not that much.
 */
int ckpt_reader_data_take(struct ckpt_reader *r, size_t len)
{
	if (r->err)
		return r->err;
	if (!r->in_data || len > r->data_left)
		return ckpt_reader_fail(r, -EINVAL, "page contents are missing");
	r->data_left -= len;
	r->offset += len;
	return 0;
}

/**
 * ckpt_reader_hash() - add payload that the caller has read himself to the hash
 * @r: the reader
 * @buf: the next piece
 * @len: its length
 */
void ckpt_reader_hash(struct ckpt_reader *r, const void *buf, size_t len)
{
	xxh64_update(&r->data, buf, len);
}

/**
 * ckpt_reader_data() - read payload of the announced DATA block
 * @r: the reader
 * @buf: where to
 * @len: how much
 *
 * Return: 0, -EINVAL if there is not that much, or what reading returned.
 */
int ckpt_reader_data(struct ckpt_reader *r, void *buf, size_t len)
{
	int err = ckpt_reader_data_begin(r);

	if (err)
		return err;
	if (len > r->data_left)
		return ckpt_reader_fail(r, -EINVAL, "page contents are missing");
	err = ckpt_reader_fill(r, buf, len);
	if (err)
		return err;
	r->data_left -= len;
	ckpt_reader_hash(r, buf, len);
	return 0;
}

/**
 * ckpt_reader_data_end() - demand that the DATA block was read, and verify it
 * @r: the reader
 *
 * Return: 0, or -EINVAL if payload is left or its hash is not right.
 */
int ckpt_reader_data_end(struct ckpt_reader *r)
{
	if (r->err)
		return r->err;
	if (!r->in_data || r->data_left)
		return ckpt_reader_fail(r, -EINVAL, "page contents were not used up");
	if (xxh64_digest(&r->data) != r->block.hash)
		return ckpt_reader_fail(r, -EINVAL, "hash mismatch");
	r->in_data = false;
	return 0;
}

/**
 * ckpt_reader_data_skip() - verify the announced DATA block, if any, and go on
 * @r: the reader
 * @buf: room for pieces of it
 * @len: size of @buf, not 0
 *
 * Return: 0, -EINVAL if the block is not right, or what reading returned.
 */
int ckpt_reader_data_skip(struct ckpt_reader *r, void *buf, size_t len)
{
	int err;

	if (r->err || (!r->data_due && !r->in_data))
		return r->err;
	err = ckpt_reader_data_begin(r);
	while (!err && r->data_left)
		err = ckpt_reader_data(r, buf, min_t(size_t, len, r->data_left));
	return err ?: ckpt_reader_data_end(r);
}

/* The last block of an image, as the writer makes it. */
struct ckpt_trailer_block {
	struct ckpt_block block;
	struct ckpt_record rec;
	struct ckpt_rec_trailer trailer;
};

static_assert(sizeof(struct ckpt_trailer_block) == CKPT_TRAILER_SIZE, "no holes");

static bool ckpt_trailer_valid(const struct ckpt_trailer_block *t, u64 offset)
{
	const u32 len = sizeof(*t) - sizeof(t->block);

	return !ckpt_block_check(&t->block, CKPT_BLOCK_META, offset, t->block.seq) &&
	       t->block.len == len && xxh64(&t->rec, len, t->block.seq) == t->block.hash &&
	       t->rec.type == CKPT_REC_TRAILER && t->rec.len == sizeof(t->trailer) &&
	       t->trailer.magic == ~CKPT_IMAGE_MAGIC && t->trailer.nr_blocks == t->block.seq;
}

/**
 * ckpt_image_complete() - does a file hold a whole image, by its framing?
 * @read_at: reads @len bytes at @offset of the image, returns how many: fewer
 *	only at the end of the file; or an errno
 * @priv: argument of @read_at
 * @size: bytes from the start of the image to the end of the file
 * @error: what is wrong, for people, or NULL if @read_at failed
 * @error_offset: position in the image that @error is about
 *
 * Cheap if the file ends with the image. If anything follows, the headers are
 * walked to find out whether the image ends before that.
 *
 * Return: 0, -EINVAL if the image is not whole, or what @read_at returned.
 */
int ckpt_image_complete(ssize_t (*read_at)(void *priv, void *buf, size_t len, u64 offset),
			void *priv, u64 size, const char **error, u64 *error_offset)
{
	struct ckpt_trailer_block t;
	u64 offset = 0;
	ssize_t n;
	u32 seq;

	*error = NULL;
	if (size >= sizeof(t)) {
		n = read_at(priv, &t, sizeof(t), size - sizeof(t));
		if (n < 0)
			return n;
		if (n == sizeof(t) && ckpt_trailer_valid(&t, size - sizeof(t)))
			return 0;
	}
	for (seq = 0;; seq++) {
		*error_offset = offset;
		n = read_at(priv, &t, sizeof(t), offset);
		if (n < 0)
			return n;
		if (!n && !offset)
			*error = "image is empty";
		else if ((size_t)n < sizeof(t.block))
			*error = "image is truncated";
		else
			*error = ckpt_block_check(&t.block, 0, offset, seq);
		if (*error)
			return -EINVAL;
		if (n == sizeof(t) && ckpt_trailer_valid(&t, offset))
			return 0;
		offset += sizeof(t.block) + t.block.pad + t.block.len;
	}
}
