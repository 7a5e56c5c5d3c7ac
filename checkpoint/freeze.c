// SPDX-License-Identifier: GPL-2.0
/*
 * Holding a tree still.
 *
 * JOBCTL_TRAP_CKPT sends a task to the freezer trap of the signal path, where
 * all its user state is in its pt_regs and thread_struct, and pending signals
 * stay queued. As long as the bit is set the task cannot return to user mode;
 * only SIGKILL gets it out of there. Stopped tasks stay as they are: the bit
 * is behind them, should somebody continue them.
 *
 * A task that is killed takes its stack, its sighand and more with it. It may
 * do so at any time, for the checkpoint may take long; but not while it is
 * pinned, which it is for as long as its own state is being read.
 *
 * Whoever set the bit clears it, on every way out. A second checkpoint of the
 * same task meanwhile is -EBUSY. fork() does not pass the bit on: the tree is
 * walked again until a walk finds no other tasks than the last one; a task
 * that is in fork() is not parked.
 */
#include <linux/cgroup.h>
#include <linux/checkpoint_hooks.h>
#include <linux/delay.h>
#include <linux/hrtimer.h>
#include <linux/ptrace.h>
#include <linux/sched/debug.h>
#include <linux/sched/jobctl.h>
#include <linux/sched/signal.h>
#include <linux/sched/task_stack.h>
#include <linux/wait.h>

#include "internal.h"

#define CKPT_FREEZE_TRIES	10
#define CKPT_FREEZE_MS		200	/* for one try, and who sleeps in it */
#define CKPT_VFORK_MS		10	/* for a child of vfork() that is not of the tree */
#define CKPT_RUNNABLE_MS	10000	/* for all tries, and who needs a CPU */
#define CKPT_PARKED_STATE	(TASK_INTERRUPTIBLE | TASK_FREEZABLE)

/* When a try began, and the first one did. */
struct ckpt_try {
	ktime_t start;
	ktime_t first;
};

static DECLARE_WAIT_QUEUE_HEAD(ckpt_park_wait);
static DECLARE_WAIT_QUEUE_HEAD(ckpt_unpin_wait);

/* The checkpointer sleeps until @task parks, whatever others do. */
struct ckpt_parking {
	wait_queue_entry_t entry;
	struct task_struct *task;
};

static int ckpt_park_wake(struct wait_queue_entry *entry, unsigned int mode, int flags, void *key)
{
	struct ckpt_parking *parking = container_of(entry, struct ckpt_parking, entry);

	return parking->task == key ? default_wake_function(entry, mode, flags, NULL) : 0;
}

/**
 * __ckpt_park() - Sleep in the freezer trap, and tell the checkpointer
 *
 * The checkpointer must not preempt us before we are off the run queue: it
 * would wait a whole tick for that. (The lock sleeps with PREEMPT_RT.)
 *
 * Context: The freezer trap of current, which is not in TASK_RUNNING.
 */
void __ckpt_park(void)
{
	if (!IS_ENABLED(CONFIG_PREEMPT_RT))
		preempt_disable();
	__wake_up_sync_key(&ckpt_park_wait, TASK_NORMAL, current);
	if (!IS_ENABLED(CONFIG_PREEMPT_RT))
		preempt_enable_no_resched();
	schedule();
}

/**
 * __ckpt_die() - Wait until nobody reads the state of current, which is killed
 *
 * Context: The signal path of current; may sleep.
 */
void __ckpt_die(void)
{
	wait_event(ckpt_unpin_wait, !(READ_ONCE(current->jobctl) & JOBCTL_CKPT_PINNED));
}

/**
 * ckpt_pin_task() - Keep a frozen task from dying
 * @ctx: the context
 * @t: a task of the tree; current and the dead need no pin
 *
 * Return: 0, or -EAGAIN if it has been killed. ckpt_unpin_task() undoes it.
 */
int ckpt_pin_task(struct ckpt_ctx *ctx, struct ckpt_task *t)
{
	struct task_struct *task = t->task;
	unsigned long flags;

	if (!t->gen)
		return 0;
	if (lock_task_sighand(task, &flags)) {
		t->pinned = !(task->signal->flags & SIGNAL_GROUP_EXIT) &&
			    !(task->flags & PF_EXITING);
		if (t->pinned)
			task->jobctl |= JOBCTL_CKPT_PINNED;
		unlock_task_sighand(task, &flags);
	}
	if (t->pinned)
		return 0;
	ckpt_set_whom(ctx, task);
	return ckpt_err(ctx, -EAGAIN, "%s: was killed during the checkpoint", ckpt_whom(ctx));
}

/**
 * ckpt_unpin_task() - Let a task die, should it have been killed
 * @t: a task of the tree
 */
void ckpt_unpin_task(struct ckpt_task *t)
{
	unsigned long flags;

	if (!t->pinned)
		return;
	t->pinned = false;
	/* It has its sighand: it cannot get beyond __ckpt_die(). */
	if (WARN_ON_ONCE(!lock_task_sighand(t->task, &flags)))
		return;
	t->task->jobctl &= ~JOBCTL_CKPT_PINNED;
	unlock_task_sighand(t->task, &flags);
	if (unlikely(READ_ONCE(t->task->signal->flags) & SIGNAL_GROUP_EXIT))
		wake_up_all(&ckpt_unpin_wait);
}

static bool ckpt_is_parked(struct task_struct *task)
{
	return READ_ONCE(task->__state) == CKPT_PARKED_STATE && cgroup_task_frozen(task) &&
	       READ_ONCE(task->jobctl) & JOBCTL_TRAP_CKPT;
}

/* Will not run before we, or a signal to a stopped task, let it. */
static bool ckpt_is_settled(struct task_struct *task)
{
	if (READ_ONCE(task->exit_state))
		return true;
	return ckpt_is_parked(task) || ckpt_in_vfork(task) ||
	       READ_ONCE(task->__state) == TASK_STOPPED;
}

/* What a task that does not park is at. */
static const char *ckpt_busy_with(struct task_struct *task)
{
	unsigned int state = READ_ONCE(task->__state);

	if (task->flags & PF_EXITING)
		return "is exiting";
	if (READ_ONCE(task->signal->core_state))
		return "is dumping core";
	if (READ_ONCE(task->signal->group_exec_task))
		return "is executing a program";
	if (READ_ONCE(task->signal->flags) & SIGNAL_GROUP_EXIT)
		return "is being killed";
	if (state & TASK_UNINTERRUPTIBLE)
		return "is in uninterruptible sleep";
	if (state == TASK_RUNNING)
		return task_curr(task) ? "runs in the kernel" : "waits for a CPU";
	return "does not come to rest";
}

static int ckpt_busy(struct ckpt_ctx *ctx, struct task_struct *task)
{
	const char *what = ckpt_busy_with(task);
	unsigned long at = get_wchan(task);

	ckpt_set_whom(ctx, task);
	if (ckpt_in_vfork(task))
		return ckpt_vfork_busy(ctx, task);
	if (at)
		return ckpt_unfreezable(ctx, -EBUSY, "%s: %s at %ps", ckpt_whom(ctx), what,
					(void *)at);
	return ckpt_unfreezable(ctx, -EBUSY, "%s: %s", ckpt_whom(ctx), what);
}

static int ckpt_check_traced(struct ckpt_ctx *ctx, struct task_struct *task)
{
	struct task_struct *tracer;
	char comm[TASK_COMM_LEN] = "";
	pid_t pid = 0;

	if (!READ_ONCE(task->ptrace))
		return 0;
	rcu_read_lock();
	tracer = ptrace_parent(task);
	if (tracer) {
		pid = task_pid_nr_ns(tracer, ctx->pid_ns);
		strscpy(comm, tracer->comm);
	}
	rcu_read_unlock();
	return ckpt_unfreezable(ctx, -EBUSY, "%s: is traced by pid %d (%s)", ckpt_whom(ctx),
				pid, comm);
}

static int ckpt_check_access(struct ckpt_ctx *ctx, struct task_struct *task)
{
	if (task == current ||
	    ptrace_may_access(task, PTRACE_MODE_ATTACH_REALCREDS))
		return 0;
	return ckpt_unfreezable(ctx, -EPERM, "%s: not permitted", ckpt_whom(ctx));
}

static int ckpt_check_task(struct ckpt_ctx *ctx, struct task_struct *task)
{
	int err;

	ckpt_set_whom(ctx, task);
	if (task->flags & PF_KTHREAD)
		return ckpt_unfreezable(ctx, -EOPNOTSUPP, "%s: is a kernel thread", ckpt_whom(ctx));
	if (task->flags & PF_IO_WORKER)
		return ckpt_unfreezable(ctx, -EOPNOTSUPP, "%s: is a worker of io_uring",
					ckpt_whom(ctx));
	if (task->flags & PF_USER_WORKER)
		return ckpt_unfreezable(ctx, -EOPNOTSUPP, "%s: is a kernel worker of its process",
					ckpt_whom(ctx));
	err = ckpt_check_access(ctx, task);
	return err ?: ckpt_check_traced(ctx, task);
}

/* Return: 0; -EBUSY if another checkpoint has it. */
static int ckpt_hold(struct ckpt_ctx *ctx, struct ckpt_task *t)
{
	struct task_struct *task = t->task;
	unsigned long flags;
	int err = 0;

	if (task == current || READ_ONCE(task->exit_state) || !lock_task_sighand(task, &flags))
		return 0;
	if (task->jobctl & JOBCTL_TRAP_CKPT) {
		err = -EBUSY;
	} else {
		t->held = true;
		task->jobctl |= JOBCTL_TRAP_CKPT | JOBCTL_CKPT_WOKEN;
		/*
		 * Who dumps core or exits will not park: its write to a pipe would
		 * end too soon, or what a terminal has yet to send be lost.
		 */
		if (!task->signal->core_state && !(task->flags & PF_EXITING))
			signal_wake_up(task, false);
	}
	unlock_task_sighand(task, &flags);
	if (err)
		return ckpt_unfreezable(ctx, err, "%s: is in another checkpoint", ckpt_whom(ctx));
	return 0;
}

/**
 * ckpt_was_disturbed() - Did a checkpoint wake current up?
 * @left: how often more that may be, at first CKPT_DISTURBED_MAX
 *
 * Who calls checkpoint(2) or restart(2) does not park: one that has the caller
 * in its tree gives up, and must not make the call fail. Waits until it lets go.
 *
 * Context: current can sleep, and has failed to because of TIF_SIGPENDING.
 * Return: whether to try again.
 */
bool ckpt_was_disturbed(unsigned int *left)
{
	if (!*left || !(READ_ONCE(current->jobctl) & (JOBCTL_TRAP_CKPT | JOBCTL_CKPT_WOKEN)))
		return false;
	--*left;
	do {
		schedule_timeout_killable(1);
		if (fatal_signal_pending(current))
			return false;
	} while (READ_ONCE(current->jobctl) & JOBCTL_TRAP_CKPT);
	spin_lock_irq(&ckpt_sighand(current)->siglock);
	recalc_sigpending();
	spin_unlock_irq(&ckpt_sighand(current)->siglock);
	return true;
}

/**
 * ckpt_thaw_task() - Let a task out of the freezer trap
 * @task: a task whose JOBCTL_TRAP_CKPT is ours
 */
void ckpt_thaw_task(struct task_struct *task)
{
	unsigned long flags;

	if (!lock_task_sighand(task, &flags))
		return;
	task->jobctl &= ~JOBCTL_TRAP_CKPT;
	unlock_task_sighand(task, &flags);
	wake_up_state(task, TASK_INTERRUPTIBLE);
}

static void ckpt_release(struct ckpt_task *t)
{
	if (t->held)
		ckpt_thaw_task(t->task);
	t->held = false;
}

/*
 * Who sleeps for @limit_ms may wait for a task that is parked already: another
 * try helps. Who is runnable needs nothing but a CPU, of which a busy machine
 * has little for a task of low priority.
 */
static bool ckpt_is_late(struct task_struct *task, const struct ckpt_try *try,
			 unsigned int limit_ms)
{
	ktime_t now = ktime_get();

	if (task_is_running(task) &&
	    !ktime_after(now, ktime_add_ms(try->first, CKPT_RUNNABLE_MS)))
		return false;
	return ktime_after(now, ktime_add_ms(try->start, limit_ms));
}

static int ckpt_wait_settled(struct task_struct *task, const struct ckpt_try *try)
{
	struct ckpt_parking parking = { .task = task };
	int err = 0;

	init_waitqueue_func_entry(&parking.entry, ckpt_park_wake);
	parking.entry.private = current;
	add_wait_queue(&ckpt_park_wait, &parking.entry);
	for (;;) {
		/* Tasks that exit or stop do not wake us. */
		ktime_t slice = ms_to_ktime(1);

		set_current_state(TASK_KILLABLE);
		if (ckpt_is_settled(task))
			break;
		if (fatal_signal_pending(current))
			err = -EINTR;
		else if (ckpt_is_late(task, try, CKPT_FREEZE_MS))
			err = -EBUSY;
		if (err)
			break;
		schedule_hrtimeout(&slice, HRTIMER_MODE_REL);
	}
	__set_current_state(TASK_RUNNING);
	remove_wait_queue(&ckpt_park_wait, &parking.entry);
	return err;
}

/* Nobody waits for current, nor for whom a dry run leaves out. */
static bool ckpt_runs_on(struct ckpt_ctx *ctx, struct task_struct *task)
{
	return task == current || ckpt_is_left_out(ctx, task);
}

/* Whom the tree has lost is let go; whom it has won is held. */
static int ckpt_adopt(struct ckpt_ctx *ctx, struct ckpt_tree *walked)
{
	struct ckpt_tree old = ctx->tree;
	struct ckpt_task *t, *known;
	int err = 0;

	ckpt_for_each_task(t, &old) {
		known = ckpt_tree_find(walked, t->task);
		if (known)
			known->held = t->held;
		else
			ckpt_release(t);
	}
	ctx->tree = *walked;
	ckpt_for_each_task(t, &ctx->tree) {
		if (ckpt_tree_find(&old, t->task) || ckpt_is_left_out(ctx, t->task))
			continue;
		err = ckpt_check_task(ctx, t->task) ?: ckpt_hold(ctx, t);
		if (err)
			err = ckpt_leave_out(ctx, t->task, err);
		if (err)
			break;
	}
	ckpt_tree_free(&old);
	return err;
}

static bool ckpt_same_tasks(const struct ckpt_tree *a, const struct ckpt_tree *b)
{
	u32 i;

	if (a->nr != b->nr)
		return false;
	for (i = 0; i < a->nr; i++)
		if (a->tasks[i].task != b->tasks[i].task)
			return false;
	return true;
}

static int ckpt_settle_all(struct ckpt_ctx *ctx, const struct ckpt_try *try,
			   struct task_struct **late)
{
	struct ckpt_task *t;
	int err;

	ckpt_for_each_task(t, &ctx->tree) {
		if (ckpt_runs_on(ctx, t->task) || ckpt_is_settled(t->task))
			continue;
		err = ckpt_wait_settled(t->task, try);
		if (err) {
			*late = t->task;
			return err;
		}
	}
	return 0;
}

/* Dead, and not to be waited for by anybody: the next walk will not find it. */
static bool ckpt_is_vanishing(struct task_struct *task)
{
	return !thread_group_leader(task) || READ_ONCE(task->exit_state) == EXIT_DEAD;
}

/* Is a task off its CPU, so that all registers are in memory, and stays so? */
static bool ckpt_sample_task(struct ckpt_ctx *ctx, struct ckpt_task *t)
{
	unsigned int state = READ_ONCE(t->task->__state);

	t->gen = 0;
	if (ckpt_runs_on(ctx, t->task))
		return true;
	if (READ_ONCE(t->task->exit_state))
		return !ckpt_is_vanishing(t->task);
	if (!t->held || !ckpt_is_settled(t->task))
		return false;
	t->gen = wait_task_inactive(t->task, state);
	if (!t->gen)
		return false;
	return !(state & TASK_UNINTERRUPTIBLE) || ckpt_vfork_child(ctx, t->task);
}

/* Return: the task that runs again, or may do so as its vfork child is not of the tree; NULL. */
static struct task_struct *ckpt_sample_all(struct ckpt_ctx *ctx)
{
	struct ckpt_task *t;

	ckpt_for_each_task(t, &ctx->tree)
		if (!ckpt_sample_task(ctx, t))
			return t->task;
	return NULL;
}

/* Return: 0; -EAGAIN: look again; -EBUSY: there was time enough for @late; -EINTR. */
static int ckpt_sample(struct ckpt_ctx *ctx, const struct ckpt_try *try,
		       struct task_struct **late)
{
	struct task_struct *task = ckpt_sample_all(ctx);

	if (!task)
		return 0;
	if (ckpt_is_late(task, try, ckpt_in_vfork(task) ? CKPT_VFORK_MS : CKPT_FREEZE_MS)) {
		*late = task;
		return -EBUSY;
	}
	/* It may need our CPU to get on. */
	fsleep(USEC_PER_MSEC);
	return fatal_signal_pending(current) ? -EINTR : -EAGAIN;
}

/* Return: 0; -EBUSY with the task that is @late; another error. */
static int ckpt_freeze_try(struct ckpt_ctx *ctx, ktime_t first, struct task_struct **late)
{
	struct ckpt_try try = { ktime_get(), first };
	struct ckpt_tree walked = {};
	bool same;
	int err;

	*late = NULL;
	for (;;) {
		err = ckpt_tree_walk(ctx, &walked);
		if (err)
			return err;
		same = ckpt_same_tasks(&ctx->tree, &walked);
		if (same)
			ckpt_tree_free(&walked);
		else
			err = ckpt_adopt(ctx, &walked);
		if (!err)
			err = ckpt_settle_all(ctx, &try, late);
		if (err)
			return err;
		if (same)
			err = ckpt_sample(ctx, &try, late);
		if (same && err != -EAGAIN)
			return err;
	}
}

/* Rights may have changed until the task parked. */
static int ckpt_check_all(struct ckpt_ctx *ctx)
{
	struct ckpt_task *t;
	int err;

	ckpt_for_each_task(t, &ctx->tree) {
		if (ckpt_is_left_out(ctx, t->task))
			continue;
		err = ckpt_check_task(ctx, t->task);
		if (err)
			err = ckpt_leave_out(ctx, t->task, err);
		if (err)
			return err;
	}
	ckpt_set_whom(ctx, NULL);
	return 0;
}

/**
 * ckpt_freeze_tree() - Bring the tree to rest
 * @ctx: the context; @ctx->root_task is set
 *
 * Fills @ctx->tree. Current, if it is of the tree, is the only task of it that
 * runs. A task that does not come to rest, perhaps because it waits for one
 * that does, is given some more chances with the whole tree running; one that
 * only waits for a CPU is waited for.
 *
 * Context: May sleep. The caller thaws the tree, also after an error.
 * Return: 0; -EBUSY if a task cannot be frozen, is traced, or is being frozen
 * by another checkpoint; -EPERM; -EOPNOTSUPP for a kernel worker; -ENOMEM;
 * -EINTR.
 */
int ckpt_freeze_tree(struct ckpt_ctx *ctx)
{
	ktime_t start = ktime_get();
	struct task_struct *late;
	unsigned int try;
	int err;

	for (try = 1;; try++) {
		err = ckpt_freeze_try(ctx, start, &late);
		if (!err || !late || err != -EBUSY)
			break;
		if (try >= CKPT_FREEZE_TRIES) {
			err = ckpt_leave_out(ctx, late, ckpt_busy(ctx, late));
			if (err)
				return err;
			continue;
		}
		ckpt_thaw_tree(ctx);
		schedule_timeout_killable(msecs_to_jiffies(try * 5) + 1);
		if (fatal_signal_pending(current))
			return -EINTR;
	}
	if (err)
		return err;
	return ckpt_check_all(ctx);
}

/**
 * ckpt_release_tree() - Let the tree go on
 * @ctx: the context
 *
 * Nothing happens to tasks that are not frozen.
 */
void ckpt_release_tree(struct ckpt_ctx *ctx)
{
	struct ckpt_task *t;

	ckpt_for_each_task(t, &ctx->tree) {
		ckpt_unpin_task(t);
		ckpt_release(t);
	}
}

/**
 * ckpt_thaw_tree() - Let the tree go on, and forget its tasks
 * @ctx: the context
 */
void ckpt_thaw_tree(struct ckpt_ctx *ctx)
{
	ckpt_release_tree(ctx);
	ckpt_tree_free(&ctx->tree);
}

/*
 * A task that a signal woke is back in the trap, or on its way there, and has
 * not been in user mode, for the bit was set all the time.
 */
static int ckpt_recheck_task(struct ckpt_ctx *ctx, struct ckpt_task *t,
			     const struct ckpt_try *try)
{
	struct task_struct *task = t->task;
	int err;

	ckpt_set_whom(ctx, task);
	if (task == current)
		return 0;
	if (t->rec.flags & CKPT_TASKF_ZOMBIE)
		return 0;
	if (READ_ONCE(task->exit_state) || READ_ONCE(task->signal->flags) & SIGNAL_GROUP_EXIT)
		return ckpt_err(ctx, -EAGAIN, "%s: was killed during the checkpoint",
				ckpt_whom(ctx));
	err = ckpt_check_traced(ctx, task);
	if (err)
		return err;
	if (wait_task_inactive(task, READ_ONCE(task->__state)) == t->gen)
		return 0;
	err = ckpt_wait_settled(task, try);
	return err == -EBUSY ? ckpt_busy(ctx, task) : err;
}

/**
 * ckpt_freeze_recheck() - Check that the tree has not changed since it was frozen
 * @ctx: the context
 *
 * Context: May sleep.
 * Return: 0; -EAGAIN if a task died, or joined or left the tree; -EBUSY if one
 * is traced now; -ENOMEM; -EINTR.
 */
int ckpt_freeze_recheck(struct ckpt_ctx *ctx)
{
	ktime_t now = ktime_get();
	struct ckpt_try only = { now, now };
	struct ckpt_tree walked = {};
	struct ckpt_task *t;
	bool same;
	int err;

	err = ckpt_tree_walk(ctx, &walked);
	if (err)
		return err;
	same = ckpt_same_tasks(&ctx->tree, &walked);
	ckpt_tree_free(&walked);
	if (!same)
		return ckpt_err(ctx, -EAGAIN, "the tree changed during the checkpoint");
	ckpt_for_each_task(t, &ctx->tree) {
		err = ckpt_recheck_task(ctx, t, &only);
		if (err)
			return err;
	}
	ckpt_set_whom(ctx, NULL);
	return 0;
}
