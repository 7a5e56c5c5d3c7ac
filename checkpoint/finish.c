// SPDX-License-Identifier: GPL-2.0
/*
 * What becomes of a frozen tree that has been saved: it is killed or stopped
 * without having executed one more instruction in user mode.
 *
 * A signal that comes when those of its receiver have been saved is not in the
 * image. A tree that lives on gets it; one that is killed never would, and its
 * sender was told that it was sent. So then the tree is not killed.
 */
#include <linux/bitops.h>
#include <linux/pid.h>
#include <linux/sched/jobctl.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>

#include "internal.h"

#define CKPT_FINISH_MS	10	/* between looks at a task that nobody wakes us for */

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

/* Return: a signal that has changed what was noted, or 0. */
static int ckpt_late_signal(const struct ckpt_task *t)
{
	const struct ckpt_signals *then = &t->signals;
	struct ckpt_signals now;

	if (!ckpt_signals_get(t, &now))
		return SIGKILL;
	if (then->stopped && !now.stopped)
		return SIGCONT;
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
	struct ckpt_task *t;
	int sig;

	ckpt_for_each_task(t, &ctx->tree) {
		sig = ckpt_gets_signals(t) ? ckpt_late_signal(t) : 0;
		if (!sig)
			continue;
		ckpt_set_whom(ctx, t->task);
		return ckpt_err(ctx, -EAGAIN,
				"%s: signal %d was sent or cancelled since its signals were saved",
				ckpt_whom(ctx), sig);
	}
	return 0;
}

static bool ckpt_of_current(struct task_struct *task)
{
	return same_thread_group(task, current);
}

static void ckpt_wait_dead(struct task_struct *task, struct pid *pid)
{
	while (!READ_ONCE(task->exit_state) && !fatal_signal_pending(current))
		wait_event_killable_timeout(pid->wait_pidfd, READ_ONCE(task->exit_state),
					    msecs_to_jiffies(CKPT_FINISH_MS));
}

/* Return: whether current is of the tree. */
static bool ckpt_send_kill(struct ckpt_ctx *ctx)
{
	struct ckpt_task *t;
	bool self = false;

	ckpt_for_each_task(t, &ctx->tree) {
		if (!thread_group_leader(t->task))
			continue;
		if (ckpt_of_current(t->task))
			self = true;
		else
			do_send_sig_info(SIGKILL, SEND_SIG_PRIV, t->task, PIDTYPE_TGID);
	}
	return self;
}

static void ckpt_wait_all_dead(struct ckpt_ctx *ctx)
{
	struct ckpt_task *t;
	struct pid *pid;

	ckpt_for_each_task(t, &ctx->tree) {
		if (ckpt_of_current(t->task))
			continue;
		pid = get_task_pid(t->task, PIDTYPE_PID);
		if (!pid)
			continue;
		ckpt_wait_dead(t->task, pid);
		put_pid(pid);
	}
}

/**
 * ckpt_kill_tree() - Kill the tree where it stands
 * @ctx: the context; the tree is frozen
 *
 * A task leaves the freezer trap for SIGKILL, and only for that. Returns when
 * all are dead; the process of current is killed last, and not waited for.
 *
 * A process counts as dead from when its signals are looked at here. A signal
 * that comes in the moment until it really is gets lost as it does with any
 * process that is being killed: its sender can tell no difference.
 *
 * Context: May sleep.
 * Return: 0; -EAGAIN if a signal came that is not in the image: then nobody was
 * killed.
 */
int ckpt_kill_tree(struct ckpt_ctx *ctx)
{
	int err = ckpt_signals_recheck(ctx);
	bool self;

	if (err)
		return err;
	self = ckpt_send_kill(ctx);
	ckpt_wait_all_dead(ctx);
	if (self)
		do_send_sig_info(SIGKILL, SEND_SIG_PRIV, current, PIDTYPE_TGID);
	return 0;
}

/* As do_signal_stop() does for a stop signal that somebody dequeued. */
static void ckpt_stop_process(struct task_struct *leader)
{
	const unsigned long stop = SIGSTOP | JOBCTL_STOP_PENDING | JOBCTL_STOP_CONSUME;
	struct signal_struct *sig = leader->signal;
	struct task_struct *t;
	unsigned long flags;

	if (!lock_task_sighand(leader, &flags))
		return;
	if (sig->flags & (SIGNAL_GROUP_EXIT | SIGNAL_STOP_STOPPED))
		goto unlock;
	sig->group_exit_code = SIGSTOP;
	sig->group_stop_count = 0;
	for_each_thread(leader, t) {
		if (task_is_stopped(t) || !task_set_jobctl_pending(t, stop))
			continue;
		sig->group_stop_count++;
		signal_wake_up(t, false);
	}
unlock:
	unlock_task_sighand(leader, &flags);
}

/* A thread that waits in vfork() stops when its child, which is stopped, goes on. */
static bool ckpt_stops_later(struct task_struct *leader)
{
	struct task_struct *t;

	guard(rcu)();
	for_each_thread(leader, t)
		if (ckpt_in_vfork(t))
			return true;
	return false;
}

static bool ckpt_is_stopped(struct task_struct *task)
{
	return (READ_ONCE(task->exit_state) && !delay_group_leader(task)) ||
	       READ_ONCE(task->signal->flags) & SIGNAL_STOP_STOPPED || ckpt_stops_later(task);
}

/**
 * ckpt_stop_tree() - Stop the tree where it stands, and thaw it
 * @ctx: the context; the tree is frozen
 *
 * Returns when all processes are stopped; that of current stops when current
 * returns to user mode, one with a thread in vfork() when that does.
 *
 * Context: May sleep.
 */
void ckpt_stop_tree(struct ckpt_ctx *ctx)
{
	struct ckpt_task *t;

	ckpt_for_each_task(t, &ctx->tree)
		if (thread_group_leader(t->task))
			ckpt_stop_process(t->task);
	ckpt_release_tree(ctx);
	ckpt_for_each_task(t, &ctx->tree) {
		if (!thread_group_leader(t->task) || ckpt_of_current(t->task))
			continue;
		while (!ckpt_is_stopped(t->task) && !fatal_signal_pending(current))
			schedule_timeout_killable(1);
	}
}
