// SPDX-License-Identifier: GPL-2.0
/*
 * Signals that come too late.
 *
 * A signal that comes when those of its receiver have been saved is not in the
 * image. A tree that lives on gets it; one that is killed never would, and its
 * sender was told that it was sent. So then the tree is not killed.
 *
 * A process that was continued when some of its threads had been saved would be
 * half stopped in the image, which is wrong whether the tree lives on or not.
 */
#include <linux/bitops.h>
#include <linux/sched/signal.h>

#include "internal.h"

/* A dead leader stands for its process as long as that has a live thread. */
static bool ckpt_gets_signals(const struct ckpt_task *t)
{
	return !(t->rec.flags & CKPT_TASKF_ZOMBIE) || delay_group_leader(t->task);
}

/* Return: whether @t is alive. */
static bool ckpt_signals_get(const struct ckpt_task *t, struct ckpt_signals *now)
{
	struct signal_struct *signal = t->task->signal;
	unsigned long flags;
	bool alive;

	*now = (struct ckpt_signals){};
	if (!lock_task_sighand(t->task, &flags))
		return false;
	if (!(t->rec.flags & CKPT_TASKF_ZOMBIE))
		ckpt_pending_get(&t->task->pending, &now->own);
	if (thread_group_leader(t->task)) {
		ckpt_pending_get(&signal->shared_pending, &now->shared);
		now->stopped = signal->flags & SIGNAL_STOP_STOPPED;
	}
	alive = !(signal->flags & SIGNAL_GROUP_EXIT);
	unlock_task_sighand(t->task, &flags);
	return alive;
}

/**
 * ckpt_signals_note() - Remember what signals are pending
 * @ctx: the context; no task of the tree has been written
 *
 * One that comes between this and the record of its receiver is saved and yet
 * counts as late: the tree goes on for nothing, which is rare and harmless.
 */
void ckpt_signals_note(struct ckpt_ctx *ctx)
{
	struct ckpt_task *t;

	ckpt_for_each_task(t, &ctx->tree)
		ckpt_signals_get(t, &t->signals);
}

/* Return: the signal in which they differ, or 0. */
static int ckpt_pending_differ(const struct ckpt_pending *then, const struct ckpt_pending *now)
{
	u64 bits = then->set ^ now->set;

	if (bits)
		return __ffs64(bits) + 1;
	return then->nr != now->nr ? now->last : 0;
}

/* Return: a signal that has changed what was noted, and matters, or 0. */
static int ckpt_late_signal(const struct ckpt_task *t, bool lives_on)
{
	const struct ckpt_signals *then = &t->signals;
	struct ckpt_signals now;

	if (!ckpt_signals_get(t, &now))
		return lives_on ? 0 : SIGKILL;
	if (then->stopped && !now.stopped)
		return SIGCONT;
	if (lives_on)
		return 0;
	return ckpt_pending_differ(&then->own, &now.own) ?:
	       ckpt_pending_differ(&then->shared, &now.shared);
}

/**
 * ckpt_signals_recheck() - Find signals that came after others had been saved
 * @ctx: the context; ckpt_signals_note() was called
 *
 * Return: 0, or -EAGAIN if one came, or cancelled another that was pending.
 */
int ckpt_signals_recheck(struct ckpt_ctx *ctx)
{
	bool lives_on = !(ctx->flags & CHECKPOINT_KILL);
	struct ckpt_task *t;
	int sig;

	ckpt_for_each_task(t, &ctx->tree) {
		sig = ckpt_gets_signals(t) ? ckpt_late_signal(t, lives_on) : 0;
		if (!sig)
			continue;
		ckpt_set_whom(ctx, t->task);
		return ckpt_err(ctx, -EAGAIN,
				"%s: signal %d was sent or cancelled since its signals were saved",
				ckpt_whom(ctx), sig);
	}
	return 0;
}
