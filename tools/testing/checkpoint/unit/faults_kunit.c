// SPDX-License-Identifier: GPL-2.0
/*
 * Every allocation of the objhash and of the codec fails once.
 */
#include <kunit/test.h>

#include "../../../../checkpoint/image.h"
#include "../../../../checkpoint/objhash.h"

#define NR_OBJS	300

static int refs[NR_OBJS];

static void ref_grab(void *ptr)
{
	++*(int *)ptr;
}

static void ref_drop(void *ptr)
{
	--*(int *)ptr;
}

static const struct ckpt_obj_ops ops = {
	.obj_type = CKPT_OBJ_FILE, .ref_grab = ref_grab, .ref_drop = ref_drop,
};

/* Whatever happens, the hash holds what was entered, and lets go of all of it. */
static void use_objhash(struct kunit *test)
{
	struct ckpt_objhash hash;
	struct ckpt_obj *obj;
	u32 nr = 0;
	u32 i;

	ckpt_objhash_init(&hash);
	for (i = 0; i < NR_OBJS; i++) {
		obj = ckpt_objhash_add(&hash, &refs[i], &ops, 0);
		KUNIT_EXPECT_EQ(test, IS_ERR(obj) && PTR_ERR(obj) != -ENOMEM, false);
		KUNIT_EXPECT_EQ(test, refs[i], IS_ERR(obj) ? 0 : 1);
		KUNIT_EXPECT_EQ(test, !ckpt_objhash_find(&hash, &refs[i]), IS_ERR(obj));
		nr += !IS_ERR(obj);
	}
	KUNIT_EXPECT_EQ(test, hash.nr, nr);
	KUNIT_EXPECT_LE(test, NR_OBJS - 1U, nr);
	if (ckpt_objhash_sort(&hash))
		KUNIT_EXPECT_EQ(test, nr, (u32)NR_OBJS);
	for (i = 0; i < NR_OBJS; i++)
		nr -= !!ckpt_objhash_find(&hash, &refs[i]);
	KUNIT_EXPECT_EQ(test, nr, 0U);
	ckpt_objhash_destroy(&hash);
	for (i = 0; i < NR_OBJS; i++)
		KUNIT_EXPECT_EQ(test, refs[i], 0);
}

static void faults_objhash(struct kunit *test)
{
	long n;

	for (n = 1;; n++) {
		shim_fail_alloc = n;
		use_objhash(test);
		if (shim_fail_alloc)
			break;
	}
	/* a table, its doublings, the sort and the objects */
	KUNIT_EXPECT_LE(test, (long)NR_OBJS + 4, n);
}

static int no_write(void *priv, const void *buf, size_t len)
{
	return -EIO;
}

static ssize_t no_read(void *priv, void *buf, size_t len)
{
	return -EIO;
}

static void faults_image(struct kunit *test)
{
	struct ckpt_writer w;
	struct ckpt_reader r;

	shim_fail_alloc = 1;
	KUNIT_EXPECT_EQ(test, ckpt_writer_init(&w, no_write, NULL), -ENOMEM);
	ckpt_writer_destroy(&w);
	shim_fail_alloc = 1;
	KUNIT_EXPECT_EQ(test, ckpt_reader_init(&r, no_read, NULL), -ENOMEM);
	ckpt_reader_destroy(&r);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(faults_objhash),
	KUNIT_CASE(faults_image),
	{}
};

static struct kunit_suite suite = {
	.name = "checkpoint-faults",
	.test_cases = cases,
};

kunit_test_suite(suite);
