// SPDX-License-Identifier: GPL-2.0
/*
 * Undoing a restart. Until the commit all tasks of the new tree are children
 * of the restarter, whatever their final parent; they are killed and reaped
 * here, and nothing of them stays.
 */
#include <linux/pid.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <uapi/linux/wait.h>

#include "internal.h"
#include "restart.h"

/**
 * ckpt_kill_child - Send SIGKILL to the process of a restored task
 * @child: the task
 *
 * Context: The restarter.
 */
void ckpt_kill_child(struct ckpt_child *child)
{
	do_send_sig_info(SIGKILL, SEND_SIG_PRIV, child->task, PIDTYPE_TGID);
}

/* Pids without a task would otherwise stay for ever. */
static void free_unattached_pids(struct ckpt_restart *r)
{
	struct ckpt_group *group;
	unsigned long i;

	xa_for_each(&r->groups, i, group) {
		if (group->pid && !group->attached)
			free_pid(group->pid);
		group->pid = NULL;
	}
}

/* A dead thread that is traced stays, and the leader with it. */
static bool has_tracer(struct task_struct *leader)
{
	struct task_struct *t;

	guard(rcu)();
	for_each_thread(leader, t)
		if (READ_ONCE(t->ptrace))
			return true;
	return false;
}

/*
 * The restarter may have been killed itself: as in zap_pid_ns_processes() that
 * must not keep it from waiting. Another thread of the restarter can only make
 * the wait end early, by reaping with __WALL. A tracer that does not let go of
 * a child could block us: then a killed restarter leaves the dead child to it.
 */
static void reap_child(struct ckpt_child *child)
{
	while (pid_alive(child->task)) {
		clear_thread_flag(TIF_SIGPENDING);
		if (kernel_wait4(child->rec.pid, NULL, __WALL, NULL) != -ERESTARTSYS)
			return;
		if (__fatal_signal_pending(current) && has_tracer(child->task))
			return;
	}
}

/**
 * ckpt_abort - Kill and reap all tasks of a restart that failed
 * @ctx: the context
 *
 * Context: The restarter, with no closure running. Sleeps until all are gone.
 * Leaves TIF_SIGPENDING to be computed again, when the mask is restored.
 */
void ckpt_abort(struct ckpt_ctx *ctx)
{
	struct ckpt_restart *r = ctx->restart;
	struct ckpt_child *child;
	unsigned long i;

	spin_lock_irq(&r->lock);
	r->phase = CKPT_PHASE_ABORT;
	spin_unlock_irq(&r->lock);
	free_unattached_pids(r);
	ckpt_for_each_child(r, i, child) {
		if (!child->task)
			continue;
		if (!ckpt_child_is_thread(child))
			ckpt_kill_child(child);
		wake_up(&child->wait);
	}
	guard(no_notify_signal)();
	ckpt_for_each_child(r, i, child) {
		if (child->task && !ckpt_child_is_thread(child))
			reap_child(child);
	}
}
