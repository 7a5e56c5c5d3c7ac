// SPDX-License-Identifier: GPL-2.0
/*
 * Creating the tasks of the new tree, with the pids of the old one.
 *
 * All are born as children of the restarter, in its mm and without descriptors
 * or handlers; what they share with each other is shared by birth: who shares
 * an mm or handlers is created by the task it shares them with. Their exit
 * signal is 0 meanwhile, so that the restarter's program notices nothing of
 * them, even if they die.
 */
#include <linux/cleanup.h>
#include <linux/jiffies.h>
#include <linux/nsproxy.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/wait.h>
#include <trace/events/sched.h>

#include "internal.h"
#include "restart.h"

/* How long a pid is waited for whose holder is on its way out. */
#define CKPT_DYING_WAIT HZ

static bool is_dying(struct task_struct *task)
{
	return READ_ONCE(task->exit_state) || READ_ONCE(task->flags) & PF_EXITING ||
	       READ_ONCE(task->signal->flags) & SIGNAL_GROUP_EXIT;
}

/* Do only dying tasks hold @nr, as their pid, process group or session? */
static bool held_by_dying(struct pid_namespace *ns, pid_t nr)
{
	struct task_struct *task;
	struct pid *pid;
	int type;

	guard(rcu)();
	pid = find_pid_ns(nr, ns);
	if (!pid)
		return true;
	for (type = 0; type < PIDTYPE_MAX; type++) {
		do_each_pid_task(pid, type, task) {
			if (!is_dying(task))
				return false;
		} while_each_pid_task(pid, type, task);
	}
	return true;
}

/*
 * A tree that was just killed, by checkpoint(2) for example, may still be on
 * its way out, and its orphans wait for init to reap them.
 */
static bool wait_for_pid(struct ckpt_ctx *ctx, pid_t nr, unsigned long timeout)
{
	if (!held_by_dying(ctx->pid_ns, nr) || time_after(jiffies, timeout))
		return false;
	schedule_timeout_killable(1);
	return !fatal_signal_pending(current);
}

static int pid_taken(struct ckpt_ctx *ctx, pid_t nr)
{
	char comm[TASK_COMM_LEN] = "";
	struct task_struct *holder;

	rcu_read_lock();
	holder = pid_task(find_pid_ns(nr, ctx->pid_ns), PIDTYPE_PID);
	if (holder)
		strscpy_pad(comm, holder->comm);
	rcu_read_unlock();
	if (*comm)
		return ckpt_err(ctx, -EEXIST, "pid %d is taken by %s", nr, comm);
	return ckpt_err(ctx, -EEXIST, "pid %d is taken by a process group or session", nr);
}

/* Says why a pid, or a task with that pid, could not be had. */
static int pid_error(struct ckpt_ctx *ctx, pid_t nr, int err)
{
	switch (err) {
	case -EEXIST:
		return pid_taken(ctx, nr);
	case -EPERM:
		return ckpt_err(ctx, err, "pid %d: CAP_CHECKPOINT_RESTORE is needed to choose pids",
				nr);
	case -EAGAIN:
		return ckpt_err(ctx, err, "pid %d: limit of processes reached", nr);
	case -EINTR:
		return ckpt_err(ctx, err, "interrupted");
	case -ERESTARTNOINTR:
		if (fatal_signal_pending(current))
			return ckpt_err(ctx, -EINTR, "interrupted");
		return ckpt_err(ctx, -EBUSY,
				"pid %d: cannot create it: the restarter is being stopped or its cgroup is frozen",
				nr);
	default:
		return ckpt_err(ctx, err, "pid %d: cannot create it (%d)", nr, err);
	}
}

static u64 clone_flags(const struct ckpt_child *child)
{
	u64 flags = CLONE_VM | CLONE_UNTRACED;

	if (ckpt_child_is_thread(child))
		return flags | CLONE_THREAD | CLONE_SIGHAND | CLONE_FS | CLONE_SYSVSEM;
	if (child->creator)
		flags |= CLONE_PARENT;
	if (child->rec.flags & CKPT_TASKF_SHARE_SIGHAND)
		return flags | CLONE_SIGHAND;
	return flags | CLONE_CLEAR_SIGHAND;
}

static int spawn(struct ckpt_ctx *ctx, struct ckpt_child *child)
{
	struct kernel_clone_args args = {
		.flags		= clone_flags(child),
		.name		= child->rec.comm,
		.no_files	= 1,
		.fn		= ckpt_worker,
		.fn_arg		= child,
		.set_tid	= &child->rec.pid,
		.set_tid_size	= 1,
	};
	unsigned long timeout = jiffies + CKPT_DYING_WAIT;
	unsigned int left = CKPT_DISTURBED_MAX;
	struct task_struct *task;

	refcount_inc(&child->restart->users);
	do {
		task = copy_process(NULL, 0, NUMA_NO_NODE, &args);
	} while ((task == ERR_PTR(-EEXIST) && wait_for_pid(ctx, child->rec.pid, timeout)) ||
		 (task == ERR_PTR(-ERESTARTNOINTR) && ckpt_was_disturbed(&left)));
	if (IS_ERR(task)) {
		ckpt_restart_put(child->restart);
		return pid_error(ctx, child->rec.pid, PTR_ERR(task));
	}
	child->task = get_task_struct(task);
	child->state = CKPT_CHILD_IDLE;
	trace_sched_process_fork(current, task);
	wake_up_new_task(task);
	return 0;
}

/*
 * Sessions and process groups whose leader has died and been reaped: a pid, and no
 * task. Nothing limits how many a user has, but that each has a task that is there.
 */
static int reserve_group_pids(struct ckpt_ctx *ctx)
{
	unsigned long timeout = jiffies + CKPT_DYING_WAIT;
	struct ckpt_group *group;
	struct pid *pid;
	unsigned long i;

	xa_for_each(&ctx->restart->groups, i, group) {
		if (group->leader)
			continue;
		do {
			pid = alloc_pid(ctx->pid_ns, &group->nr, 1);
		} while (pid == ERR_PTR(-EEXIST) && wait_for_pid(ctx, group->nr, timeout));
		if (IS_ERR(pid))
			return pid_error(ctx, group->nr, PTR_ERR(pid));
		group->pid = pid;
	}
	return 0;
}

static int check_pid_range(struct ckpt_ctx *ctx)
{
	struct ckpt_restart *r = ctx->restart;
	int limit = READ_ONCE(pid_max);
	struct ckpt_child *child;
	unsigned long nr = limit;

	child = xa_find(&r->pids, &nr, ULONG_MAX, XA_PRESENT);
	if (child)
		return ckpt_err(ctx, -EINVAL, "pid %d is beyond kernel.pid_max (%d)",
				child->rec.pid, limit);
	return 0;
}

/**
 * ckpt_spawn_processes - Create all processes that share no memory with others
 * @ctx: the context
 *
 * That includes those that are dead in the image.
 *
 * Context: The restarter. May sleep.
 * Return: 0, -EEXIST if a pid is taken, -EPERM, -EAGAIN if a limit of processes
 * is reached, -EBUSY if the restarter is being stopped or frozen, -EINVAL,
 * -ENOMEM, -EINTR.
 */
int ckpt_spawn_processes(struct ckpt_ctx *ctx)
{
	struct ckpt_restart *r = ctx->restart;
	struct ckpt_child *child;
	unsigned long i;
	int err;

	if (r->processes_made)
		return 0;
	r->processes_made = true;
	if (current->nsproxy->pid_ns_for_children != ctx->pid_ns)
		return ckpt_err(ctx, -EOPNOTSUPP,
				"children of the restarter live in another pid namespace");
	err = check_pid_range(ctx);
	if (err)
		return err;
	ckpt_for_each_child(r, i, child) {
		if (child->creator)
			continue;
		err = spawn(ctx, child);
		if (err)
			return err;
	}
	return 0;
}

/* In the creator of @arg: all at once that follow and have the same creator */
static int spawn_peers(struct ckpt_ctx *ctx, void *arg)
{
	struct ckpt_child *child = arg;
	struct ckpt_child *creator = child->creator;
	int err;

	do {
		err = spawn(ctx, child);
		if (err)
			return err;
		child = xa_load(&child->restart->children, child->index + 1);
	} while (child && child->creator == creator);
	return 0;
}

/**
 * ckpt_spawn_rest - Create all threads, and the processes that share memory
 * @ctx: the context
 *
 * Context: The restarter. May sleep.
 * Return: as ckpt_spawn_processes(), and -ESRCH if a creator was killed.
 */
int ckpt_spawn_rest(struct ckpt_ctx *ctx)
{
	struct ckpt_restart *r = ctx->restart;
	struct ckpt_child *child;
	unsigned long i;
	int err;

	err = ckpt_spawn_processes(ctx);
	if (err || r->tasks_made)
		return err;
	r->tasks_made = true;
	ckpt_for_each_child(r, i, child) {
		if (child->task)
			continue;
		err = ckpt_run_in(child->creator, spawn_peers, child);
		if (err)
			return err;
	}
	return reserve_group_pids(ctx);
}

static int wait_zombie(struct task_struct *task)
{
	struct pid *pid = get_task_pid(task, PIDTYPE_PID);
	int err;

	if (!pid)
		return -ESRCH;
	err = wait_event_state(pid->wait_pidfd, READ_ONCE(task->exit_state),
			       CKPT_WAIT);
	put_pid(pid);
	return err ? -EINTR : 0;
}

/*
 * Until its last context switch, which counts as one, it uses time. Nobody is
 * notified of that, nor of the death of a leader that has live threads.
 */
static int wait_off_cpu(struct task_struct *task)
{
	while (!wait_task_inactive(task, TASK_DEAD)) {
		schedule_timeout_killable(1);
		if (fatal_signal_pending(current))
			return -EINTR;
	}
	return 0;
}

/*
 * Work that the leader has put off for the mm is done by a thread instead,
 * unless somebody kills both: a thread that is gone takes nothing any more.
 */
static void leave(struct ckpt_child *child)
{
	struct ckpt_child *heir = child->heir;

	spin_lock_irq(&child->restart->lock);
	if (heir && heir->state != CKPT_CHILD_GONE)
		list_splice_init(&child->deferred, &heir->deferred);
	WRITE_ONCE(child->leave, true);
	spin_unlock_irq(&child->restart->lock);
	wake_up(&child->wait);
}

/**
 * ckpt_spawn_bury - Have a task die that is dead in the image
 * @ctx: the context
 * @child: the task, alive
 *
 * No relation of the tree exists yet, so that nobody is notified.
 *
 * Context: The restarter, when all tasks exist: the task may have had to create
 * its threads. May sleep.
 * Return: 0, -ESRCH if somebody reaped the zombie, -EINTR.
 */
int ckpt_spawn_bury(struct ckpt_ctx *ctx, struct ckpt_child *child)
{
	int err = 0;

	leave(child);
	if (ckpt_child_is_dead(child))
		err = wait_zombie(child->task);
	if (!err)
		err = wait_off_cpu(child->task);
	return err ? ckpt_err(ctx, err, "zombie %d did not stay", child->rec.pid) : 0;
}
