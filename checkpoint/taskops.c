// SPDX-License-Identifier: GPL-2.0
/*
 * The parts of the state of a task: registered by their owners, walked here in
 * the order of their record types.
 */
#include <linux/init.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>

#include "internal.h"

#define CKPT_TASK_PARTS_MAX	64	/* bits of a u64 */

static const struct ckpt_task_ops *ckpt_task_parts[CKPT_TASK_PARTS_MAX] __ro_after_init;
static unsigned int ckpt_nr_task_parts __ro_after_init;

/**
 * ckpt_register_task_ops() - Register a part of the state of a task
 * @ops: the part, which stays
 *
 * Context: Initcalls only.
 * Return: 0; -EINVAL if @ops is not complete, -EEXIST if its record type is
 * taken, -ENOSPC.
 */
int __init ckpt_register_task_ops(const struct ckpt_task_ops *ops)
{
	unsigned int i;

	if (WARN_ON(!ops->name || !ops->rec_type || !ops->checkpoint || !ops->restore))
		return -EINVAL;
	if (WARN_ON(ckpt_nr_task_parts == CKPT_TASK_PARTS_MAX))
		return -ENOSPC;

	for (i = ckpt_nr_task_parts; i && ckpt_task_parts[i - 1]->rec_type >= ops->rec_type; i--)
		if (WARN_ON(ckpt_task_parts[i - 1]->rec_type == ops->rec_type))
			return -EEXIST;
	memmove(&ckpt_task_parts[i + 1], &ckpt_task_parts[i],
		(ckpt_nr_task_parts - i) * sizeof(ckpt_task_parts[0]));
	ckpt_task_parts[i] = ops;
	ckpt_nr_task_parts++;
	return 0;
}

/* Its place among the parts, or -1. */
static int ckpt_task_part_find(u16 rec_type)
{
	int i;

	for (i = 0; i < ckpt_nr_task_parts; i++)
		if (ckpt_task_parts[i]->rec_type == rec_type)
			return i;
	return -1;
}

/* Process-wide state goes with the leader; with the first live thread if that is dead. */
static bool ckpt_task_represents(struct task_struct *task)
{
	struct task_struct *t, *first = task->group_leader;

	if (!READ_ONCE(first->exit_state))
		return task == first;

	rcu_read_lock();
	for_each_thread(task, t) {
		if (!READ_ONCE(t->exit_state)) {
			first = t;
			break;
		}
	}
	rcu_read_unlock();
	return task == first;
}

static bool ckpt_task_has_part(const struct ckpt_task_ops *ops, bool represents)
{
	return represents || !ops->leader_only;
}

static bool ckpt_part_survives(const struct ckpt_task_ops *ops, struct task_struct *task)
{
	return ops->dying || ops->restore_dead || !READ_ONCE(task->exit_state);
}

/**
 * ckpt_task_collect() - Collect the objects that a task refers to
 * @ctx: the context
 * @task: a frozen task, or current
 *
 * Context: May sleep.
 * Return: 0 or what a part returned.
 */
int ckpt_task_collect(struct ckpt_ctx *ctx, struct task_struct *task)
{
	bool represents = ckpt_task_represents(task);
	unsigned int i;
	int err;

	ckpt_set_whom(ctx, task);
	/* No record refers to the mm: the image says who shares it by CKPT_TASKF_SHARE_VM. */
	err = ckpt_obj_collect(ctx, task->mm, &ckpt_mm_obj_ops);
	if (err < 0)
		return err;
	for (i = 0; i < ckpt_nr_task_parts; i++) {
		const struct ckpt_task_ops *ops = ckpt_task_parts[i];

		if (!ops->collect || !ckpt_task_has_part(ops, represents))
			continue;
		err = ckpt_log_explain(ctx, ops->collect(ctx, task), "collecting", ops->name);
		if (err < 0)
			return err;
	}
	return 0;
}

/**
 * ckpt_task_write() - Write the state of a task
 * @ctx: the context
 * @type: CKPT_REC_TASK or CKPT_REC_DEAD_TASK
 * @index: its place in the image
 * @task: a frozen task, or current, or a zombie
 *
 * Context: May sleep.
 * Return: 0 or what a part returned.
 */
int ckpt_task_write(struct ckpt_ctx *ctx, u16 type, u32 index, struct task_struct *task)
{
	struct ckpt_rec_task rec = { .index = index };
	bool represents = ckpt_task_represents(task);
	unsigned int i;
	int err;

	ckpt_set_whom(ctx, task);
	err = ckpt_write(ctx, type, &rec, sizeof(rec));
	for (i = 0; !err && i < ckpt_nr_task_parts; i++) {
		const struct ckpt_task_ops *ops = ckpt_task_parts[i];

		if (ckpt_task_has_part(ops, represents) && ckpt_part_survives(ops, task))
			err = ckpt_log_explain(ctx, ops->checkpoint(ctx, task), "saving",
					       ops->name);
	}
	return err ?: ckpt_write(ctx, CKPT_REC_TASK_END, NULL, 0);
}

static int ckpt_task_restore_part(struct ckpt_ctx *ctx, const struct ckpt_task_ops *ops,
				  struct task_struct *dead, const struct ckpt_rec *rec)
{
	if (!dead)
		return ops->restore(ctx, rec);
	if (!ops->restore_dead)
		return ckpt_err(ctx, -EINVAL, "image: a dead task has no %s", ops->name);
	return ops->restore_dead(ctx, dead, rec);
}

static int ckpt_task_check_complete(struct ckpt_ctx *ctx, u64 found)
{
	unsigned int i;

	for (i = 0; i < ckpt_nr_task_parts; i++)
		if (ckpt_task_parts[i]->required && !(found & BIT_ULL(i)))
			return ckpt_err(ctx, -EINVAL, "image: %s has no %s", ckpt_whom(ctx),
					ckpt_task_parts[i]->name);
	return 0;
}

static int ckpt_task_end(struct ckpt_ctx *ctx, struct task_struct *dead,
			 const struct ckpt_rec *rec, u64 found)
{
	if (rec->len)
		return ckpt_err(ctx, -EINVAL, "image: invalid end of a task");
	return dead ? 0 : ckpt_task_check_complete(ctx, found);
}

static int ckpt_task_check_order(struct ckpt_ctx *ctx, const struct ckpt_task_ops *ops, u16 last)
{
	if (ops->rec_type < last)
		return ckpt_err(ctx, -EINVAL, "image: task state %s is out of order", ops->name);
	if (ops->rec_type == last && !ops->repeats)
		return ckpt_err(ctx, -EINVAL, "image: task state %s comes twice", ops->name);
	return 0;
}

static int ckpt_task_read_part(struct ckpt_ctx *ctx, struct task_struct *dead,
			       const struct ckpt_rec *rec, u16 last, u64 *found)
{
	const struct ckpt_task_ops *ops;
	int i = ckpt_task_part_find(rec->type), err;

	if (i < 0) {
		if (rec->flags & CKPT_RECF_IGNORABLE)
			return 0;
		return ckpt_err(ctx, -EOPNOTSUPP, "image: unknown task state %u", rec->type);
	}
	ops = ckpt_task_parts[i];
	*found |= BIT_ULL(i);
	err = ckpt_task_check_order(ctx, ops, last);
	if (err)
		return err;
	return ckpt_log_explain(ctx, ckpt_task_restore_part(ctx, ops, dead, rec), "restoring",
				ops->name);
}

/**
 * ckpt_task_read() - Restore the state of a task from the image
 * @ctx: the context; CKPT_REC_TASK or CKPT_REC_DEAD_TASK has been read
 * @dead: the zombie, or NULL for current
 *
 * Context: The task being restored, or the restarter if it is dead. May sleep.
 * Return: 0; -EINVAL if the records are not in order, one comes twice, or one is
 * missing that each task has; -EOPNOTSUPP if one is not known; or what a part returned.
 */
int ckpt_task_read(struct ckpt_ctx *ctx, struct task_struct *dead)
{
	struct ckpt_rec rec;
	u64 found = 0;
	u16 last = 0;
	int err;

	for (;;) {
		err = ckpt_read_rec(ctx, &rec);
		if (err)
			return err;
		if (rec.type == CKPT_REC_TASK_END)
			return ckpt_task_end(ctx, dead, &rec, found);
		err = ckpt_task_read_part(ctx, dead, &rec, last, &found);
		if (err)
			return err;
		last = max(last, rec.type);
	}
}

/**
 * ckpt_task_read_dying() - Restore what a task has when it dies
 * @ctx: the context; CKPT_REC_DEAD_TASK has been read
 *
 * What follows in the image is for ckpt_task_read(), when it is dead.
 *
 * Context: The task being restored. May sleep.
 * Return: as ckpt_task_read().
 */
int ckpt_task_read_dying(struct ckpt_ctx *ctx)
{
	struct ckpt_rec rec;
	u64 found = 0;
	u16 last = 0;
	int i, err;

	for (;;) {
		err = ckpt_peek(ctx);
		if (err < 0)
			return err;
		i = ckpt_task_part_find(err);
		if (i < 0 || !ckpt_task_parts[i]->dying)
			return 0;
		err = ckpt_read_rec(ctx, &rec);
		if (!err)
			err = ckpt_task_read_part(ctx, NULL, &rec, last, &found);
		if (err)
			return err;
		last = rec.type;
	}
}

/**
 * ckpt_task_write_ref() - Write which object a task uses
 * @ctx: the context of a checkpoint
 * @rec_type: type of a struct ckpt_rec_task_objref
 * @ptr: the object, which has been collected
 * @ops: its type
 *
 * Context: May sleep.
 * Return: 0; -EAGAIN or another errno of ckpt_obj_ref(); or one of the stream.
 */
int ckpt_task_write_ref(struct ckpt_ctx *ctx, u16 rec_type, void *ptr,
			const struct ckpt_obj_ops *ops)
{
	struct ckpt_rec_task_objref rec = {};
	int ref = ckpt_obj_ref(ctx, ptr, ops);

	if (ref < 0)
		return ref;
	rec.objref = ref;
	return ckpt_write(ctx, rec_type, &rec, sizeof(rec));
}

/**
 * ckpt_task_fetch_ref() - Read what ckpt_task_write_ref() has written
 * @ctx: the context of a restart
 * @in: the record
 * @ops: the type of the object
 *
 * Context: May sleep.
 * Return: The object, borrowed, or an ERR_PTR: -EINVAL, or as ckpt_rec_copy().
 */
void *ckpt_task_fetch_ref(struct ckpt_ctx *ctx, const struct ckpt_rec *in,
			  const struct ckpt_obj_ops *ops)
{
	struct ckpt_rec_task_objref rec;
	int err;

	err = ckpt_rec_copy(in, &rec, sizeof(rec));
	if (!err && rec.pad)
		err = ckpt_err(ctx, -EINVAL, "%s: bad %s", ckpt_whom(ctx), ops->obj_name);
	return err ? ERR_PTR(err) : ckpt_obj_fetch(ctx, rec.objref, ops);
}
