// SPDX-License-Identifier: GPL-2.0
/*
 * Checkpoint/restart of job control stops.
 */
#include <linux/init.h>
#include <linux/sched.h>
#include <linux/sched/jobctl.h>
#include <linux/sched/signal.h>

#include "parts.h"

static const struct {
	u32 image;
	unsigned int flag;
} stop_flags[] = {
	{ CKPT_STOPF_STOPPED, SIGNAL_STOP_STOPPED },
	{ CKPT_STOPF_CONTINUED, SIGNAL_STOP_CONTINUED },
	{ CKPT_STOPF_CLD_STOPPED, SIGNAL_CLD_STOPPED },
	{ CKPT_STOPF_CLD_CONTINUED, SIGNAL_CLD_CONTINUED },
};

#define CKPT_STOPF_ALL	(CKPT_STOPF_STOPPED | CKPT_STOPF_CONTINUED | \
			 CKPT_STOPF_CLD_STOPPED | CKPT_STOPF_CLD_CONTINUED)

static int stop_collect(struct ckpt_ctx *ctx, struct task_struct *task)
{
	if (task->signal->group_stop_count)
		return ckpt_refuse(ctx, -EBUSY, "%s: is about to stop", ckpt_whom(ctx));
	return 0;
}

static int stop_checkpoint(struct ckpt_ctx *ctx, struct task_struct *task)
{
	struct ckpt_rec_task_stop rec = {};
	int i;

	spin_lock_irq(&task->sighand->siglock);
	for (i = 0; i < ARRAY_SIZE(stop_flags); i++)
		if (task->signal->flags & stop_flags[i].flag)
			rec.flags |= stop_flags[i].image;
	if (rec.flags & CKPT_STOPF_STOPPED) {
		rec.exit_code = task->signal->group_exit_code;
		rec.signal = task->jobctl & JOBCTL_STOP_SIGMASK;
	}
	spin_unlock_irq(&task->sighand->siglock);

	if (!rec.flags)
		return 0;
	return ckpt_write(ctx, CKPT_REC_TASK_STOP, &rec, sizeof(rec));
}

/*
 * The threads find their JOBCTL_STOP_PENDING on the way to user mode and stop
 * as if they joined a stop that others completed, so the parent is not told
 * again. A SIGCONT that came meanwhile has cleared the bit of all threads.
 */
static void stop_restore_late(void *data)
{
	struct ckpt_rec_task_stop *rec = data;
	struct signal_struct *sig = current->signal;
	unsigned int flags = 0;
	int i;

	for (i = 0; i < ARRAY_SIZE(stop_flags); i++)
		if (rec->flags & stop_flags[i].image)
			flags |= stop_flags[i].flag;

	spin_lock_irq(&current->sighand->siglock);
	if (!(sig->flags & SIGNAL_GROUP_EXIT) &&
	    (!(rec->flags & CKPT_STOPF_STOPPED) || current->jobctl & JOBCTL_STOP_PENDING)) {
		signal_set_stop_flags(sig, flags);
		if (rec->flags & CKPT_STOPF_STOPPED)
			sig->group_exit_code = rec->exit_code;
	}
	spin_unlock_irq(&current->sighand->siglock);
}

static int stop_restore(struct ckpt_ctx *ctx, const struct ckpt_rec *in)
{
	struct ckpt_rec_task_stop rec;
	int err;

	err = ckpt_rec_copy(in, &rec, sizeof(rec));
	if (err)
		return err;
	if (rec.pad || rec.flags & ~CKPT_STOPF_ALL || rec.signal > _NSIG ||
	    rec.exit_code > 0xff ||
	    (rec.flags & CKPT_STOPF_STOPPED &&
	     (!rec.signal || !sig_kernel_stop(rec.signal))))
		return ckpt_err(ctx, -EINVAL, "%s: bad stop record", ckpt_whom(ctx));

	err = ckpt_task_defer(ctx, stop_restore_late, &rec, sizeof(rec));
	if (err || !(rec.flags & CKPT_STOPF_STOPPED))
		return err;

	spin_lock_irq(&current->sighand->siglock);
	if (!__fatal_signal_pending(current))
		current->jobctl = (current->jobctl & ~JOBCTL_STOP_SIGMASK) | rec.signal |
				  JOBCTL_STOP_PENDING;
	spin_unlock_irq(&current->sighand->siglock);
	return 0;
}

static const struct ckpt_task_ops stop_ops = {
	.name = "job control",
	.rec_type = CKPT_REC_TASK_STOP,
	.collect = stop_collect,
	.checkpoint = stop_checkpoint,
	.restore = stop_restore,
};

static int __init stop_init(void)
{
	return ckpt_register_task_ops(&stop_ops);
}
device_initcall(stop_init);
