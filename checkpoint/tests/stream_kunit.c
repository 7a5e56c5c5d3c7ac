// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of the image over real files: tmpfs and pipes.
 */
#include <kunit/test.h>
#include <linux/bvec.h>
#include <linux/cred.h>
#include <linux/delay.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/highmem.h>
#include <linux/kthread.h>
#include <linux/pipe_fs_i.h>
#include <linux/shmem_fs.h>
#include <linux/string.h>
#include <linux/uio.h>
#include <linux/vmalloc.h>
#include <linux/xxhash.h>

#include "../internal.h"

#define NR_PAGES	(CKPT_BLOCK_DATA_MAX / PAGE_SIZE)

/**
 * struct env - what a test works with
 * @ctx: one context, first to write, then to read
 * @file: image in tmpfs
 * @pages: contents
 * @bvecs: @pages
 * @copy: what is written of them
 */
struct env {
	struct ckpt_ctx ctx;
	struct file *file;
	struct page *pages[NR_PAGES];
	struct bio_vec bvecs[NR_PAGES];
	void *copy;
};

static void set_page(struct env *env, unsigned int i, u8 fill)
{
	memset(page_address(env->pages[i]), fill, PAGE_SIZE);
}

static bool page_is(struct env *env, unsigned int i, u8 fill)
{
	return !memchr_inv(page_address(env->pages[i]), fill, PAGE_SIZE);
}

static int stream_init(struct kunit *test)
{
	struct env *env = kunit_kzalloc(test, sizeof(*env), GFP_KERNEL);
	unsigned int i;

	if (!env)
		return -ENOMEM;
	test->priv = env;
	ckpt_log_init(&env->ctx.log);
	env->copy = vmalloc(CKPT_BLOCK_DATA_MAX);
	if (!env->copy)
		return -ENOMEM;
	for (i = 0; i < NR_PAGES; i++) {
		env->pages[i] = alloc_page(GFP_KERNEL);
		if (!env->pages[i])
			return -ENOMEM;
		bvec_set_page(&env->bvecs[i], env->pages[i], PAGE_SIZE, 0);
		set_page(env, i, i);
	}
	env->file = shmem_file_setup("image", 0, VM_NORESERVE);
	if (IS_ERR(env->file))
		return PTR_ERR(env->file);
	env->ctx.image_file = env->file;
	env->ctx.cred = current_cred();
	return 0;
}

static void stream_exit(struct kunit *test)
{
	struct env *env = test->priv;
	unsigned int i;

	if (!env)
		return;
	ckpt_stream_close(&env->ctx);
	ckpt_log_destroy(&env->ctx.log);
	if (!IS_ERR_OR_NULL(env->file))
		fput(env->file);
	for (i = 0; i < NR_PAGES; i++)
		if (env->pages[i])
			__free_page(env->pages[i]);
	vfree(env->copy);
}

static int write_pages(struct env *env, unsigned int nr)
{
	const struct ckpt_page_run run = { .index = 1, .nr = nr };
	size_t len = nr * PAGE_SIZE;
	unsigned int i;

	for (i = 0; i < nr; i++)
		memcpy_from_page(env->copy + i * PAGE_SIZE, env->pages[i], 0, PAGE_SIZE);
	return ckpt_write_pages(&env->ctx, 1, &run, 1, env->copy, len, xxh64(env->copy, len, 0));
}

static int write_image(struct env *env, unsigned int nr)
{
	struct ckpt_ctx *ctx = &env->ctx;
	int err;

	err = ckpt_stream_open_write(ctx);
	if (!err)
		err = ckpt_write(ctx, CKPT_REC_FS, "hello", 5);
	if (!err)
		err = write_pages(env, nr);
	if (!err)
		err = ckpt_write2(ctx, CKPT_REC_FILE_PATH, "12345678", 8, "tail", 4);
	if (!err)
		err = ckpt_stream_trailer(ctx);
	ckpt_stream_close(ctx);
	return err;
}

static void forget_pages(struct env *env)
{
	unsigned int i;

	for (i = 0; i < NR_PAGES; i++)
		set_page(env, i, 0xee);
}

static void rewind(struct env *env)
{
	ckpt_stream_close(&env->ctx);
	env->file->f_pos = 0;
}

static int read_pages(struct env *env, unsigned int nr)
{
	struct ckpt_ctx *ctx = &env->ctx;
	struct ckpt_rec_pages pages;
	struct iov_iter to;
	const void *tail;
	size_t len;
	int err;

	err = ckpt_read_tail(ctx, CKPT_REC_PAGES, &pages, sizeof(pages), &tail, &len);
	if (err)
		return err;
	iov_iter_bvec(&to, ITER_DEST, env->bvecs, nr, nr * PAGE_SIZE);
	err = ckpt_read_data(ctx, &to, nr * PAGE_SIZE);
	return err ?: ckpt_read_data_done(ctx);
}

static int read_image(struct env *env, unsigned int nr)
{
	struct ckpt_ctx *ctx = &env->ctx;
	char hello[8], path[8];
	const void *tail;
	size_t len;
	int err;

	err = ckpt_stream_open_read(ctx);
	if (!err)
		err = ckpt_read(ctx, CKPT_REC_FS, hello, sizeof(hello));
	if (!err)
		err = read_pages(env, nr);
	if (!err)
		err = ckpt_read_tail(ctx, CKPT_REC_FILE_PATH, path, sizeof(path), &tail, &len);
	if (!err && (len != 4 || memcmp(tail, "tail", 4) || memcmp(hello, "hello\0\0", 8)))
		err = -EBADMSG;
	if (!err)
		err = ckpt_stream_trailer(ctx);
	return err;
}

static void expect_said(struct kunit *test, const char *text)
{
	struct env *env = test->priv;

	KUNIT_EXPECT_NOT_NULL_MSG(test, strstr(env->ctx.log.first, text), "logged: %s",
				  env->ctx.log.first);
	ckpt_log_destroy(&env->ctx.log);
	ckpt_log_init(&env->ctx.log);
}

static void stream_file(struct kunit *test)
{
	struct env *env = test->priv;
	unsigned int i;

	KUNIT_ASSERT_EQ(test, write_image(env, NR_PAGES), 0);
	KUNIT_EXPECT_EQ(test, env->file->f_pos, i_size_read(file_inode(env->file)));
	forget_pages(env);
	rewind(env);
	KUNIT_ASSERT_EQ(test, read_image(env, NR_PAGES), 0);
	for (i = 0; i < NR_PAGES; i++)
		KUNIT_ASSERT_TRUE(test, page_is(env, i, i));
	KUNIT_EXPECT_EQ(test, env->file->f_pos, i_size_read(file_inode(env->file)));
}

static ssize_t (*shmem_write_iter)(struct kiocb *iocb, struct iov_iter *from);

/* As network file systems do when they write unbuffered. */
static ssize_t write_and_stay(struct kiocb *iocb, struct iov_iter *from)
{
	struct iov_iter copy = *from;

	iov_iter_truncate(&copy, 3 * PAGE_SIZE + 5);
	return shmem_write_iter(iocb, &copy);
}

static const struct file_operations staying_fops = {
	.write_iter = write_and_stay,
};

static void stream_iterator_stays(struct kunit *test)
{
	struct env *env = test->priv;
	const struct file_operations *shmem = env->file->f_op;

	shmem_write_iter = shmem->write_iter;
	env->file->f_op = &staying_fops;
	KUNIT_EXPECT_EQ(test, write_image(env, NR_PAGES), 0);
	env->file->f_op = shmem;
	rewind(env);
	KUNIT_EXPECT_EQ(test, read_image(env, NR_PAGES), 0);
}

/* Contents stand on page boundaries of the file, wherever the image begins. */
static void stream_aligned(struct kunit *test)
{
	struct env *env = test->priv;
	struct ckpt_ctx *ctx = &env->ctx;

	env->file->f_pos = 12345;
	KUNIT_ASSERT_EQ(test, ckpt_stream_open_write(ctx), 0);
	KUNIT_ASSERT_EQ(test, ckpt_write(ctx, CKPT_REC_FS, "odd", 3), 0);
	KUNIT_EXPECT_EQ(test, i_size_read(file_inode(env->file)), 0LL);
	KUNIT_ASSERT_EQ(test, write_pages(env, 3), 0);
	KUNIT_EXPECT_EQ(test, env->file->f_pos % PAGE_SIZE, 0LL);
	KUNIT_ASSERT_EQ(test, write_pages(env, 1), 0);
	KUNIT_EXPECT_EQ(test, env->file->f_pos % PAGE_SIZE, 0LL);
	KUNIT_ASSERT_EQ(test, ckpt_stream_trailer(ctx), 0);

	env->file->f_pos = 12345;
	ckpt_stream_close(ctx);
	KUNIT_EXPECT_EQ(test, ckpt_stream_open_read(ctx), 0);
}

/* Memory that is no pages of ours goes through a copy, in any portions. */
static void stream_read_copy(struct kunit *test)
{
	struct env *env = test->priv;
	u8 *buf = kunit_kzalloc(test, 3 * PAGE_SIZE, GFP_KERNEL);
	struct kvec vec = { .iov_base = buf, .iov_len = 3 * PAGE_SIZE };
	struct ckpt_rec rec;
	struct iov_iter to;

	KUNIT_ASSERT_NOT_NULL(test, buf);
	KUNIT_ASSERT_EQ(test, write_image(env, 3), 0);
	rewind(env);
	KUNIT_ASSERT_EQ(test, ckpt_stream_open_read(&env->ctx), 0);
	KUNIT_ASSERT_EQ(test, ckpt_peek(&env->ctx), CKPT_REC_FS);
	KUNIT_ASSERT_EQ(test, ckpt_read_rec(&env->ctx, &rec), 0);
	KUNIT_ASSERT_EQ(test, ckpt_read_rec(&env->ctx, &rec), 0);
	KUNIT_ASSERT_EQ(test, rec.type, CKPT_REC_PAGES);
	iov_iter_kvec(&to, ITER_DEST, &vec, 1, 3 * PAGE_SIZE);
	KUNIT_ASSERT_EQ(test, ckpt_read_data(&env->ctx, &to, 100), 0);
	KUNIT_ASSERT_EQ(test, ckpt_read_data(&env->ctx, &to, 3 * PAGE_SIZE - 100), 0);
	KUNIT_ASSERT_EQ(test, ckpt_read_data_done(&env->ctx), 0);
	KUNIT_EXPECT_EQ(test, iov_iter_count(&to), 0);
	KUNIT_EXPECT_NULL(test, memchr_inv(buf + PAGE_SIZE, 1, PAGE_SIZE));
	KUNIT_EXPECT_NULL(test, memchr_inv(buf + 2 * PAGE_SIZE, 2, PAGE_SIZE));
}

static void stream_read_in_portions(struct kunit *test)
{
	struct env *env = test->priv;
	struct ckpt_rec rec;
	struct iov_iter to;

	KUNIT_ASSERT_EQ(test, write_image(env, 4), 0);
	forget_pages(env);
	rewind(env);
	KUNIT_ASSERT_EQ(test, ckpt_stream_open_read(&env->ctx), 0);
	KUNIT_ASSERT_EQ(test, ckpt_read_rec(&env->ctx, &rec), 0);
	KUNIT_ASSERT_EQ(test, ckpt_read_rec(&env->ctx, &rec), 0);
	iov_iter_bvec(&to, ITER_DEST, env->bvecs, 4, 4 * PAGE_SIZE);
	KUNIT_ASSERT_EQ(test, ckpt_read_data(&env->ctx, &to, 5000), 0);
	KUNIT_EXPECT_EQ(test, ckpt_read_data(&env->ctx, &to, 4 * PAGE_SIZE - 5000), 0);
	KUNIT_ASSERT_EQ(test, ckpt_read_data_done(&env->ctx), 0);
	KUNIT_EXPECT_TRUE(test, page_is(env, 1, 1) && page_is(env, 3, 3));
}

static void stream_corrupt(struct kunit *test)
{
	struct env *env = test->priv;
	loff_t pos = 2 * PAGE_SIZE;

	KUNIT_ASSERT_EQ(test, write_image(env, 4), 0);
	KUNIT_ASSERT_EQ(test, kernel_write(env->file, "\xff", 1, &pos), 1);
	rewind(env);
	KUNIT_EXPECT_EQ(test, read_image(env, 4), -EINVAL);
	expect_said(test, ": block 1: hash mismatch");
}

/* A file is refused before anything is read that could be acted upon. */
static void stream_truncated(struct kunit *test)
{
	struct env *env = test->priv;
	loff_t size;

	KUNIT_ASSERT_EQ(test, write_image(env, 4), 0);
	size = i_size_read(file_inode(env->file));
	i_size_write(file_inode(env->file), size - 1);
	rewind(env);
	KUNIT_EXPECT_EQ(test, ckpt_stream_open_read(&env->ctx), -EINVAL);
	expect_said(test, "image is truncated");
	i_size_write(file_inode(env->file), 0);
	KUNIT_EXPECT_EQ(test, ckpt_stream_open_read(&env->ctx), -EINVAL);
	expect_said(test, "image is empty");
	KUNIT_EXPECT_EQ(test, env->file->f_pos, 0LL);
	i_size_write(file_inode(env->file), size);
	KUNIT_EXPECT_EQ(test, read_image(env, 4), 0);
}

static void stream_names_records(struct kunit *test)
{
	struct env *env = test->priv;
	u32 word;

	KUNIT_ASSERT_EQ(test, write_image(env, 1), 0);
	rewind(env);
	KUNIT_ASSERT_EQ(test, ckpt_stream_open_read(&env->ctx), 0);
	KUNIT_EXPECT_EQ(test, ckpt_read(&env->ctx, CKPT_REC_MM, &word, sizeof(word)), -EINVAL);
	expect_said(test, "record of type 112 instead of 113");

	rewind(env);
	KUNIT_ASSERT_EQ(test, ckpt_stream_open_read(&env->ctx), 0);
	KUNIT_EXPECT_EQ(test, ckpt_read(&env->ctx, CKPT_REC_FS, &word, sizeof(word)), -E2BIG);
	expect_said(test, "record of type 112 is newer than this kernel");
}

static void stream_unfit_files(struct kunit *test)
{
	struct env *env = test->priv;
	struct ckpt_ctx *ctx = &env->ctx;
	unsigned int flags = env->file->f_flags;
	fmode_t mode = env->file->f_mode;

	env->file->f_flags = flags | O_DIRECT;
	KUNIT_EXPECT_EQ(test, ckpt_stream_open_write(ctx), -EINVAL);
	expect_said(test, "O_DIRECT");
	env->file->f_flags = flags;
	env->file->f_mode = mode & ~FMODE_WRITE;
	KUNIT_EXPECT_EQ(test, ckpt_stream_open_write(ctx), -EBADF);
	expect_said(test, "not open for writing");
	env->file->f_mode = mode & ~FMODE_READ;
	KUNIT_EXPECT_EQ(test, ckpt_stream_open_read(ctx), -EBADF);
	expect_said(test, "not open for reading");
	env->file->f_mode = mode;
	ctx->log_file = env->file;
	KUNIT_EXPECT_EQ(test, ckpt_stream_open_write(ctx), -EINVAL);
	expect_said(test, "the same file");
	ctx->log_file = NULL;
}

static int pipe_writer(void *data)
{
	struct env *env = data;
	int err = write_image(env, NR_PAGES);

	/* the end of the stream */
	fput(env->ctx.image_file);
	return err;
}

static void stream_pipe(struct kunit *test)
{
	struct env *env = test->priv, *reader;
	struct task_struct *task;
	struct file *ends[2];
	unsigned int i;

	reader = kunit_kzalloc(test, sizeof(*reader), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, reader);
	KUNIT_ASSERT_EQ(test, create_pipe_files(ends, 0), 0);
	ckpt_log_init(&reader->ctx.log);
	reader->ctx.image_file = ends[0];
	reader->ctx.cred = current_cred();
	for (i = 0; i < NR_PAGES; i++) {
		reader->pages[i] = alloc_page(GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, reader->pages[i]);
		bvec_set_page(&reader->bvecs[i], reader->pages[i], PAGE_SIZE, 0);
	}

	env->ctx.image_file = ends[1];
	task = kthread_create(pipe_writer, env, "ckpt-kunit");
	KUNIT_ASSERT_FALSE(test, IS_ERR(task));
	get_task_struct(task);
	wake_up_process(task);
	KUNIT_EXPECT_EQ(test, read_image(reader, NR_PAGES), 0);
	KUNIT_EXPECT_EQ(test, kthread_stop_put(task), 0);
	for (i = 0; i < NR_PAGES; i++) {
		KUNIT_EXPECT_TRUE(test, page_is(reader, i, i));
		__free_page(reader->pages[i]);
	}
	ckpt_stream_close(&reader->ctx);
	ckpt_log_destroy(&reader->ctx.log);
	fput(ends[0]);
}

static void stream_pipe_ends(struct kunit *test)
{
	struct env *env = test->priv;
	struct ckpt_ctx *ctx = &env->ctx;
	struct file *ends[2];
	u32 word;

	/* the writer has gone */
	KUNIT_ASSERT_EQ(test, create_pipe_files(ends, 0), 0);
	ctx->image_file = ends[1];
	KUNIT_ASSERT_EQ(test, ckpt_stream_open_write(ctx), 0);
	KUNIT_ASSERT_EQ(test, ckpt_write(ctx, CKPT_REC_FS, "hello", 5), 0);
	KUNIT_ASSERT_EQ(test, ckpt_writer_flush(&ctx->writer), 0);
	ckpt_stream_close(ctx);
	fput(ends[1]);
	flush_delayed_fput();
	ctx->image_file = ends[0];
	KUNIT_ASSERT_EQ(test, ckpt_stream_open_read(ctx), 0);
	KUNIT_ASSERT_EQ(test, ckpt_peek(ctx), CKPT_REC_FS);
	KUNIT_ASSERT_EQ(test, ckpt_read(ctx, CKPT_REC_FS, &word, 4), -E2BIG);
	ckpt_log_destroy(&ctx->log);
	ckpt_log_init(&ctx->log);
	KUNIT_EXPECT_EQ(test, ckpt_read(ctx, CKPT_REC_MM, &word, 4), -EINVAL);
	expect_said(test, "block 1: image is truncated");
	ckpt_stream_close(ctx);
	fput(ends[0]);
	flush_delayed_fput();

	/* the reader has gone */
	KUNIT_ASSERT_EQ(test, create_pipe_files(ends, 0), 0);
	fput(ends[0]);
	flush_delayed_fput();
	ctx->image_file = ends[1];
	KUNIT_EXPECT_EQ(test, write_image(env, 1), -EPIPE);
	expect_said(test, "the other end is closed");
	fput(ends[1]);

	/* someone who does not wait */
	KUNIT_ASSERT_EQ(test, create_pipe_files(ends, O_NONBLOCK), 0);
	ctx->image_file = ends[1];
	KUNIT_EXPECT_EQ(test, ckpt_stream_open_write(ctx), -EINVAL);
	expect_said(test, "non-blocking");
	fput(ends[0]);
	fput(ends[1]);
}

static struct kunit_case stream_cases[] = {
	KUNIT_CASE(stream_file),
	KUNIT_CASE(stream_iterator_stays),
	KUNIT_CASE(stream_aligned),
	KUNIT_CASE(stream_read_copy),
	KUNIT_CASE(stream_read_in_portions),
	KUNIT_CASE(stream_corrupt),
	KUNIT_CASE(stream_truncated),
	KUNIT_CASE(stream_names_records),
	KUNIT_CASE(stream_unfit_files),
	KUNIT_CASE(stream_pipe),
	KUNIT_CASE(stream_pipe_ends),
	{}
};

static struct kunit_suite stream_suite = {
	.name = "checkpoint-stream",
	.init = stream_init,
	.exit = stream_exit,
	.test_cases = stream_cases,
};

kunit_test_suite(stream_suite);

MODULE_DESCRIPTION("KUnit tests of the image over files");
MODULE_LICENSE("GPL");
