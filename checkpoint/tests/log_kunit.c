// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of the log.
 */
#include <kunit/test.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "../internal.h"

#define TEXT_MAX	(1024 * 1024)

/**
 * struct taken - what ckpt_log_take() gave
 * @text: the lines, each with a newline
 * @len: length of @text
 * @nr: number of lines
 * @max: no more than these
 */
struct taken {
	char *text;
	size_t len;
	int nr;
	int max;
};

static int take_line(void *arg, const char *line, size_t len)
{
	struct taken *taken = arg;

	if (taken->nr == taken->max || taken->len + len + 2 > TEXT_MAX)
		return -ENOSPC;
	memcpy(taken->text + taken->len, line, len);
	taken->len += len;
	taken->text[taken->len++] = '\n';
	taken->text[taken->len] = '\0';
	taken->nr++;
	return 0;
}

static const char *take(struct kunit *test, struct taken *taken)
{
	struct ckpt_ctx *ctx = test->priv;

	*taken = (struct taken){ .max = INT_MAX };
	taken->text = kunit_kzalloc(test, TEXT_MAX, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, taken->text);
	ckpt_log_take(&ctx->log, take_line, taken);
	return taken->text;
}

static int log_init(struct kunit *test)
{
	struct ckpt_ctx *ctx = kunit_kzalloc(test, sizeof(*ctx), GFP_KERNEL);

	if (!ctx)
		return -ENOMEM;
	ckpt_log_init(&ctx->log);
	test->priv = ctx;
	return 0;
}

static void log_exit(struct kunit *test)
{
	struct ckpt_ctx *ctx = test->priv;

	if (ctx)
		ckpt_log_destroy(&ctx->log);
}

static void log_lines(struct kunit *test)
{
	static const struct ckpt_obj_ops ops = { .obj_name = "shared memory" };
	struct ckpt_obj obj = { .ops = &ops, .objref = 7 };
	struct ckpt_ctx *ctx = test->priv;
	struct taken taken;

	ckpt_info(ctx, "began");
	ctx->whom_pid = 42;
	ckpt_warn(ctx, "fd %d is odd", 3);
	ctx->obj = &obj;
	KUNIT_EXPECT_EQ(test, ckpt_err(ctx, -EAGAIN, "leaked"), -EAGAIN);
	KUNIT_EXPECT_STREQ(test, take(test, &taken),
			   "info 0 - - began\n"
			   "warn 0 42 - fd 3 is odd\n"
			   "error 11 42 shared_memory:7 leaked\n");
	KUNIT_EXPECT_STREQ(test, take(test, &taken), "");
}

static void log_first_error_wins(struct kunit *test)
{
	struct ckpt_ctx *ctx = test->priv;

	KUNIT_EXPECT_EQ(test, ckpt_log_error(&ctx->log), 0);
	ckpt_warn(ctx, "no error");
	KUNIT_EXPECT_EQ(test, ckpt_log_error(&ctx->log), 0);
	KUNIT_EXPECT_EQ(test, ckpt_refuse(ctx, -EOPNOTSUPP, "one"), -EOPNOTSUPP);
	KUNIT_EXPECT_EQ(test, ckpt_err(ctx, -EINVAL, "two"), -EINVAL);
	KUNIT_EXPECT_EQ(test, ckpt_log_error(&ctx->log), -EOPNOTSUPP);
	KUNIT_EXPECT_STREQ(test, ctx->log.first, "refuse 95 - - one");
}

static void log_dry_run(struct kunit *test)
{
	struct ckpt_ctx *ctx = test->priv;
	struct taken taken;

	ctx->flags = CHECKPOINT_DRY_RUN;
	KUNIT_EXPECT_EQ(test, ckpt_refuse(ctx, -EOPNOTSUPP, "one"), 0);
	KUNIT_EXPECT_EQ(test, ckpt_refuse(ctx, -EAGAIN, "two"), 0);
	KUNIT_EXPECT_EQ(test, ckpt_log_error(&ctx->log), 0);
	KUNIT_EXPECT_EQ(test, ctx->log.refused, -EOPNOTSUPP);
	KUNIT_EXPECT_STREQ(test, take(test, &taken),
			   "refuse 95 - - one\nrefuse 11 - - two\n");
}

static void log_says_it_once(struct kunit *test)
{
	struct ckpt_ctx *ctx = test->priv;
	struct taken taken;
	int i;

	ctx->flags = CHECKPOINT_DRY_RUN;
	for (i = 0; i < 10; i++) {
		ckpt_warn(ctx, "fd %d", i % 2);
		ckpt_refuse(ctx, -EBUSY, "fd 5");
	}
	KUNIT_EXPECT_STREQ(test, take(test, &taken),
			   "warn 0 - - fd 0\nrefuse 16 - - fd 5\nwarn 0 - - fd 1\n");
}

/* A name from outside can neither forge a line nor steer a terminal. */
static void log_hostile_text(struct kunit *test)
{
	struct ckpt_ctx *ctx = test->priv;
	struct taken taken;
	char *name = kunit_kzalloc(test, 2000, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, name);
	ckpt_warn(ctx, "%s", "a\nerror 1 - - b\r\033[2J\tc");
	KUNIT_EXPECT_STREQ(test, take(test, &taken), "warn 0 - - a?error 1 - - b??[2J?c\n");

	memset(name, 'x', 1999);
	ckpt_warn(ctx, "%s", name);
	take(test, &taken);
	KUNIT_EXPECT_EQ(test, taken.nr, 1);
	KUNIT_EXPECT_EQ(test, taken.len, (size_t)CKPT_LOG_LINE_MAX);
}

static void log_oldest_gives_way(struct kunit *test)
{
	struct ckpt_ctx *ctx = test->priv;
	struct taken taken;
	const char *text;
	int i;

	ckpt_err(ctx, -EIO, "the first error");
	ckpt_err(ctx, -EIO, "the second error");
	for (i = 0; i < 4000; i++)
		ckpt_warn(ctx, "%0200d", i);
	KUNIT_EXPECT_EQ(test, ctx->log.nr_chunks, (unsigned int)CKPT_LOG_CHUNKS_MAX);
	KUNIT_EXPECT_NE(test, ctx->log.dropped, 0UL);

	text = take(test, &taken);
	KUNIT_EXPECT_EQ(test, strncmp(text, "error 5 - - the first error\nwarn 0 - - ", 39), 0);
	KUNIT_EXPECT_NULL(test, strstr(text, "the second error"));
	KUNIT_EXPECT_NOT_NULL(test, strstr(text, "3999\n"));
	KUNIT_EXPECT_EQ(test, ctx->log.dropped, 0UL);
}

/* So that a dry run can say why, whatever it lists. */
static void log_first_refusal_stays(struct kunit *test)
{
	struct ckpt_ctx *ctx = test->priv;
	struct taken taken;
	int i;

	ctx->flags = CHECKPOINT_DRY_RUN;
	for (i = 0; i < 4000; i++)
		ckpt_refuse(ctx, -EBUSY, "%0200d", i);
	KUNIT_EXPECT_NE(test, ctx->log.dropped, 0UL);
	KUNIT_EXPECT_STREQ(test, ctx->log.first + strlen(ctx->log.first) - 4, "0000");
	KUNIT_EXPECT_EQ(test, strncmp(take(test, &taken), ctx->log.first,
				      strlen(ctx->log.first)), 0);
	ckpt_err(ctx, -EIO, "error");
	KUNIT_EXPECT_STREQ(test, ctx->log.first, "error 5 - - error");
}

static void log_reader_gone(struct kunit *test)
{
	struct ckpt_ctx *ctx = test->priv;
	struct taken taken = { .max = 1, .text = kunit_kzalloc(test, TEXT_MAX, GFP_KERNEL) };

	KUNIT_ASSERT_NOT_NULL(test, taken.text);
	ckpt_warn(ctx, "one");
	ckpt_warn(ctx, "two");
	ckpt_warn(ctx, "three");
	ckpt_log_take(&ctx->log, take_line, &taken);
	KUNIT_EXPECT_STREQ(test, taken.text, "warn 0 - - one\n");
}

static void log_atomic(struct kunit *test)
{
	struct ckpt_ctx *ctx = test->priv;
	struct taken taken;
	static DEFINE_SPINLOCK(lock);
	int i;

	spin_lock_irq(&lock);
	for (i = 0; i < 100; i++)
		ckpt_warn(ctx, "%0100d", i);
	spin_unlock_irq(&lock);
	take(test, &taken);
	KUNIT_EXPECT_EQ(test, taken.nr, 100);
}

static struct kunit_case log_cases[] = {
	KUNIT_CASE(log_lines),
	KUNIT_CASE(log_first_error_wins),
	KUNIT_CASE(log_dry_run),
	KUNIT_CASE(log_says_it_once),
	KUNIT_CASE(log_hostile_text),
	KUNIT_CASE(log_oldest_gives_way),
	KUNIT_CASE(log_first_refusal_stays),
	KUNIT_CASE(log_reader_gone),
	KUNIT_CASE(log_atomic),
	{}
};

static struct kunit_suite log_suite = {
	.name = "checkpoint-log",
	.init = log_init,
	.exit = log_exit,
	.test_cases = log_cases,
};

kunit_test_suite(log_suite);

MODULE_DESCRIPTION("KUnit tests of the checkpoint log");
MODULE_LICENSE("GPL");
