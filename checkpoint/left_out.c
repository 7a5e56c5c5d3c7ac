// SPDX-License-Identifier: GPL-2.0
/*
 * Tasks that a dry run cannot freeze. It says why and goes on without them, so
 * that whoever asks hears of all obstacles at once.
 */
#include <linux/sched/task.h>
#include <linux/xarray.h>

#include "internal.h"

/**
 * ckpt_unfreezable() - Record why a task cannot be frozen
 * @ctx: the context of a checkpoint
 * @err: errno, negative
 * @fmt: message, as for ckpt_err()
 *
 * A dry run has a further obstacle to list, and then ckpt_leave_out() for it.
 *
 * Context: Any but interrupts. Takes the log's spinlock.
 * Return: @err.
 */
int ckpt_unfreezable(struct ckpt_ctx *ctx, int err, const char *fmt, ...)
{
	struct va_format vaf;
	va_list args;

	va_start(args, fmt);
	vaf.fmt = fmt;
	vaf.va = &args;
	if (ckpt_dry_run(ctx))
		ckpt_refuse(ctx, err, "%pV", &vaf);
	else
		ckpt_err(ctx, err, "%pV", &vaf);
	va_end(args);
	return err;
}

/**
 * ckpt_leave_out() - Go on without a task that cannot be frozen
 * @ctx: the context of a checkpoint
 * @task: the task
 * @err: why, as was recorded in the log
 *
 * Context: May sleep.
 * Return: @err; in a dry run, once for each task, 0, or -ENOMEM.
 */
int ckpt_leave_out(struct ckpt_ctx *ctx, struct task_struct *task, int err)
{
	if (!ckpt_dry_run(ctx) || ckpt_is_left_out(ctx, task))
		return err;
	err = xa_insert(&ctx->left_out, ckpt_ptr_index(task), task, GFP_KERNEL_ACCOUNT);
	if (err)
		return ckpt_err(ctx, err, "no memory for the list of tasks");
	get_task_struct(task);
	return 0;
}

/**
 * ckpt_is_left_out() - Is a task one that is not looked at?
 * @ctx: the context of a checkpoint
 * @task: a task of the tree
 *
 * Return: whether it is.
 */
bool ckpt_is_left_out(struct ckpt_ctx *ctx, struct task_struct *task)
{
	return xa_load(&ctx->left_out, ckpt_ptr_index(task));
}

/**
 * ckpt_left_out_free() - Forget the tasks that were left out
 * @ctx: the context
 */
void ckpt_left_out_free(struct ckpt_ctx *ctx)
{
	struct task_struct *task;
	unsigned long i;

	xa_for_each(&ctx->left_out, i, task)
		put_task_struct(task);
	xa_destroy(&ctx->left_out);
}
