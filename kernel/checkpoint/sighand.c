// SPDX-License-Identifier: GPL-2.0
/*
 * Checkpoint/restart of signal handlers.
 */
#include <linux/init.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>

#include "parts.h"

/* What sigaction(2) lets through, and what the kernel itself adds. */
#define SIGHAND_FLAGS	((u64)(UAPI_SA_FLAGS | SA_IMMUTABLE | SA_IA32_ABI))

static void sighand_grab(void *ptr)
{
	struct sighand_struct *sighand = ptr;

	refcount_inc(&sighand->count);
}

static void sighand_drop(void *ptr)
{
	__cleanup_sighand(ptr);
}

static long sighand_users(void *ptr)
{
	struct sighand_struct *sighand = ptr;

	return refcount_read(&sighand->count);
}

/* The dead keep theirs until they are reaped, and do nothing with them. */
static long sighand_outside(struct ckpt_ctx *ctx, void *ptr)
{
	struct task_struct *process, *task;
	long users = 0;

	rcu_read_lock();
	for_each_process_thread(process, task)
		if (READ_ONCE(task->exit_state) && rcu_access_pointer(task->sighand) == ptr &&
		    !ckpt_task_collected(ctx, task))
			users++;
	rcu_read_unlock();
	return users;
}

static int sighand_find_holder(struct ckpt_ctx *ctx, void *ptr, struct ckpt_holder *holder)
{
	return ckpt_find_sharer(ctx, offsetof(struct task_struct, sighand), ptr,
				"the same signal handlers", holder);
}

/* The frames of x32 programs. */
static int sighand_collect(struct ckpt_ctx *ctx, void *ptr)
{
	struct sighand_struct *sighand = ptr;
	int i;

	for (i = 0; i < _NSIG; i++)
		if (READ_ONCE(sighand->action[i].sa.sa_flags) & SA_X32_ABI)
			return ckpt_refuse(ctx, -EOPNOTSUPP, "%s: x32 handler of signal %d",
					   ckpt_whom(ctx), i + 1);
	return 0;
}

static int sighand_checkpoint(struct ckpt_ctx *ctx, void *ptr)
{
	struct sighand_struct *sighand = ptr;
	struct ckpt_rec_sighand *rec;
	struct sigaction *sa;
	int i, err;

	BUILD_BUG_ON(CKPT_NSIG != _NSIG);
	rec = kzalloc(sizeof(*rec), GFP_KERNEL);
	if (!rec)
		return -ENOMEM;
	spin_lock_irq(&sighand->siglock);
	for (i = 0; i < _NSIG; i++) {
		sa = &sighand->action[i].sa;
		rec->action[i].handler = (unsigned long)sa->sa_handler;
		rec->action[i].flags = sa->sa_flags;
		rec->action[i].restorer = (unsigned long)sa->sa_restorer;
		rec->action[i].mask = ckpt_sigset(&sa->sa_mask);
	}
	spin_unlock_irq(&sighand->siglock);
	err = ckpt_write(ctx, CKPT_REC_SIGHAND, rec, sizeof(*rec));
	kfree(rec);
	return err;
}

/*
 * KILL and STOP cannot be handled; KILL and STOP cannot be blocked. The kernel
 * makes immutable what ends the program.
 */
static bool sigaction_valid(const struct ckpt_sigaction *act, int sig)
{
	if (act->flags & ~SIGHAND_FLAGS)
		return false;
	return !act->handler || !(sig_kernel_only(sig) || act->flags & SA_IMMUTABLE);
}

static void sighand_set(struct sighand_struct *sighand, const struct ckpt_rec_sighand *rec)
{
	struct sigaction *sa;
	int i;

	spin_lock_irq(&sighand->siglock);
	for (i = 0; i < _NSIG; i++) {
		sa = &sighand->action[i].sa;
		sa->sa_handler = (__sighandler_t)rec->action[i].handler;
		sa->sa_flags = rec->action[i].flags;
		sa->sa_restorer = (__sigrestore_t)rec->action[i].restorer;
		ckpt_sigset_to(&sa->sa_mask, rec->action[i].mask);
		sigdelsetmask(&sa->sa_mask, sigmask(SIGKILL) | sigmask(SIGSTOP));
	}
	spin_unlock_irq(&sighand->siglock);
}

static void *sighand_restore(struct ckpt_ctx *ctx)
{
	struct sighand_struct *sighand = ckpt_sighand(current);
	struct ckpt_rec_sighand *rec;
	int i, err;

	rec = kmalloc(sizeof(*rec), GFP_KERNEL);
	if (!rec)
		return ERR_PTR(-ENOMEM);
	err = ckpt_read(ctx, CKPT_REC_SIGHAND, rec, sizeof(*rec));
	if (err)
		goto out;
	for (i = 0; i < _NSIG; i++) {
		if (!sigaction_valid(&rec->action[i], i + 1)) {
			err = ckpt_err(ctx, -EINVAL, "%s: bad handler of signal %d",
				       ckpt_whom(ctx), i + 1);
			goto out;
		}
	}
	sighand_set(sighand, rec);
	refcount_inc(&sighand->count);
out:
	kfree(rec);
	return err ? ERR_PTR(err) : sighand;
}

const struct ckpt_obj_ops ckpt_sighand_obj_ops = {
	.obj_name = "sighand",
	.obj_type = CKPT_OBJ_SIGHAND,
	.stage = CKPT_STAGE_TASK,
	.ref_grab = sighand_grab,
	.ref_drop = sighand_drop,
	.ref_users = sighand_users,
	.ref_outside = sighand_outside,
	.find_holder = sighand_find_holder,
	.collect = sighand_collect,
	.checkpoint = sighand_checkpoint,
	.restore = sighand_restore,
};

static int __init sighand_init(void)
{
	return ckpt_register_obj(&ckpt_sighand_obj_ops);
}
device_initcall(sighand_init);
