// SPDX-License-Identifier: GPL-2.0
/*
 * The kinds of shared objects, and the passes over the objects of a tree.
 *
 * Collecting counts each reference that the tree holds. The leak check then
 * compares these counts with what the kernel counts: a surplus is held by
 * someone outside. Writing uses no object that was not collected.
 */
#include <linux/delay.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/init.h>
#include <linux/rcupdate.h>
#include <linux/sched/signal.h>

#include "internal.h"

static const struct ckpt_obj_ops *ckpt_obj_kinds[CKPT_OBJ_MAX] __ro_after_init;

static bool __init ckpt_obj_ops_complete(const struct ckpt_obj_ops *ops)
{
	return ops->obj_name && ops->obj_type && ops->obj_type < CKPT_OBJ_MAX &&
	       ops->stage <= CKPT_STAGE_TASK && ops->ref_grab && ops->ref_drop &&
	       ops->checkpoint && ops->restore;
}

/**
 * ckpt_register_obj() - Register a kind of shared objects
 * @ops: the kind, which stays
 *
 * Context: Initcalls only.
 * Return: 0; -EINVAL if @ops is not complete, -EEXIST if its type is taken.
 */
int __init ckpt_register_obj(const struct ckpt_obj_ops *ops)
{
	if (WARN_ON(!ckpt_obj_ops_complete(ops)))
		return -EINVAL;
	if (WARN_ON(ckpt_obj_kinds[ops->obj_type]))
		return -EEXIST;
	ckpt_obj_kinds[ops->obj_type] = ops;
	return 0;
}

/**
 * ckpt_obj_ops_find() - Find a kind by its number
 * @type: CKPT_OBJ_*, not trusted
 *
 * Return: the kind, or NULL.
 */
const struct ckpt_obj_ops *ckpt_obj_ops_find(u32 type)
{
	return type < CKPT_OBJ_MAX ? ckpt_obj_kinds[type] : NULL;
}

/**
 * ckpt_obj_collect() - Count a reference that the tree holds
 * @ctx: the context
 * @ptr: what the reference is to
 * @ops: its kind
 *
 * Context: Collecting. May sleep.
 * Return: the object's number if it was found for the first time, 0 if not, or
 * -ENOMEM.
 */
int ckpt_obj_collect(struct ckpt_ctx *ctx, void *ptr, const struct ckpt_obj_ops *ops)
{
	struct ckpt_obj *obj = ckpt_objhash_find(&ctx->objhash, ptr);

	if (obj) {
		obj->users++;
		return 0;
	}
	obj = ckpt_objhash_add(&ctx->objhash, ptr, ops, ctx->owner);
	if (IS_ERR(obj))
		return ckpt_err(ctx, PTR_ERR(obj), "no memory for another %s", ops->obj_name);
	if (ops == &ckpt_file_obj_ops && ckpt_external_key(ctx, ptr))
		obj->flags |= CKPT_OBJ_EXTERNAL;
	obj->users = 1;
	return obj->objref;
}

/**
 * ckpt_obj_mark() - Note that a collected object is used in a special way
 * @ctx: the context
 * @ptr: the object; its kind knows which way that is
 */
void ckpt_obj_mark(struct ckpt_ctx *ctx, void *ptr)
{
	struct ckpt_obj *obj = ckpt_objhash_find(&ctx->objhash, ptr);

	if (obj)
		obj->flags |= CKPT_OBJ_MARKED;
}

/**
 * ckpt_obj_marked() - Is the object that is being written used in a special way?
 * @ctx: the context
 */
bool ckpt_obj_marked(struct ckpt_ctx *ctx)
{
	return ctx->obj && ctx->obj->flags & CKPT_OBJ_MARKED;
}

/**
 * ckpt_obj_account() - Count references that are not the tree's but are no leak
 * @ctx: the context
 * @ptr: what they are to; ignored if the tree does not use it
 * @users: how many
 */
void ckpt_obj_account(struct ckpt_ctx *ctx, void *ptr, int users)
{
	struct ckpt_obj *obj = ckpt_objhash_find(&ctx->objhash, ptr);

	if (obj)
		obj->users += users;
}

/**
 * ckpt_obj_lookup() - Find an object that may have been collected
 * @ctx: the context
 * @ptr: the object
 *
 * Return: its number, or 0.
 */
int ckpt_obj_lookup(struct ckpt_ctx *ctx, void *ptr)
{
	struct ckpt_obj *obj = ckpt_objhash_find(&ctx->objhash, ptr);

	return obj ? obj->objref : 0;
}

/**
 * ckpt_obj_find() - Find an object that is known by what it is like
 * @ctx: the context of a checkpoint or a restart
 * @ops: its kind
 * @match: accepts it; must not sleep for long
 * @arg: for @match
 *
 * For the rare case: it walks over all objects.
 *
 * Return: the first such object, borrowed, or NULL.
 */
void *ckpt_obj_find(struct ckpt_ctx *ctx, const struct ckpt_obj_ops *ops,
		    bool (*match)(void *ptr, const void *arg), const void *arg)
{
	struct ckpt_obj *obj;

	ckpt_objhash_for_each(obj, &ctx->objhash)
		if (obj->ops == ops && obj->ptr && match(obj->ptr, arg))
			return obj->ptr;
	return NULL;
}

/**
 * ckpt_obj_ref() - The number by which a record refers to an object
 * @ctx: the context
 * @ptr: the object
 * @ops: its kind
 *
 * Context: Writing.
 * Return: the number, or -EAGAIN if the object was not there when the tree was
 * collected: somebody outside gave it to the tree since.
 */
int ckpt_obj_ref(struct ckpt_ctx *ctx, void *ptr, const struct ckpt_obj_ops *ops)
{
	struct ckpt_obj *obj = ckpt_objhash_find(&ctx->objhash, ptr);

	if (obj && obj->ops == ops) {
		obj->flags |= CKPT_OBJ_REFERRED;
		return obj->objref;
	}
	return ckpt_err(ctx, -EAGAIN, "reverse leak: %s appeared since the tree was collected%s%s",
			ops->obj_name, *ckpt_whom(ctx) ? ": " : "", ckpt_whom(ctx));
}

/* What an object leads to belongs to whom the object belongs to. */
static int ckpt_obj_collect_one(struct ckpt_ctx *ctx, struct ckpt_obj *obj)
{
	int err = 0;

	ctx->obj = obj;
	ctx->owner = obj->owner;
	ckpt_set_whom(ctx, obj->owner < ctx->tree.nr ? ctx->tree.tasks[obj->owner].task : NULL);
	if (obj->ops->collect)
		err = ckpt_log_explain(ctx, obj->ops->collect(ctx, obj->ptr), "collecting",
				       obj->ops->obj_name);
	obj->flags |= CKPT_OBJ_COLLECTED;
	return err < 0 ? err : 0;
}

/* The call itself holds these; that is no leak if the tree has them too. */
static void ckpt_obj_account_own(struct ckpt_ctx *ctx)
{
	u32 i;

	if (ctx->image_file)
		ckpt_obj_account(ctx, ctx->image_file, 1);
	if (ctx->log_file)
		ckpt_obj_account(ctx, ctx->log_file, 1);
	for (i = 0; i < ctx->nr_externals; i++)
		ckpt_obj_account(ctx, ctx->externals[i].file, 1);
}

/**
 * ckpt_obj_collect_all() - Collect what the objects of the tasks lead to
 * @ctx: the context; all tasks have been collected
 *
 * The list of objects is the worklist: it grows at its tail meanwhile.
 *
 * Context: May sleep.
 * Return: 0, -EINTR, or what a kind returned.
 */
int ckpt_obj_collect_all(struct ckpt_ctx *ctx)
{
	struct ckpt_obj *obj;
	int err = 0;

	ckpt_objhash_for_each(obj, &ctx->objhash) {
		err = ckpt_obj_collect_one(ctx, obj);
		if (!err && fatal_signal_pending(current))
			err = -EINTR;
		if (err)
			break;
		cond_resched();
	}
	if (!err)
		ckpt_obj_account_own(ctx);
	ctx->obj = NULL;
	ckpt_set_whom(ctx, NULL);
	return err;
}

/* Users that the kernel counts, the hash's own reference not included. */
static long ckpt_obj_users(const struct ckpt_obj *obj)
{
	return obj->ops->ref_users(obj->ptr) - 1;
}

#define CKPT_COUNTS_MAX	10

/*
 * Users that were not found, or not to be found in the tree: not 0 for a leak.
 * Those outside are counted one after the other, while they fork and exit: what
 * comes out is worth nothing if there were others in the end.
 */
static long ckpt_obj_surplus(struct ckpt_ctx *ctx, const struct ckpt_obj *obj)
{
	unsigned int i;
	long users, surplus;

	if (!obj->ops->ref_users || obj->flags & CKPT_OBJ_EXTERNAL)
		return 0;
	for (i = 0; i < CKPT_COUNTS_MAX; i++) {
		users = ckpt_obj_users(obj);
		surplus = users - obj->users;
		if (surplus <= 0 || !obj->ops->ref_outside)
			break;
		surplus -= obj->ops->ref_outside(ctx, obj->ptr);
		if (users == ckpt_obj_users(obj))
			break;
	}
	return surplus;
}

static bool ckpt_obj_all_balanced(struct ckpt_ctx *ctx)
{
	struct ckpt_obj *obj;

	ckpt_objhash_for_each(obj, &ctx->objhash)
		if (!obj->ops->observers && ckpt_obj_surplus(ctx, obj))
			return false;
	return true;
}

/*
 * References are also dropped late: files by a worker or when a task returns
 * to user mode, others after a grace period. Somebody may be looking at /proc.
 */
static void ckpt_obj_settle(struct ckpt_ctx *ctx, bool patiently)
{
	static const u8 delays_ms[] = { 1, 2, 5, 10, 20 };
	unsigned int i = patiently ? 2 : 0, end = patiently ? ARRAY_SIZE(delays_ms) : 2;

	for (; i < end; i++) {
		if (ckpt_obj_all_balanced(ctx))
			return;
		flush_delayed_fput();
		if (patiently)
			rcu_barrier();
		fsleep(delays_ms[i] * USEC_PER_MSEC);
		if (fatal_signal_pending(current))
			return;
	}
}

/*
 * Looking for a holder walks the whole system. Where a surplus alone tells
 * nothing, there is no other way.
 */
#define CKPT_HOLDERS_MAX	32

/* What of it the caller could find out by itself. */
static void ckpt_name_holder(struct ckpt_ctx *ctx, const struct ckpt_holder *holder)
{
	const size_t size = sizeof(ctx->text);

	if (!holder)
		ctx->text[0] = '\0';
	else if (!holder->pid)
		strscpy(ctx->text, ": held by a process that cannot be seen from here", size);
	else if (!holder->may_tell)
		scnprintf(ctx->text, size, ": held by pid %d (%.*s)", holder->pid, CKPT_COMM_LEN,
			  holder->comm);
	else
		scnprintf(ctx->text, size, ": held by pid %d (%.*s) %s", holder->pid,
			  CKPT_COMM_LEN, holder->comm, holder->how);
}

/* Return: 1 if @obj is leaked, 0 if not, or not by anyone who is @named. */
static int ckpt_obj_report(struct ckpt_ctx *ctx, struct ckpt_obj *obj, int err, bool named,
			   bool search)
{
	struct ckpt_holder holder = {};
	bool found = false;
	long users;

	if (obj->ops->find_holder && search)
		found = !obj->ops->find_holder(ctx, obj->ptr, &holder);
	if (!found && (named || obj->ops->observers))
		return 0;
	users = ckpt_obj_users(obj);
	ckpt_name_holder(ctx, found ? &holder : NULL);
	ctx->obj = obj;
	if (err)
		ckpt_refuse(ctx, err, "leak: %s #%u: users %ld != %ld found%s", obj->ops->obj_name,
			    obj->objref, users, obj->users, ctx->text);
	else
		ckpt_warn(ctx, "shared: %s #%u: users %ld != %ld found%s", obj->ops->obj_name,
			  obj->objref, users, obj->users, ctx->text);
	ctx->obj = NULL;
	return 1;
}

static int ckpt_obj_report_all(struct ckpt_ctx *ctx, int err, bool named)
{
	struct ckpt_obj *obj;
	int leaks = 0, searched = 0;
	bool search;

	ckpt_objhash_for_each(obj, &ctx->objhash) {
		if (!ckpt_obj_surplus(ctx, obj))
			continue;
		search = obj->ops->observers || searched++ < CKPT_HOLDERS_MAX;
		leaks += ckpt_obj_report(ctx, obj, err, named, search);
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return leaks;
}

/**
 * ckpt_obj_contained() - The leak check
 * @ctx: the context; all objects have been collected
 *
 * With CHECKPOINT_SUBTREE, sharing is the caller's risk and only reported.
 *
 * Context: May sleep.
 * Return: 0; -EAGAIN if somebody outside holds an object, which the log names;
 * -EINTR.
 */
int ckpt_obj_contained(struct ckpt_ctx *ctx)
{
	int leaks;

	if (ctx->flags & CHECKPOINT_SUBTREE) {
		leaks = ckpt_obj_report_all(ctx, 0, false);
		return min(leaks, 0);
	}
	/* Whoever can be named after a moment is to blame; else be patient. */
	ckpt_obj_settle(ctx, false);
	leaks = ckpt_obj_report_all(ctx, -EAGAIN, true);
	if (!leaks) {
		ckpt_obj_settle(ctx, true);
		leaks = ckpt_obj_report_all(ctx, -EAGAIN, false);
	}
	if (leaks > 0 && !ckpt_dry_run(ctx))
		return -EAGAIN;
	return min(leaks, 0);
}

/* A file or a pipe that the call itself writes to: the tree may be saving itself. */
static bool ckpt_obj_is_sink(const struct ckpt_obj *obj, struct file *file)
{
	return file && (obj->ptr == file || obj->ptr == file_inode(file));
}

static bool ckpt_obj_has_version(struct ckpt_ctx *ctx, const struct ckpt_obj *obj)
{
	return obj->ops->version && !(obj->flags & CKPT_OBJ_EXTERNAL) &&
	       !ckpt_obj_is_sink(obj, ctx->image_file) && !ckpt_obj_is_sink(obj, ctx->log_file);
}

static int ckpt_obj_write(struct ckpt_ctx *ctx, struct ckpt_obj *obj)
{
	struct ckpt_rec_obj rec = {
		.objref = obj->objref,
		.type = obj->ops->obj_type,
		.owner = obj->ops->stage == CKPT_STAGE_GLOBAL ? CKPT_TASK_NONE : obj->owner,
	};
	int err;

	if (ckpt_obj_has_version(ctx, obj))
		obj->version = obj->ops->version(obj->ptr);
	err = ckpt_write(ctx, CKPT_REC_OBJ, &rec, sizeof(rec));
	if (!err)
		err = ckpt_log_explain(ctx, obj->ops->checkpoint(ctx, obj->ptr), "saving",
				       obj->ops->obj_name);
	if (err < 0)
		return err;
	obj->flags |= CKPT_OBJ_CHECKPOINTED;
	return 0;
}

/**
 * ckpt_obj_write_all() - Write all objects in the order of ckpt_objhash_sort()
 * @ctx: the context; the leak check has passed
 *
 * Context: May sleep.
 * Return: 0, -ENOMEM, -EINTR, or what a kind returned.
 */
int ckpt_obj_write_all(struct ckpt_ctx *ctx)
{
	struct ckpt_obj *obj;
	int err;

	err = ckpt_objhash_sort(&ctx->objhash);
	if (err)
		return ckpt_err(ctx, err, "out of memory");
	ckpt_objhash_for_each(obj, &ctx->objhash) {
		ctx->obj = obj;
		ckpt_set_whom(ctx, obj->owner < ctx->tree.nr ?
				   ctx->tree.tasks[obj->owner].task : NULL);
		err = ckpt_obj_write(ctx, obj);
		if (!err && fatal_signal_pending(current))
			err = -EINTR;
		if (err)
			break;
		cond_resched();
	}
	ctx->obj = NULL;
	ckpt_set_whom(ctx, NULL);
	return err;
}

/**
 * ckpt_obj_checkpointed() - Check that every collected object was written
 * @ctx: the context; objects and tasks have been written
 *
 * The hash keeps an object that somebody outside has taken from the tree
 * meanwhile, and it is written. But then nothing in the image refers to it.
 *
 * Return: 0, or -EAGAIN if one disappeared meanwhile.
 */
int ckpt_obj_checkpointed(struct ckpt_ctx *ctx)
{
	const u32 both = CKPT_OBJ_CHECKPOINTED | CKPT_OBJ_REFERRED;
	struct ckpt_obj *obj;

	ckpt_objhash_for_each(obj, &ctx->objhash)
		if ((obj->flags & both) != both)
			return ckpt_err(ctx, -EAGAIN,
					"%s #%u disappeared since the tree was collected",
					obj->ops->obj_name, obj->objref);
	return 0;
}

/* Who has read from a pipe, say, and closed it again, has left no reference. */
static int ckpt_obj_unchanged(struct ckpt_ctx *ctx)
{
	struct ckpt_obj *obj;

	ckpt_objhash_for_each(obj, &ctx->objhash) {
		if (!ckpt_obj_has_version(ctx, obj) ||
		    obj->ops->version(obj->ptr) == obj->version)
			continue;
		return ckpt_err(ctx, -EAGAIN,
				"%s #%u was changed by someone outside since it was saved",
				obj->ops->obj_name, obj->objref);
	}
	return 0;
}

/**
 * ckpt_obj_recheck() - Find what others did to objects while the image was written
 * @ctx: the context
 *
 * Context: May sleep.
 * Return: 0; -EAGAIN if somebody outside holds an object now, or has changed
 * one; -EINTR.
 */
int ckpt_obj_recheck(struct ckpt_ctx *ctx)
{
	int err;

	if (ctx->flags & CHECKPOINT_SUBTREE)
		return 0;
	err = ckpt_obj_contained(ctx);
	return err ?: ckpt_obj_unchanged(ctx);
}

/**
 * ckpt_obj_restore() - Restore the object whose record was just read
 * @ctx: the context of a restart
 * @rec: that record, not trusted
 *
 * Context: The restarter, or the task that owns the object, as its stage says.
 * May sleep.
 * Return: 0; -EOPNOTSUPP if the kind is unknown; -EINVAL if @rec is not valid;
 * -ENOMEM; or what the kind returned.
 */
int ckpt_obj_restore(struct ckpt_ctx *ctx, const struct ckpt_rec_obj *rec)
{
	const struct ckpt_obj_ops *ops = ckpt_obj_ops_find(rec->type);
	struct ckpt_obj *obj;
	bool owned;
	void *ptr;

	if (!ops)
		return ckpt_err(ctx, -EOPNOTSUPP, "image: object %u is of unknown type %u",
				rec->objref, rec->type);
	owned = rec->owner != CKPT_TASK_NONE;
	if (rec->pad || (ops->stage == CKPT_STAGE_GLOBAL && owned) ||
	    (ops->stage != CKPT_STAGE_GLOBAL && !owned))
		return ckpt_err(ctx, -EINVAL, "image: object %u (%s) is not valid", rec->objref,
				ops->obj_name);
	obj = ckpt_objhash_add_ref(&ctx->objhash, rec->objref, NULL, ops, rec->owner);
	if (IS_ERR(obj))
		return ckpt_err(ctx, PTR_ERR(obj) == -ENOMEM ? -ENOMEM : -EINVAL,
				"image: %s %u cannot be entered", ops->obj_name, rec->objref);

	ctx->obj = obj;
	ptr = ops->restore(ctx) ?: ERR_PTR(-EINVAL);
	ctx->obj = NULL;
	if (IS_ERR(ptr))
		return ckpt_log_explain(ctx, PTR_ERR(ptr), "restoring", ops->obj_name);
	obj->ptr = ptr;
	obj->flags |= CKPT_OBJ_RESTORED;
	return 0;
}

/**
 * ckpt_obj_fetch() - Find a restored object by its number
 * @ctx: the context of a restart
 * @objref: its number, not trusted
 * @ops: the kind that it must be of
 *
 * Return: the object, borrowed until the end of the restart, or
 * ERR_PTR(-EINVAL).
 */
void *ckpt_obj_fetch(struct ckpt_ctx *ctx, u32 objref, const struct ckpt_obj_ops *ops)
{
	struct ckpt_obj *obj = ckpt_objhash_find_ref(&ctx->objhash, objref);

	if (!obj || obj->ops != ops || !(obj->flags & CKPT_OBJ_RESTORED))
		return ERR_PTR(ckpt_err(ctx, -EINVAL, "image: %u is no restored %s", objref,
					ops->obj_name));
	return obj->ptr;
}

/**
 * ckpt_obj_current() - The number of the object that is being worked on
 * @ctx: the context
 *
 * Return: the number, or 0.
 */
u32 ckpt_obj_current(struct ckpt_ctx *ctx)
{
	return ctx->obj ? ctx->obj->objref : 0;
}
