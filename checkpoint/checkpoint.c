// SPDX-License-Identifier: GPL-2.0
/*
 * checkpoint(2): the order of the passes.
 *
 * Freeze, collect, check for leaks: up to here nothing is written, and all that
 * can be refused has been. Then header, tasks and objects, and what may have
 * changed meanwhile is looked at again. Only the trailer makes an image of it.
 */
#include <linux/ktime.h>
#include <linux/sched/signal.h>
#include <linux/timekeeping.h>
#include <linux/utsname.h>

#include "internal.h"

/* The first thread of the root may be dead. */
static struct task_struct *ckpt_first_alive(struct ckpt_ctx *ctx)
{
	struct ckpt_task *t;

	ckpt_for_each_task(t, &ctx->tree)
		if (!(t->rec.flags & CKPT_TASKF_ZOMBIE))
			return t->task;
	return ctx->root_task;
}

/**
 * ckpt_arch_write() - Write what the restarting machine must have
 * @ctx: the context of a checkpoint
 *
 * Context: May sleep.
 * Return: 0 or an errno of the stream.
 */
int ckpt_arch_write(struct ckpt_ctx *ctx)
{
	struct ckpt_rec_arch rec = {};

	ckpt_arch_fill(ctx, &rec);
	return ckpt_write(ctx, CKPT_REC_ARCH, &rec, sizeof(rec)) ?:
	       ckpt_arch_vdso_write(ctx, ckpt_first_alive(ctx), &rec);
}

/**
 * ckpt_arch_read() - Check that this machine can run the image
 * @ctx: the context of a restart
 *
 * Context: May sleep.
 * Return: 0; -EOPNOTSUPP if it cannot; -EINVAL or an errno of the stream.
 */
int ckpt_arch_read(struct ckpt_ctx *ctx)
{
	struct ckpt_rec_arch rec;
	int err;

	err = ckpt_read(ctx, CKPT_REC_ARCH, &rec, sizeof(rec));
	if (!err)
		err = ckpt_arch_check(ctx, &rec);
	return err ?: ckpt_arch_vdso_read(ctx, &rec);
}

/* Until it is reaped, a dead task keeps the signal handlers that it may have shared. */
static void ckpt_account_dead(struct ckpt_ctx *ctx)
{
	struct ckpt_task *t;

	ckpt_for_each_task(t, &ctx->tree)
		if (t->rec.flags & CKPT_TASKF_ZOMBIE)
			ckpt_obj_account(ctx, rcu_access_pointer(t->task->sighand), 1);
}

static int ckpt_collect_tasks(struct ckpt_ctx *ctx)
{
	struct ckpt_task *t;
	int err = 0;

	ckpt_for_each_task(t, &ctx->tree) {
		if (t->rec.flags & CKPT_TASKF_ZOMBIE || ckpt_is_left_out(ctx, t->task))
			continue;
		ctx->owner = t - ctx->tree.tasks;
		err = ckpt_task_collect(ctx, t->task);
		if (!err && fatal_signal_pending(current))
			err = -EINTR;
		if (err)
			break;
		cond_resched();
	}
	ckpt_account_dead(ctx);
	ckpt_set_whom(ctx, NULL);
	return err;
}

/* All at once, since relations are looked at; this does not wait for anybody. */
static int ckpt_pin_all(struct ckpt_ctx *ctx)
{
	struct ckpt_task *t;
	int err;

	ckpt_for_each_task(t, &ctx->tree) {
		err = ckpt_pin_task(ctx, t);
		if (err)
			return err;
	}
	return 0;
}

static void ckpt_unpin_all(struct ckpt_ctx *ctx)
{
	struct ckpt_task *t;

	ckpt_for_each_task(t, &ctx->tree)
		ckpt_unpin_task(t);
}

static int ckpt_collect(struct ckpt_ctx *ctx)
{
	int err;

	err = ckpt_pin_all(ctx);
	if (!err)
		err = ckpt_tree_describe(ctx);
	if (!err)
		err = ckpt_collect_tasks(ctx);
	if (!err)
		err = ckpt_obj_collect_all(ctx);
	ckpt_unpin_all(ctx);
	ctx->stats.collected = ktime_get_ns();
	return err;
}

static int ckpt_write_header(struct ckpt_ctx *ctx)
{
	struct ckpt_rec_header rec = {
		.magic = CKPT_IMAGE_MAGIC,
		.version = CKPT_IMAGE_VERSION,
		.arch = CKPT_ARCH_X86_64,
		.page_size = PAGE_SIZE,
		.flags = ckpt_image_flags(ctx),
		.nr_tasks = ctx->tree.nr,
		.nr_objs = ctx->objhash.nr,
		.time_ns = ktime_get_real_ns(),
		.id = ctx->id,
	};

	strscpy(rec.release, init_utsname()->release, sizeof(rec.release));
	return ckpt_write(ctx, CKPT_REC_HEADER, &rec, sizeof(rec));
}

static int ckpt_write_task(struct ckpt_ctx *ctx, struct ckpt_task *t)
{
	int err;

	err = ckpt_pin_task(ctx, t);
	if (err)
		return err;
	err = ckpt_task_write(ctx, CKPT_REC_TASK, t - ctx->tree.tasks, t->task);
	ckpt_unpin_task(t);
	return err;
}

static int ckpt_write_tasks(struct ckpt_ctx *ctx)
{
	struct ckpt_task *t;
	int err = 0;

	ckpt_for_each_task(t, &ctx->tree) {
		if (t->rec.flags & CKPT_TASKF_ZOMBIE)
			continue;
		err = ckpt_write_task(ctx, t);
		if (!err && fatal_signal_pending(current))
			err = -EINTR;
		if (err)
			break;
		cond_resched();
	}
	ckpt_set_whom(ctx, NULL);
	return err;
}

static int ckpt_write_dead(struct ckpt_ctx *ctx)
{
	struct ckpt_task *t;
	int err = 0;

	ckpt_for_each_task(t, &ctx->tree) {
		if (!(t->rec.flags & CKPT_TASKF_ZOMBIE))
			continue;
		err = ckpt_task_write(ctx, CKPT_REC_DEAD_TASK, t - ctx->tree.tasks, t->task);
		if (err)
			break;
	}
	ckpt_set_whom(ctx, NULL);
	return err;
}

/*
 * A tree that was sent a signal from here on is not killed. So most of the image
 * gets to its disk before: what is left takes little time.
 */
static int ckpt_begin_tasks(struct ckpt_ctx *ctx)
{
	int err = ctx->flags & CHECKPOINT_KILL ? ckpt_stream_sync(ctx) : 0;

	if (!err)
		ckpt_signals_note(ctx);
	return err;
}

static int ckpt_write_all(struct ckpt_ctx *ctx)
{
	int err;

	err = ckpt_write_header(ctx);
	if (!err)
		err = ckpt_arch_write(ctx);
	if (!err)
		err = ckpt_tree_write(ctx);
	if (!err)
		err = ckpt_obj_write_all(ctx);
	if (!err)
		err = ckpt_begin_tasks(ctx);
	if (!err)
		err = ckpt_write_tasks(ctx);
	if (!err)
		err = ckpt_write_dead(ctx);
	if (!err)
		err = ckpt_clocks_write(ctx);
	if (!err)
		err = ckpt_obj_checkpointed(ctx);
	return err;
}

/* Somebody outside may have changed what the tree shares while it was written. */
static int ckpt_recheck(struct ckpt_ctx *ctx)
{
	return ckpt_freeze_recheck(ctx) ?: ckpt_obj_recheck(ctx) ?: ckpt_signals_recheck(ctx);
}

static int ckpt_write_image(struct ckpt_ctx *ctx)
{
	int err;

	err = ckpt_stream_open_write(ctx);
	if (err)
		return err;
	err = ckpt_write_all(ctx);
	if (err)
		return err;
	ckpt_pause(CKPT_PAUSE_WRITTEN);
	err = ckpt_recheck(ctx);
	if (!err)
		err = ckpt_stream_trailer(ctx);
	/* It will be all that there is of the tree. */
	if (!err && ctx->flags & CHECKPOINT_KILL)
		err = ckpt_stream_sync(ctx);
	if (!err)
		ckpt_pause(CKPT_PAUSE_COMPLETE);
	return err;
}

/* What the tasks that were left out hold would seem to be held outside. */
static int ckpt_check_leaks(struct ckpt_ctx *ctx)
{
	if (xa_empty(&ctx->left_out))
		return ckpt_obj_contained(ctx);
	ckpt_warn(ctx, "no check for leaks: not all tasks could be frozen");
	return 0;
}

static int ckpt_save(struct ckpt_ctx *ctx)
{
	int err;

	err = ckpt_collect(ctx);
	if (err)
		return err;
	err = ckpt_check_leaks(ctx);
	ctx->stats.contained = ktime_get_ns();
	if (err)
		return err;
	if (ckpt_dry_run(ctx))
		return ctx->log.refused;
	ckpt_pause(CKPT_PAUSE_CONTAINED);
	if (fatal_signal_pending(current))
		return -EINTR;
	err = ckpt_write_image(ctx);
	ctx->stats.written = ktime_get_ns();
	return err;
}

/*
 * Our references go first: with more users than it knows of, a task that calls
 * execve() would copy what it need not, and not gain the rights of the file.
 */
static int ckpt_finish(struct ckpt_ctx *ctx, int err)
{
	ckpt_objhash_destroy(&ctx->objhash);
	ctx->stats.released = ktime_get_ns();
	if (!err && ctx->flags & CHECKPOINT_STOP)
		ckpt_stop_tree(ctx);
	else if (!err && ctx->flags & CHECKPOINT_KILL)
		err = ckpt_kill_tree(ctx);
	if (err || !(ctx->flags & (CHECKPOINT_STOP | CHECKPOINT_KILL)))
		ckpt_release_tree(ctx);
	return err;
}

static u64 ckpt_us(u64 from, u64 to)
{
	return to > from ? div_u64(to - from, NSEC_PER_USEC) : 0;
}

/* The tree stood from when the first task was to park until it was let go. */
static void ckpt_log_stats(struct ckpt_ctx *ctx, u32 nr_objs)
{
	struct ckpt_stats *s = &ctx->stats;

	ckpt_info(ctx,
		  "stats stop_us=%llu freeze_us=%llu collect_us=%llu leak_us=%llu write_us=%llu bytes=%llu tasks=%u objs=%u",
		  ckpt_us(s->start, s->released), ckpt_us(s->start, s->frozen),
		  ckpt_us(s->frozen, s->collected), ckpt_us(s->collected, s->contained),
		  ckpt_us(s->contained, s->written), ctx->writer.offset, ctx->tree.nr,
		  nr_objs);
}

/**
 * ckpt_do_checkpoint() - Save a tree
 * @ctx: the context; @ctx->root_task is set
 *
 * Context: System call of the caller, who may be of the tree.
 * Return: the id of the checkpoint, 0 for CHECKPOINT_DRY_RUN, or an error that
 * the log explains; then the tree goes on unharmed.
 */
long ckpt_do_checkpoint(struct ckpt_ctx *ctx)
{
	u32 nr_objs;
	int err;

	ctx->stats.start = ktime_get_ns();
	err = ckpt_freeze_tree(ctx);
	ctx->stats.frozen = ktime_get_ns();
	if (!err)
		err = ckpt_save(ctx);
	nr_objs = ctx->objhash.nr;
	err = ckpt_finish(ctx, err);
	if (!err)
		ckpt_log_stats(ctx, nr_objs);
	ckpt_stream_close(ctx);
	return err ? err : (long)ctx->id;
}
