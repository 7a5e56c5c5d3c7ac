// SPDX-License-Identifier: GPL-2.0
/*
 * The image over a struct file: the codec's way to and from regular files,
 * pipes and sockets, page contents that go there directly, and errors in words.
 */
#include <linux/bvec.h>
#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/net.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uio.h>
#include <linux/workqueue.h>
#include <linux/xxhash.h>

#include "internal.h"
#include "restart.h"

/* Page contents are read in pieces that are still in the cache when hashed. */
#define CKPT_STREAM_PIECE	(128 * 1024)

static loff_t *ckpt_stream_pos(struct file *file)
{
	return file->f_mode & FMODE_STREAM ? NULL : &file->f_pos;
}

/* The call is never restarted. */
static ssize_t ckpt_stream_result(ssize_t n)
{
	switch (n) {
	case -ERESTARTSYS:
	case -ERESTARTNOINTR:
	case -ERESTARTNOHAND:
	case -ERESTART_RESTARTBLOCK:
		return -EINTR;
	}
	return n;
}

/*
 * One transfer, with the rights of the caller: a restored task may have others
 * already. How far it came is what it returns: unbuffered writes of network
 * file systems leave @iter where it was.
 */
static ssize_t ckpt_stream_transfer(struct ckpt_ctx *ctx, struct iov_iter *iter, bool write)
{
	struct file *file = ctx->image_file;
	unsigned int left = CKPT_DISTURBED_MAX;
	struct iov_iter before = *iter;
	const struct cred *old;
	ssize_t n;

	if (fatal_signal_pending(current))
		return -EINTR;
	old = override_creds(ctx->cred);
	do {
		*iter = before;
		if (write)
			n = vfs_iter_write(file, iter, ckpt_stream_pos(file), 0);
		else
			n = vfs_iter_read(file, iter, ckpt_stream_pos(file), 0);
	} while (n == -ERESTARTSYS && ckpt_was_disturbed(&left));
	revert_creds(old);
	n = ckpt_stream_result(n);
	if (n > 0 && n > iov_iter_count(&before))
		return -EIO;
	*iter = before;
	iov_iter_advance(iter, max(n, 0));
	return n;
}

static int ckpt_stream_write_iter(struct ckpt_ctx *ctx, struct iov_iter *iter)
{
	ssize_t n;

	while (iov_iter_count(iter)) {
		n = ckpt_stream_transfer(ctx, iter, true);
		if (n < 0)
			return n;
		if (!n)
			return -EIO;
		cond_resched();
	}
	return 0;
}

/* Returns how much was read: less than all only at the end of the stream. */
static ssize_t ckpt_stream_read_iter(struct ckpt_ctx *ctx, struct iov_iter *iter)
{
	size_t done = 0;
	ssize_t n;

	while (iov_iter_count(iter)) {
		n = ckpt_stream_transfer(ctx, iter, false);
		if (n < 0)
			return n;
		if (!n)
			break;
		done += n;
		cond_resched();
	}
	return done;
}

static int ckpt_stream_write(void *priv, const void *buf, size_t len)
{
	struct ckpt_ctx *ctx = priv;
	struct kvec vec = { .iov_base = (void *)buf, .iov_len = len };
	struct iov_iter iter;

	iov_iter_kvec(&iter, ITER_SOURCE, &vec, 1, len);
	return ckpt_stream_write_iter(ctx, &iter);
}

static ssize_t ckpt_stream_read(void *priv, void *buf, size_t len)
{
	struct ckpt_ctx *ctx = priv;
	struct kvec vec = { .iov_base = buf, .iov_len = len };
	struct iov_iter iter;

	iov_iter_kvec(&iter, ITER_DEST, &vec, 1, len);
	return ckpt_stream_read_iter(ctx, &iter);
}

/* Reads ahead of the position, for the test of completeness. */
static ssize_t ckpt_stream_read_at(void *priv, void *buf, size_t len, u64 offset)
{
	struct ckpt_ctx *ctx = priv;
	loff_t pos = ctx->image_file->f_pos + offset;

	if (fatal_signal_pending(current))
		return -EINTR;
	return kernel_read(ctx->image_file, buf, len, &pos);
}

static const char *ckpt_stream_reason(int err)
{
	switch (err) {
	case -ENOSPC:
	case -EDQUOT:
		return "no space left";
	case -EFBIG:
		return "file would be too large";
	case -EPIPE:
	case -ECONNRESET:
		return "the other end is closed";
	case -EINTR:
		return "interrupted by a signal";
	case -EAGAIN:
		return "would block";
	case -ENOMEM:
		return "out of memory";
	default:
		return "i/o error";
	}
}

/* Turns an error of the writer into words. */
static int ckpt_stream_wrote(struct ckpt_ctx *ctx, int err)
{
	const struct ckpt_writer *w = &ctx->writer;

	if (!err)
		return 0;
	return ckpt_err(ctx, err, "cannot write the image at offset %llu: %s", w->offset,
			w->error ?: ckpt_stream_reason(err));
}

/* Likewise of the reader. */
static int ckpt_stream_was_read(struct ckpt_ctx *ctx, int err)
{
	const struct ckpt_reader *r = &ctx->reader;

	if (!err)
		return 0;
	err = ckpt_killed(ctx, err);
	if (err == -ESRCH)
		return err;
	if (!r->error)
		return ckpt_err(ctx, err, "cannot read the image at offset %llu: %s", r->offset,
				ckpt_stream_reason(err));
	return ckpt_err(ctx, err, "image offset %llu: block %u: %s", r->error_offset, r->error_seq,
			r->error);
}

/* Others keep messages apart, and lose the end of one that is read in pieces. */
static bool ckpt_stream_is_other_socket(struct file *file)
{
	struct socket *sock = IS_ENABLED(CONFIG_NET) ? sock_from_file(file) : NULL;

	return sock && sock->type != SOCK_STREAM;
}

/* Refuses by name what cannot carry an image. */
static int ckpt_stream_check(struct ckpt_ctx *ctx, bool write)
{
	struct file *file = ctx->image_file;
	const char *verb = write ? "writing" : "reading";
	struct inode *inode = file_inode(file);
	fmode_t can = write ? FMODE_CAN_WRITE : FMODE_CAN_READ;

	if (!(file->f_mode & (write ? FMODE_WRITE : FMODE_READ)))
		return ckpt_err(ctx, -EBADF, "image_fd is not open for %s", verb);
	if (!(file->f_mode & can) || !(write ? (void *)file->f_op->write_iter :
					       (void *)file->f_op->read_iter))
		return ckpt_err(ctx, -EINVAL, "image_fd: this kind of file does not support %s",
				verb);
	if (ckpt_stream_is_other_socket(file))
		return ckpt_err(ctx, -EINVAL, "image_fd is not a stream socket");
	if (file->f_flags & O_DIRECT)
		return ckpt_err(ctx, -EINVAL, "image_fd is open with O_DIRECT");
	if ((file->f_flags & O_NONBLOCK) && !S_ISREG(inode->i_mode))
		return ckpt_err(ctx, -EINVAL, "image_fd is in non-blocking mode");
	if (ctx->log_file && S_ISREG(inode->i_mode) && file_inode(ctx->log_file) == inode)
		return ckpt_err(ctx, -EINVAL, "image_fd and log_fd are the same file");
	return 0;
}

/**
 * ckpt_stream_open_write() - begin the image
 * @ctx: the checkpoint
 *
 * Nothing is written yet. In a regular file page contents will be page-aligned.
 *
 * Context: May sleep.
 * Return: 0, -ENOMEM, or -EBADF, -EINVAL if image_fd cannot carry an image.
 */
int ckpt_stream_open_write(struct ckpt_ctx *ctx)
{
	struct file *file = ctx->image_file;
	int err;

	err = ckpt_stream_check(ctx, true);
	if (err)
		return err;
	err = ckpt_writer_init(&ctx->writer, ckpt_stream_write, ctx);
	if (err)
		return ckpt_err(ctx, err, "no memory for the image buffer");
	if (S_ISREG(file_inode(file)->i_mode)) {
		ctx->writer.align = CKPT_IMAGE_PAGE;
		ctx->writer.base = file->f_flags & O_APPEND ? i_size_read(file_inode(file)) :
							      file->f_pos;
	}
	return 0;
}

static int ckpt_stream_complete(struct ckpt_ctx *ctx)
{
	struct file *file = ctx->image_file;
	loff_t size = i_size_read(file_inode(file)) - file->f_pos;
	const char *error;
	u64 offset;
	int err;

	err = ckpt_image_complete(ckpt_stream_read_at, ctx, max_t(loff_t, size, 0), &error,
				  &offset);
	if (!err)
		return 0;
	if (error)
		return ckpt_err(ctx, err, "image offset %llu: %s", offset, error);
	return ckpt_err(ctx, err, "cannot read the image: %s", ckpt_stream_reason(err));
}

/**
 * ckpt_stream_open_read() - begin to read the image
 * @ctx: the restart
 *
 * A regular file that does not hold a whole image is refused at once.
 *
 * Context: May sleep.
 * Return: 0, -ENOMEM, -EBADF or -EINVAL if image_fd cannot carry an image,
 * -EINVAL if the image is not whole, or what reading returned.
 */
int ckpt_stream_open_read(struct ckpt_ctx *ctx)
{
	int err;

	err = ckpt_stream_check(ctx, false);
	if (err)
		return err;
	if (S_ISREG(file_inode(ctx->image_file)->i_mode)) {
		err = ckpt_stream_complete(ctx);
		if (err)
			return err;
	}
	err = ckpt_reader_init(&ctx->reader, ckpt_stream_read, ctx);
	if (err)
		return ckpt_err(ctx, err, "no memory for the image buffer");
	return 0;
}

/**
 * ckpt_stream_trailer() - write, or demand, the end of the image
 * @ctx: the operation
 *
 * Context: May sleep.
 * Return: 0, -EINVAL if the image that is read does not end here or is not
 * complete, or what reading or writing returned.
 */
int ckpt_stream_trailer(struct ckpt_ctx *ctx)
{
	if (ctx->writer.buf)
		return ckpt_stream_wrote(ctx, ckpt_writer_trailer(&ctx->writer));
	return ckpt_stream_was_read(ctx, ckpt_reader_trailer(&ctx->reader));
}

/**
 * ckpt_stream_is_file() - can the caller still give up a complete image?
 * @ctx: the checkpoint
 */
bool ckpt_stream_is_file(const struct ckpt_ctx *ctx)
{
	return S_ISREG(file_inode(ctx->image_file)->i_mode);
}

/**
 * ckpt_stream_sync() - see to it that what is written outlasts a crash
 * @ctx: the checkpoint
 *
 * A disk may be full, or a server gone, without a write that tells: the page
 * cache took it all. Pipes and sockets have nowhere else to put it.
 *
 * Context: May sleep.
 * Return: 0, or what the file system returned.
 */
int ckpt_stream_sync(struct ckpt_ctx *ctx)
{
	struct file *file = ctx->image_file;
	int err;

	if (!file->f_op->fsync)
		return 0;
	err = ckpt_stream_result(vfs_fsync(file, 0));
	if (!err)
		return 0;
	return ckpt_err(ctx, err, "cannot write the image to its disk: %s",
			ckpt_stream_reason(err));
}

/**
 * ckpt_stream_close() - free what the stream has allocated
 * @ctx: the operation, whether a stream was opened or not
 */
void ckpt_stream_close(struct ckpt_ctx *ctx)
{
	ckpt_writer_destroy(&ctx->writer);
	ckpt_reader_destroy(&ctx->reader);
	kvfree(ctx->bounce);
	ctx->bounce = NULL;
}

/**
 * ckpt_write() - write a record
 * @ctx: the checkpoint
 * @type: CKPT_REC_*
 * @data: payload, copied
 * @len: its length
 *
 * Context: May sleep.
 * Return: 0, -EOVERFLOW if the record is too long, or what writing returned.
 */
int ckpt_write(struct ckpt_ctx *ctx, u16 type, const void *data, size_t len)
{
	return ckpt_write2(ctx, type, data, len, NULL, 0);
}

/**
 * ckpt_write2() - write a record whose payload is in two places
 * @ctx: the checkpoint
 * @type: CKPT_REC_*
 * @head: first part of the payload, copied
 * @head_len: its length
 * @tail: second part, copied
 * @tail_len: its length
 *
 * Context: May sleep.
 * Return: as ckpt_write().
 */
int ckpt_write2(struct ckpt_ctx *ctx, u16 type, const void *head, size_t head_len,
		const void *tail, size_t tail_len)
{
	return ckpt_stream_wrote(ctx, ckpt_writer_put(&ctx->writer, type, 0, head, head_len,
						      tail, tail_len));
}

/**
 * ckpt_write_pages() - write page contents
 * @ctx: the checkpoint
 * @objref: object that the pages belong to
 * @runs: what pages they are
 * @nr_runs: number of @runs
 * @data: a copy of the pages of all CKPT_RUN_DATA runs, in order
 * @len: its length; 0 if there are none
 * @hash: xxh64 of @data
 *
 * Context: May sleep.
 * Return: 0, -EINVAL if @runs are not consistent, -EOVERFLOW if they are too
 * many for a record, or what writing returned.
 */
int ckpt_write_pages(struct ckpt_ctx *ctx, u32 objref, const struct ckpt_page_run *runs,
		     unsigned int nr_runs, const void *data, size_t len, u64 hash)
{
	int err;

	if (len > CKPT_BLOCK_DATA_MAX)
		return ckpt_stream_wrote(ctx, ckpt_writer_fail(&ctx->writer, -EOVERFLOW,
							       "too many pages at once"));
	err = ckpt_writer_pages(&ctx->writer, objref, runs, nr_runs, len);
	if (!err && len)
		err = ckpt_writer_data(&ctx->writer, data, len, hash);
	return ckpt_stream_wrote(ctx, err);
}

/* What is done for one record is bounded, but not how many there are. */
static int ckpt_stream_yield(void)
{
	cond_resched();
	return fatal_signal_pending(current) ? -EINTR : 0;
}

static int ckpt_read_expect(struct ckpt_ctx *ctx, u16 type, struct ckpt_rec *rec)
{
	const struct ckpt_reader *r = &ctx->reader;
	int err;

	*rec = (struct ckpt_rec){};
	err = ckpt_stream_yield() ?: ckpt_reader_expect(&ctx->reader, type, rec);
	if (err && rec->type && rec->type != type)
		return ckpt_err(ctx, err,
				"image offset %llu: block %u: record of type %u instead of %u",
				r->error_offset, r->error_seq, rec->type, type);
	return ckpt_stream_was_read(ctx, err);
}

/**
 * ckpt_rec_copy() - copy the payload of a record into a struct
 * @rec: the record
 * @buf: the struct
 * @len: its size
 *
 * A shorter payload is completed with zeros; a longer one must be zero beyond
 * @len.
 *
 * Return: 0 or -E2BIG.
 */
int ckpt_rec_copy(const struct ckpt_rec *rec, void *buf, size_t len)
{
	return ckpt_record_copy(rec, buf, len);
}

/**
 * ckpt_read() - read a record of one type into a struct
 * @ctx: the restart
 * @type: CKPT_REC_*
 * @buf: the struct
 * @len: its size; see ckpt_rec_copy() for records of other lengths
 *
 * Context: May sleep.
 * Return: 0, -EINVAL if another record comes next or the image is not
 * well-formed, -E2BIG if the record is newer, or what reading returned.
 */
int ckpt_read(struct ckpt_ctx *ctx, u16 type, void *buf, size_t len)
{
	struct ckpt_rec rec;
	int err;

	err = ckpt_read_expect(ctx, type, &rec);
	if (err)
		return err;
	err = ckpt_record_copy(&rec, buf, len);
	if (err)
		return ckpt_err(ctx, err, "record of type %u is newer than this kernel", type);
	return 0;
}

/**
 * ckpt_read_tail() - read a record that has a fixed and a variable part
 * @ctx: the restart
 * @type: CKPT_REC_*
 * @buf: where the fixed part goes
 * @len: its size; completed with zeros if the payload is shorter
 * @tail: the variable part; valid until a record of another block is read or
 *	peeked at
 * @tail_len: its length
 *
 * Context: May sleep.
 * Return: 0, -EINVAL as for ckpt_read(), or what reading returned.
 */
int ckpt_read_tail(struct ckpt_ctx *ctx, u16 type, void *buf, size_t len,
		   const void **tail, size_t *tail_len)
{
	struct ckpt_rec rec;
	size_t fixed;
	int err;

	err = ckpt_read_expect(ctx, type, &rec);
	if (err)
		return err;
	fixed = min_t(size_t, rec.len, len);
	memcpy(buf, rec.data, fixed);
	memset(buf + fixed, 0, len - fixed);
	*tail = rec.data + fixed;
	*tail_len = rec.len - fixed;
	return 0;
}

/**
 * ckpt_read_rec() - read the next record, whatever it is
 * @ctx: the restart
 * @rec: filled in; its payload is valid until a record of another block is
 *	read or peeked at
 *
 * Context: May sleep.
 * Return: 0, -EINVAL if the image is not well-formed or ends, -E2BIG if the
 * record is newer than this kernel, or what reading returned.
 */
int ckpt_read_rec(struct ckpt_ctx *ctx, struct ckpt_rec *rec)
{
	int err = ckpt_stream_yield() ?: ckpt_reader_next(&ctx->reader, rec);

	return ckpt_stream_was_read(ctx, err);
}

/**
 * ckpt_peek() - tell what record comes next
 * @ctx: the restart
 *
 * Context: May sleep.
 * Return: CKPT_REC_*, or an errno as from ckpt_read_rec().
 */
int ckpt_peek(struct ckpt_ctx *ctx)
{
	struct ckpt_rec rec;
	int err;

	err = ckpt_stream_was_read(ctx, ckpt_reader_peek(&ctx->reader, &rec));
	return err ?: rec.type;
}

/* A piece of page contents that was read, and is hashed while the next one is. */
struct ckpt_piece {
	struct work_struct work;
	struct ckpt_reader *reader;
	const struct bio_vec *bvec;
	struct bvec_iter at;
};

static void ckpt_piece_hash(struct work_struct *work)
{
	struct ckpt_piece *piece = container_of(work, struct ckpt_piece, work);
	struct bvec_iter at;
	struct bio_vec bv;
	void *addr;

	for_each_bvec(bv, piece->bvec, at, piece->at) {
		addr = bvec_kmap_local(&bv);
		ckpt_reader_hash(piece->reader, addr, bv.bv_len);
		kunmap_local(addr);
	}
}

static void ckpt_piece_done(struct ckpt_piece *piece)
{
	/* the other CPUs had no time for it */
	if (cancel_work_sync(&piece->work))
		ckpt_piece_hash(&piece->work);
}

/* Reads straight into the pages. */
static int ckpt_piece_read(struct ckpt_ctx *ctx, struct iov_iter *to, size_t len)
{
	struct ckpt_reader *r = &ctx->reader;
	struct iov_iter part = *to;
	ssize_t n;

	iov_iter_truncate(&part, len);
	n = ckpt_stream_read_iter(ctx, &part);
	if (n < 0)
		return ckpt_reader_fail(r, n, NULL);
	if (n < len)
		return ckpt_reader_fail(r, -EINVAL, "image is truncated");
	iov_iter_advance(to, len);
	return ckpt_reader_data_take(r, len);
}

/* The hash is one over all pieces, in order. A single one is not worth waking anybody. */
static int ckpt_read_bvecs(struct ckpt_ctx *ctx, struct iov_iter *to, size_t len)
{
	struct ckpt_piece piece = { .reader = &ctx->reader };
	size_t n;
	int err = 0;

	INIT_WORK_ONSTACK(&piece.work, ckpt_piece_hash);
	for (; len; len -= n) {
		struct bvec_iter at = { .bi_bvec_done = to->iov_offset };
		const struct bio_vec *bvec = to->bvec;

		n = min_t(size_t, len, CKPT_STREAM_PIECE);
		err = ckpt_piece_read(ctx, to, n);
		ckpt_piece_done(&piece);
		if (err)
			break;
		at.bi_size = n;
		piece.bvec = bvec;
		piece.at = at;
		if (n < len)
			queue_work(system_unbound_wq, &piece.work);
		else
			ckpt_piece_hash(&piece.work);
	}
	destroy_work_on_stack(&piece.work);
	return err;
}

/* Other memory may be written to by others, so that it cannot be hashed in place. */
static int ckpt_read_copy(struct ckpt_ctx *ctx, struct iov_iter *to, size_t len)
{
	void *buf;
	size_t n;
	int err;

	if (!ctx->bounce)
		ctx->bounce = kvmalloc(CKPT_STREAM_PIECE, GFP_KERNEL);
	buf = ctx->bounce;
	if (!buf)
		return ckpt_reader_fail(&ctx->reader, -ENOMEM, NULL);
	for (; len; len -= n) {
		n = min_t(size_t, len, CKPT_STREAM_PIECE);
		err = ckpt_reader_data(&ctx->reader, buf, n);
		if (err)
			return err;
		if (copy_to_iter(buf, n, to) != n)
			return ckpt_reader_fail(&ctx->reader, -EFAULT,
						"page contents have no place");
	}
	return 0;
}

/**
 * ckpt_read_data() - read page contents
 * @ctx: the restart, whose last record was a CKPT_REC_PAGES with contents
 * @to: where they go, advanced; bio_vecs are filled directly, other memory
 *	through a copy
 * @len: how much, at most what is left of the block
 *
 * The contents are not verified before ckpt_read_data_done().
 *
 * Context: May sleep.
 * Return: 0, -EINVAL if the block is not there or not that long, -EFAULT if @to
 * cannot be written to, -ENOMEM, or what reading returned.
 */
int ckpt_read_data(struct ckpt_ctx *ctx, struct iov_iter *to, size_t len)
{
	struct ckpt_reader *r = &ctx->reader;
	int err;

	err = ckpt_reader_data_begin(r);
	if (!err && (len > r->data_left || len > iov_iter_count(to)))
		err = ckpt_reader_fail(r, -EINVAL, "page contents are missing");
	if (!err && len)
		err = iov_iter_is_bvec(to) ? ckpt_read_bvecs(ctx, to, len) :
					     ckpt_read_copy(ctx, to, len);
	return ckpt_stream_was_read(ctx, err);
}

/**
 * ckpt_read_data_done() - verify the page contents that were read
 * @ctx: the restart
 *
 * Context: Does not sleep.
 * Return: 0, or -EINVAL if contents are left or the hash is not right.
 */
int ckpt_read_data_done(struct ckpt_ctx *ctx)
{
	return ckpt_stream_was_read(ctx, ckpt_reader_data_end(&ctx->reader));
}
