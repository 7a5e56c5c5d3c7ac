// SPDX-License-Identifier: GPL-2.0
/*
 * Parents that wait in vfork(2).
 *
 * Such a task does not come to the boundary to user mode before its child calls
 * execve() or exits, which a frozen child does not. But it is at rest: it waits
 * with nothing held, its registers are those of the system call, and the child
 * points to a completion on its stack. So it is saved where it is, and a
 * restarted task waits again, in ckpt_worker(), before it returns to user mode.
 */
#include <linux/cgroup.h>
#include <linux/completion.h>
#include <linux/init.h>
#include <linux/ptrace.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/sched/task_stack.h>
#include <asm/syscall.h>

#include "internal.h"
#include "restart.h"

/**
 * ckpt_in_vfork() - Does a task wait for a child that it created with CLONE_VFORK?
 * @task: any task
 *
 * No other sleep that is not interruptible counts as frozen.
 */
bool ckpt_in_vfork(struct task_struct *task)
{
	return cgroup_task_frozen(task) && READ_ONCE(task->__state) & TASK_UNINTERRUPTIBLE;
}

/* Is it @child that @task waits for? */
static bool ckpt_is_waited_for(struct task_struct *child, struct task_struct *task)
{
	unsigned long stack = (unsigned long)task_stack_page(task);
	unsigned long done;

	task_lock(child);
	done = (unsigned long)child->vfork_done;
	task_unlock(child);
	return done - stack < THREAD_SIZE;
}

/**
 * ckpt_vfork_child() - Find the child of the tree that a task waits for
 * @ctx: the context of a checkpoint
 * @task: a task of the tree that ckpt_in_vfork()
 *
 * Return: the child, or NULL.
 */
struct ckpt_task *ckpt_vfork_child(struct ckpt_ctx *ctx, struct task_struct *task)
{
	struct ckpt_task *t;

	ckpt_for_each_task(t, &ctx->tree)
		if (READ_ONCE(t->task->vfork_done) && ckpt_is_waited_for(t->task, task))
			return t;
	return NULL;
}

struct ckpt_vfork_search {
	struct task_struct *task;
	struct ckpt_holder *child;
};

static int ckpt_vfork_visit(struct task_struct *child, void *arg)
{
	struct ckpt_vfork_search *search = arg;

	if (!ckpt_is_waited_for(child, search->task))
		return 0;
	ckpt_set_holder(search->child, child);
	return 1;
}

/**
 * ckpt_vfork_busy() - Say why a task that waits in vfork() cannot be saved
 * @ctx: the context of a checkpoint
 * @task: a task of the tree
 *
 * Context: May sleep.
 * Return: -EBUSY.
 */
int ckpt_vfork_busy(struct ckpt_ctx *ctx, struct task_struct *task)
{
	struct ckpt_holder child = {};
	struct ckpt_vfork_search search = { task, &child };

	if (ckpt_visit_outsiders(ctx, ckpt_vfork_visit, &search) == 1)
		return ckpt_unfreezable(ctx, -EBUSY,
				"%s: its vfork child, pid %d (%s), is outside the tree",
				ckpt_whom(ctx), child.pid, child.comm);
	return ckpt_unfreezable(ctx, -EBUSY, "%s: waits for a vfork child", ckpt_whom(ctx));
}

static int vfork_checkpoint(struct ckpt_ctx *ctx, struct task_struct *task)
{
	struct ckpt_rec_task_vfork rec = {};
	struct ckpt_task *child;

	if (!ckpt_in_vfork(task))
		return 0;
	child = ckpt_vfork_child(ctx, task);
	if (!child)
		return ckpt_err(ctx, -EAGAIN, "%s: its vfork child is gone", ckpt_whom(ctx));
	rec.child = child - ctx->tree.tasks;
	return ckpt_write(ctx, CKPT_REC_TASK_VFORK, &rec, sizeof(rec));
}

/* All tasks exist, and have the memory that they are to have. */
static int vfork_begin(struct ckpt_ctx *ctx, struct ckpt_child *waiter, struct ckpt_child *child)
{
	struct ckpt_vfork *vfork = waiter->vfork;
	int err = 0;

	spin_lock_irq(&waiter->restart->lock);
	if (child->state == CKPT_CHILD_GONE) {
		err = -ESRCH;
	} else if (child->task->vfork_done || vfork->child) {
		err = -EINVAL;
	} else {
		vfork->child = get_task_struct(child->task);
		vfork->nr = child->rec.pid;
		child->task->vfork_done = &vfork->done;
		waiter->waits_in_vfork = true;
	}
	spin_unlock_irq(&waiter->restart->lock);
	if (err == -ESRCH)
		return ckpt_err(ctx, err, "pid %d (%s) was killed during the restart",
				child->rec.pid, child->rec.comm);
	if (err)
		return ckpt_err(ctx, err, "%s: more than one vfork child or parent",
				ckpt_whom(ctx));
	return 0;
}

static int vfork_restore(struct ckpt_ctx *ctx, const struct ckpt_rec *in)
{
	struct ckpt_child *waiter = ctx->restart->running, *child;
	struct ckpt_rec_task_vfork rec;
	int err;

	err = ckpt_rec_copy(in, &rec, sizeof(rec));
	if (err)
		return err;
	child = xa_load(&ctx->restart->children, rec.child);
	if (rec.pad || !child || child == waiter || ckpt_child_is_zombie(child))
		return ckpt_err(ctx, -EINVAL, "%s: cannot wait for task %u", ckpt_whom(ctx),
				rec.child);
	return vfork_begin(ctx, waiter, child);
}

/**
 * ckpt_vfork_init() - Prepare for a wait
 * @vfork: on the stack of current, in the function that returns to user mode
 */
void ckpt_vfork_init(struct ckpt_vfork *vfork)
{
	vfork->child = NULL;
	init_completion(&vfork->done);
}

/**
 * ckpt_vfork_cancel() - Do not wait
 * @vfork: what is not used any more
 */
void ckpt_vfork_cancel(struct ckpt_vfork *vfork)
{
	if (!vfork->child)
		return;
	/* The child completes under this lock. */
	task_lock(vfork->child);
	if (vfork->child->vfork_done == &vfork->done)
		vfork->child->vfork_done = NULL;
	task_unlock(vfork->child);
	put_task_struct(vfork->child);
	vfork->child = NULL;
}

/**
 * ckpt_vfork_wait() - Wait for the child, if there is one, as kernel_clone() does
 * @vfork: the wait
 *
 * Context: A restored task on its way to user mode. Sleeps until the child calls
 * execve() or exits, or current is killed.
 */
void ckpt_vfork_wait(struct ckpt_vfork *vfork)
{
	if (!vfork->child)
		return;
	cgroup_enter_frozen();
	wait_for_completion_state(&vfork->done, CKPT_WAIT);
	cgroup_leave_frozen(false);
	ckpt_vfork_cancel(vfork);
	syscall_set_return_value(current, current_pt_regs(), 0, vfork->nr);
}

static const struct ckpt_task_ops vfork_ops = {
	.name = "vfork",
	.rec_type = CKPT_REC_TASK_VFORK,
	.checkpoint = vfork_checkpoint,
	.restore = vfork_restore,
};

static int __init ckpt_vfork_register(void)
{
	return ckpt_register_task_ops(&vfork_ops);
}
device_initcall(ckpt_vfork_register);
