// SPDX-License-Identifier: GPL-2.0
/*
 * Checkpoint/restart of resource limits.
 */
#include <linux/init.h>
#include <linux/resource.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>

#include "parts.h"

static int rlimit_checkpoint(struct ckpt_ctx *ctx, struct task_struct *task)
{
	struct ckpt_rec_task_rlimits rec;
	int i;

	BUILD_BUG_ON(CKPT_RLIM_NLIMITS != RLIM_NLIMITS);
	BUILD_BUG_ON(RLIM_INFINITY != U64_MAX);
	task_lock(task->group_leader);
	for (i = 0; i < RLIM_NLIMITS; i++) {
		rec.limit[i].cur = task->signal->rlim[i].rlim_cur;
		rec.limit[i].max = task->signal->rlim[i].rlim_max;
	}
	task_unlock(task->group_leader);
	return ckpt_write(ctx, CKPT_REC_TASK_RLIMITS, &rec, sizeof(rec));
}

static void sigpending_limit_late(void *data)
{
	task_lock(current->group_leader);
	current->signal->rlim[RLIMIT_SIGPENDING] = *(struct rlimit *)data;
	task_unlock(current->group_leader);
}

/*
 * Signals and timers come after the limits, and were perhaps there before this
 * one was lowered: then it is lowered when they are back. Changes @lim to what
 * will do for now.
 */
static int sigpending_limit(struct ckpt_ctx *ctx, struct rlimit *lim, const struct rlimit *old)
{
	struct rlimit late = *lim;

	if (lim->rlim_cur >= old->rlim_cur || lim->rlim_cur > lim->rlim_max)
		return 0;
	lim->rlim_cur = old->rlim_cur;
	lim->rlim_max = max(lim->rlim_max, old->rlim_cur);
	return ckpt_task_defer(ctx, sigpending_limit_late, &late, sizeof(late));
}

static int rlimit_restore(struct ckpt_ctx *ctx, const struct ckpt_rec *in)
{
	struct ckpt_rec_task_rlimits rec;
	struct rlimit lim, old;
	int i, err;

	err = ckpt_rec_copy(in, &rec, sizeof(rec));
	if (err)
		return err;
	for (i = 0; i < RLIM_NLIMITS; i++) {
		lim.rlim_cur = rec.limit[i].cur;
		lim.rlim_max = rec.limit[i].max;
		old = current->signal->rlim[i];
		if (lim.rlim_cur == old.rlim_cur && lim.rlim_max == old.rlim_max)
			continue;
		err = i == RLIMIT_SIGPENDING ? sigpending_limit(ctx, &lim, &old) : 0;
		if (!err)
			err = do_prlimit(current, i, &lim, NULL);
		if (err)
			return ckpt_err(ctx, err, "%s: cannot set resource limit %d to %llu:%llu",
					ckpt_whom(ctx), i, rec.limit[i].cur, rec.limit[i].max);
	}
	return 0;
}

static const struct ckpt_task_ops rlimit_ops = {
	.name = "rlimits",
	.rec_type = CKPT_REC_TASK_RLIMITS,
	.leader_only = true,
	.checkpoint = rlimit_checkpoint,
	.restore = rlimit_restore,
};

static int __init rlimit_init(void)
{
	return ckpt_register_task_ops(&rlimit_ops);
}
device_initcall(rlimit_init);
