// SPDX-License-Identifier: GPL-2.0
/*
 * The relations of the new tree, and the point of no return.
 *
 * Parents, sessions and process groups are set in one section of
 * tasklist_lock, and in the same section the tree is declared complete. So
 * nobody ever sees half of it, and whatever fails before finds all tasks still
 * to be children of the restarter.
 *
 * Lock order: tasklist_lock, ckpt_restart.lock or siglock.
 */
#include <linux/jiffies.h>
#include <linux/pid.h>
#include <linux/ptrace.h>
#include <linux/sched.h>
#include <linux/sched/jobctl.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>

#include "internal.h"
#include "restart.h"

/* Stopping is a matter of microseconds; that it takes longer is no reason to hang. */
#define CKPT_STOP_WAIT HZ

enum verdict {
	VERDICT_OK,
	VERDICT_KILLED,
	VERDICT_REAPED,
	VERDICT_TRACED,
	VERDICT_NO_MM,
	VERDICT_NO_FILES,
};

static const struct {
	int err;
	const char *text;
} verdicts[] = {
	[VERDICT_KILLED]	= { -ESRCH, "was killed during the restart" },
	[VERDICT_REAPED]	= { -ESRCH, "was reaped during the restart" },
	[VERDICT_TRACED]	= { -EBUSY, "was attached to by a tracer during the restart" },
	[VERDICT_NO_MM]		= { -EINVAL, "has no memory in the image" },
	[VERDICT_NO_FILES]	= { -EINVAL, "has no descriptor table in the image" },
};

/*
 * A task that would go to user mode in the restarter's memory, or without a
 * descriptor table, is refused whatever the reason.
 */
static enum verdict check_task(const struct ckpt_child *child)
{
	struct task_struct *task = child->task;

	lockdep_assert_held_write(&tasklist_lock);
	if (ckpt_child_is_zombie(child)) {
		if (task->exit_state != EXIT_ZOMBIE)
			return VERDICT_REAPED;
		return task->ptrace ? VERDICT_TRACED : VERDICT_OK;
	}
	if (!task->sighand || task->exit_state || task->flags & PF_EXITING ||
	    task->signal->flags & SIGNAL_GROUP_EXIT || child->state == CKPT_CHILD_GONE)
		return VERDICT_KILLED;
	if (task->ptrace)
		return VERDICT_TRACED;
	if (!task->mm || task->mm == current->mm)
		return VERDICT_NO_MM;
	if (!task->files)
		return VERDICT_NO_FILES;
	return VERDICT_OK;
}

static enum verdict check_tasks(struct ckpt_restart *r, struct ckpt_child **which)
{
	struct ckpt_child *child;
	enum verdict verdict;
	unsigned long i;

	ckpt_for_each_child(r, i, child) {
		verdict = check_task(child);
		if (verdict != VERDICT_OK) {
			*which = child;
			return verdict;
		}
	}
	return VERDICT_OK;
}

/* Children of a thread that is dead belong to another one of its process. */
static struct task_struct *acting_parent(const struct ckpt_child *parent)
{
	struct task_struct *thread;

	if (!(parent->task->flags & PF_EXITING))
		return parent->task;
	for_each_thread(parent->task, thread) {
		if (!(thread->flags & PF_EXITING))
			return thread;
	}
	return parent->task;
}

static void link_parent(const struct ckpt_child *child)
{
	struct task_struct *parent = acting_parent(child->parent);
	bool did_exec = child->rec.flags & CKPT_TASKF_PARENT_EXEC;
	struct task_struct *thread;

	list_move_tail(&child->task->sibling, &parent->children);
	for_each_thread(child->task, thread) {
		RCU_INIT_POINTER(thread->real_parent, parent);
		RCU_INIT_POINTER(thread->parent, parent);
		thread->parent_exec_id = parent->self_exec_id - did_exec;
	}
}

static void link_subreaper(const struct ckpt_child *child)
{
	struct signal_struct *signal = child->task->signal;
	struct task_struct *parent = rcu_dereference_protected(child->task->real_parent,
						lockdep_is_held(&tasklist_lock));
	struct signal_struct *above = parent->signal;

	signal->is_child_subreaper = !!(child->rec.flags & CKPT_TASKF_SUBREAPER);
	signal->has_child_subreaper = above->is_child_subreaper || above->has_child_subreaper;
}

static struct pid *group_pid(struct ckpt_group *group)
{
	if (group->leader)
		return task_pid(group->leader->task);
	group->attached = true;
	return group->pid;
}

static void link_group(struct task_struct *task, enum pid_type type, struct ckpt_group *group)
{
	struct pid *pid;

	if (!group)
		return;
	pid = group_pid(group);
	if (task->signal->pids[type] != pid)
		change_pid(task, type, pid);
}

/* Parents stand before their children, as the subreaper flags need it. */
static void link_tasks(struct ckpt_restart *r)
{
	struct ckpt_child *child;
	unsigned long i;

	ckpt_for_each_child(r, i, child) {
		struct task_struct *task = child->task;

		if (!ckpt_child_is_zombie(child))
			atomic_inc(&r->nr_working);
		if (ckpt_child_is_thread(child))
			continue;
		if (child->parent)
			link_parent(child);
		task->exit_signal = child->parent ? child->rec.exit_signal : SIGCHLD;
		link_subreaper(child);
		link_group(task, PIDTYPE_SID, child->session);
		link_group(task, PIDTYPE_PGID, child->pgrp);
		task->signal->leader = !!(child->rec.flags & CKPT_TASKF_SESSION_LEADER);
	}
}

static bool about_to_stop(struct task_struct *task)
{
	unsigned long flags;
	bool pending;

	if (!lock_task_sighand(task, &flags))
		return false;
	pending = task->jobctl & JOBCTL_STOP_PENDING && !__fatal_signal_pending(task);
	unlock_task_sighand(task, &flags);
	return pending;
}

static void wait_stopped(struct ckpt_restart *r)
{
	unsigned long timeout = jiffies + CKPT_STOP_WAIT;
	struct ckpt_child *child;
	unsigned long i;

	ckpt_for_each_child(r, i, child) {
		/* This one stops when its child is through with it. */
		while (!child->waits_in_vfork && about_to_stop(child->task)) {
			if (fatal_signal_pending(current) || time_after(jiffies, timeout))
				return;
			schedule_timeout_killable(1);
		}
	}
}

/*
 * Nothing fails any more: if the restarter is killed it only waits no longer.
 * Our references go before the tree runs: with more users than it knows of, a
 * pipe would not end, and a task that calls execve() not gain the rights of the
 * file.
 */
static void let_go(struct ckpt_ctx *ctx, struct ckpt_restart *r)
{
	struct ckpt_child *child;
	unsigned long i;

	ckpt_for_each_child(r, i, child) {
		if (!ckpt_child_is_zombie(child))
			wake_up(&child->wait);
	}
	wait_event_state(r->wait, atomic_read(&r->nr_working) == 1, CKPT_WAIT);
	ckpt_objhash_destroy(&ctx->objhash);
	wait_stopped(r);
	ckpt_gate_passed(r);
}

/* Was stopped in the image, and will be again in the same way. */
static bool stops_anyway(struct task_struct *leader)
{
	struct task_struct *thread;

	for_each_thread(leader, thread) {
		if (thread->jobctl & JOBCTL_STOP_PENDING)
			return true;
	}
	return false;
}

/*
 * A group stop that every thread joins on its way to user mode. The parent,
 * which may be part of the tree, is not notified: for it nothing happened.
 */
static void stop_process(struct task_struct *leader)
{
	struct signal_struct *signal = leader->signal;
	struct task_struct *thread;
	unsigned long flags;

	if (!lock_task_sighand(leader, &flags))
		return;
	if (!(signal->flags & SIGNAL_GROUP_EXIT) && !stops_anyway(leader)) {
		signal_set_stop_flags(signal, SIGNAL_STOP_STOPPED);
		signal->group_exit_code = SIGSTOP;
		signal->group_stop_count = 0;
		for_each_thread(leader, thread) {
			if (task_set_jobctl_pending(thread, SIGSTOP | JOBCTL_STOP_PENDING))
				signal_wake_up(thread, 0);
		}
	}
	unlock_task_sighand(leader, &flags);
}

static void stop_tree(struct ckpt_restart *r)
{
	struct ckpt_child *child;
	unsigned long i;

	ckpt_for_each_child(r, i, child) {
		if (!ckpt_child_is_thread(child) && !ckpt_child_is_dead(child))
			stop_process(child->task);
	}
}

/**
 * ckpt_commit - Make the tree what the image says, and let it go
 * @ctx: the context
 *
 * On success the tasks are on their own; on failure nothing has changed.
 *
 * Context: The restarter, when all state is restored. Takes tasklist_lock for
 * writing, once.
 * Return: 0, -ESRCH if a task was killed or reaped meanwhile, -EBUSY if one is
 * traced, -EINVAL if the image leaves one without memory or descriptors.
 */
int ckpt_commit(struct ckpt_ctx *ctx)
{
	struct ckpt_restart *r = ctx->restart;
	struct ckpt_child *which = NULL;
	enum verdict verdict;

	if (ctx->flags & RESTART_STOPPED)
		stop_tree(r);
	ckpt_clocks_go_on(r);

	write_lock_irq(&tasklist_lock);
	spin_lock(&r->lock);
	verdict = check_tasks(r, &which);
	if (verdict == VERDICT_OK) {
		link_tasks(r);
		r->phase = CKPT_PHASE_GO;
	}
	spin_unlock(&r->lock);
	write_unlock_irq(&tasklist_lock);

	if (verdict != VERDICT_OK)
		return ckpt_err(ctx, verdicts[verdict].err, "pid %d (%s) %s", which->rec.pid,
				which->rec.comm, verdicts[verdict].text);
	let_go(ctx, r);
	return 0;
}
