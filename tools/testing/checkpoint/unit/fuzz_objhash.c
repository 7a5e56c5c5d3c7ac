// SPDX-License-Identifier: GPL-2.0
/*
 * Fuzzes the objhash: random operations, compared with a plain array.
 */
#include "shim/shim.h"

#include "../../../../checkpoint/objhash.h"

#define NR	256

long shim_fail_alloc;

/* An object; found by address, or by its objref: its index + 1. */
static struct thing {
	int refs;
	u32 objref;
	u32 type;
} things[NR];

static void must(bool condition)
{
	if (!condition)
		abort();
}

static void thing_grab(void *ptr)
{
	((struct thing *)ptr)->refs++;
}

static void thing_drop(void *ptr)
{
	((struct thing *)ptr)->refs--;
}

static const struct ckpt_obj_ops kinds[] = {
	{ .obj_type = CKPT_OBJ_FILES, .ref_grab = thing_grab, .ref_drop = thing_drop },
	{ .obj_type = CKPT_OBJ_PIPE, .ref_grab = thing_grab, .ref_drop = thing_drop },
	{ .obj_type = CKPT_OBJ_MAX, .ref_grab = thing_grab, .ref_drop = thing_drop },
};

static void add(struct ckpt_objhash *hash, u8 i, const struct ckpt_obj_ops *ops)
{
	struct thing *thing = &things[i];
	bool known = thing->objref;
	struct ckpt_obj *obj;

	if (hash->by_ref) {
		obj = ckpt_objhash_add_ref(hash, i + 1, thing, ops, 0);
		must(!known || PTR_ERR(obj) == (i + 1U > hash->limit ? -EINVAL : -EEXIST));
		must(i + 1U <= hash->limit || PTR_ERR(obj) == -EINVAL);
		thing->refs += !IS_ERR(obj);
	} else {
		if (known)
			return;
		obj = ckpt_objhash_add(hash, thing, ops, 0);
	}
	must(ops->obj_type != CKPT_OBJ_MAX || IS_ERR(obj));
	if (!IS_ERR(obj)) {
		thing->objref = obj->objref;
		thing->type = ops->obj_type;
	}
}

static void check(struct ckpt_objhash *hash)
{
	struct ckpt_obj *obj;
	u32 nr = 0;
	u32 i;

	for (i = 0; i < NR; i++) {
		obj = hash->by_ref ? ckpt_objhash_find_ref(hash, i + 1) :
				     ckpt_objhash_find(hash, &things[i]);
		must(!obj == !things[i].objref);
		must(things[i].refs == !!obj);
		must(!obj || (obj->ptr == &things[i] && obj->objref == things[i].objref &&
			      obj->ops->obj_type == things[i].type));
		nr += !!obj;
	}
	must(nr == hash->nr);
	ckpt_objhash_for_each(obj, hash)
		nr--;
	must(!nr);
}

static void check_sorted(struct ckpt_objhash *hash)
{
	struct ckpt_obj *obj;
	u32 type = 0;

	ckpt_objhash_for_each(obj, hash) {
		must(obj->ops->obj_type >= type);
		type = obj->ops->obj_type;
	}
}

int LLVMFuzzerTestOneInput(const u8 *buf, size_t len);
int LLVMFuzzerTestOneInput(const u8 *buf, size_t len)
{
	struct ckpt_objhash hash;
	size_t i;

	if (!len)
		return 0;
	memset(things, 0, sizeof(things));
	ckpt_objhash_init(&hash);
	if (buf[0] & 1)
		ckpt_objhash_expect(&hash, buf[0]);
	for (i = 1; i + 1 < len; i += 2) {
		if (buf[i] < 250) {
			add(&hash, buf[i + 1], &kinds[buf[i] % ARRAY_SIZE(kinds)]);
		} else {
			must(!ckpt_objhash_sort(&hash));
			check_sorted(&hash);
		}
	}
	check(&hash);
	ckpt_objhash_destroy(&hash);
	for (i = 0; i < NR; i++)
		must(!things[i].refs);
	return 0;
}
