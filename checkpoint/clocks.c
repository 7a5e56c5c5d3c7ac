// SPDX-License-Identifier: GPL-2.0
/*
 * The clocks that stand still for a tree from its checkpoint to its restart.
 *
 * The image has their times as the machine told them, and what it told when all
 * was saved. Only when the tree is let go is it known how far the clocks of
 * this machine are from that: all times move by as much, and the clocks of a
 * time namespace the other way, so that for the tree nothing moves at all.
 */
#include <linux/ktime.h>
#include <linux/sched.h>
#include <linux/timekeeping.h>

#include "internal.h"
#include "restart.h"

static struct ckpt_rec_clocks clocks_at(ktime_t monotonic)
{
	return (struct ckpt_rec_clocks) {
		.monotonic = monotonic,
		.boottime = ktime_mono_to_any(monotonic, TK_OFFS_BOOT),
	};
}

/**
 * ckpt_clocks_write() - Write what time it is
 * @ctx: the context of a checkpoint
 *
 * What has gone off while the tree was saved has gone off in time: for the tree
 * it is later now, as for one that is only thawed.
 *
 * Context: May sleep. All other state has been written.
 * Return: 0 or an errno of the stream.
 */
int ckpt_clocks_write(struct ckpt_ctx *ctx)
{
	struct ckpt_rec_clocks rec = clocks_at(ktime_get());

	return ckpt_write(ctx, CKPT_REC_CLOCKS, &rec, sizeof(rec));
}

/**
 * ckpt_clocks_read() - Read what time it was
 * @ctx: the context of a restart
 *
 * Context: May sleep.
 * Return: 0, -EINVAL if no clock goes that far, or an errno of the stream.
 */
int ckpt_clocks_read(struct ckpt_ctx *ctx)
{
	struct ckpt_rec_clocks *rec = &ctx->restart->clocks;
	int err;

	err = ckpt_read(ctx, CKPT_REC_CLOCKS, rec, sizeof(*rec));
	if (err)
		return err;
	if (rec->monotonic > KTIME_MAX / 2 || rec->boottime > KTIME_MAX / 2)
		return ckpt_err(ctx, -EINVAL, "image: impossible clocks");
	return 0;
}

/* Nobody is born in the future. */
static u64 born(u64 start, s64 shift, u64 present)
{
	return present - max_t(s64, present - (start + shift), 0);
}

/**
 * ckpt_clocks_go_on() - Let time pass for the tree
 * @r: the restart, with all tasks created
 *
 * CLOCK_MONOTONIC_COARSE is behind by up to a tick: it is what goes on from where
 * the exact clock was, so that neither of them ever goes back.
 *
 * Context: The restarter, just before the tree is let go.
 */
void ckpt_clocks_go_on(struct ckpt_restart *r)
{
	struct ckpt_rec_clocks present = clocks_at(ktime_get_coarse());
	struct ckpt_child *child;
	unsigned long i;

	r->shift.monotonic = present.monotonic - r->clocks.monotonic;
	r->shift.boottime = present.boottime - r->clocks.boottime;
	ckpt_for_each_child(r, i, child) {
		struct task_struct *task = child->task;

		task->start_time = born(task->start_time, r->shift.monotonic,
					present.monotonic);
		task->start_boottime = born(task->start_boottime, r->shift.boottime,
					    present.boottime);
	}
}

/**
 * ckpt_shift() - What times of the image are to be moved by
 * @ctx: the context of a restart
 *
 * Return: where it will stand when deferred work runs.
 */
const struct ckpt_shift *ckpt_shift(struct ckpt_ctx *ctx)
{
	return &ctx->restart->shift;
}

/**
 * ckpt_shifted() - Move a time
 * @time: a time of the image, not negative; KTIME_MAX is never
 * @shift: of its clock
 *
 * Return: the time by the clock of this machine: 0 if that is before its start.
 */
ktime_t ckpt_shifted(ktime_t time, s64 shift)
{
	if (shift < 0)
		return time == KTIME_MAX ? time : max_t(ktime_t, time + shift, 0);
	return ktime_add_safe(time, shift);
}
