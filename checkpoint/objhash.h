/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The shared objects of one checkpoint or restart.
 */
#ifndef _CHECKPOINT_OBJHASH_H
#define _CHECKPOINT_OBJHASH_H

#include <linux/bits.h>
#include <linux/list.h>
#include <linux/checkpoint.h>

/* struct ckpt_obj.flags */
#define CKPT_OBJ_CHECKPOINTED	BIT(0)	/* its records are written */
#define CKPT_OBJ_COLLECTED	BIT(1)	/* ops->collect() has run */
#define CKPT_OBJ_EXTERNAL	BIT(2)	/* declared external: exempt from the leak check */
#define CKPT_OBJ_RESTORED	BIT(3)	/* restart: owned by the hash, may be fetched */
#define CKPT_OBJ_REFERRED	BIT(4)	/* a record refers to it */
#define CKPT_OBJ_MARKED		BIT(5)	/* used in a way that its record tells */

/**
 * struct ckpt_obj - one shared object
 * @list: in ckpt_objhash.objs
 * @hash: in ckpt_objhash.buckets
 * @ops: its kind
 * @ptr: the object; one reference of it belongs to the hash
 * @users: references found so far, the hash's own not included
 * @version: checkpoint: ops->version() when it was written
 * @objref: its number in the image, from 1
 * @flags: CKPT_OBJ_*
 * @owner: index of the task that it was first found in, or CKPT_TASK_NONE
 */
struct ckpt_obj {
	struct list_head list;
	struct hlist_node hash;
	const struct ckpt_obj_ops *ops;
	void *ptr;
	long users;
	u64 version;
	u32 objref;
	u32 flags;
	u32 owner;
};

/**
 * struct ckpt_objhash - the objects, found by pointer or by objref
 * @objs: all objects in order of insertion, or of type after
 *	ckpt_objhash_sort(); may be walked while it grows at the tail
 * @buckets: hash table, 1 << @bits heads, or NULL while empty
 * @bits: see @buckets
 * @nr: number of objects
 * @by_ref: objects are found by objref, not by pointer
 * @limit: @by_ref: highest objref that the image announces
 *
 * Has no lock: one task at a time works on a context. When checkpointing
 * objects are found by pointer and numbered in order of insertion; when
 * restarting they are found by the objref that the image gives them. Memory is
 * taken for objects that exist, never for announced ones.
 */
struct ckpt_objhash {
	struct list_head objs;
	struct hlist_head *buckets;
	unsigned int bits;
	u32 nr;
	bool by_ref;
	u32 limit;
};

void ckpt_objhash_init(struct ckpt_objhash *hash);
void ckpt_objhash_expect(struct ckpt_objhash *hash, u32 nr_objs);
void ckpt_objhash_destroy(struct ckpt_objhash *hash);
struct ckpt_obj *ckpt_objhash_add(struct ckpt_objhash *hash, void *ptr,
				  const struct ckpt_obj_ops *ops, u32 owner);
struct ckpt_obj *ckpt_objhash_add_ref(struct ckpt_objhash *hash, u32 objref, void *ptr,
				      const struct ckpt_obj_ops *ops, u32 owner);
struct ckpt_obj *ckpt_objhash_find(const struct ckpt_objhash *hash, const void *ptr);
struct ckpt_obj *ckpt_objhash_find_ref(const struct ckpt_objhash *hash, u32 objref);
int ckpt_objhash_sort(struct ckpt_objhash *hash);

#define ckpt_objhash_for_each(obj, hashp) \
	list_for_each_entry(obj, &(hashp)->objs, list)

#endif /* _CHECKPOINT_OBJHASH_H */
