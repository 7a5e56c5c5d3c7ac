// SPDX-License-Identifier: GPL-2.0
/*
 * A task of the new tree, from its creation to its release.
 *
 * It waits for closures that the restarter, or another task, has it run. Only
 * one task at a time uses the stream and the context: no lock is needed for
 * them.
 * When the tree is let go, it does its deferred work, waits for the others to
 * do theirs, and returns to user mode with the registers that a closure has put
 * into its pt_regs. A fatal signal before that makes it exit, which the
 * restarter notices and takes for a failure.
 */
#include <linux/mempolicy.h>
#include <linux/sched.h>
#include <linux/sched/jobctl.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/tty.h>
#include <linux/user_events.h>
#include <asm/checkpoint.h>

#include "internal.h"
#include "restart.h"

/**
 * struct ckpt_deferred - work for the moment when a task is let go
 * @node: in struct ckpt_child.deferred
 * @fn: the work
 * @data: its argument
 */
struct ckpt_deferred {
	struct list_head node;
	void (*fn)(void *data);
	u8 data[] __aligned(8);
};

/*
 * What a new task has inherited from the restarter, and who replaces it:
 *
 *  here		floating point, breakpoints, TLS, I/O ports, shadow stack,
 *			controlling terminal unless the session is the
 *			restarter's, memory policy, restart block, task flags,
 *			user trace events, speculation controls that are not
 *			locked
 *  copy_process()	handlers (CLONE_CLEAR_SIGHAND), descriptors (none),
 *			alternate stack, rseq, robust list, clear_child_tid,
 *			pdeath signal, timers, ptrace, comm
 *  parts of the state	mask, credentials, security labels, limits, scheduling,
 *			personality, timer slack, file system context, times,
 *			registers
 *  commit		parent, session, process group, subreaper
 *  stays		seccomp filters, no_new_privs, Landlock domain, audit
 *			context, locked speculation controls, cgroup, cpuset,
 *			namespaces: what confines the restarter confines the tree
 *
 * Open files, pipes and shared memory are made before the tasks change to the
 * labels of the image: the objects have the label of the restarter.
 */
static void reset_inherited(const struct ckpt_child *child)
{
	ckpt_arch_reset_task();
	ckpt_reset_speculation();
	current->restart_block.fn = do_no_restart_syscall;
	current->flags &= ~(PF_MCE_PROCESS | PF_MCE_EARLY | PF_MEMALLOC_NOIO | PF_LOCAL_THROTTLE);
	if (child->rec.flags & CKPT_TASKF_DID_EXEC)
		current->flags &= ~PF_FORKNOEXEC;
	mpol_put_task_policy(current);
	user_events_execve(current);
	if (!ckpt_child_is_thread(child) && child->session)
		proc_clear_tty(current);
}

static bool called(struct ckpt_child *child)
{
	return READ_ONCE(child->state) == CKPT_CHILD_BUSY || READ_ONCE(child->leave) ||
	       READ_ONCE(child->restart->phase) != CKPT_PHASE_BUILD;
}

enum next { NEXT_RUN, NEXT_GO, NEXT_EXIT };

static int start_running(struct ckpt_restart *r, struct ckpt_child *child)
{
	lockdep_assert_held(&r->lock);
	r->called = child;
	if (r->stop)
		return -EINTR;
	if (child->state != CKPT_CHILD_IDLE)
		return -ESRCH;
	child->state = CKPT_CHILD_BUSY;
	r->running = child;
	return 0;
}

static void stop_running(struct ckpt_restart *r, int result)
{
	lockdep_assert_held(&r->lock);
	r->result = result;
	WRITE_ONCE(r->running, NULL);
}

/*
 * Once the tree is let go its tasks are the kernel's ordinary tasks: a fatal
 * signal then finds them on their way to user mode, after their deferred work.
 */
static enum next wait_for_call(struct ckpt_child *child)
{
	struct ckpt_restart *r = child->restart;
	enum next next = NEXT_EXIT;
	int killed;

	killed = wait_event_state(child->wait, called(child), CKPT_WAIT);
	spin_lock_irq(&r->lock);
	if (r->phase == CKPT_PHASE_GO) {
		next = NEXT_GO;
	} else if (r->phase == CKPT_PHASE_BUILD && !child->leave && !killed) {
		next = NEXT_RUN;
	} else {
		child->state = CKPT_CHILD_GONE;
		if (r->running == child)
			stop_running(r, -ESRCH);
	}
	spin_unlock_irq(&r->lock);
	return next;
}

/* The waker is about to wait itself: another CPU would only have to be woken up. */
static void hand_over(wait_queue_head_t *wait)
{
	__wake_up_on_current_cpu(wait, TASK_NORMAL, NULL);
}

static int was_killed(struct ckpt_ctx *ctx, const struct ckpt_child *child)
{
	return ckpt_err(ctx, -ESRCH, "pid %d (%s) was killed during the restart",
			child->rec.pid, child->rec.comm);
}

/**
 * ckpt_killed - Tell a task that was killed from a restarter that was
 * @ctx: the context of a restart
 * @err: an errno
 *
 * Context: The restarter or a closure.
 * Return: -ESRCH, which the log explains, if @err is -EINTR because somebody
 * else than the restarter has killed the task that runs a closure; or @err.
 */
int ckpt_killed(struct ckpt_ctx *ctx, int err)
{
	struct ckpt_restart *r = ctx->restart;
	struct ckpt_child *child = r ? READ_ONCE(r->running) : NULL;

	if (err != -EINTR || !child || child->task != current || READ_ONCE(r->stop))
		return err;
	return was_killed(ctx, child);
}

static void run_closure(struct ckpt_child *child)
{
	struct ckpt_restart *r = child->restart;
	int result = ckpt_killed(r->ctx, child->fn(r->ctx, child->arg));
	struct ckpt_child *next = result ? NULL : r->next;

	r->next = NULL;
	spin_lock_irq(&r->lock);
	child->state = CKPT_CHILD_IDLE;
	if (next)
		result = start_running(r, next);
	if (!next || result)
		stop_running(r, result);
	spin_unlock_irq(&r->lock);
	hand_over(next && !result ? &next->wait : &r->wait);
}

static void end_deferred(struct list_head *list, bool call)
{
	struct ckpt_deferred *work, *next;

	list_for_each_entry_safe(work, next, list, node) {
		if (call)
			work->fn(work->data);
		list_del(&work->node);
		kfree(work);
		cond_resched();
	}
}

/* A task that was killed leaves while the restarter may move work from list to list. */
static void drop_deferred(struct ckpt_child *child)
{
	LIST_HEAD(dropped);

	spin_lock_irq(&child->restart->lock);
	list_splice_init(&child->deferred, &dropped);
	spin_unlock_irq(&child->restart->lock);
	end_deferred(&dropped, false);
}

static void __noreturn leave_tree(struct ckpt_child *child)
{
	struct ckpt_restart *r = child->restart;
	long code = child->leave ? child->rec.exit_code : SIGKILL;

	ckpt_vfork_cancel(child->vfork);
	drop_deferred(child);
	wake_up(&r->wait);
	ckpt_restart_put(r);
	do_exit(code);
}

/**
 * ckpt_gate_passed - One task less has something to do before the gate opens
 * @r: the restart
 *
 * Context: The restarter, or a task that has done its deferred work.
 */
void ckpt_gate_passed(struct ckpt_restart *r)
{
	struct ckpt_child *child;
	unsigned long i;

	if (!atomic_dec_and_test(&r->nr_working)) {
		wake_up(&r->wait);
		return;
	}
	WRITE_ONCE(r->open, true);
	wake_up_all(&r->gate);
	ckpt_for_each_child(r, i, child) {
		if (child->stops)
			ckpt_thaw_task(child->task);
	}
}

/*
 * If somebody continues it before the gate is open, the freezer trap is next.
 * Not if a checkpoint has set that: it alone may let go of it.
 */
static bool goes_to_stop(void)
{
	bool stops;

	spin_lock_irq(&ckpt_sighand(current)->siglock);
	stops = (current->jobctl & (JOBCTL_STOP_PENDING | JOBCTL_TRAP_CKPT)) == JOBCTL_STOP_PENDING;
	if (stops)
		current->jobctl |= JOBCTL_TRAP_CKPT;
	spin_unlock_irq(&ckpt_sighand(current)->siglock);
	return stops;
}

/*
 * Nobody runs code of the program before all tasks are what they are to be:
 * one might send SIGCONT to a task that is not stopped yet. A task that is to
 * stop goes ahead, so that the others find it stopped.
 */
static void wait_at_gate(struct ckpt_child *child)
{
	struct ckpt_restart *r = child->restart;

	child->stops = goes_to_stop();
	ckpt_gate_passed(r);
	if (!child->stops)
		wait_event_state(r->gate, READ_ONCE(r->open), CKPT_WAIT);
}

/**
 * ckpt_worker - Life of a restored task until it returns to user mode
 * @arg: its struct ckpt_child
 *
 * Context: The fn of a clone; owns one user of the restart.
 * Return: 1, which keeps the registers; does not return if the task is to die.
 */
int ckpt_worker(void *arg)
{
	struct ckpt_child *child = arg;
	struct ckpt_vfork vfork;
	enum next next;

	ckpt_vfork_init(&vfork);
	child->vfork = &vfork;
	reset_inherited(child);
	while ((next = wait_for_call(child)) == NEXT_RUN)
		run_closure(child);
	if (next == NEXT_EXIT)
		leave_tree(child);
	end_deferred(&child->deferred, true);
	wait_at_gate(child);
	ckpt_restart_put(child->restart);
	ckpt_vfork_wait(&vfork);
	return 1;
}

/**
 * ckpt_pass_to - Have another task run a closure when the present one is done
 * @child: that task
 * @fn: its closure, which has the context to itself then
 * @arg: its argument
 *
 * The restarter goes on when a closure does not pass on, or fails: to wake it
 * up for each would double the number of context switches.
 *
 * Context: A closure.
 */
void ckpt_pass_to(struct ckpt_child *child, ckpt_closure_t fn, void *arg)
{
	child->fn = fn;
	child->arg = arg;
	child->restart->next = child;
}

static bool answered(struct ckpt_restart *r)
{
	return !READ_ONCE(r->running);
}

/* The restarter was killed: who runs is killed too, and nobody runs after it. */
static void end_running(struct ckpt_restart *r)
{
	struct ckpt_child *child;

	spin_lock_irq(&r->lock);
	WRITE_ONCE(r->stop, true);
	child = r->running;
	spin_unlock_irq(&r->lock);
	if (child)
		ckpt_kill_child(child);
	wait_event(r->wait, answered(r));
}

/**
 * ckpt_run_in - Have a restored task run a closure, and wait for it
 * @child: the task
 * @fn: the closure; it has the context to itself
 * @arg: its argument
 *
 * Waits for all that the closure is passed on to, see ckpt_pass_to(). If the
 * restarter is killed, the task that runs is killed too and waited for: when
 * this function returns nobody else uses the context.
 *
 * Context: The restarter, before the tree is let go. May sleep.
 * Return: what the last closure returned, -ESRCH if its task was killed, -EINTR
 * if the restarter was.
 */
int ckpt_run_in(struct ckpt_child *child, ckpt_closure_t fn, void *arg)
{
	struct ckpt_restart *r = child->restart;
	int err;

	child->fn = fn;
	child->arg = arg;
	spin_lock_irq(&r->lock);
	err = start_running(r, child);
	spin_unlock_irq(&r->lock);
	if (!err) {
		hand_over(&child->wait);
		err = wait_event_state(r->wait, answered(r), CKPT_WAIT);
		if (err) {
			end_running(r);
			err = -EINTR;
		} else {
			err = r->result;
		}
	}
	if (err == -ESRCH && READ_ONCE(r->called->state) == CKPT_CHILD_GONE)
		return was_killed(r->ctx, r->called);
	if (err == -EINTR)
		return ckpt_err(r->ctx, err, "interrupted");
	return err;
}

/**
 * ckpt_task_defer - Put off work until the tree is let go
 * @ctx: the context
 * @fn: the work
 * @data: its argument, copied
 * @len: bytes of @data
 *
 * Context: A closure, in the task that is being restored. May sleep.
 * Return: 0 or -ENOMEM.
 */
int ckpt_task_defer(struct ckpt_ctx *ctx, void (*fn)(void *data), const void *data, size_t len)
{
	struct ckpt_child *child = ctx->restart ? ctx->restart->running : NULL;
	struct ckpt_deferred *work;

	if (WARN_ON_ONCE(!child || child->task != current))
		return -EINVAL;
	work = kmalloc(struct_size(work, data, len), GFP_KERNEL_ACCOUNT);
	if (!work)
		return ckpt_err(ctx, -ENOMEM, "out of memory");
	work->fn = fn;
	memcpy(work->data, data, len);
	list_add_tail(&work->node, &child->deferred);
	return 0;
}

/**
 * ckpt_same_time_ns - Do all with the mm of current say the same?
 * @ctx: the context
 * @time_ns: what current says of its time namespace, not 0
 *
 * What the vdso reads is a page of the namespace that is mapped into the mm, and
 * freed with the namespace: the kernel relies on there being one for each mm.
 *
 * Context: A closure, in the task that is being restored.
 */
bool ckpt_same_time_ns(struct ckpt_ctx *ctx, u32 time_ns)
{
	struct ckpt_child *maker = ctx->restart->running->maker;

	if (!maker->time_ns)
		maker->time_ns = time_ns;
	return maker->time_ns == time_ns;
}
