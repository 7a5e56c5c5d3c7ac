// SPDX-License-Identifier: GPL-2.0
/*
 * Checkpoint/restart of job control stops.
 */
#include <linux/init.h>
#include <linux/sched.h>
#include <linux/sched/jobctl.h>
#include <linux/sched/signal.h>

#include "parts.h"

#define CKPT_STOPF_ALL	(CKPT_STOPF_STOPPED | CKPT_STOPF_CONTINUED | \
			 CKPT_STOPF_CLD_STOPPED | CKPT_STOPF_CLD_CONTINUED)

static int stop_collect(struct ckpt_ctx *ctx, struct task_struct *task)
{
	if (task->signal->group_stop_count)
		return ckpt_refuse(ctx, -EBUSY, "%s: is about to stop", ckpt_whom(ctx));
	return 0;
}

/* What is told to the parent is told once: by the leader, while it lives. */
static u32 stop_flags(struct task_struct *task)
{
	unsigned int flags = task->signal->flags;
	u32 stop = flags & SIGNAL_STOP_STOPPED ? CKPT_STOPF_STOPPED : 0;

	if (!thread_group_leader(task) && !READ_ONCE(task->group_leader->exit_state))
		return stop;
	if (flags & SIGNAL_STOP_CONTINUED)
		stop |= CKPT_STOPF_CONTINUED;
	if (flags & SIGNAL_CLD_STOPPED)
		stop |= CKPT_STOPF_CLD_STOPPED;
	if (flags & SIGNAL_CLD_CONTINUED)
		stop |= CKPT_STOPF_CLD_CONTINUED;
	return stop;
}

static int stop_checkpoint(struct ckpt_ctx *ctx, struct task_struct *task)
{
	struct ckpt_rec_task_stop rec = {};

	spin_lock_irq(&ckpt_sighand(task)->siglock);
	rec.flags = stop_flags(task);
	if (rec.flags & CKPT_STOPF_STOPPED) {
		rec.exit_code = task->signal->group_exit_code;
		rec.signal = task->jobctl & JOBCTL_STOP_SIGMASK;
	}
	spin_unlock_irq(&ckpt_sighand(task)->siglock);

	if (!rec.flags)
		return 0;
	return ckpt_write(ctx, CKPT_REC_TASK_STOP, &rec, sizeof(rec));
}

/*
 * The threads find their JOBCTL_STOP_PENDING on the way to user mode and stop
 * as if they joined a stop that others completed, so the parent is not told
 * again. The first one makes it a stop of the process: the parent may have
 * waited for it already when the last one comes. A SIGCONT that came meanwhile
 * has cleared the bit of all threads.
 */
static void stop_set_flags(struct signal_struct *sig, const struct ckpt_rec_task_stop *rec)
{
	if (rec->flags & CKPT_STOPF_STOPPED && current->jobctl & JOBCTL_STOP_PENDING &&
	    !(sig->flags & SIGNAL_STOP_STOPPED)) {
		signal_set_stop_flags(sig, (sig->flags & SIGNAL_CLD_MASK) | SIGNAL_STOP_STOPPED);
		sig->group_exit_code = rec->exit_code;
	}
	if (rec->flags & CKPT_STOPF_CONTINUED && !(sig->flags & SIGNAL_STOP_STOPPED))
		sig->flags |= SIGNAL_STOP_CONTINUED;
	if (rec->flags & CKPT_STOPF_CLD_STOPPED)
		sig->flags |= SIGNAL_CLD_STOPPED;
	if (rec->flags & CKPT_STOPF_CLD_CONTINUED)
		sig->flags |= SIGNAL_CLD_CONTINUED;
}

/*
 * A stop signal removes a SIGCONT that is pending: if one is, it came during the
 * restart, when all signals are blocked. It has cleared JOBCTL_STOP_PENDING of
 * the threads that had it, so that no other may get it now: the process would be
 * half stopped.
 */
static bool is_continued(struct task_struct *process)
{
	struct task_struct *t;

	if (sigismember(&process->signal->shared_pending.signal, SIGCONT))
		return true;
	for_each_thread(process, t)
		if (sigismember(&t->pending.signal, SIGCONT))
			return true;
	return false;
}

static void stop_restore_late(void *data)
{
	struct signal_struct *sig = current->signal;

	spin_lock_irq(&ckpt_sighand(current)->siglock);
	if (!(sig->flags & SIGNAL_GROUP_EXIT))
		stop_set_flags(sig, data);
	spin_unlock_irq(&ckpt_sighand(current)->siglock);
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

	spin_lock_irq(&ckpt_sighand(current)->siglock);
	if (!__fatal_signal_pending(current) && !is_continued(current))
		current->jobctl = (current->jobctl & ~JOBCTL_STOP_SIGMASK) | rec.signal |
				  JOBCTL_STOP_PENDING;
	spin_unlock_irq(&ckpt_sighand(current)->siglock);
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
