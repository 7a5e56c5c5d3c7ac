// SPDX-License-Identifier: GPL-2.0
/*
 * State of a task that cannot be represented: each kind is refused by name.
 */
#include <linux/init.h>
#include <linux/io_uring_types.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/seccomp.h>
#include <linux/sem.h>
#include <linux/uprobes.h>
#include <linux/user_events.h>

#include "parts.h"

static bool has_seccomp(struct task_struct *task)
{
	return !IS_ENABLED(CONFIG_SECCOMP_FILTER) && seccomp_mode(&task->seccomp);
}

static bool has_uprobe(struct task_struct *task)
{
#ifdef CONFIG_UPROBES
	return task->utask &&
	       (task->utask->return_instances || task->utask->state != UTASK_RUNNING);
#else
	return false;
#endif
}

static bool has_io_uring(struct task_struct *task)
{
#ifdef CONFIG_IO_URING
	return task->io_uring && !xa_empty(&task->io_uring->xa);
#else
	return false;
#endif
}

/* Descriptors may be passed as external; what the terminal is to the session may not. */
static bool has_terminal(struct task_struct *task)
{
	return task->signal->leader && READ_ONCE(task->signal->tty) &&
	       (thread_group_leader(task) || task->group_leader->exit_state);
}

/* The kernel writes into the memory of the program whether somebody traces an event. */
static bool has_user_events(struct task_struct *task)
{
#ifdef CONFIG_USER_EVENTS
	return task->user_event_mm && !list_empty(&task->user_event_mm->enablers);
#else
	return false;
#endif
}

static const struct {
	const char *what;
	bool (*test)(struct task_struct *task);
} unsupported[] = {
	{ "seccomp on a kernel without seccomp filters", has_seccomp },
	{ "active user probe", has_uprobe },
	{ "io_uring", has_io_uring },
	{ "leads a session that has a controlling terminal", has_terminal },
	{ "user trace events", has_user_events },
	{ "kernel.shm_rmid_forced would remove the System V shared memory that it made",
	  ckpt_shm_dies_with },
	{ "System V semaphore undo list", sem_undo_pending },
	{ "System V semaphore undo list shared with another process", sem_undo_shared },
	{ "System V semaphore undo lists, several that threads share", sem_undo_several },
};

/**
 * ckpt_task_refuse_unsupported - refuse what no part of the task state saves
 * @ctx: the checkpoint
 * @task: a frozen task
 *
 * Context: May sleep.
 * Return: 0, or -EOPNOTSUPP with a reason in the log.
 */
int ckpt_task_refuse_unsupported(struct ckpt_ctx *ctx, struct task_struct *task)
{
	int i, err;

	for (i = 0; i < ARRAY_SIZE(unsupported); i++) {
		if (!unsupported[i].test(task))
			continue;
		err = ckpt_refuse(ctx, -EOPNOTSUPP, "%s: %s", ckpt_whom(ctx),
				  unsupported[i].what);
		if (err)
			return err;
	}
	return 0;
}
