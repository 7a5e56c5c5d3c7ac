// SPDX-License-Identifier: GPL-2.0
/*
 * What becomes of a frozen tree that has been saved: it is killed or stopped
 * without having executed one more instruction in user mode.
 */
#include <linux/pid.h>
#include <linux/sched/jobctl.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>

#include "internal.h"

#define CKPT_FINISH_MS	10	/* between looks at a task that nobody wakes us for */

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
 * process that is being killed: its sender can tell no difference. Whoever reads
 * a pipe may have begun to restart what is complete, and a tree must not run
 * twice: then it is dead from the trailer on.
 *
 * Context: May sleep.
 * Return: 0; -EAGAIN if a signal came that is not in the image: then nobody was
 * killed.
 */
int ckpt_kill_tree(struct ckpt_ctx *ctx)
{
	int err = ckpt_stream_is_file(ctx) ? ckpt_signals_recheck(ctx) : 0;
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

/* Somebody may have continued it since: it is enough that no thread is yet to stop. */
static bool ckpt_has_stopped(struct task_struct *leader)
{
	struct task_struct *t;
	unsigned long flags;
	bool pending = false;

	if (ckpt_stops_later(leader) || !lock_task_sighand(leader, &flags))
		return true;
	if (!(leader->signal->flags & SIGNAL_GROUP_EXIT))
		for_each_thread(leader, t)
			pending |= !!(t->jobctl & JOBCTL_STOP_PENDING);
	unlock_task_sighand(leader, &flags);
	return !pending;
}

/**
 * ckpt_stop_tree() - Stop the tree where it stands, and thaw it
 * @ctx: the context; the tree is frozen
 *
 * Returns when all processes have stopped; that of current stops when current
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
		while (!ckpt_has_stopped(t->task) && !fatal_signal_pending(current))
			schedule_timeout_killable(1);
	}
}
