// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of the hash of shared objects. Also built in userspace, see
 * tools/testing/checkpoint/unit.
 */
#include <kunit/test.h>
#include <linux/err.h>
#include <linux/slab.h>

#include "../objhash.h"

#define NR_MANY		20000

/* An object that counts its references and remembers when it was dropped. */
struct thing {
	int refs;
	int dropped;
};

static int drops;

static void thing_grab(void *ptr)
{
	struct thing *thing = ptr;

	thing->refs++;
}

static void thing_drop(void *ptr)
{
	struct thing *thing = ptr;

	thing->refs--;
	thing->dropped = ++drops;
}

static const struct ckpt_obj_ops pipe_ops = {
	.obj_name = "pipe", .obj_type = CKPT_OBJ_PIPE,
	.ref_grab = thing_grab, .ref_drop = thing_drop,
};

static const struct ckpt_obj_ops file_ops = {
	.obj_name = "file", .obj_type = CKPT_OBJ_FILE,
	.ref_grab = thing_grab, .ref_drop = thing_drop,
};

static const struct ckpt_obj_ops mm_ops = {
	.obj_name = "mm", .obj_type = CKPT_OBJ_MM,
	.ref_grab = thing_grab, .ref_drop = thing_drop,
};

static const struct ckpt_obj_ops fs_ops = {
	.obj_name = "fs_struct", .obj_type = CKPT_OBJ_FS, .stage = CKPT_STAGE_TASK,
	.ref_grab = thing_grab, .ref_drop = thing_drop,
};

static const struct ckpt_obj_ops sighand_ops = {
	.obj_name = "sighand", .obj_type = CKPT_OBJ_SIGHAND, .stage = CKPT_STAGE_TASK,
	.ref_grab = thing_grab, .ref_drop = thing_drop,
};

static struct ckpt_objhash hash;

static int objhash_init(struct kunit *test)
{
	drops = 0;
	ckpt_objhash_init(&hash);
	return 0;
}

static void objhash_exit(struct kunit *test)
{
	ckpt_objhash_destroy(&hash);
}

static struct thing *things(struct kunit *test, int nr)
{
	struct thing *array = kunit_kzalloc(test, nr * sizeof(*array), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, array);
	return array;
}

static void objhash_empty(struct kunit *test)
{
	struct thing *t = things(test, 1);

	KUNIT_EXPECT_NULL(test, ckpt_objhash_find(&hash, t));
	KUNIT_EXPECT_NULL(test, ckpt_objhash_find_ref(&hash, 1));
	KUNIT_EXPECT_EQ(test, ckpt_objhash_sort(&hash), 0);
	KUNIT_EXPECT_TRUE(test, list_empty(&hash.objs));
}

static void objhash_by_pointer(struct kunit *test)
{
	struct thing *t = things(test, 3);
	struct ckpt_obj *a, *b;

	a = ckpt_objhash_add(&hash, &t[0], &pipe_ops, 7);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, a);
	b = ckpt_objhash_add(&hash, &t[1], &file_ops, CKPT_TASK_NONE);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, b);

	KUNIT_EXPECT_PTR_EQ(test, ckpt_objhash_find(&hash, &t[0]), a);
	KUNIT_EXPECT_PTR_EQ(test, ckpt_objhash_find(&hash, &t[1]), b);
	KUNIT_EXPECT_NULL(test, ckpt_objhash_find(&hash, &t[2]));
	KUNIT_EXPECT_PTR_EQ(test, a->ops, &pipe_ops);
	KUNIT_EXPECT_EQ(test, a->objref, 1U);
	KUNIT_EXPECT_EQ(test, b->objref, 2U);
	KUNIT_EXPECT_EQ(test, a->owner, 7U);
	KUNIT_EXPECT_EQ(test, a->users, 0L);
	KUNIT_EXPECT_EQ(test, a->flags, 0U);
	KUNIT_EXPECT_EQ(test, hash.nr, 2U);
}

/* One reference for each object while it is in the hash, none afterwards. */
static void objhash_references(struct kunit *test)
{
	struct thing *t = things(test, 3);
	int i;

	for (i = 0; i < 3; i++) {
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, ckpt_objhash_add(&hash, &t[i], &mm_ops, 0));
		KUNIT_EXPECT_EQ(test, t[i].refs, 1);
	}
	ckpt_objhash_destroy(&hash);
	for (i = 0; i < 3; i++) {
		KUNIT_EXPECT_EQ(test, t[i].refs, 0);
		KUNIT_EXPECT_EQ(test, t[i].dropped, 3 - i);
	}
	KUNIT_EXPECT_EQ(test, hash.nr, 0U);
	KUNIT_EXPECT_NULL(test, ckpt_objhash_find(&hash, &t[0]));
}

static void objhash_many(struct kunit *test)
{
	struct thing *t = things(test, NR_MANY);
	struct ckpt_obj *obj;
	u32 n = 0;
	u32 i;

	for (i = 0; i < NR_MANY; i++)
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, ckpt_objhash_add(&hash, &t[i], &file_ops, i));
	for (i = 0; i < NR_MANY; i++) {
		obj = ckpt_objhash_find(&hash, &t[i]);
		KUNIT_ASSERT_NOT_NULL(test, obj);
		KUNIT_ASSERT_EQ(test, obj->objref, i + 1);
	}
	ckpt_objhash_for_each(obj, &hash)
		KUNIT_ASSERT_EQ(test, obj->objref, ++n);
	KUNIT_EXPECT_EQ(test, n, (u32)NR_MANY);
	/* chains are short: the table has grown with its contents */
	KUNIT_EXPECT_LE(test, (u32)NR_MANY, 1U << hash.bits);
}

/* The list is the worklist of the collect pass. */
static void objhash_grows_while_walked(struct kunit *test)
{
	struct thing *t = things(test, 100);
	struct ckpt_obj *obj;
	int n = 1;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, ckpt_objhash_add(&hash, &t[0], &file_ops, 0));
	ckpt_objhash_for_each(obj, &hash) {
		obj->flags |= CKPT_OBJ_COLLECTED;
		if (n == 100)
			continue;
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, ckpt_objhash_add(&hash, &t[n], &pipe_ops, 0));
		n++;
	}
	KUNIT_EXPECT_EQ(test, n, 100);
	ckpt_objhash_for_each(obj, &hash)
		KUNIT_EXPECT_EQ(test, obj->flags, (u32)CKPT_OBJ_COLLECTED);
}

static void objhash_sorted_by_type(struct kunit *test)
{
	const struct ckpt_obj_ops *const kinds[] = { &mm_ops, &pipe_ops, &file_ops };
	struct thing *t = things(test, 300);
	u32 type = 0, objref = 0;
	struct ckpt_obj *obj;
	int n = 0;
	int i;

	for (i = 0; i < 300; i++)
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test,
					     ckpt_objhash_add(&hash, &t[i], kinds[i % 3], 0));
	KUNIT_ASSERT_EQ(test, ckpt_objhash_sort(&hash), 0);
	ckpt_objhash_for_each(obj, &hash) {
		if (obj->ops->obj_type != type) {
			KUNIT_ASSERT_LE(test, type, obj->ops->obj_type);
			type = obj->ops->obj_type;
			objref = 0;
		}
		KUNIT_ASSERT_LE(test, objref + 1, obj->objref);
		objref = obj->objref;
		n++;
	}
	KUNIT_EXPECT_EQ(test, n, 300);
	for (i = 0; i < 300; i++)
		KUNIT_ASSERT_NOT_NULL(test, ckpt_objhash_find(&hash, &t[i]));
}

/* What a task restores when all tasks exist stays together, and comes last. */
static void objhash_sorted_by_task(struct kunit *test)
{
	const struct ckpt_obj_ops *const kinds[] = { &fs_ops, &sighand_ops, &file_ops };
	struct thing *t = things(test, 30);
	struct ckpt_obj *obj;
	u32 owner = 0;
	int i, n = 0;

	for (i = 0; i < 30; i++)
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, ckpt_objhash_add(&hash, &t[i], kinds[i % 3],
								    i / 3));
	KUNIT_ASSERT_EQ(test, ckpt_objhash_sort(&hash), 0);
	ckpt_objhash_for_each(obj, &hash) {
		if (n++ < 10) {
			KUNIT_EXPECT_PTR_EQ(test, obj->ops, &file_ops);
			continue;
		}
		KUNIT_EXPECT_PTR_EQ(test, obj->ops, kinds[n % 2 ? 0 : 1]);
		KUNIT_EXPECT_LE(test, owner, obj->owner);
		owner = obj->owner;
	}
	KUNIT_EXPECT_EQ(test, n, 30);
}

static void objhash_type_out_of_range(struct kunit *test)
{
	struct ckpt_obj_ops ops = pipe_ops;
	struct thing *t = things(test, 1);

	ops.obj_type = CKPT_OBJ_MAX;
	KUNIT_EXPECT_EQ(test, PTR_ERR(ckpt_objhash_add(&hash, t, &ops, 0)), -EINVAL);
	ops.obj_type = 0;
	KUNIT_EXPECT_EQ(test, PTR_ERR(ckpt_objhash_add(&hash, t, &ops, 0)), -EINVAL);
	KUNIT_EXPECT_EQ(test, t->refs, 0);
	KUNIT_EXPECT_EQ(test, hash.nr, 0U);
}

static long add_ref(struct thing *t, u32 objref)
{
	struct ckpt_obj *obj = ckpt_objhash_add_ref(&hash, objref, t, &file_ops, 0);

	return IS_ERR(obj) ? PTR_ERR(obj) : 0;
}

static void objhash_by_objref(struct kunit *test)
{
	struct thing *t = things(test, 4);
	struct ckpt_obj *obj;
	int i;

	ckpt_objhash_expect(&hash, 1000);
	for (i = 0; i < 4; i++)
		t[i].refs = 1;
	KUNIT_EXPECT_EQ(test, add_ref(&t[0], 1000), 0L);
	KUNIT_EXPECT_EQ(test, add_ref(&t[1], 1), 0L);
	KUNIT_EXPECT_EQ(test, add_ref(&t[2], 0), (long)-EINVAL);
	KUNIT_EXPECT_EQ(test, add_ref(&t[2], 1001), (long)-EINVAL);
	KUNIT_EXPECT_EQ(test, add_ref(&t[2], U32_MAX), (long)-EINVAL);
	KUNIT_EXPECT_EQ(test, add_ref(&t[2], 1000), (long)-EEXIST);
	KUNIT_EXPECT_EQ(test, add_ref(NULL, 2), 0L);

	obj = ckpt_objhash_find_ref(&hash, 1000);
	KUNIT_ASSERT_NOT_NULL(test, obj);
	KUNIT_EXPECT_PTR_EQ(test, obj->ptr, &t[0]);
	KUNIT_EXPECT_NULL(test, ckpt_objhash_find_ref(&hash, 0));
	KUNIT_EXPECT_NULL(test, ckpt_objhash_find_ref(&hash, 3));
	KUNIT_EXPECT_NULL(test, ckpt_objhash_find_ref(&hash, U32_MAX));

	/* a reference passes to the hash, but not if the object is refused */
	ckpt_objhash_destroy(&hash);
	KUNIT_EXPECT_EQ(test, t[0].refs, 0);
	KUNIT_EXPECT_EQ(test, t[1].refs, 0);
	KUNIT_EXPECT_EQ(test, t[2].refs, 1);
}

static void objhash_none_announced(struct kunit *test)
{
	struct thing *t = things(test, 1);

	ckpt_objhash_expect(&hash, 0);
	KUNIT_EXPECT_EQ(test, add_ref(t, 1), (long)-EINVAL);
}

/* An image may announce anything: memory is taken for what arrives. */
static void objhash_absurd_announcement(struct kunit *test)
{
	struct thing *t = things(test, 1);
	u32 i;

	t->refs = 1000;
	ckpt_objhash_expect(&hash, U32_MAX);
	for (i = 0; i < 1000; i++)
		KUNIT_ASSERT_EQ(test, add_ref(t, U32_MAX - i * 4099), 0L);
	for (i = 0; i < 1000; i++)
		KUNIT_ASSERT_NOT_NULL(test, ckpt_objhash_find_ref(&hash, U32_MAX - i * 4099));
	KUNIT_EXPECT_LE(test, hash.bits, 11U);
	ckpt_objhash_destroy(&hash);
	KUNIT_EXPECT_EQ(test, t->refs, 0);
}

static struct kunit_case objhash_cases[] = {
	KUNIT_CASE(objhash_empty),
	KUNIT_CASE(objhash_by_pointer),
	KUNIT_CASE(objhash_references),
	KUNIT_CASE(objhash_many),
	KUNIT_CASE(objhash_grows_while_walked),
	KUNIT_CASE(objhash_sorted_by_type),
	KUNIT_CASE(objhash_sorted_by_task),
	KUNIT_CASE(objhash_type_out_of_range),
	KUNIT_CASE(objhash_by_objref),
	KUNIT_CASE(objhash_none_announced),
	KUNIT_CASE(objhash_absurd_announcement),
	{}
};

static struct kunit_suite objhash_suite = {
	.name = "checkpoint-objhash",
	.init = objhash_init,
	.exit = objhash_exit,
	.test_cases = objhash_cases,
};

kunit_test_suite(objhash_suite);

MODULE_DESCRIPTION("KUnit tests of the checkpoint object hash");
MODULE_LICENSE("GPL");
