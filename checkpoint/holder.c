// SPDX-License-Identifier: GPL-2.0
/*
 * Who else is there: the tasks outside the tree, among which the holder of a
 * leaked object is found.
 */
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/ptrace.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>

#include "internal.h"

/* A thread that shares everything with its leader has nothing to add. */
static bool ckpt_is_redundant(struct task_struct *task)
{
	struct task_struct *leader = task->group_leader;

	return task != leader && READ_ONCE(task->files) == READ_ONCE(leader->files) &&
	       READ_ONCE(task->fs) == READ_ONCE(leader->fs);
}

/* The task of the smallest pid from @nr on, referenced; @nr is moved behind it. */
static struct task_struct *ckpt_next_outsider(struct ckpt_ctx *ctx, int *nr)
{
	struct task_struct *task;
	struct pid *pid;

	guard(rcu)();
	while ((pid = find_ge_pid(*nr, &init_pid_ns))) {
		*nr = pid_nr(pid) + 1;
		task = pid_task(pid, PIDTYPE_PID);
		if (!task || task->flags & PF_KTHREAD || READ_ONCE(task->exit_state))
			continue;
		if (!ckpt_is_redundant(task) && !ckpt_task_collected(ctx, task))
			return get_task_struct(task);
	}
	return NULL;
}

/**
 * ckpt_visit_outsiders() - Visit the user tasks of the system that are not of the tree
 * @ctx: the context of a checkpoint
 * @fn: what to call; a reference is held, and no lock
 * @arg: its argument
 *
 * Threads that share their files with their leader are left out.
 *
 * Context: May sleep.
 * Return: what @fn returned, if not 0; -EINTR; or 0.
 */
int ckpt_visit_outsiders(struct ckpt_ctx *ctx,
			 int (*fn)(struct task_struct *task, void *arg), void *arg)
{
	struct task_struct *task;
	int nr = 1, ret = 0;

	while (!ret && (task = ckpt_next_outsider(ctx, &nr))) {
		ret = fn(task, arg);
		put_task_struct(task);
		if (!ret && fatal_signal_pending(current))
			ret = -EINTR;
		cond_resched();
	}
	return ret;
}

/**
 * ckpt_set_holder() - Fill in who holds an object
 * @holder: what to fill, except for @holder->how
 * @task: the task
 */
void ckpt_set_holder(struct ckpt_holder *holder, struct task_struct *task)
{
	holder->pid = task_pid_vnr(task);
	holder->may_tell = ptrace_may_access(task, PTRACE_MODE_READ_FSCREDS);
	get_task_comm(holder->comm, task);
}

struct ckpt_sharer_search {
	size_t field;
	const void *ptr;
	const char *how;
	struct ckpt_holder *holder;
};

static int ckpt_is_sharer(struct task_struct *task, void *arg)
{
	const struct ckpt_sharer_search *search = arg;
	void *const *field = (void *)task + search->field;

	/* Compared, not followed. */
	if (READ_ONCE(*field) != search->ptr)
		return 0;
	ckpt_set_holder(search->holder, task);
	strscpy(search->holder->how, search->how);
	return 1;
}

/**
 * ckpt_find_sharer() - Find an outsider that has an object of the tree as its own
 * @ctx: the context of a checkpoint
 * @field: offset of a pointer in struct task_struct
 * @ptr: the object
 * @how: what it is to a task that shares it, for people
 * @holder: filled in if there is one
 *
 * Context: May sleep.
 * Return: 0; -ENOENT if there is none; -EINTR.
 */
int ckpt_find_sharer(struct ckpt_ctx *ctx, size_t field, const void *ptr, const char *how,
		     struct ckpt_holder *holder)
{
	struct ckpt_sharer_search search = { field, ptr, how, holder };
	int ret = ckpt_visit_outsiders(ctx, ckpt_is_sharer, &search);

	return ret == 1 ? 0 : ret ?: -ENOENT;
}
