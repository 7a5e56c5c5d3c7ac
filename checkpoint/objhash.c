// SPDX-License-Identifier: GPL-2.0
/*
 * The hash of shared objects. Free of kernel state: lists, a hash table and an
 * allocator are all that it needs.
 */
#include <linux/err.h>
#include <linux/hash.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "objhash.h"

#define CKPT_OBJHASH_BITS_MIN	6

static struct hlist_head *ckpt_objhash_bucket(const struct ckpt_objhash *hash,
					      const void *ptr, u32 objref)
{
	u64 key = hash->by_ref ? objref : (uintptr_t)ptr;

	return &hash->buckets[hash_64(key, hash->bits)];
}

/* Keeps chains short. A table that cannot grow is slow, but not an error. */
static int ckpt_objhash_grow(struct ckpt_objhash *hash)
{
	unsigned int bits = hash->buckets ? hash->bits + 1 : CKPT_OBJHASH_BITS_MIN;
	struct hlist_head *buckets, *old = hash->buckets;
	struct ckpt_obj *obj;

	if (old && hash->nr < (1UL << hash->bits))
		return 0;
	buckets = kvcalloc(1UL << bits, sizeof(*buckets), GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (!buckets)
		return old ? 0 : -ENOMEM;

	hash->buckets = buckets;
	hash->bits = bits;
	ckpt_objhash_for_each(obj, hash)
		hlist_add_head(&obj->hash, ckpt_objhash_bucket(hash, obj->ptr, obj->objref));
	kvfree(old);
	return 0;
}

static struct ckpt_obj *ckpt_objhash_insert(struct ckpt_objhash *hash, u32 objref, void *ptr,
					    const struct ckpt_obj_ops *ops, u32 owner)
{
	struct ckpt_obj *obj;

	if (!ops->obj_type || ops->obj_type >= CKPT_OBJ_MAX)
		return ERR_PTR(-EINVAL);
	if (ckpt_objhash_grow(hash))
		return ERR_PTR(-ENOMEM);
	obj = kzalloc(sizeof(*obj), GFP_KERNEL_ACCOUNT);
	if (!obj)
		return ERR_PTR(-ENOMEM);

	obj->ops = ops;
	obj->ptr = ptr;
	obj->objref = objref;
	obj->owner = owner;
	list_add_tail(&obj->list, &hash->objs);
	hlist_add_head(&obj->hash, ckpt_objhash_bucket(hash, ptr, objref));
	hash->nr++;
	return obj;
}

/**
 * ckpt_objhash_init() - prepare an empty hash whose objects are found by pointer
 * @hash: what to initialize
 */
void ckpt_objhash_init(struct ckpt_objhash *hash)
{
	*hash = (struct ckpt_objhash){};
	INIT_LIST_HEAD(&hash->objs);
}

/**
 * ckpt_objhash_expect() - have objects found by objref
 * @hash: empty hash
 * @nr_objs: highest objref that the image announces
 */
void ckpt_objhash_expect(struct ckpt_objhash *hash, u32 nr_objs)
{
	hash->by_ref = true;
	hash->limit = nr_objs;
}

/**
 * ckpt_objhash_destroy() - drop the references of all objects and forget them
 * @hash: the hash; empty and by pointer afterwards
 *
 * The last object goes first: what was built upon another object goes before it.
 *
 * Context: May sleep, in ops->ref_drop().
 */
void ckpt_objhash_destroy(struct ckpt_objhash *hash)
{
	struct ckpt_obj *obj, *prev;

	list_for_each_entry_safe_reverse(obj, prev, &hash->objs, list) {
		list_del(&obj->list);
		if (obj->ptr)
			obj->ops->ref_drop(obj->ptr);
		kfree(obj);
		cond_resched();
	}
	kvfree(hash->buckets);
	ckpt_objhash_init(hash);
}

/**
 * ckpt_objhash_add() - enter an object that was found for the first time
 * @hash: hash by pointer
 * @ptr: the object, not in @hash; a reference is taken for the hash
 * @ops: its kind
 * @owner: index of the task that it was found in, or CKPT_TASK_NONE
 *
 * Context: May sleep.
 * Return: the entry, which has no users yet, or ERR_PTR: -ENOMEM, -EINVAL if
 * the type of @ops is out of range.
 */
struct ckpt_obj *ckpt_objhash_add(struct ckpt_objhash *hash, void *ptr,
				  const struct ckpt_obj_ops *ops, u32 owner)
{
	struct ckpt_obj *obj = ckpt_objhash_insert(hash, hash->nr + 1, ptr, ops, owner);

	if (!IS_ERR(obj))
		ops->ref_grab(ptr);
	return obj;
}

/**
 * ckpt_objhash_add_ref() - enter an object that an image describes
 * @hash: hash by objref
 * @objref: its number in the image, not trusted
 * @ptr: the object, whose reference passes to the hash if this succeeds; NULL
 *	if it is known but will be restored later
 * @ops: its kind
 * @owner: index of the task that restores it, or CKPT_TASK_NONE
 *
 * Context: May sleep.
 * Return: the entry, or ERR_PTR: -ENOMEM, -EINVAL if @objref or the type of
 * @ops is out of range, -EEXIST if @objref is taken.
 */
struct ckpt_obj *ckpt_objhash_add_ref(struct ckpt_objhash *hash, u32 objref, void *ptr,
				      const struct ckpt_obj_ops *ops, u32 owner)
{
	if (!objref || objref > hash->limit)
		return ERR_PTR(-EINVAL);
	if (ckpt_objhash_find_ref(hash, objref))
		return ERR_PTR(-EEXIST);
	return ckpt_objhash_insert(hash, objref, ptr, ops, owner);
}

/**
 * ckpt_objhash_find() - find an object by its address
 * @hash: hash by pointer
 * @ptr: the object
 *
 * Return: the entry or NULL.
 */
struct ckpt_obj *ckpt_objhash_find(const struct ckpt_objhash *hash, const void *ptr)
{
	struct ckpt_obj *obj;

	if (!hash->buckets)
		return NULL;
	hlist_for_each_entry(obj, ckpt_objhash_bucket(hash, ptr, 0), hash)
		if (obj->ptr == ptr)
			return obj;
	return NULL;
}

/**
 * ckpt_objhash_find_ref() - find an object by its number in the image
 * @hash: hash by objref
 * @objref: the number, not trusted
 *
 * Return: the entry or NULL.
 */
struct ckpt_obj *ckpt_objhash_find_ref(const struct ckpt_objhash *hash, u32 objref)
{
	struct ckpt_obj *obj;

	if (!hash->buckets)
		return NULL;
	hlist_for_each_entry(obj, ckpt_objhash_bucket(hash, NULL, objref), hash)
		if (obj->objref == objref)
			return obj;
	return NULL;
}

#define CKPT_OBJHASH_RANKS	(CKPT_OBJ_MAX + 1)

static u32 ckpt_obj_rank(const struct ckpt_obj *obj)
{
	return obj->ops->stage == CKPT_STAGE_TASK ? CKPT_OBJ_MAX : obj->ops->obj_type;
}

/**
 * ckpt_objhash_sort() - put the list into the order in which objects are written
 * @hash: the hash
 *
 * By type; objects of one type stay in order of insertion. So do, behind all
 * others, those of CKPT_STAGE_TASK whatever their type: those of one task stand
 * together then. Takes time proportional to the number of objects.
 *
 * Context: May sleep.
 * Return: 0 or -ENOMEM.
 */
int ckpt_objhash_sort(struct ckpt_objhash *hash)
{
	struct list_head *types;
	struct ckpt_obj *obj, *next;
	int i;

	types = kcalloc(CKPT_OBJHASH_RANKS, sizeof(*types), GFP_KERNEL);
	if (!types)
		return -ENOMEM;

	for (i = 0; i < CKPT_OBJHASH_RANKS; i++)
		INIT_LIST_HEAD(&types[i]);
	list_for_each_entry_safe(obj, next, &hash->objs, list)
		list_move_tail(&obj->list, &types[ckpt_obj_rank(obj)]);
	for (i = 0; i < CKPT_OBJHASH_RANKS; i++)
		list_splice_tail(&types[i], &hash->objs);
	kfree(types);
	return 0;
}
