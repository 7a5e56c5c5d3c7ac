// SPDX-License-Identifier: GPL-2.0
/*
 * Checkpoint/restart of time namespaces: CLOCK_MONOTONIC and CLOCK_BOOTTIME go
 * on for the tree from where they were, on whatever machine.
 *
 * The tree gets a time namespace also if it had that of the machine. Offsets
 * are those of the image until the tree is let go; then the first task of each
 * namespace moves them, before any returns to user mode.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/init.h>
#include <linux/mutex.h>
#include <linux/nsproxy.h>
#include <linux/sched.h>
#include <linux/time_namespace.h>
#include <linux/timekeeping.h>
#include <linux/user_namespace.h>
#include <uapi/linux/checkpoint.h>

#include "parts.h"

/* As proc_timens_set_offset(): no clock of a namespace gets near KTIME_MAX. */
#define CKPT_MAX_CLOCK	(KTIME_MAX / 2)

static void time_ns_grab(void *ptr)
{
	get_time_ns(ptr);
}

static void time_ns_drop(void *ptr)
{
	put_time_ns(ptr);
}

static int time_ns_checkpoint(struct ckpt_ctx *ctx, void *ptr)
{
	const struct time_namespace *ns = ptr;
	struct ckpt_rec_time_ns rec = {
		.monotonic = timespec64_to_ns(&ns->offsets.monotonic),
		.boottime = timespec64_to_ns(&ns->offsets.boottime),
	};

	return ckpt_write(ctx, CKPT_REC_TIME_NS, &rec, sizeof(rec));
}

/* Of unshare(2) and of writing to /proc/PID/timens_offsets. */
static struct time_namespace *time_ns_create(struct ckpt_ctx *ctx)
{
	struct user_namespace *user_ns = current_user_ns();
	struct time_namespace *ns;

	if (!ns_capable(user_ns, CAP_SYS_ADMIN) || !ns_capable(user_ns, CAP_SYS_TIME))
		return ERR_PTR(ckpt_err(ctx, -EPERM,
					"CAP_SYS_ADMIN and CAP_SYS_TIME are needed for a time namespace, or RESTART_NO_TIME_NAMESPACE"));
	ns = copy_time_ns(CLONE_NEWTIME, user_ns, current->nsproxy->time_ns);
	if (IS_ERR(ns))
		ckpt_err(ctx, PTR_ERR(ns), "cannot create a time namespace");
	return ns;
}

static bool offset_valid(s64 offset)
{
	return offset >= -CKPT_MAX_CLOCK && offset <= CKPT_MAX_CLOCK;
}

static void *time_ns_restore(struct ckpt_ctx *ctx)
{
	struct ckpt_rec_time_ns rec;
	struct time_namespace *ns;
	int err;

	err = ckpt_read(ctx, CKPT_REC_TIME_NS, &rec, sizeof(rec));
	if (err)
		return ERR_PTR(err);
	if (!offset_valid(rec.monotonic) || !offset_valid(rec.boottime))
		return ERR_PTR(ckpt_err(ctx, -EINVAL, "image: bad time namespace"));
	if (ckpt_flags(ctx) & RESTART_NO_TIME_NAMESPACE)
		return get_time_ns(current->nsproxy->time_ns);
	ns = time_ns_create(ctx);
	if (IS_ERR(ns))
		return ns;
	ns->offsets.monotonic = ns_to_timespec64(rec.monotonic);
	ns->offsets.boottime = ns_to_timespec64(rec.boottime);
	return ns;
}

/* Any number of tasks may use it, inside the tree and outside: it does not change. */
static const struct ckpt_obj_ops time_ns_ops = {
	.obj_name = "time namespace",
	.obj_type = CKPT_OBJ_TIME_NS,
	.stage = CKPT_STAGE_GLOBAL,
	.ref_grab = time_ns_grab,
	.ref_drop = time_ns_drop,
	.checkpoint = time_ns_checkpoint,
	.restore = time_ns_restore,
};

static int joins_collect(struct ckpt_ctx *ctx, struct task_struct *task)
{
	int err;

	err = ckpt_obj_collect(ctx, task->nsproxy->time_ns, &time_ns_ops);
	if (err >= 0)
		err = ckpt_obj_collect(ctx, task->nsproxy->time_ns_for_children, &time_ns_ops);
	return min(err, 0);
}

static int joins_checkpoint(struct ckpt_ctx *ctx, struct task_struct *task)
{
	struct ckpt_rec_task_time_ns rec;
	int ns, for_children;

	ns = ckpt_obj_ref(ctx, task->nsproxy->time_ns, &time_ns_ops);
	if (ns < 0)
		return ns;
	for_children = ckpt_obj_ref(ctx, task->nsproxy->time_ns_for_children, &time_ns_ops);
	if (for_children < 0)
		return for_children;
	rec.time_ns = ns;
	rec.for_children = for_children;
	return ckpt_write(ctx, CKPT_REC_TASK_TIME_NS, &rec, sizeof(rec));
}

/**
 * struct joins_late - what joins_restore_late() needs to know
 * @own: offsets of the namespace of the task in the image
 * @for_children: of that of its children
 * @shift: what the clocks of the machine are off from those of the image
 */
struct joins_late {
	struct timens_offsets own;
	struct timens_offsets for_children;
	const struct ckpt_shift *shift;
};

/* Whatever the image says: no clock is below 0 or beyond all times. */
static struct timespec64 offset_moved(const struct timespec64 *offset, s64 shift, s64 present)
{
	s64 moved = timespec64_to_ns(offset) - shift;

	return ns_to_timespec64(clamp(moved, -present, CKPT_MAX_CLOCK - present));
}

static void offsets_move(struct time_namespace *ns, const struct timens_offsets *offsets,
			 const struct ckpt_shift *shift)
{
	if (ns->frozen_offsets)
		return;
	ns->offsets.monotonic = offset_moved(&offsets->monotonic, shift->monotonic,
					     ktime_get_ns());
	ns->offsets.boottime = offset_moved(&offsets->boottime, shift->boottime,
					    ktime_get_boottime_ns());
}

/* All tasks of a namespace say the same; once one has joined, it is set. */
static void joins_restore_late(void *data)
{
	static DEFINE_MUTEX(lock);
	struct nsproxy *nsproxy = current->nsproxy;
	const struct joins_late *late = data;

	mutex_lock(&lock);
	offsets_move(nsproxy->time_ns, &late->own, late->shift);
	offsets_move(nsproxy->time_ns_for_children, &late->for_children, late->shift);
	/* also takes out of the mm what the restarter's namespace has mapped there */
	timens_commit(current, nsproxy->time_ns);
	mutex_unlock(&lock);
}

static int joins_restore(struct ckpt_ctx *ctx, const struct ckpt_rec *in)
{
	struct joins_late late = { .shift = ckpt_shift(ctx) };
	struct time_namespace *ns, *for_children;
	struct ckpt_rec_task_time_ns rec;
	int err;

	err = ckpt_rec_copy(in, &rec, sizeof(rec));
	if (err)
		return err;
	ns = ckpt_obj_fetch(ctx, rec.time_ns, &time_ns_ops);
	if (IS_ERR(ns))
		return PTR_ERR(ns);
	for_children = ckpt_obj_fetch(ctx, rec.for_children, &time_ns_ops);
	if (IS_ERR(for_children))
		return PTR_ERR(for_children);
	if (!ckpt_same_time_ns(ctx, rec.time_ns))
		return ckpt_err(ctx, -EINVAL,
				"%s: has another time namespace than others that share its memory",
				ckpt_whom(ctx));
	if (ckpt_flags(ctx) & RESTART_NO_TIME_NAMESPACE)
		return 0;
	err = join_time_ns(ns, for_children);
	if (err)
		return ckpt_err(ctx, err, "%s: cannot join its time namespace", ckpt_whom(ctx));
	late.own = ns->offsets;
	late.for_children = for_children->offsets;
	return ckpt_task_defer(ctx, joins_restore_late, &late, sizeof(late));
}

static const struct ckpt_task_ops joins_ops = {
	.name = "time namespace",
	.rec_type = CKPT_REC_TASK_TIME_NS,
	.required = true,
	.collect = joins_collect,
	.checkpoint = joins_checkpoint,
	.restore = joins_restore,
};

static int __init time_ns_init(void)
{
	return ckpt_register_obj(&time_ns_ops) ?: ckpt_register_task_ops(&joins_ops);
}
device_initcall(time_ns_init);
