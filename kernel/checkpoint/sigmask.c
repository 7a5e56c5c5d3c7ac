// SPDX-License-Identifier: GPL-2.0
/*
 * Checkpoint/restart of the blocked signals and the alternate signal stack.
 */
#include <linux/init.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>

#include "parts.h"

static int sigmask_collect(struct ckpt_ctx *ctx, struct task_struct *task)
{
	int ret = ckpt_obj_collect(ctx, rcu_access_pointer(task->sighand),
				   &ckpt_sighand_obj_ops);

	return ret < 0 ? ret : 0;
}

static int sigmask_checkpoint(struct ckpt_ctx *ctx, struct task_struct *task)
{
	struct ckpt_rec_task_sigmask rec = {};
	int ret;

	ret = ckpt_obj_ref(ctx, rcu_access_pointer(task->sighand), &ckpt_sighand_obj_ops);
	if (ret < 0)
		return ret;
	rec.sighand = ret;

	spin_lock_irq(&ckpt_sighand(task)->siglock);
	rec.blocked = ckpt_sigset(&task->blocked);
	if (test_tsk_restore_sigmask(task)) {
		rec.saved = ckpt_sigset(&task->saved_sigmask);
		rec.flags = CKPT_SIGMASKF_SAVED;
	}
	spin_unlock_irq(&ckpt_sighand(task)->siglock);

	rec.altstack_sp = task->sas_ss_sp;
	rec.altstack_size = task->sas_ss_size;
	rec.altstack_flags = task->sas_ss_flags;
	return ckpt_write(ctx, CKPT_REC_TASK_SIGMASK, &rec, sizeof(rec));
}

/* Late, because until the tree is complete only SIGKILL may act on its tasks. */
static void sigmask_restore_late(void *data)
{
	struct ckpt_rec_task_sigmask *rec = data;
	sigset_t set;

	ckpt_sigset_to(&set, rec->blocked);
	set_current_blocked(&set);

	if (rec->flags & CKPT_SIGMASKF_SAVED) {
		ckpt_sigset_to(&current->saved_sigmask, rec->saved);
		sigdelsetmask(&current->saved_sigmask, sigmask(SIGKILL) | sigmask(SIGSTOP));
		set_restore_sigmask();
	}
}

static int sigmask_restore(struct ckpt_ctx *ctx, const struct ckpt_rec *in)
{
	struct ckpt_rec_task_sigmask rec;
	struct sighand_struct *sighand;
	int err;

	err = ckpt_rec_copy(in, &rec, sizeof(rec));
	if (err)
		return err;
	if (rec.pad || rec.flags & ~CKPT_SIGMASKF_SAVED ||
	    (rec.altstack_flags & ~SS_AUTODISARM) > SS_DISABLE)
		return ckpt_err(ctx, -EINVAL, "%s: bad signal mask record", ckpt_whom(ctx));

	/* Sharing was decided when the task was created: it must agree. */
	sighand = ckpt_obj_fetch(ctx, rec.sighand, &ckpt_sighand_obj_ops);
	if (IS_ERR(sighand) || sighand != rcu_access_pointer(current->sighand))
		return ckpt_err(ctx, -EINVAL, "%s: has other signal handlers than object %u",
				ckpt_whom(ctx), rec.sighand);

	current->sas_ss_sp = rec.altstack_sp;
	current->sas_ss_size = rec.altstack_size;
	current->sas_ss_flags = rec.altstack_flags;
	return ckpt_task_defer(ctx, sigmask_restore_late, &rec, sizeof(rec));
}

static const struct ckpt_task_ops sigmask_ops = {
	.name = "signal mask",
	.rec_type = CKPT_REC_TASK_SIGMASK,
	.required = true,
	.collect = sigmask_collect,
	.checkpoint = sigmask_checkpoint,
	.restore = sigmask_restore,
};

static int __init sigmask_init(void)
{
	return ckpt_register_task_ops(&sigmask_ops);
}
device_initcall(sigmask_init);
