// SPDX-License-Identifier: GPL-2.0
/*
 * Checkpoint/restart of I/O contexts that tasks share (CLONE_IO).
 *
 * What a context holds is the I/O priority, which each task restores: only the
 * sharing remains. A context of one task is no object.
 */
#include <linux/init.h>
#include <linux/iocontext.h>
#include <linux/ioprio.h>
#include <linux/sched.h>
#include <linux/sched/task.h>

#include "parts.h"

static const struct ckpt_obj_ops io_context_ops;

/* A reference keeps it alive, but is no user: users are tasks. */
static void io_context_grab(void *ptr)
{
	struct io_context *ioc = ptr;

	atomic_long_inc(&ioc->refcount);
}

static void io_context_drop(void *ptr)
{
	put_io_context(ptr);
}

static long io_context_users(void *ptr)
{
	struct io_context *ioc = ptr;

	/* One for the reference that is no user. */
	return atomic_read(&ioc->active_ref) + 1;
}

static int io_context_find_holder(struct ckpt_ctx *ctx, void *ptr, struct ckpt_holder *holder)
{
	return ckpt_find_sharer(ctx, offsetof(struct task_struct, io_context), ptr, "CLONE_IO",
				holder);
}

static int io_context_checkpoint(struct ckpt_ctx *ctx, void *ptr)
{
	return 0;
}

/* The context of the first task, which has none yet unless it inherited a priority. */
static void *io_context_restore(struct ckpt_ctx *ctx)
{
	int err = 0;

	if (!current->io_context)
		err = set_task_ioprio(current, IOPRIO_DEFAULT);
	if (err)
		return ERR_PTR(ckpt_err(ctx, err, "%s: cannot make an I/O context",
					ckpt_whom(ctx)));
	io_context_grab(current->io_context);
	return current->io_context;
}

static const struct ckpt_obj_ops io_context_ops = {
	.obj_name = "I/O context",
	.obj_type = CKPT_OBJ_IO_CONTEXT,
	.stage = CKPT_STAGE_TASK,
	.ref_grab = io_context_grab,
	.ref_drop = io_context_drop,
	.ref_users = io_context_users,
	.find_holder = io_context_find_holder,
	.checkpoint = io_context_checkpoint,
	.restore = io_context_restore,
};

/* Held, or NULL if nobody else uses it. */
static struct io_context *shared_io_context(struct task_struct *task)
{
	struct io_context *ioc;

	task_lock(task);
	ioc = task->io_context;
	if (ioc && atomic_read(&ioc->active_ref) > 1)
		io_context_grab(ioc);
	else
		ioc = NULL;
	task_unlock(task);
	return ioc;
}

static int sharing_collect(struct ckpt_ctx *ctx, struct task_struct *task)
{
	struct io_context *ioc = shared_io_context(task);
	int err;

	if (!ioc)
		return 0;
	err = ckpt_obj_collect(ctx, ioc, &io_context_ops);
	put_io_context(ioc);
	return min(err, 0);
}

static int sharing_checkpoint(struct ckpt_ctx *ctx, struct task_struct *task)
{
	struct io_context *ioc = shared_io_context(task);
	int err;

	if (!ioc)
		return 0;
	err = ckpt_task_write_ref(ctx, CKPT_REC_TASK_IO_CONTEXT, ioc, &io_context_ops);
	put_io_context(ioc);
	return err;
}

static int sharing_restore(struct ckpt_ctx *ctx, const struct ckpt_rec *in)
{
	struct io_context *ioc = ckpt_task_fetch_ref(ctx, in, &io_context_ops);

	if (IS_ERR(ioc))
		return PTR_ERR(ioc);
	if (ioc == current->io_context)
		return 0;
	/* Without users it is being torn down: who made it has been killed. */
	if (!atomic_inc_not_zero(&ioc->active_ref))
		return ckpt_err(ctx, -ESRCH, "%s: its I/O context is gone", ckpt_whom(ctx));
	if (current->io_context)
		exit_io_context(current);
	task_lock(current);
	current->io_context = ioc;
	task_unlock(current);
	return 0;
}

static const struct ckpt_task_ops sharing_ops = {
	.name = "I/O context",
	.rec_type = CKPT_REC_TASK_IO_CONTEXT,
	.collect = sharing_collect,
	.checkpoint = sharing_checkpoint,
	.restore = sharing_restore,
};

static int __init io_context_init(void)
{
	return ckpt_register_obj(&io_context_ops) ?: ckpt_register_task_ops(&sharing_ops);
}
device_initcall(io_context_init);
