// SPDX-License-Identifier: GPL-2.0
/*
 * Checkpoint/restart of a task's name and of small per-task settings.
 */
#include <linux/audit.h>
#include <linux/cred.h>
#include <linux/init.h>
#include <linux/ioprio.h>
#include <linux/oom.h>
#include <linux/pid.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/sem.h>

#include "parts.h"

static int comm_checkpoint(struct ckpt_ctx *ctx, struct task_struct *task)
{
	struct ckpt_rec_task_comm rec = {};

	BUILD_BUG_ON(CKPT_COMM_LEN != TASK_COMM_LEN);
	get_task_comm(rec.comm, task);
	return ckpt_write(ctx, CKPT_REC_TASK_COMM, &rec, sizeof(rec));
}

static int comm_restore(struct ckpt_ctx *ctx, const struct ckpt_rec *in)
{
	struct ckpt_rec_task_comm rec;
	int err;

	err = ckpt_rec_copy(in, &rec, sizeof(rec));
	if (err)
		return err;
	if (strnlen(rec.comm, sizeof(rec.comm)) == sizeof(rec.comm))
		return ckpt_err(ctx, -EINVAL, "%s: name is not terminated", ckpt_whom(ctx));
	set_task_comm(current, rec.comm);
	return 0;
}

static const struct ckpt_task_ops comm_ops = {
	.name = "comm",
	.rec_type = CKPT_REC_TASK_COMM,
	.checkpoint = comm_checkpoint,
	.restore = comm_restore,
};

/*
 * Whom @task has such things from: for those of the tree, what has been said of
 * it need not be said again.
 */
static struct task_struct *origin(struct ckpt_ctx *ctx, struct task_struct *task)
{
	struct task_struct *leader = task->group_leader, *parent;

	if (task != leader && !READ_ONCE(leader->exit_state))
		return leader;
	parent = rcu_dereference(leader->real_parent);
	return ckpt_task_collected(ctx, parent) ? parent : current;
}

static bool same_cgroups(const struct task_struct *a, const struct task_struct *b)
{
#ifdef CONFIG_CGROUPS
	return rcu_access_pointer(a->cgroups) == rcu_access_pointer(b->cgroups);
#else
	return true;
#endif
}

static bool same_login(struct task_struct *a, struct task_struct *b)
{
	return uid_eq(audit_get_loginuid(a), audit_get_loginuid(b));
}

/* What confines the restarter, or says who it is, is for the tree, too. */
static int misc_collect(struct ckpt_ctx *ctx, struct task_struct *task)
{
	struct task_struct *from;
	bool cgroup, login;

	rcu_read_lock();
	from = origin(ctx, task);
	cgroup = !same_cgroups(task, current) && (from == current || !same_cgroups(task, from));
	login = !same_login(task, current) && (from == current || !same_login(task, from));
	rcu_read_unlock();
	if (cgroup)
		ckpt_warn(ctx, "%s: is in another cgroup than the caller: a restart puts it into that of the restarter",
			  ckpt_whom(ctx));
	if (login)
		ckpt_warn(ctx, "%s: has another audit login uid than the caller: a restart gives it that of the restarter",
			  ckpt_whom(ctx));
	return ckpt_task_refuse_unsupported(ctx, task);
}

/* As in prctl(2). */
#define PR_IO_FLUSHER	(PF_MEMALLOC_NOIO | PF_LOCAL_THROTTLE)

static u32 misc_flags(struct task_struct *task)
{
	u32 flags = 0;

	if (task->flags & PF_MCE_PROCESS)
		flags |= CKPT_MISCF_MCE_PROCESS;
	if (task->flags & PF_MCE_EARLY)
		flags |= CKPT_MISCF_MCE_EARLY;
	if ((task->flags & PR_IO_FLUSHER) == PR_IO_FLUSHER)
		flags |= CKPT_MISCF_IO_FLUSHER;
	if (task->flags & PF_NPROC_EXCEEDED)
		flags |= CKPT_MISCF_NPROC_EXCEEDED;
	if (!thread_group_empty(task) && sem_undo_alone(task))
		flags |= CKPT_MISCF_OWN_UNDO;
	return flags;
}

/* Others hang terminals up: it is siglock that keeps the struct pid. */
static u32 hangup_group(struct ckpt_ctx *ctx, struct task_struct *task)
{
	struct signal_struct *signal = task->signal;
	u32 nr = 0;

	spin_lock_irq(&ckpt_sighand(task)->siglock);
	if (signal->leader && signal->tty_old_pgrp)
		nr = ckpt_pid_nr(ctx, signal->tty_old_pgrp);
	spin_unlock_irq(&ckpt_sighand(task)->siglock);
	return nr;
}

static int misc_checkpoint(struct ckpt_ctx *ctx, struct task_struct *task)
{
	struct ckpt_rec_task_misc rec = {
		.timer_slack_ns = task->timer_slack_ns,
		.default_timer_slack_ns = task->default_timer_slack_ns,
		.personality = task->personality,
		.pdeath_signal = task->pdeath_signal,
		.oom_score_adj = task->signal->oom_score_adj,
		.oom_score_adj_min = task->signal->oom_score_adj_min,
		.flags = misc_flags(task),
		.hangup_group = hangup_group(ctx, task),
	};

	task_lock(task);
	if (task->io_context)
		rec.ioprio = task->io_context->ioprio;
	task_unlock(task);
	return ckpt_write(ctx, CKPT_REC_TASK_MISC, &rec, sizeof(rec));
}

static int ioprio_restore(struct ckpt_ctx *ctx, u32 ioprio)
{
	int err;

	/* Nothing asked for, and nothing inherited that would have to be undone. */
	if (!ioprio && !current->io_context)
		return 0;
	if (ioprio > U16_MAX)
		return ckpt_err(ctx, -EINVAL, "%s: bad I/O priority", ckpt_whom(ctx));
	err = ioprio_check_cap(ioprio);
	if (!err)
		err = set_task_ioprio(current, ioprio);
	if (err)
		return ckpt_err(ctx, err, "%s: cannot set I/O priority %#x", ckpt_whom(ctx),
				ioprio);
	return 0;
}

/* The rules of /proc/pid/oom_score_adj. */
static int oom_restore(struct ckpt_ctx *ctx, const struct ckpt_rec_task_misc *rec)
{
	struct signal_struct *sig = current->signal;

	if (rec->oom_score_adj < OOM_SCORE_ADJ_MIN || rec->oom_score_adj > OOM_SCORE_ADJ_MAX ||
	    rec->oom_score_adj_min < OOM_SCORE_ADJ_MIN ||
	    rec->oom_score_adj_min > OOM_SCORE_ADJ_MAX)
		return ckpt_err(ctx, -EINVAL, "%s: bad oom_score_adj", ckpt_whom(ctx));
	if ((rec->oom_score_adj < sig->oom_score_adj_min ||
	     rec->oom_score_adj_min < sig->oom_score_adj_min) && !capable(CAP_SYS_RESOURCE))
		return ckpt_err(ctx, -EPERM, "%s: oom_score_adj %d needs CAP_SYS_RESOURCE",
				ckpt_whom(ctx), rec->oom_score_adj);
	sig->oom_score_adj = rec->oom_score_adj;
	sig->oom_score_adj_min = rec->oom_score_adj_min;
	return 0;
}

static int flags_restore(struct ckpt_ctx *ctx, u32 flags)
{
	if (flags & CKPT_MISCF_IO_FLUSHER && !capable(CAP_SYS_RESOURCE))
		return ckpt_err(ctx, -EPERM, "%s: PR_SET_IO_FLUSHER needs CAP_SYS_RESOURCE",
				ckpt_whom(ctx));
	current->flags &= ~(PF_MCE_PROCESS | PF_MCE_EARLY | PR_IO_FLUSHER);
	if (flags & CKPT_MISCF_MCE_PROCESS)
		current->flags |= PF_MCE_PROCESS;
	if (flags & CKPT_MISCF_MCE_EARLY)
		current->flags |= PF_MCE_EARLY;
	if (flags & CKPT_MISCF_IO_FLUSHER)
		current->flags |= PR_IO_FLUSHER;
	if (flags & CKPT_MISCF_NPROC_EXCEEDED)
		current->flags |= PF_NPROC_EXCEEDED;
	/* As unshare(CLONE_SYSVSEM): threads are born with a list that they share. */
	if (flags & CKPT_MISCF_OWN_UNDO)
		exit_sem(current);
	return 0;
}

/* A group of our session: no signal is sent to others, whatever the image says. */
static struct pid *get_group_of_session(u32 nr)
{
	struct pid *group = find_get_pid(nr);
	struct task_struct *task = NULL;
	bool ours;

	if (!group)
		return NULL;
	rcu_read_lock();
	/* without processes it still has its number, as long as anything else has it */
	for (enum pid_type type = PIDTYPE_PID; !task && type < PIDTYPE_MAX; type++)
		task = pid_task(group, type);
	ours = task && task_session(task) == task_session(current);
	rcu_read_unlock();
	if (ours)
		return group;
	put_pid(group);
	return NULL;
}

static void hangup_restore(u32 nr)
{
	struct pid *group = get_group_of_session(nr);

	if (!group)
		return;
	spin_lock_irq(&ckpt_sighand(current)->siglock);
	swap(current->signal->tty_old_pgrp, group);
	spin_unlock_irq(&ckpt_sighand(current)->siglock);
	put_pid(group);
}

/* Signals are for a complete tree, and commit_creds() forgets that of the parent. */
struct misc_late {
	u32 pdeath_signal;
	u32 hangup_group;
};

static void misc_restore_late(void *data)
{
	const struct misc_late *late = data;

	current->pdeath_signal = late->pdeath_signal;
	if (late->hangup_group && current->signal->leader)
		hangup_restore(late->hangup_group);
}

static int misc_restore(struct ckpt_ctx *ctx, const struct ckpt_rec *in)
{
	struct ckpt_rec_task_misc rec;
	struct misc_late late;
	int err;

	err = ckpt_rec_copy(in, &rec, sizeof(rec));
	if (err)
		return err;
	if (rec.pdeath_signal > _NSIG || rec.flags & ~CKPT_MISCF_ALL || rec.pad)
		return ckpt_err(ctx, -EINVAL, "%s: bad settings", ckpt_whom(ctx));

	err = oom_restore(ctx, &rec);
	if (!err)
		err = ioprio_restore(ctx, rec.ioprio);
	if (err)
		return err;

	current->timer_slack_ns = rec.timer_slack_ns;
	current->default_timer_slack_ns = rec.default_timer_slack_ns;
	current->personality = rec.personality;
	err = flags_restore(ctx, rec.flags);
	if (err)
		return err;

	late = (struct misc_late){ rec.pdeath_signal, rec.hangup_group };
	return ckpt_task_defer(ctx, misc_restore_late, &late, sizeof(late));
}

static const struct ckpt_task_ops misc_ops = {
	.name = "settings",
	.rec_type = CKPT_REC_TASK_MISC,
	.collect = misc_collect,
	.checkpoint = misc_checkpoint,
	.restore = misc_restore,
};

static int __init misc_init(void)
{
	return ckpt_register_task_ops(&comm_ops) ?: ckpt_register_task_ops(&misc_ops);
}
device_initcall(misc_init);
